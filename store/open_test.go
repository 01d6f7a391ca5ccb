package store_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"curfew/internal/pgtest"
	"curfew/revoke"
	"curfew/store"
)

// addresses gives every test a database of its own in both kinds.
func addresses() map[string]func(*testing.T) string {
	return map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { t.Helper(); return "sqlite:" + filepath.Join(t.TempDir(), "curfew.db") },
		"PostgreSQL": func(t *testing.T) string { t.Helper(); return pgtest.Database(t) },
	}
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, address := range addresses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, address(t))
		})
	}
}

func quiet(url string) store.Config {
	return store.Config{URL: url, Log: slog.New(slog.DiscardHandler), ProgramVersion: "1.2.3"}
}

func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		first, err := store.Open(t.Context(), quiet(url))
		if err != nil {
			t.Fatal(err)
		}
		second, err := store.Open(t.Context(), quiet(url))
		if err == nil {
			t.Error("a second server was let in", second.Close())
		} else if !strings.Contains(err.Error(), "another curfew") || !strings.Contains(err.Error(), "stop it first") {
			t.Errorf("second server: got %q, want a sentence with another curfew and stop it first", err)
		}
		if err := first.Close(); err != nil {
			t.Fatalf("close the first: %v", err)
		}
		third, err := store.Open(t.Context(), quiet(url))
		if err != nil {
			t.Fatalf("open after the first closed: %v", err)
		}
		if err := third.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestMigrateBesideAServer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := open(t, quiet(url))
		err := store.Migrate(t.Context(), quiet(url))
		switch {
		case strings.HasPrefix(url, "postgres:") && err != nil:
			t.Errorf("migrate beside a server: %v", err)
		case strings.HasPrefix(url, "sqlite:") && (err == nil || !strings.Contains(err.Error(), "stop it first")):
			t.Errorf("migrate beside a server on SQLite: got %v, want a refusal", err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSchemaOfANewerProgram(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		if err := store.Migrate(t.Context(), quiet(url)); err != nil {
			t.Fatal(err)
		}
		change(t, url, "UPDATE meta SET schema = 99, oldest_program = 1 WHERE one = 1")
		if err := store.Migrate(t.Context(), quiet(url)); err != nil {
			t.Errorf("migrate a newer schema that still bears us: %v", err)
		}
		s, err := store.Open(t.Context(), quiet(url))
		if err != nil {
			t.Fatalf("open a newer schema that still bears us: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		change(t, url, "UPDATE meta SET oldest_program = 98 WHERE one = 1")
		for name, try := range map[string]func() error{
			"migrate": func() error { return store.Migrate(t.Context(), quiet(url)) },
			"open": func() error {
				s, err := store.Open(t.Context(), quiet(url))
				if err == nil {
					return s.Close()
				}
				return err
			},
		} {
			if err := try(); err == nil || !strings.Contains(err.Error(), "needs a curfew that knows schema 98") || !strings.Contains(err.Error(), "1.2.3") {
				t.Errorf("%s a schema that no longer bears us: got %v, want a refusal that names schema 98 and our version", name, err)
			}
		}
	})
}

// change runs a statement behind the store's back.
func change(t *testing.T, url, statement string) {
	t.Helper()
	driver, address := "postgres", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, address = "sqlite", path
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestOpenFromNothing(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"SQLite": "sqlite:" + filepath.Join(t.TempDir(), "new.db"), "PostgreSQL": pgtest.EmptyDatabase(t)} {
		s := open(t, quiet(url))
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefusesInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, want string }{
		{"mysql://root@localhost/x", "names no database that we know"},
		{"curfew.db", "names no database that we know"},
		{"sqlite:", "names no file"},
		{"sqlite::memory:", "names no file"},
		{"sqlite:" + filepath.Join(t.TempDir(), "no", "such", "curfew.db"), "folder that is not there"},
		{"postgres://u:geheim@[::1/x", "is not a PostgreSQL address"},
	} {
		s, err := store.Open(t.Context(), quiet(c.url))
		if err == nil {
			t.Errorf("open %s: got a store, want an error", c.url)
			_ = s.Close()
			continue
		}
		if _, ok := errors.AsType[revoke.Invalid](err); !ok || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("open %s: got %v, want Invalid with %q and no password", c.url, err, c.want)
		}
	}
}

func TestClockNeverGoesBackOverARestart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		if err := store.Migrate(t.Context(), quiet(url)); err != nil {
			t.Fatal(err)
		}
		const future = 4_000_000_000_000_000
		change(t, url, "UPDATE meta SET clock_mark = 4000000000000000 WHERE one = 1")
		s := open(t, quiet(url))
		if now := s.Clock().Now(); now < future {
			t.Errorf("clock after a restart: got %s, want %s or later", now, revoke.Instant(future))
		}
		err := s.Decide(t.Context(), revoke.Need{Org: "main"}, func(f *revoke.Facts) (revoke.Effects, error) {
			if f.Now <= future {
				t.Errorf("a decision's instant: got %s, want one after %s", f.Now, revoke.Instant(future))
			}
			return revoke.Effects{}, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestWeakPostgreSQLIsRefused(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			c, err := pgtest.Start(t.Context(), setting+"=off")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Stop)
			s, err := store.Open(context.WithoutCancel(t.Context()), quiet(c.URL("postgres")))
			if err == nil {
				t.Fatal("a server that loses acknowledged commits was accepted", s.Close())
			}
			if !strings.Contains(err.Error(), setting+" = on") {
				t.Errorf("with %s off: got %q, want a sentence that says to set it on", setting, err)
			}
		})
	}
}
