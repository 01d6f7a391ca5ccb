package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machineClock is the machine's clock of a program that is built for this test: the true one, set as the file machine-clock
// beside the configuration says. The monotonic reading goes on, as it does when a clock is set.
const machineClock = `package revoke

import (
	"os"
	"strings"
	"time"
	"unsafe"
)

func machineTime() time.Time {
	now := time.Now()
	text, _ := os.ReadFile("machine-clock")
	offset, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		return now
	}
	type parts struct { // of a time.Time, whose second holds the monotonic reading
		wall      uint64
		monotonic int64
		location  *time.Location
	}
	set := now.Add(offset)
	(*parts)(unsafe.Pointer(&set)).monotonic = (*parts)(unsafe.Pointer(&now)).monotonic
	return set
}
`

// TestF12MachineClockIsSet: the clock of the machine is set by an hour and by a year, either way and back, under a server that
// runs. What is dead stays dead, who is let in lives, what ends her ends her, and a person hears of it.
func TestF12MachineClockIsSet(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../revoke/clock.go")
	if err != nil {
		t.Fatal(err)
	}
	p := build(t, overlay(t, map[string]string{
		// Deadlines are the runtime's, whose clock stays as it is.
		"revoke/clock.go":         strings.ReplaceAll(strings.ReplaceAll(string(source), "time.Now()", "machineTime()"), "machineTime().Add(d)", "time.Now().Add(d)"),
		"revoke/machine_clock.go": machineClock,
	}))
	onEach(t, p.machineClockSet)
}

const year = 365 * 24 * time.Hour

func (p program) machineClockSet(t *testing.T, folder, database string) {
	t.Helper()
	app := newPortal(t)
	file := configure(t, folder, database, app.URL)
	set := func(offset time.Duration) {
		t.Helper()
		fresh := filepath.Join(folder, "fresh")
		if err := os.WriteFile(fresh, []byte(offset.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, filepath.Join(folder, "machine-clock")); err != nil {
			t.Fatal(err)
		}
	}
	var shift func(time.Duration)
	if strings.HasPrefix(database, "postgres:") {
		set(0)
		shift = postgresClock(t, database, set)
	} else {
		set(0)
		shift = set
	}
	r := p.start(t, file)
	var offset time.Duration
	dead := map[string]string{}
	stillDead := func(when string) {
		t.Helper()
		for why, token := range dead {
			if got := r.verify(token); got != http.StatusUnauthorized {
				t.Errorf("%s: /verify of a session that was %s answers %d, want 401", when, why, got)
			}
		}
	}
	n := 0
	// live lets somebody in and ends her in every way; what is ended goes to the dead.
	live := func(when string) {
		t.Helper()
		n++
		email := fmt.Sprintf("c%d@example.edu", n)
		in := func() string {
			t.Helper()
			a := r.post("/v1/sessions", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "token": "new"}`, email))
			if a.status != http.StatusCreated {
				t.Fatalf("%s: registration answers %d %s, want 201", when, a.status, a.body)
			}
			token := a.member(t, "token").(string)
			if got := r.verify(token); got != http.StatusOK {
				t.Errorf("%s: /verify of a new session answers %d, want 200", when, got)
			}
			return token
		}
		event := func(kind string) {
			t.Helper()
			if a := r.okta(oktaSecret, kind, fmt.Sprintf("%s-%d", kind, n), email, time.Now().Add(offset)); a.status/100 != 2 {
				t.Errorf("%s: %s answers %d %s", when, kind, a.status, a.body)
			}
		}
		dead[when+": ended by an operator"] = in()
		if a := r.post("/v1/revocations", opsToken, fmt.Sprintf(`{"scope": "user", "subject": {"format": "email", "email": %q}, "reason": "test"}`, email)); a.status != http.StatusCreated {
			t.Errorf("%s: revocation answers %d %s", when, a.status, a.body)
		}
		dead[when+": suspended"] = in()
		event("user.lifecycle.suspend")
		stillDead(when + ", suspended")
		event("user.lifecycle.unsuspend")
		in()
		dead[when+": reset"] = in()
		if a := r.post("/v1/signals", portalToken, fmt.Sprintf(`{"signal": "credential-compromised", "subject": {"format": "email", "email": %q}}`, email)); a.status/100 != 2 {
			t.Errorf("%s: an app's signal answers %d %s", when, a.status, a.body)
		}
		stillDead(when)
	}
	expired := func() string {
		t.Helper()
		a := r.post("/v1/sessions", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": "brief@example.edu"}, "kind": "mobile", "token": "new", "expires_at": %q}`,
			r.now(t).Add(time.Second).Format(time.RFC3339Nano)))
		if a.status != http.StatusCreated {
			t.Fatalf("register a brief session: got %d %s", a.status, a.body)
		}
		token := a.member(t, "token").(string)
		eventually(t, "the brief session has expired", func() bool { return r.verify(token) == http.StatusUnauthorized })
		return token
	}
	live("before")
	for _, at := range []time.Duration{-time.Hour, 0, -year, 0, time.Hour, 0, year, 0} {
		brief := expired() // what has just been refused must not live again when the clock goes back
		when := fmt.Sprintf("clock set from %s to %s", offset, at)
		dead[when+": expired"] = brief
		alarms := strings.Count(r.log.String(), `"alarm":"clock"`)
		offset = at
		shift(at)
		stillDead(when)
		live(when)
		eventually(t, "an alarm is raised: "+when, func() bool { return strings.Count(r.log.String(), `"alarm":"clock"`) > alarms })
	}
	r.stop(t)
	r = p.start(t, file)
	stillDead("after a restart")
	live("after a restart")
	expired()
	// What we sign is dated by the machine's clock, as receivers judge it: no message stays behind.
	eventually(t, "the application was told of the first and the last", func() bool {
		return app.heard("user.blocked", "c1@") && app.heard("user.blocked", fmt.Sprintf("c%d@", n))
	})
}

// now is the server's own clock, as a new session shows it.
func (r *running) now(t *testing.T) time.Time {
	t.Helper()
	a := r.register("clock@example.edu", "mobile")
	text, _ := a.member(t, "issued_at").(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("registration answers %d %s: %v", a.status, a.body, err)
	}
	return at
}

// postgresClock lets the database have a clock of the test's: a function of the name comes before PostgreSQL's own. It returns
// what sets that and the machine's together.
func postgresClock(t *testing.T, database string, set func(time.Duration)) func(time.Duration) {
	t.Helper()
	db := look(t, database)
	for _, statement := range []string{
		"CREATE SCHEMA shifted",
		"CREATE TABLE shifted.clock (ahead interval)",
		"INSERT INTO shifted.clock VALUES ('0')",
		"CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM shifted.clock)'",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, shifted, pg_catalog', current_database()); END $$",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return func(offset time.Duration) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "UPDATE shifted.clock SET ahead = make_interval(secs => $1)", offset.Seconds()); err != nil {
			t.Fatal(err)
		}
		set(offset)
	}
}
