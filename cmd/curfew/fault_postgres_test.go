package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/pgtest"
)

const (
	reconnectWithin = 3 * time.Second // after the database answers again
	suspenders      = 4               // senders at once
)

// postgresRestarts crashes PostgreSQL again and again, and kills all of its connections in between, under senders who try
// again until they are acknowledged. No acknowledgement is lost, nothing happens twice, and the server is back at once.
func (p program) postgresRestarts(t *testing.T) {
	t.Parallel()
	cluster, err := pgtest.Start(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	database := cluster.URL("postgres")
	app := newPortal(t)
	r := p.start(t, configure(t, t.TempDir(), database, app.URL, noBrake))
	load := r.suspendAll(t)
	admin := look(t, database)
	rounds := 3
	if *thorough {
		rounds = 60
	}
	for round := range rounds {
		load.more(t, 20)
		if round%2 == 0 {
			if err := cluster.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			eventually(t, "every connection is ended", func() bool {
				_, err := admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
				return err == nil
			})
		}
		back := time.Now()
		eventually(t, "the server is ready again", func() bool { return r.get("/readyz", "").status == http.StatusOK })
		load.more(t, 1)
		if took := time.Since(back); took > reconnectWithin {
			t.Errorf("round %d: acknowledged again %s after the database answered, want within %s", round, took, reconnectWithin)
		}
	}
	people := load.stop()
	for _, s := range people {
		if s.acknowledged {
			eventually(t, "/verify knows", func() bool { return r.verify(s.token) != http.StatusServiceUnavailable })
			if got := r.verify(s.token); got != http.StatusUnauthorized {
				t.Errorf("%s: the suspension was acknowledged, and /verify answers %d", s.email, got)
			}
		}
	}
	wantOnce(t, admin, people)
	eventually(t, "the application was told of everybody", func() bool {
		return !slices.ContainsFunc(people, func(s *suspended) bool { return s.acknowledged && !app.heard("user.blocked", s.email) })
	})
	var revocations int
	if err := admin.QueryRowContext(t.Context(), "SELECT count(*) FROM revocations").Scan(&revocations); err != nil {
		t.Fatal(err)
	}
	ids := app.refuse(false)
	slices.Sort(ids)
	if got := len(slices.Compact(ids)); got != revocations {
		t.Errorf("the application was told under %d ids of %d revocations: one each", got, revocations)
	}
}

// suspended is somebody whom a sender suspends.
type suspended struct {
	email, token, event string
	acknowledged        bool
}

// suspending is a load of senders, each of which tries again until it is acknowledged.
type suspending struct {
	told chan struct{} // one for each acknowledgement
	end  func()
	mu   sync.Mutex
	all  []*suspended
}

// suspendAll signs people in and suspends them, until it is stopped. Whatever is not an acknowledgement must be a 503 that
// says when to try again, and a session that was acknowledged as over is never called live.
func (r *running) suspendAll(t *testing.T) *suspending {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &suspending{told: make(chan struct{}, 1_000_000)}
	var work sync.WaitGroup
	try := func(what string, ask func() answer) (answer, bool) {
		for ctx.Err() == nil {
			a := ask()
			if a.status/100 == 2 {
				return a, true
			}
			wantRefused(t, what, a)
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		return answer{}, false
	}
	for n := range suspenders {
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				s := &suspended{email: fmt.Sprintf("s%d-%d@example.edu", n, i), event: fmt.Sprintf("suspend-%d-%d", n, i)}
				a, ok := try("registration", func() answer { return r.register(s.email, "mobile") })
				if !ok {
					return
				}
				s.token = a.member(t, "token").(string)
				l.mu.Lock()
				l.all = append(l.all, s)
				l.mu.Unlock()
				if _, ok := try("suspension", func() answer { return r.okta(oktaSecret, "user.lifecycle.suspend", s.event, s.email, time.Now()) }); !ok {
					return
				}
				s.acknowledged = true
				if got := r.verify(s.token); got != http.StatusUnauthorized && got != http.StatusServiceUnavailable {
					t.Errorf("%s: /verify answers %d after the acknowledged suspension", s.email, got)
				}
				l.told <- struct{}{}
			}
		})
	}
	l.end = sync.OnceFunc(func() { stop(); work.Wait() })
	t.Cleanup(l.end)
	return l
}

// more waits for n acknowledgements that come from now on.
func (l *suspending) more(t *testing.T, n int) {
	t.Helper()
	for range len(l.told) {
		<-l.told
	}
	late := time.After(20 * time.Second)
	for range n {
		select {
		case <-l.told:
		case <-late:
			t.Fatal("nobody was acknowledged for 20 s")
		}
	}
}

func (l *suspending) stop() []*suspended {
	l.end()
	return l.all
}

// wantOnce looks into the database: each acknowledged event is there once, with one revocation.
func wantOnce(t *testing.T, db *sql.DB, people []*suspended) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT e.sender_id, count(DISTINCT e.id), count(r.id) FROM events e LEFT JOIN revocations r ON r.event_id = e.id GROUP BY e.sender_id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string][2]int{}
	for rows.Next() {
		var id string
		var events, revocations int
		if err := rows.Scan(&id, &events, &revocations); err != nil {
			t.Fatal(err)
		}
		found[id] = [2]int{events, revocations}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, s := range people {
		if got := found[s.event]; s.acknowledged && got != [2]int{1, 1} {
			t.Errorf("event %s: acknowledged, and there are %d of it with %d revocations, want one with one", s.event, got[0], got[1])
		}
	}
}

// lockLost: another server has the database for a while and ends everything. Ours knows nothing until it has read that.
func (p program) lockLost(t *testing.T) {
	t.Parallel()
	database := pgtest.EmptyDatabase(t)
	r := p.start(t, configure(t, t.TempDir(), database, "http://127.0.0.1:1"))
	alive := r.signIn(t, "mobile")
	admin := look(t, database)
	other, err := admin.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
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
	eventually(t, "the loss is seen", func() bool { return r.get("/readyz", "").status == http.StatusServiceUnavailable })
	for range 20 {
		wantRefused(t, "/readyz without the lock", r.get("/readyz", ""))
		wantRefused(t, "/verify without the lock", r.get("/verify", "Bearer "+alive))
		wantRefused(t, "registration without the lock", r.register("new@example.edu", "mobile"))
	}
	const nobody = "00000000-0000-0000-0000-000000000000"
	if _, err := other.ExecContext(t.Context(), "INSERT INTO cutoffs (org, user_id, scope, device_id, key, at, spared_at, revocation_id, spared_by) "+
		"VALUES ('main', $1, 'everyone', $1, '', $2, $2, $1, $1)", nobody, time.Now().UnixMicro()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), "SELECT pg_advisory_unlock(1668641382, 1)"); err != nil {
		t.Fatal(err)
	}
	var first int
	eventually(t, "/verify knows again", func() bool {
		first = r.verify(alive)
		return first != http.StatusServiceUnavailable
	})
	if first != http.StatusUnauthorized {
		t.Errorf("/verify once the lock was there again: got %d, want 401: the other server ended the session", first)
	}
	eventually(t, "the server is ready again", func() bool { return r.get("/readyz", "").status == http.StatusOK })
}

// unknownCommit: the connection dies at a commit. Nobody is told anything about a session until the database was read again,
// and the sender who tries again has its answer once.
func (p program) unknownCommit(t *testing.T) {
	t.Parallel()
	own := pgtest.EmptyDatabase(t)
	way, database := newCable(t, own)
	app := newPortal(t)
	r := p.start(t, configure(t, t.TempDir(), database, app.URL, noBrake))
	stand := look(t, own)
	var people []*suspended
	hit, cuts := map[atCommit]int{}, 2
	if *thorough {
		cuts = 50
	}
	doubts := func() int {
		return strings.Count(r.log.String(), `was read again","err":"decide: commit outcome unknown`)
	}
	for n := 0; hit[cutBefore] < cuts || hit[cutAfter] < cuts; n++ {
		if n == 20*cuts {
			t.Fatalf("the cut hits no decision: %v", hit)
		}
		when := []atCommit{cutBefore, cutAfter}[n%2]
		s := &suspended{email: fmt.Sprintf("u%d@example.edu", n), event: fmt.Sprintf("unknown-%d", n), acknowledged: true}
		eventually(t, "a registration is taken", func() bool {
			a := r.register(s.email, "mobile")
			if a.status == http.StatusCreated {
				s.token = a.member(t, "token").(string)
			}
			return s.token != ""
		})
		eventually(t, "the new session is live", func() bool { return r.verify(s.token) == http.StatusOK })
		people = append(people, s)
		at := time.Now()
		suspend := func() answer { return r.okta(oktaSecret, "user.lifecycle.suspend", s.event, s.email, at) }
		before := doubts()
		way.cutAt(when)
		if a := suspend(); a.status/100 != 2 {
			wantRefused(t, "a commit cut "+string(when), a)
		}
		met := doubts() > before // else it was the commit of the clock's mark, or of a delivery
		if met {
			for range 20 {
				wantRefused(t, "/verify after a commit cut "+string(when), r.get("/verify", "Bearer "+s.token))
			}
		}
		way.cut()
		way.mend(t)
		// The cut may have met another commit, and this one on its way: what is stored decides.
		var stored bool
		if err := stand.QueryRowContext(t.Context(), "SELECT EXISTS (SELECT 1 FROM events WHERE sender_id = $1)", s.event).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if met && stored == (when == cutAfter) {
			hit[when]++
		}
		var status int
		eventually(t, "/verify knows again", func() bool { status = r.verify(s.token); return status != http.StatusServiceUnavailable })
		if met && stored && status != http.StatusUnauthorized {
			t.Errorf("cut %s: once the view was read again /verify answers %d, want 401", when, status)
		}
		eventually(t, "the sender is acknowledged", func() bool { return suspend().status/100 == 2 })
		if got := r.verify(s.token); got != http.StatusUnauthorized && got != http.StatusServiceUnavailable {
			t.Errorf("cut %s: /verify answers %d after the acknowledgement", when, got)
		}
	}
	wantOnce(t, stand, people)
	eventually(t, "the application was told of everybody", func() bool {
		return !slices.ContainsFunc(people, func(s *suspended) bool { return !app.heard("user.blocked", s.email) })
	})
}
