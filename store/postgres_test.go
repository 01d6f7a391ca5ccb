package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net"
	neturl "net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/pgtest"
	"curfew/revoke"
)

// cutter passes bytes between a client and a PostgreSQL server until it is told to cut at a commit.
type cutter struct {
	mutex  sync.Mutex
	mode   string // "", "before" the server hears of the commit, or "after" it has answered
	server string
}

func (c *cutter) cut(mode string) {
	c.mutex.Lock()
	c.mode = mode
	c.mutex.Unlock()
}

func (c *cutter) take() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	mode := c.mode
	c.mode = ""
	return mode
}

// commit is the simple query that ends a transaction (PostgreSQL's documentation, "Message Formats", Query).
var commit = []byte("COMMIT\x00")

func (c *cutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", c.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	answered := make(chan struct{}, 1)
	var silent sync.Mutex
	muted := false
	go func() {
		defer func() { _ = client.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				return
			}
			silent.Lock()
			quiet := muted
			silent.Unlock()
			if quiet {
				answered <- struct{}{}
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], commit) {
			switch c.take() {
			case "before":
				return
			case "after":
				silent.Lock()
				muted = true
				silent.Unlock()
				if _, err := server.Write(buffer[:n]); err == nil {
					<-answered
				}
				return
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// behind returns the address of the same database through a cutter.
func behind(t *testing.T, url string) (string, *cutter) {
	t.Helper()
	u, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{server: filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")}
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	q := u.Query()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	return u.String(), c
}

func TestUnknownCommit(t *testing.T) {
	t.Parallel()
	url, c := behind(t, pgtest.Database(t))
	s := open(t, quiet(url))
	release := s.HoldSettlers() // the commit that is cut must be a decision's
	defer release()
	for _, mode := range []string{"before", "after"} {
		id := revoke.NewID(s.Clock().Now())
		err := s.Decide(t.Context(), revoke.Need{Org: "main"}, func(f *revoke.Facts) (revoke.Effects, error) {
			c.cut(mode)
			return making(id)(f)
		})
		if !errors.Is(err, revoke.ErrUnknownCommit) {
			t.Errorf("connection cut %s the commit: got %v, want unknown commit", mode, err)
		}
		if got, want := known(t, s, id), mode == "after"; got != want {
			t.Errorf("connection cut %s the commit: the user is there: %t, want %t", mode, got, want)
		}
		next := revoke.NewID(s.Clock().Now())
		if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(next)); err != nil || !known(t, s, next) {
			t.Errorf("the decision after it: got %v, want nil and the user there", err)
		}
	}
}

func TestLostServerLock(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	doubts := make(chan error, 10)
	cfg := quiet(url)
	cfg.Doubt = func(err error) { doubts <- err }
	s := open(t, cfg)
	admin, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	other, err := admin.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	// Another server waits for the lock, so that it has it the moment the first loses it.
	const lock = "classid = 1668641382 AND objid = 1 AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	took := make(chan error, 1)
	go func() {
		_, err := other.ExecContext(context.WithoutCancel(t.Context()), "SELECT pg_advisory_lock(1668641382, 1)")
		took <- err
	}()
	eventually(t, "the other server waits for the lock", func() bool {
		var n int
		err := admin.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND "+lock).Scan(&n)
		return err == nil && n == 1
	})
	if _, err := admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE granted AND "+lock); err != nil {
		t.Fatal(err)
	}
	if err := <-took; err != nil {
		t.Fatal(err)
	}
	if err := <-doubts; err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("first doubt: got %v, want that the lock was lost", err)
	}
	for name, ask := range map[string]func() error{
		"decide": func() error {
			return s.Decide(t.Context(), revoke.Need{Org: "main"}, making(revoke.NewID(1)))
		},
		"load the view": func() error { return s.LoadView(t.Context(), func(...revoke.Change) {}) },
		"ping":          func() error { return s.Ping(t.Context()) },
		"claim": func() error {
			_, err := s.Claim(t.Context(), "canvas", 1, 1, 2, revoke.NewID(1))
			return err
		},
	} {
		if err := ask(); !errors.Is(err, revoke.ErrUnavailable) {
			t.Errorf("%s while another server has the lock: got %v, want unavailable", name, err)
		}
	}
	if _, err := other.ExecContext(t.Context(), "SELECT pg_advisory_unlock(1668641382, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := <-doubts; err == nil || !strings.Contains(err.Error(), "taken again") {
		t.Errorf("second doubt: got %v, want that the lock was taken again, for what the other server wrote must be read", err)
	}
	eventually(t, "the lock is taken again", func() bool { return s.Ping(t.Context()) == nil })
	if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(revoke.NewID(s.Clock().Now()))); err != nil {
		t.Errorf("decide after the lock was taken again: %v", err)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !is() {
		select {
		case <-late:
			t.Fatalf("waited a minute until %s", what)
		case <-tick.C:
		}
	}
}

func TestDatabaseThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := open(t, quiet(url))
	if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(revoke.NewID(1))); err != nil {
		t.Fatal(err)
	}
	change(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "+
		"pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")
	// Every writer's connection is gone, and nobody needs to hear of it: nothing had been decided on them.
	var decided sync.WaitGroup
	for range 8 {
		decided.Go(func() {
			if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(revoke.NewID(s.Clock().Now()))); err != nil {
				t.Errorf("after all connections were ended: %v", err)
			}
		})
	}
	decided.Wait()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
