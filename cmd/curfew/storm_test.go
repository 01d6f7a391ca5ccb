package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	stormEvents  = 2000
	stormBatch   = 50
	stormSenders = 4
	stormSignIns = 40 // of those who are suspended
)

// TestStorm: a directory suspends very many people at once.
func TestStorm(t *testing.T) {
	t.Parallel()
	p := build(t, "")
	t.Run("kill", func(t *testing.T) { onEach(t, p.stormKilled) })
	t.Run("duplicates", func(t *testing.T) { onEach(t, p.duplicates) })
	t.Run("ten thousand", func(t *testing.T) { onEach(t, p.tenThousand) })
	t.Run("slow target", func(t *testing.T) { onEach(t, p.slowTarget) })
}

func stormLogin(n int) string { return fmt.Sprintf("storm%d@example.edu", n) }

// suspensions is an Okta delivery that suspends people, each with an event of its own.
func suspensions(from, to int) string {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	events := make([]string, 0, to-from)
	for n := from; n < to; n++ {
		events = append(events, fmt.Sprintf(`{"uuid": "storm-%d", "published": %q, "eventType": "user.lifecycle.suspend", "outcome": {"result": "SUCCESS"},
			"target": [{"id": "00u-storm-%d", "type": "User", "alternateId": %q}]}`, n, at, n, stormLogin(n)))
	}
	return fmt.Sprintf(`{"eventType": "com.okta.event_hook", "eventId": "delivery-%d", "data": {"events": [%s]}}`, from, strings.Join(events, ","))
}

func (r *running) hook(secret, body string) answer {
	return r.do(http.MethodPost, "/hooks/okta", secret, "application/json", body)
}

// stormKilled: the server is killed in the middle, its senders try again, and everything is there exactly once (case 45).
func (p program) stormKilled(t *testing.T, folder, database string) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1", noBrake)
	r := p.start(t, file)
	sessions := map[int]string{}
	for n := 0; n < stormEvents; n += stormEvents / stormSignIns {
		sessions[n] = r.register(stormLogin(n), "mobile").member(t, "token").(string)
	}
	bodies := make([]string, stormEvents/stormBatch)
	for i := range bodies {
		bodies[i] = suspensions(i*stormBatch, (i+1)*stormBatch)
	}
	acknowledged := make([]atomic.Bool, len(bodies))
	some := make(chan struct{}, len(bodies))
	send := func(r *running) {
		var next atomic.Int64
		var senders sync.WaitGroup
		for range stormSenders {
			senders.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(bodies) {
						return
					}
					if acknowledged[i].Load() {
						continue
					}
					switch a := r.hook(oktaSecret, bodies[i]); {
					case a.status/100 == 2:
						acknowledged[i].Store(true)
						some <- struct{}{}
					case a.status == 0:
						return // the server is gone
					default:
						t.Errorf("a valid batch was answered %d %s", a.status, a.body)
						return
					}
				}
			})
		}
		senders.Wait()
	}
	ended := make(chan struct{})
	go func() { send(r); close(ended) }()
	stopForging := r.forge(t, suspensions(stormEvents, stormEvents+1))
	for range 3 + rand.IntN(len(bodies)/2) {
		<-some
	}
	r.kill()
	<-ended
	stopForging()
	before := map[int]bool{}
	for i := range acknowledged {
		before[i] = acknowledged[i].Load()
	}
	r = p.start(t, file)
	stored := storedStorm(t, database)
	for i, told := range before {
		whole := 0
		for n := i * stormBatch; n < (i+1)*stormBatch; n++ {
			if stored[n] {
				whole++
			}
		}
		if told && whole != stormBatch || whole != 0 && whole != stormBatch {
			t.Errorf("batch %d (acknowledged: %t): after the kill %d of its %d events are stored", i, told, whole, stormBatch)
		}
	}
	for n, session := range sessions {
		if before[n/stormBatch] && r.verify(session) != http.StatusUnauthorized {
			t.Errorf("the suspension of person %d was acknowledged before the kill, and its session lives", n)
		}
	}
	stopForging = r.forge(t, suspensions(stormEvents, stormEvents+1))
	send(r)
	stopForging()
	if stored := storedStorm(t, database); len(stored) != stormEvents || stored[stormEvents] {
		t.Errorf("after the senders tried again %d events are stored, want %d", len(stored), stormEvents)
	}
	for n, session := range sessions {
		if got := r.verify(session); got != http.StatusUnauthorized {
			t.Errorf("the session of person %d: /verify answers %d, want 401", n, got)
		}
	}
	r.kill()
}

// forge sends a message under a wrong secret until stop is called, or the server is gone.
func (r *running) forge(t *testing.T, body string) (stop func()) {
	t.Helper()
	over := make(chan struct{})
	var forgers sync.WaitGroup
	for range 2 {
		forgers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				a := r.hook("a guess", body)
				if a.status == 0 {
					return
				}
				if a.status != http.StatusUnauthorized {
					t.Errorf("a forgery was answered %d %s, want 401", a.status, a.body)
					return
				}
			}
		})
	}
	return func() { close(over); forgers.Wait() }
}

// storedStorm returns which events of a storm are stored, each of which must be there once, with one revocation and one block.
func storedStorm(t *testing.T, database string) map[int]bool {
	t.Helper()
	rows, err := look(t, database).QueryContext(t.Context(), `SELECT e.sender_id,
		(SELECT count(*) FROM revocations r WHERE r.event_id = e.id),
		(SELECT count(*) FROM blocks b JOIN revocations r ON r.user_id = b.user_id WHERE r.event_id = e.id)
		FROM events e WHERE e.sender_id LIKE 'storm-%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found := map[int]bool{}
	for rows.Next() {
		var id string
		var n, revocations, blocks int
		if err := rows.Scan(&id, &revocations, &blocks); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(id, "storm-%d", &n); err != nil {
			t.Fatal(err)
		}
		if found[n] || revocations != 1 || blocks != 1 {
			t.Errorf("event %s: stored before: %t, %d revocations, %d blocks, want one of each", id, found[n], revocations, blocks)
		}
		found[n] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// duplicates: fifty copies of one message at once are one action and fifty equal successes (case 19).
func (p program) duplicates(t *testing.T, folder, database string) {
	t.Helper()
	r := p.start(t, configure(t, folder, database, "http://127.0.0.1:1"))
	const copies = 50
	body := suspensions(7, 8)
	answers := make([]answer, copies)
	begin := make(chan struct{})
	var senders sync.WaitGroup
	for i := range answers {
		senders.Go(func() { <-begin; answers[i] = r.hook(oktaSecret, body) })
	}
	close(begin)
	senders.Wait()
	for i, a := range answers {
		if a.status/100 != 2 || a.status != answers[0].status || string(a.body) != string(answers[0].body) {
			t.Errorf("copy %d: got %d %q, want a success like %d %q", i, a.status, a.body, answers[0].status, answers[0].body)
		}
	}
	if stored := storedStorm(t, database); len(stored) != 1 || !stored[7] {
		t.Errorf("after %d copies of one event %v are stored, want one", copies, stored)
	}
}

// tenThousand: as many items as one message may have are taken, and one more is refused whole (case 23).
func (p program) tenThousand(t *testing.T, folder, database string) {
	t.Helper()
	r := p.start(t, configure(t, folder, database, "http://127.0.0.1:1"))
	const most = 10_000
	session := r.register(stormLogin(most-1), "mobile").member(t, "token").(string)
	const item = `{"uuid":"storm-%d","eventType":"user.lifecycle.suspend","outcome":{"result":"SUCCESS"},"target":[{"id":"s%d","type":"User"}]}`
	var body strings.Builder
	body.WriteString(`{"data":{"events":[`)
	for n := range most - 1 { // the last few characters of a megabyte are somebody's whom we know
		fmt.Fprintf(&body, `{"uuid":"i-%d"},`, n)
	}
	over := body.String() + `{"uuid":"a"},{"uuid":"b"}]}}`
	fmt.Fprintf(&body, strings.Replace(item, `"type":"User"}`, `"type":"User","alternateId":%q}`, 1)+`]}}`, most-1, most-1, stormLogin(most-1))
	if a := r.hook(oktaSecret, over); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d items: got %d %s, want 413", most+1, a.status, a.body)
	}
	if got := r.verify(session); got != http.StatusOK {
		t.Errorf("before the suspension /verify answers %d, want 200", got)
	}
	if a := r.hook(oktaSecret, body.String()); a.status/100 != 2 {
		t.Fatalf("%d items: got %d %s, want a success", most, a.status, a.body)
	}
	if got := r.verify(session); got != http.StatusUnauthorized {
		t.Errorf("after the last of %d items /verify answers %d, want 401", most, got)
	}
	kept := 0
	if err := look(t, database).QueryRowContext(t.Context(), "SELECT count(*) FROM events WHERE sender_id LIKE 'i-%'").Scan(&kept); err != nil || kept != most-1 {
		t.Errorf("the other items: %d are kept (%v), want %d", kept, err, most-1)
	}
}

// slowTarget: while a target hangs, 200 messages a second are answered, 99 of 100 of them within a second (case 46).
func (p program) slowTarget(t *testing.T, folder, database string) {
	t.Helper()
	released := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(released) })
	r := p.start(t, configure(t, folder, database, hangs.URL, noBrake))
	const each, messages = time.Second / 200, 600
	took := make([]time.Duration, messages)
	var senders sync.WaitGroup
	tick := time.NewTicker(each)
	defer tick.Stop()
	for n := range messages {
		<-tick.C
		senders.Go(func() {
			began := time.Now()
			if a := r.hook(oktaSecret, suspensions(n, n+1)); a.status/100 != 2 {
				t.Errorf("message %d: got %d %s, want a success", n, a.status, a.body)
			}
			took[n] = time.Since(began)
		})
	}
	senders.Wait()
	slices.Sort(took)
	p99 := took[messages*99/100]
	t.Logf("p50 %v, p99 %v", took[messages/2], p99)
	if p99 > time.Second {
		t.Errorf("99 of 100 messages were answered within %v, want a second", p99)
	}
	if stored := storedStorm(t, database); len(stored) != messages {
		t.Errorf("%d events are stored, want %d", len(stored), messages)
	}
}
