package store

import (
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	"curfew/revoke"
)

// kill -9 cannot show what a power cut would lose; the setting of every connection can.
func TestEverySQLiteConnectionIsDurable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a ?b#c%d.db") // as a folder may be called
	s, err := Open(t.Context(), Config{URL: "sqlite:" + path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "a *.db")); len(found) != 1 {
		t.Errorf("files: got %v, want the one that was named", found)
	}
	var conns []*sql.Conn
	for range sqliteReaders {
		conn, err := s.reads.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	if got := s.reads.Stats().OpenConnections; got != sqliteReaders {
		t.Errorf("readers: got %d connections, want %d", got, sqliteReaders)
	}
	w := <-s.deciding
	defer func() { s.deciding <- w }()
	if err := w.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.settling != s.deciding || s.writes.Stats().MaxOpenConnections != 1 {
		t.Error("SQLite must have one writer")
	}
	for i, conn := range append(conns, w.conn) {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "1", "cache_size": "-16384"} {
			if conn == w.conn {
				want = cmp.Or(map[string]string{"query_only": "0", "cache_size": "-65536"}[pragma], want)
			}
			if got := pragmaOf(t.Context(), t, conn, pragma); got != want {
				t.Errorf("connection %d of %d: PRAGMA %s: got %s, want %s", i+1, len(conns)+1, pragma, got, want)
			}
		}
	}
}

func pragmaOf(ctx context.Context, t *testing.T, conn *sql.Conn, pragma string) (value string) {
	t.Helper()
	if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
		t.Fatalf("PRAGMA %s: %v", pragma, err)
	}
	return value
}

// A claim may be lost with a power cut, since its lease would be given back anyway; the decision after it may not.
func TestWhatMustBeDurableIsFlushedAfterAClaim(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "curfew.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	level := func(w *writer) (level string) {
		if err := w.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&level); err != nil {
			t.Fatal(err)
		}
		return level
	}
	const normal, full = "1", "2"
	for i, step := range []struct {
		keep durability
		want string
	}{{durable, full}, {lazy, normal}, {lazy, normal}, {durable, full}, {durable, full}, {lazy, normal}, {durable, full}} {
		err := s.settle(t.Context(), step.keep, func(_ context.Context, w *writer) (bool, error) {
			if got := level(w); got != step.want {
				t.Errorf("step %d: PRAGMA synchronous: got %s, want %s", i, got, step.want)
			}
			return false, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if step.keep == durable {
			continue
		}
		err = s.Decide(t.Context(), revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) { return revoke.Effects{}, nil })
		if err != nil {
			t.Fatal(err)
		}
		w := <-s.deciding
		if got := level(w); got != full {
			t.Errorf("after step %d and a decision: PRAGMA synchronous: got %s, want %s", i, got, full)
		}
		s.deciding <- w
	}
}
