package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"curfew/internal/pgtest"
)

// outage: while the database is away nothing is promised and nothing is called live; when it is back, everything is as it was.
func (p program) outage(t *testing.T) {
	t.Parallel()
	way, database := newCable(t, pgtest.EmptyDatabase(t))
	file := configure(t, t.TempDir(), database, "http://127.0.0.1:1")
	r := p.start(t, file)
	alive := r.signIn(t, "mobile")
	resource := r.provision(t, "ben@example.edu")
	ben := r.register("ben@example.edu", "mobile").member(t, "token").(string)
	dead := r.signIn(t, "browser")
	if a := r.post("/v1/revocations", opsToken, fmt.Sprintf(`{"scope": "user", "subject": {"format": "email", "email": %q}, "kind": "browser", "reason": "test"}`, sally)); a.status != http.StatusCreated {
		t.Fatalf("revoke: got %d %s", a.status, a.body)
	}

	way.cut()
	writes := map[string]func() answer{
		"registration":       func() answer { return r.register("new@example.edu", "mobile") },
		"SCIM deactivation":  func() answer { return r.setActive(resource, false) },
		"Okta event":         func() answer { return r.okta(oktaSecret, "user.lifecycle.suspend", "o-1", sally, time.Now()) },
		"revocation":         func() answer { return r.post("/v1/revocations", opsToken, `{"scope": "everyone", "reason": "test"}`) },
		"readyz":             func() answer { return r.get("/readyz", "") },
		"list of deliveries": func() answer { return r.get("/v1/deliveries", "Bearer "+opsToken) },
	}
	for what, do := range writes {
		if a := do(); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s without a database: got %d %s and Retry-After %q, want 503 with one", what, a.status, a.body, a.header.Get("Retry-After"))
		}
	}
	// Within freshness the server may still answer from what it knows; then it must say that it does not know.
	reads := map[string]func() answer{
		"verify of a live session": func() answer { return r.get("/verify", "Bearer "+alive) },
		"verify of a dead session": func() answer { return r.get("/verify", "Bearer "+dead) },
		"verify of an unknown one": func() answer { return r.get("/verify", "Bearer unknown") },
		"introspection": func() answer {
			return r.do(http.MethodPost, "/oauth2/introspect", "Bearer "+gatewayToken, "application/x-www-form-urlencoded", "token="+alive)
		},
	}
	for what, do := range reads {
		eventually(t, what+" answers 503", func() bool { return do().status == http.StatusServiceUnavailable })
	}
	for range 20 {
		for what, do := range reads {
			if a := do(); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				t.Errorf("%s without a database: got %d and Retry-After %q, want 503 with one", what, a.status, a.header.Get("Retry-After"))
			}
		}
	}
	if got := r.get("/healthz", "").status; got != http.StatusOK {
		t.Errorf("healthz without a database: got %d, want 200: the process runs", got)
	}

	way.mend(t)
	eventually(t, "the server is ready again", func() bool { return r.get("/readyz", "").status == http.StatusOK })
	// It may still say that it does not know, while connections of before the outage come to their end; never anything wrong.
	know := func(token string) (status int) {
		t.Helper()
		eventually(t, "/verify knows", func() bool { status = r.verify(token); return status != http.StatusServiceUnavailable })
		return status
	}
	for token, want := range map[string]int{alive: http.StatusOK, dead: http.StatusUnauthorized, ben: http.StatusOK} {
		if got := know(token); got != want {
			t.Errorf("/verify after the outage: got %d, want %d", got, want)
		}
	}
	var last answer
	eventually(t, "SCIM takes a deactivation", func() bool {
		last = r.setActive(resource, false)
		return last.status != http.StatusServiceUnavailable
	})
	if last.status/100 != 2 {
		t.Errorf("SCIM deactivation after the outage: got %d %s", last.status, last.body)
	}
	if got := know(ben); got != http.StatusUnauthorized {
		t.Errorf("/verify after a deactivation after the outage: got %d, want 401", got)
	}
}

// cable is the way to PostgreSQL, and can be cut: at once, or at the next commit.
type cable struct {
	socket, to string
	mu         sync.Mutex
	listener   net.Listener
	open       map[net.Conn]bool
	commit     atCommit
	committing net.Conn // the server's end of the connection whose answer to a commit is not passed on
	work       sync.WaitGroup
}

// atCommit is when a cable breaks: before the database hears of a commit, or once it has carried it out.
type atCommit string

const (
	cutBefore atCommit = "before the commit"
	cutAfter  atCommit = "after the commit"
)

// commitMessage is the simple query that ends a transaction (PostgreSQL's documentation, "Message Formats", Query).
var commitMessage = []byte("COMMIT\x00")

// newCable leads to database by another address, which it returns.
func newCable(t *testing.T, database string) (*cable, string) {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "cable-") //nolint:usetesting // the path of a socket must be shorter than the test's own folder's
	if err != nil {
		t.Fatal(err)
	}
	q := address.Query()
	c := &cable{socket: filepath.Join(folder, ".s.PGSQL.5432"), to: filepath.Join(q.Get("host"), ".s.PGSQL.5432"), open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		c.cut()
		c.work.Wait()
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	c.mend(t)
	q.Set("host", folder)
	address.RawQuery = q.Encode()
	return c, address.String()
}

func (c *cable) mend(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	listener, err := net.Listen("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	c.listener = listener
	c.work.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", c.to)
			if err != nil || !c.keep(listener, in, out) {
				_ = in.Close()
				continue
			}
			c.work.Go(func() { c.carry(in, out) })
			c.work.Go(func() { c.carry(out, in) })
		}
	})
}

// keep remembers two ends, unless the cable was cut in between.
func (c *cable) keep(listener net.Listener, ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range ends {
		if c.listener != listener {
			return false
		}
		c.open[end] = true
	}
	return true
}

// cutAt breaks the cable at the next commit.
func (c *cable) cutAt(when atCommit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commit = when
}

// pass looks at a message and breaks the cable when it is time for it.
func (c *cable) pass(from, to net.Conn, message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.committing == from:
		c.sever()
	case c.commit == "" || !bytes.Contains(message, commitMessage):
	case c.commit == cutBefore:
		c.sever()
	default:
		c.commit, c.committing = "", to
	}
}

func (c *cable) carry(from, to net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			break
		}
		c.pass(from, to, buffer[:n])
		if _, err := to.Write(buffer[:n]); err != nil {
			break
		}
	}
	_ = from.Close()
	_ = to.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, from)
	delete(c.open, to)
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sever()
}

func (c *cable) sever() {
	c.commit, c.committing = "", nil
	if c.listener != nil {
		_ = c.listener.Close() // twice is harmless
	}
	for end := range c.open {
		_ = end.Close()
	}
	c.listener = nil
}
