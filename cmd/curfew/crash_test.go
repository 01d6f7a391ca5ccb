package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/pgtest"
)

const (
	deactivators = 8 // at once
	peopleEach   = 5 // that each of them deactivates in a round
	crashFolders = 2 // at once, as the machine has cores
)

// crash kills the server at random under deactivations, again and again: what was acknowledged holds, and nothing is half
// there.
func (p program) crash(t *testing.T) {
	for _, c := range []struct {
		name   string
		rounds int
		open   func(t *testing.T, folder string) string
	}{
		{"sqlite", 100, func(_ *testing.T, folder string) string { return "sqlite:" + filepath.Join(folder, "curfew.db") }},
		{"postgres", 20, func(t *testing.T, _ string) string { t.Helper(); return pgtest.EmptyDatabase(t) }},
	} {
		if *thorough {
			c.rounds *= 10
		}
		for n := range crashFolders {
			t.Run(fmt.Sprintf("%s %d", c.name, n), func(t *testing.T) {
				t.Parallel()
				folder := t.TempDir()
				acknowledged, err := p.crashRounds(t, folder, c.open(t, folder), c.rounds/crashFolders)
				if err != nil {
					t.Error(err)
				}
				if all := c.rounds / crashFolders * deactivators * peopleEach; acknowledged == 0 || acknowledged == all {
					t.Errorf("%d of %d deactivations were acknowledged: the kills came too early or too late to prove anything", acknowledged, all)
				}
			})
		}
	}
}

// victim is somebody who is deactivated in a round.
type victim struct {
	resource, session string
	acknowledged      bool
}

// crashRounds returns how many deactivations were acknowledged, and the first thing that went wrong.
func (p program) crashRounds(t *testing.T, folder, database string, rounds int) (acknowledged int, err error) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1", noBrake) // nobody there: what is owed stays owed
	r := p.start(t, file)
	for round := range rounds {
		people, err := r.hire(round)
		if err != nil {
			t.Fatalf("round %d, before the kill: %v\n%s", round, err, r.log)
		}
		told, ended := r.deactivateAll(people)
		for range 1 + rand.IntN(len(people)) { // any number of acknowledgements
			select {
			case <-told:
			case <-ended:
			}
		}
		if rand.IntN(2) == 0 { // then at once, before the server does anything after its answer, or at any moment after
			<-time.NewTimer(time.Duration(rand.IntN(3_000)) * time.Microsecond).C
		}
		r.kill()
		<-ended
		r = p.start(t, file)
		for _, v := range people {
			if v.acknowledged {
				acknowledged++
			}
		}
		if err := r.judge(t, database, people); err != nil {
			return acknowledged, fmt.Errorf("round %d: %w", round, err)
		}
	}
	r.kill()
	return acknowledged, nil
}

// gracefulStop: SIGTERM in the middle of deactivations. Whoever was being answered gets an answer, and what was
// acknowledged holds.
func (p program) gracefulStop(t *testing.T, folder, database string) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1", noBrake)
	r := p.start(t, file)
	people, err := r.hire(0)
	if err != nil {
		t.Fatal(err)
	}
	told, ended := r.deactivateAll(people)
	<-told
	r.stop(t)
	<-ended
	r = p.start(t, file)
	if err := r.judge(t, database, people); err != nil {
		t.Error(err)
	}
}

// hire provisions and signs in a round's people.
func (r *running) hire(round int) ([]*victim, error) {
	people := make([]*victim, deactivators*peopleEach)
	wrong := make([]error, len(people))
	var work sync.WaitGroup
	for n := range deactivators {
		work.Go(func() {
			for i := n * peopleEach; i < (n+1)*peopleEach; i++ {
				people[i], wrong[i] = r.hireOne(fmt.Sprintf("p%d-%d@example.edu", round, i))
			}
		})
	}
	work.Wait()
	return people, errors.Join(wrong...)
}

func (r *running) hireOne(email string) (*victim, error) {
	v := &victim{}
	a := r.do(http.MethodPost, "/scim/v2/Users", "Bearer "+directoryToken, "application/scim+json", fmt.Sprintf(
		`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": %q, "active": true, "emails": [{"value": %q}]}`, email, email))
	s := r.register(email, "mobile")
	var created, registered struct{ ID, Token string }
	err := errors.Join(json.Unmarshal(a.body, &created), json.Unmarshal(s.body, &registered))
	if v.resource, v.session = created.ID, registered.Token; err != nil || v.resource == "" || v.session == "" {
		return nil, fmt.Errorf("hire %s: SCIM answers %d %s, registration %d %s", email, a.status, a.body, s.status, s.body)
	}
	return v, nil
}

// deactivateAll begins to deactivate everybody. It tells of each acknowledgement, and when all are done or the server is gone.
func (r *running) deactivateAll(people []*victim) (told, ended chan struct{}) {
	told, ended = make(chan struct{}, len(people)), make(chan struct{})
	var work sync.WaitGroup
	for n := range deactivators {
		work.Go(func() {
			for _, v := range people[n*peopleEach : (n+1)*peopleEach] {
				a := r.setActive(v.resource, false)
				switch v.acknowledged = a.status/100 == 2; {
				case v.acknowledged:
					told <- struct{}{}
				case a.status == 0:
					return
				}
			}
		})
	}
	go func() { work.Wait(); close(ended) }()
	return told, ended
}

// judge asks the restarted server about everybody, and looks into the database.
func (r *running) judge(t *testing.T, database string, people []*victim) error {
	t.Helper()
	traces, err := readTraces(t, database)
	if err != nil {
		return err
	}
	for _, v := range people {
		status := r.verify(v.session)
		found := traces[v.resource]
		switch {
		case found == nil:
			return fmt.Errorf("resource %s is gone", v.resource)
		case v.acknowledged && status != http.StatusUnauthorized:
			return fmt.Errorf("resource %s: its deactivation was acknowledged, and /verify answers %d after the crash", v.resource, status)
		case status != http.StatusOK && status != http.StatusUnauthorized:
			return fmt.Errorf("resource %s: /verify answers %d after the crash", v.resource, status)
		case found.some() && status != http.StatusUnauthorized, found.all() != found.some(), found.some() != (status == http.StatusUnauthorized):
			return fmt.Errorf("resource %s is half there: /verify answers %d, and stored are: %s", v.resource, status, found)
		case v.acknowledged && !found.all():
			return fmt.Errorf("resource %s: its deactivation was acknowledged, and stored are: %s", v.resource, found)
		}
	}
	return nil
}

// trace is what one deactivation leaves in the database.
type trace struct{ inactive, event, block, cutoff, revocation, delivery, blockChange, cutoffChange, audit bool }

func (t *trace) list() []bool {
	return []bool{t.inactive, t.event, t.block, t.cutoff, t.revocation, t.delivery, t.blockChange, t.cutoffChange, t.audit}
}

func (t *trace) all() bool { return t.count() == len(t.list()) }

func (t *trace) some() bool { return t.count() > 0 }

func (t *trace) count() (n int) {
	for _, there := range t.list() {
		if there {
			n++
		}
	}
	return n
}

func (t *trace) String() string { return fmt.Sprintf("%+v", *t) }

// readTraces reads what is stored for each SCIM resource.
func readTraces(t *testing.T, database string) (map[string]*trace, error) {
	t.Helper()
	db := look(t, database)
	defer func() { _ = db.Close() }()
	byResource, byUser, byRevocation, byEvent := map[string]*trace{}, map[string]*trace{}, map[string]*trace{}, map[string]*trace{}
	each := func(query string, row func(a, b string)) error {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var a, b sql.NullString
			if err := rows.Scan(&a, &b); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
			row(a.String, b.String)
		}
		return rows.Err()
	}
	mark := func(traces map[string]*trace, key string, set func(*trace)) {
		if found := traces[key]; found != nil {
			set(found)
		}
	}
	err := errors.Join(
		each("SELECT id, user_id FROM resources", func(id, user string) {
			byResource[id] = &trace{}
			byUser[user] = byResource[id]
		}),
		each("SELECT id, '' FROM resources WHERE active = 0", func(id, _ string) { mark(byResource, id, func(t *trace) { t.inactive = true }) }),
		each("SELECT user_id, '' FROM blocks", func(user, _ string) { mark(byUser, user, func(t *trace) { t.block = true }) }),
		each("SELECT user_id, '' FROM cutoffs WHERE scope = 'user'", func(user, _ string) { mark(byUser, user, func(t *trace) { t.cutoff = true }) }),
		each("SELECT user_id, id FROM revocations WHERE kind = 'block'", func(user, id string) {
			byRevocation[id] = byUser[user]
			mark(byUser, user, func(t *trace) { t.revocation = true })
		}),
		each("SELECT event_id, id FROM revocations WHERE kind = 'block'", func(event, id string) { byEvent[event] = byRevocation[id] }),
		each("SELECT id, '' FROM events", func(event, _ string) { mark(byEvent, event, func(t *trace) { t.event = true }) }),
		each("SELECT revocation_id, '' FROM deliveries", func(id, _ string) { mark(byRevocation, id, func(t *trace) { t.delivery = true }) }),
		each("SELECT kind, entry FROM changes", func(kind, entry string) {
			var change struct{ Block, Cutoff struct{ User string } }
			if json.Unmarshal([]byte(entry), &change) == nil {
				mark(byUser, change.Block.User, func(t *trace) { t.blockChange = true })
				mark(byUser, change.Cutoff.User, func(t *trace) { t.cutoffChange = true })
			}
		}),
		each("SELECT kind, entry FROM audit WHERE kind = 'revocation'", func(_, entry string) {
			var line struct{ Revocation string }
			if json.Unmarshal([]byte(entry), &line) == nil {
				mark(byRevocation, line.Revocation, func(t *trace) { t.audit = true })
			}
		}),
	)
	if err != nil && strings.Contains(err.Error(), "no such table") {
		return nil, errors.New("the database has no schema: the test looks at the wrong one")
	}
	return byResource, err
}
