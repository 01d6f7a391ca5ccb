package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// operate: who sends news and where Curfew revokes, looked at and acted on by command.
func (p program) operate(t *testing.T, folder, database string) {
	t.Helper()
	var takes atomic.Bool
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !takes.Load() {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	t.Cleanup(app.Close)
	file := configure(t, folder, database, app.URL)
	edit(t, file, "sources:\n", "sources:\n  hr: {type: rippling, secrets: ["+oktaSecret+"]}\n", "targets:\n", "targets:\n  lms: {type: canvas, url: https://canvas.example.edu, token: "+oktaSecret+"}\n",
		"secrets: ["+oktaSecret+"]}\ntargets", "secrets: ["+oktaSecret+"], rules: {locked: {cut: receipt, block: set}}}\ntargets")
	r := p.start(t, file)
	session := r.signIn(t, "mobile")
	if a := r.okta(oktaSecret, "user.account.unheard_of", "o-1", sally, time.Now()); a.status/100 != 2 {
		t.Fatalf("an event that nobody knows: got %d %s", a.status, a.body)
	}
	recorded, err := os.ReadFile("../../webhooks/testdata/okta/deactivated.http")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(recorded), "\n\n")
	for name, text := range map[string]string{
		"recorded.http": string(recorded), "body.json": body, "windows.http": strings.ReplaceAll(string(recorded), "\n", "\r\n"),
		"headless.http": "POST /hooks/okta HTTP/1.1\nContent-Type: application/json\n", "empty.json": "{}",
		"sessions.csv": "email,kind,app,id\nanna@example.edu,mobile,portal,phone-1\nanna@example.edu,pager,portal,phone-2\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	events := func() string { return string(r.get("/v1/events?source=okta", "Bearer "+opsToken).body) }
	before := events()
	at := func(name string) string { return filepath.Join(folder, name) }
	p.steps(t, file, r.base, []step{
		{"source list", exitDone, "user.account.unheard_of (1)", ""},
		{"source list", exitDone, "never: this version lacks its type", ""},
		{"source list --json", exitDone, `"last_heard"`, ""},
		{"source rules okta", exitDone, "changed by the settings", ""},
		{"source rules okta --json", exitDone, `"changed": true`, ""},
		{"source rules nobody", exitNotFound, "", "curfew source list"},
		{"source try okta --sample " + at("recorded.http"), exitDone, "and blocks", ""},
		{"source try okta --sample " + at("windows.http"), exitDone, "deactivated about ", ""},
		{"source try okta --sample " + at("body.json"), exitDone, "would follow", ""},
		{"source try okta --sample " + at("body.json") + " --json", exitDone, `"revocations"`, ""},
		{"source try okta --sample " + at("headless.http"), exitUsage, "", "its head cannot be read"},
		{"source try okta --sample " + at("empty.json"), exitDone, "no list data.events", ""},
		{"source try okta --sample " + at("none.json"), exitUsage, "", "no such file"},
		{"source try hr --sample " + at("body.json"), exitNotFound, "", "404"},
		{"source retire okta --reason gone", exitUsage, "", "--lift"},
		{"source retire okta --to nowhere --reason gone", exitUsage, "", "no authority"},
		{"target list", exitDone, "this version lacks its type", ""},
		{"target check portal", exitDone, "it would take what is owed", ""},
		{"target check", exitFailed, "this version lacks the type canvas", "1 of 2 targets"},
		{"target check --json", exitFailed, `"ok": true`, "1 of 2 targets"},
		{"target check nobody", exitNotFound, "", "404"},
		{"target pause portal", exitUsage, "", "--reason"},
		{"session import " + at("sessions.csv"), exitFailed, at("sessions.csv") + ":3: ", "2 lines: 1 registered, 0 known before (0 of them over), 1 refused"},
		{"session import " + at("sessions.csv") + " --json", exitFailed, `"known": 1`, "1 of 2 lines were refused"},
		{"session import " + at("none.csv"), exitUsage, "", "no such file"},
		{"session show phone-1", exitDone, "live", ""},
	})
	if after := events(); after != before || !r.active(t, session) {
		t.Errorf("trying messages left something behind: the events were\n%s\nand are\n%s", before, after)
	}
	p.reaches(t, r, file, app.URL)
	p.targetWaits(t, r, file, &takes)

	if a := r.okta(oktaSecret, "user.lifecycle.suspend", "o-2", "anna@example.edu", time.Now()); a.status/100 != 2 {
		t.Fatalf("Okta suspension: got %d %s", a.status, a.body)
	}
	refused := func() int { return r.register("anna@example.edu", "browser").status }
	p.steps(t, file, r.base, []step{{"source retire okta --to directory --reason moved", exitDone, "the blocks of okta are those of directory now, for 1 person", ""}})
	if got := refused(); got != http.StatusForbidden {
		t.Errorf("a session while the moved block stands: got %d, want 403", got)
	}
	p.steps(t, file, r.base, []step{{"source retire directory --lift --reason gone", exitDone, "the blocks of directory are lifted, for 1 person", ""}})
	if got := refused(); got != http.StatusCreated {
		t.Errorf("a session after the lift: got %d, want 201", got)
	}
}

// reaches: check finds what the running server hears, and whether senders and targets would be answered.
func (p program) reaches(t *testing.T, r *running, file, elsewhere string) {
	t.Helper()
	p.steps(t, file, r.base, []step{
		{"check --sources", exitFailed, "[secret]", "source hr: this version lacks its type, rippling"},
		{"check --sources", exitFailed, "[secret]", "source okta: its address answers, and it was heard at 2"},
		{"check --sources --json", exitFailed, `"last_heard": "2`, "not well: source hr"},
		{"check --targets", exitFailed, "[secret]", "target lms: this version lacks its type, canvas"},
		{"check --targets", exitFailed, "[secret]", "target portal can be reached"},
		{"check", exitDone, "[secret]", "warning: source hr"},
	})
	good := configure(t, t.TempDir(), "sqlite:unused.db", elsewhere)
	p.steps(t, good, r.base, []step{
		{"check --sources --targets", exitDone, "[secret]", "source okta: its address answers"},
		{"check --sources --targets --json", exitDone, `"ok": true`, ""},
	})
	p.steps(t, good, "http://127.0.0.1:1", []step{{"check --sources", exitFailed, "", "is it running"}})
	edit(t, good, "sources:\n", "sources:\n  later: {type: okta, secrets: ["+oktaSecret+"]}\n")
	p.steps(t, good, r.base, []step{{"check --sources", exitFailed, "[secret]", "source later: the running server does not know it: send it SIGHUP"}})
	for url, says := range map[string]string{elsewhere: "somebody else answers 422", "http://127.0.0.1:1": "nobody answers at http://127.0.0.1:1/hooks/okta"} {
		folder := t.TempDir()
		good = configure(t, folder, "sqlite:unused.db", elsewhere)
		edit(t, good, "listen: 127.0.0.1:0\n", "listen: 127.0.0.1:0\npublic_url: "+url+"\n")
		p.steps(t, good, r.base, []step{{"check --sources", exitFailed, "[secret]", says}})
	}
}

// targetWaits: nothing is called while a target is paused, and what is parked can be given up.
func (p program) targetWaits(t *testing.T, r *running, file string, takes *atomic.Bool) {
	t.Helper()
	p.steps(t, file, r.base, []step{
		{`target pause portal --reason maintenance`, exitDone, "paused since ", ""},
		{"revoke --user " + sally + " --reason x", exitDone, "revocation", ""},
		{"target list", exitDone, "paused since ", ""},
	})
	var found page[struct{ ID, State string }]
	owed := func() string {
		a := r.get("/v1/deliveries?target=portal", "Bearer "+opsToken)
		if found = (page[struct{ ID, State string }]{}); json.Unmarshal(a.body, &found) != nil || len(found.Items) == 0 {
			return ""
		}
		return found.Items[len(found.Items)-1].State
	}
	if got := owed(); got != "due" && got != "paused" {
		t.Errorf("what is owed to a paused target is %q, want it to wait", got)
	}
	p.steps(t, file, r.base, []step{{"target resume portal --reason over --json", exitDone, `"paused": null`, ""}})
	eventually(t, "the delivery is parked", func() bool { return owed() == "parked" })
	name := found.Items[len(found.Items)-1].ID
	p.steps(t, file, r.base, []step{
		{"target list", exitDone, "failed at ", ""},
		{"parked drop " + name, exitUsage, "", "--reason"},
		{"parked drop " + name + " --reason gone", exitDone, "dropped: the target is not told", ""},
		{"parked drop " + name + " --reason gone --json", exitDone, `"state": "dropped"`, ""},
		{"parked show " + name, exitDone, "dropped: the target is not told", ""},
		{"parked drop 019aaf3c-5b40-7000-8000-000000000000:portal --reason x", exitNotFound, "", "404"},
	})
	takes.Store(true)
	p.steps(t, file, r.base, []step{{"revoke --user " + sally + " --reason again", exitDone, "revocation", ""}})
	eventually(t, "the next one is done", func() bool { return owed() == "done" })
	p.steps(t, file, r.base, []step{
		{"target list", exitDone, "took the last one at ", ""},
		{fmt.Sprintf("parked drop %s --reason late", found.Items[len(found.Items)-1].ID), exitRefused, "", "409"},
	})
}
