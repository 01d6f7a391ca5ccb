package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// news is one logical event of a person's story: what Okta calls it and how long before now it happened.
type news struct {
	event string
	ago   time.Duration
}

// The stories that everybody of a test lives through, each person hearing of it in an order of her own. Nothing of the first
// cuts at receipt, so that its cutoffs must be the same too; what lifts cuts when it finds a block standing, and so the
// second one's may be later.
var stories = map[string]struct {
	news          []news
	standing      bool // a block, at the end
	sameCutoff    bool
	latestOutcome time.Duration // the latest instant at which something cuts by its own time
}{
	"blocked": {[]news{
		{"user.lifecycle.suspend", 7 * 24 * time.Hour},
		{"user.account.reset_password", 49 * time.Hour},
		{"user.lifecycle.deactivate", 30 * time.Hour},
		{"user.session.clear", 3 * time.Hour},
		{"user.account.update_password", 5 * time.Hour},
	}, true, true, 3 * time.Hour},
	"back": {[]news{
		{"user.lifecycle.suspend", 7 * 24 * time.Hour},
		{"user.lifecycle.unsuspend", 6 * 24 * time.Hour},
		{"user.lifecycle.deactivate", 30 * time.Hour},
		{"user.lifecycle.reactivate", 2 * time.Hour},
		{"user.account.reset_password", 4 * time.Hour},
	}, false, false, 2 * time.Hour},
}

// anyOrder: hundreds of people live through one story, told to the server in as many orders, late by up to a week, with
// repeats, and with forgeries that carry another event under an id which was used. All end alike, and each logical event has
// one revocation.
func (p program) anyOrder(t *testing.T, folder, database string) {
	t.Helper()
	app := newPortal(t)
	r := p.start(t, configure(t, folder, database, app.URL, noBrake))
	each := 60
	if *thorough {
		each = 3000
	}
	now := time.Now().Truncate(time.Second).Add(-time.Second / 3) // a fraction: each means one instant
	var work sync.WaitGroup
	room := make(chan struct{}, 8)
	for name := range stories {
		for n := range each {
			room <- struct{}{}
			work.Go(func() {
				defer func() { <-room }()
				r.tell(t, name, n, now)
			})
		}
	}
	work.Wait()
	if t.Failed() {
		return
	}
	if !strings.Contains(r.log.String(), `"alarm":"same-id"`) {
		t.Error("no alarm was raised of other events under ids that were used")
	}
	for name, story := range stories {
		r.wantAlike(t, database, name, each, now)
		for n := range each {
			a := r.register(personOf(name, n), "desktop")
			if want := map[bool]int{true: http.StatusForbidden, false: http.StatusCreated}[story.standing]; a.status != want {
				t.Errorf("%s: registration at the end: got %d %s, want %d", personOf(name, n), a.status, a.body, want)
			}
		}
	}
}

func lifts(event string) bool {
	return event == "user.lifecycle.unsuspend" || event == "user.lifecycle.reactivate"
}

func personOf(story string, n int) string { return fmt.Sprintf("%s-%d@example.edu", story, n) }

// tell sends one person's story in an order of its own. A session of before is dead from the first acknowledgement on.
func (r *running) tell(t *testing.T, name string, n int, now time.Time) {
	t.Helper()
	email, story := personOf(name, n), stories[name].news
	a := r.post("/v1/sessions", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "token": "new", "issued_at": %q}`,
		email, now.Add(-30*24*time.Hour).Format(time.RFC3339Nano)))
	token, _ := a.member(t, "token").(string)
	if a.status != http.StatusCreated || token == "" {
		t.Errorf("register %s: got %d %s", email, a.status, a.body)
		return
	}
	order := rand.Perm(len(story))
	for range rand.IntN(4) { // repeats, at any place
		order = slices.Insert(order, rand.IntN(len(order)+1), rand.IntN(len(story)))
	}
	seen, over := map[int]bool{}, false
	for _, i := range order {
		send := func(event string, at time.Time) {
			t.Helper()
			if a := r.okta(oktaSecret, event, fmt.Sprintf("%s-%d-%d", name, n, i), email, at); a.status/100 != 2 {
				t.Errorf("%s of %s: got %d %s, want an acknowledgement", event, email, a.status, a.body)
			}
		}
		if seen[i] && rand.IntN(2) == 0 { // another event under the same id
			other := story[(i+1)%len(story)]
			send(other.event, now)
		} else {
			send(story[i].event, now.Add(-story[i].ago))
		}
		seen[i] = true
		over = over || !lifts(story[i].event) // a lift ends nothing where no block stands
		if got := r.verify(token); over && got != http.StatusUnauthorized {
			t.Errorf("%s: /verify answers %d after an acknowledged %s, want 401", email, got, story[i].event)
		}
	}
}

// wantAlike compares what the database holds of everybody who lived through a story.
func (r *running) wantAlike(t *testing.T, database, name string, people int, now time.Time) {
	t.Helper()
	db := look(t, database)
	read := func(query string) map[string][]string {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), query+" ORDER BY 1, 2")
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer func() { _ = rows.Close() }()
		out := map[string][]string{}
		for rows.Next() {
			var email, what string
			if err := rows.Scan(&email, &what); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			if strings.HasPrefix(email, name+"-") {
				out[email] = append(out[email], what)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return out
	}
	const of = " JOIN identifiers i ON i.user_id = x.user_id AND i.namespace = 'email'"
	blocks := read("SELECT i.value, x.authority || ' ' || x.class || ' ' || CAST(x.blocked_at AS TEXT) || ' ' || CAST(x.lifted_at AS TEXT) FROM blocks x" + of)
	cutoffs := read("SELECT i.value, CAST(x.at AS TEXT) FROM cutoffs x" + of + " WHERE x.scope = 'user'")
	events := read("SELECT i.value, CAST(count(DISTINCT x.event_id) AS TEXT) || ' ' || CAST(count(*) AS TEXT) FROM revocations x" + of + " GROUP BY i.value")
	if len(blocks) != people || len(cutoffs) != people || len(events) != people {
		t.Fatalf("%s: %d of %d people have blocks, %d cutoffs, %d revocations", name, len(blocks), people, len(cutoffs), len(events))
	}
	story := stories[name]
	own := now.Add(-story.latestOutcome).UnixMicro()
	first, least := personOf(name, 0), 0
	for _, n := range story.news {
		if !lifts(n.event) {
			least++
		}
	}
	for n := range people {
		email := personOf(name, n)
		if !slices.Equal(blocks[email], blocks[first]) {
			t.Errorf("%s ends with blocks %v, %s with %v: want the same", email, blocks[email], first, blocks[first])
		}
		if story.sameCutoff && !slices.Equal(cutoffs[email], []string{fmt.Sprint(own)}) {
			t.Errorf("%s ends with the cutoff %v, want %d: the latest of the story", email, cutoffs[email], own)
		}
		var at int64
		if _, err := fmt.Sscan(cutoffs[email][0], &at); err != nil || len(cutoffs[email]) != 1 || at < own {
			t.Errorf("%s ends with the cutoff %v, want one at or after %d", email, cutoffs[email], own)
		}
		var of, all int
		if _, err := fmt.Sscan(events[email][0], &of, &all); err != nil || of != all || of < least || of > len(story.news) {
			t.Errorf("%s has %d revocations of %d events, want one of each, but for a lift that found nothing to lift", email, all, of)
		}
	}
}
