package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// blocks keep a person out and are lifted.
func (p program) blocks(t *testing.T, folder, database string) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1")
	r := p.start(t, file)
	first := r.signIn(t, "mobile")
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	p.steps(t, file, r.base, []step{
		{"user block nobody@example.edu --reason x", exitNotFound, "", "nobody is known as nobody@example.edu"},
		{"user lift nobody@example.edu --reason x", exitNotFound, "", "nobody is known as nobody@example.edu"},
		{"user block 019aaf3c-5b40-7000-8000-000000000000 --reason x", exitNotFound, "", "404"},
		{"user block " + sally, exitUsage, "", "--reason"},
		{"user lift " + sally, exitUsage, "", "--reason"},
		{"user block " + sally + " --reason x --until soon", exitUsage, "", "until"},
		{"user block " + sally + " --reason x --until 2026-01-01T00:00:00Z", exitUsage, "", "over already"},
		{"user lift " + sally + " --reason x --until " + until, exitUsage, "", "--until"},
		{"user block --help", exitDone, "curfew user block sally@example.edu", ""},
		{"user lift --help", exitDone, "curfew user lift sally@example.edu", ""},
	})
	for _, verb := range []string{"block", "lift"} {
		if code, _, errs := p.run(t, folder, "--config", file, "--server", r.base, "user", verb, sally, "--reason", " "); code != exitUsage || !strings.Contains(errs, "--reason is empty") {
			t.Errorf("user %s without a reason: got %d %s", verb, code, errs)
		}
	}
	if !r.active(t, first) {
		t.Error("commands that were used wrongly ended a session")
	}
	p.steps(t, file, r.base, []step{
		{"user block " + sally + " --reason left", exitDone, "blocked: admin", ""},
		{"user show " + sally, exitDone, ", not lifted", ""},
		{"user block " + sally + " --reason exam --until " + until + " --json", exitDone, `"blocked": true`, ""},
	})
	if a := r.register(sally, "browser"); a.status != http.StatusForbidden || r.active(t, first) {
		t.Errorf("while blocked: sign-in got %d %s, want 403; the old session is live: %t", a.status, a.body, r.active(t, first))
	}
	p.steps(t, file, r.base, []step{
		{"user lift " + sally + " --reason back", exitDone, "not blocked", ""},
		{"user show " + sally, exitDone, ", lifted 2", ""},
		{"user lift " + sally + " --reason back --json", exitDone, `"blocked": false`, ""},
	})
	again := r.signIn(t, "browser")
	if r.active(t, first) || !r.active(t, again) {
		t.Errorf("after the lift: the old session is live %t, want false; the new one %t, want true", r.active(t, first), r.active(t, again))
	}
}

func TestBlocksSayHowTheyEnded(t *testing.T) {
	t.Parallel()
	const early, late = "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.5Z"
	for _, c := range []struct {
		b    block
		want string
	}{
		{block{BlockedAt: early}, "not lifted"},
		{block{BlockedAt: early, Until: late}, "until " + late},
		{block{BlockedAt: early, LiftedAt: late}, "lifted " + late},
		{block{BlockedAt: early, LiftedAt: late, Until: late}, "lifted " + late},
		{block{BlockedAt: late, LiftedAt: early}, "not lifted"}, // blocked again
		{block{BlockedAt: late, LiftedAt: early, Until: "2027-01-31T18:00:00Z"}, "until 2027-01-31T18:00:00Z"},
	} {
		if got := c.b.ended(); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.b, got, c.want)
		}
	}
}
