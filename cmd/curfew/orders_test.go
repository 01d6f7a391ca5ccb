package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// step is one command line and what a script sees of it.
type step struct {
	args      string // one word each, without white space in them
	code      int
	out, errs string // what standard output and standard error must hold
}

// steps carries out commands one after the other, as a script does: with nobody to ask.
func (p program) steps(t *testing.T, file, base string, all []step) {
	t.Helper()
	for _, s := range all {
		code, out, errs := p.run(t, filepath.Dir(file), append([]string{"--config", file, "--server", base}, strings.Fields(s.args)...)...)
		if code != s.code || !strings.Contains(out, s.out) || !strings.Contains(errs, s.errs) || code != exitDone && out != "" && s.out == "" {
			t.Errorf("curfew %s: got exit code %d, want %d\nstandard output, wants %q: %s\nstandard error, wants %q: %s", s.args, code, s.code, s.out, out, s.errs, errs)
		}
	}
}

// orders are about many, or previewed, or confirmed.
func (p program) orders(t *testing.T, folder, database string) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1")
	r := p.start(t, file)
	phone, tablet, laptop := r.signIn(t, "mobile"), r.signIn(t, "mobile"), r.signIn(t, "browser")
	live := func(when string, want map[string]bool) {
		t.Helper()
		for token, alive := range want {
			if got := r.active(t, token); got != alive {
				t.Errorf("%s: a session is live: got %t, want %t", when, got, alive)
			}
		}
	}
	p.steps(t, file, r.base, []step{
		{"revoke --kind mobile --reason x", exitRefused, "", "curfew revoke --kind mobile --dry-run"},
		{"revoke --app portal --reason x", exitRefused, "", "curfew revoke --app portal --dry-run"},
		{"revoke --everyone --reason x", exitRefused, "", "--confirm NUMBER"},
		{"revoke --kind mobile --dry-run --reason x", exitDone, "would cover 2 live sessions; nothing has changed", ""},
		{"revoke --kind browser --dry-run --reason x", exitDone, "would cover 1 live session;", ""},
		{"revoke --app portal --dry-run --reason x", exitDone, "would cover 3 live sessions", ""},
		{"revoke --app elsewhere --dry-run --reason x", exitDone, "would cover 0 live sessions", ""},
		{"revoke --everyone --dry-run --reason x --json", exitDone, `"covers": 3`, ""},
		{"revoke --user " + sally + " --dry-run --reason x", exitDone, "would cover 3 live sessions", ""},
		{"revoke --user " + sally + " --kind browser --dry-run --reason x", exitDone, "would cover 1 live session", ""},
		{"revoke --user " + sally + " --app portal --dry-run --reason x", exitDone, "would cover 3 live sessions", ""},
		{"revoke --user " + sally + " --block --dry-run --reason x", exitDone, "would cover 3 live sessions, blocked; nothing", ""},
		{"revoke --user nobody@example.edu --dry-run --reason x", exitDone, "would cover 0 live sessions", "nobody is known"},
		{"revoke --kind mobile --confirm 3 --reason x", exitRefused, "", "confirm 2"},
		{"revoke --user " + sally + " --confirm 0 --reason x", exitRefused, "", "confirm 3"},
		{"revoke --everyone --confirm 4 --dry-run --reason x", exitRefused, "", "confirm 3"},
		{"revoke --kind fridge --dry-run --reason x", exitUsage, "", "kind"},
		{"revoke --kind mobile --app portal --dry-run --reason x", exitUsage, "", "--kind and --app"},
		{"revoke --everyone --kind mobile --dry-run --reason x", exitUsage, "", "--kind"},
		{"revoke --everyone --app portal --dry-run --reason x", exitUsage, "", "--app"},
		{"revoke --device d --app portal --reason x", exitUsage, "", "--app"},
		{"revoke --kind mobile --block --confirm 2 --reason x", exitUsage, "", "--block"},
		{"revoke --user " + sally + " --kind mobile --block --reason x", exitUsage, "", "--block"},
		{"revoke --user " + sally + " --until 2127-01-01T00:00:00Z --reason x", exitUsage, "", "--until"},
		{"revoke --user " + sally + " --block --until soon --reason x", exitUsage, "", "until"},
		{"revoke --user " + sally + " --block --until 2026-01-01T00:00:00Z --reason x", exitUsage, "", "over already"},
		{"revoke --everyone --confirm=-1 --reason x", exitUsage, "", "--confirm"},
		{"revoke --everyone --confirm many --reason x", exitUsage, "", "--confirm"},
		{"revoke --everyone --dry-run", exitUsage, "", "--reason"},
	})
	live("after previews and refusals", map[string]bool{phone: true, tablet: true, laptop: true})
	p.steps(t, file, r.base, []step{{"revoke --kind mobile --confirm 2 --reason x", exitDone, "covers 2 live sessions", ""}})
	live("after an order about phones", map[string]bool{phone: false, tablet: false, laptop: true})

	// At a terminal a person is asked, and only the number that the preview counted is yes.
	for _, c := range []struct {
		args, typed, asks string
		code              int
	}{
		{"revoke --app portal --reason x", "\n", "--app portal ends 1 live session. Type 1 to go on: ", exitRefused},
		{"revoke --everyone --reason x", "yes\n", "--everyone ends 1 live session. Type 1 to go on: ", exitRefused},
		{"revoke --everyone --reason x", "2\n", "Type 1 to go on: ", exitRefused},
		{"revoke --kind mobile --reason x", "1\n", "--kind mobile ends 0 live sessions. Type 0 to go on: ", exitRefused},
		{"revoke --everyone --dry-run --reason x", "", "", exitDone},
		{"revoke --app portal --reason x", "1\n", "Type 1 to go on: ", exitDone},
	} {
		live("before "+c.args, map[string]bool{laptop: true})
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"--config", file, "--server", r.base}, strings.Fields(c.args)...),
			shell{in: strings.NewReader(c.typed), out: &out, err: &errs, asking: true, lookup: lookupIn(nil)})
		if code != c.code || !strings.Contains(errs.String(), c.asks) || (out.Len() > 0) != (c.code == exitDone) || c.asks == "" && errs.Len() > 0 {
			t.Errorf("curfew %s, typed %q: got exit code %d, want %d\n%s\nstandard error, wants %q: %s", c.args, c.typed, code, c.code, &out, c.asks, &errs)
		}
	}
	live("after the typed number", map[string]bool{laptop: false})

	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	p.steps(t, file, r.base, []step{
		{"revoke --user " + sally + " --block --until " + until + " --reason exam", exitDone, "blocked until " + until[:16], ""},
		{"user show " + sally, exitDone, "until " + until[:16], ""},
	})
	if a := r.register(sally, "browser"); a.status != http.StatusForbidden {
		t.Errorf("sign-in while blocked: got %d %s, want 403", a.status, a.body)
	}
}

// Where counting takes longer than anybody waits, the order can still be given: by the name of what ends.
func TestAnEmergencyDoesNotWaitForItsCount(t *testing.T) {
	t.Parallel()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that nobody waits any more
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	for _, c := range []struct {
		o     order
		typed string
		good  bool
	}{
		{order{Scope: "everyone"}, "everyone\n", true},
		{order{Scope: "everyone"}, "0\n", false},
		{order{Scope: "app", App: "portal"}, "portal\n", true},
		{order{Scope: "kind", Kind: "mobile"}, "everyone\n", false},
	} {
		var errs bytes.Buffer
		r := &remote{base: slow.URL, client: &http.Client{Timeout: 50 * time.Millisecond}}
		err := (&shell{in: strings.NewReader(c.typed), err: &errs}).confirmCount(t.Context(), r, c.o)
		if (err == nil) != c.good || !strings.Contains(errs.String(), "not counted in time") {
			t.Errorf("%+v, typed %q: got %v after %q", c.o, c.typed, err, &errs)
		}
	}
	gone := &remote{base: "http://127.0.0.1:1", client: &http.Client{}}
	if err := (&shell{in: strings.NewReader("everyone\n"), err: io.Discard}).confirmCount(t.Context(), gone, order{Scope: "everyone"}); err == nil {
		t.Error("a server that is not there let the order through")
	}
}
