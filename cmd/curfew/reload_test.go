package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	newPortalToken = "portal-fedcba9876543210"
	entraSecret    = "entra-0123456789abcdef"
)

// edit changes the settings file.
func edit(t *testing.T, file string, changes ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	after := string(text)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(after, changes[i]) {
			t.Fatalf("%s is not in the settings:\n%s", changes[i], after)
		}
		after = strings.ReplaceAll(after, changes[i], changes[i+1])
	}
	if err := os.WriteFile(file, []byte(after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hangup asks the server to read its settings again, waits for the outcome and returns what the log said on the way.
func (r *running) hangup(t *testing.T) string {
	t.Helper()
	const outcome = "the settings were read again" // the alarm is the last that is said of it
	before := r.log.String()
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log tells the outcome of a SIGHUP", func() bool {
		return strings.Count(r.log.String(), outcome) > strings.Count(before, outcome)
	})
	return strings.TrimPrefix(r.log.String(), before)
}

// reload: who is believed, who speaks and who is told changes without a stop.
func (p program) reload(t *testing.T, folder, database string) {
	t.Helper()
	app := newPortal(t)
	file := configure(t, folder, database, app.URL)
	r := p.start(t, file)
	session := r.signIn(t, "mobile")

	// A token is changed while it is used all the time: first both work, then the callers change, then the old one goes.
	var token atomic.Pointer[string]
	use := func(secret string) { token.Store(&secret) }
	use(portalToken)
	stop := make(chan struct{})
	var callers sync.WaitGroup
	var asked, registered atomic.Int64
	failed := make(chan string, 100)
	for i := range 4 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var a answer
				want := http.StatusOK
				switch i {
				case 0:
					a, want = r.post("/v1/sessions", *token.Load(), fmt.Sprintf(
						`{"subject": {"format": "email", "email": "load%d@example.edu"}, "kind": "browser", "token": "new"}`, n)), http.StatusCreated
					registered.Add(1)
				case 1:
					a = r.get("/verify", "Bearer "+session)
				default:
					a = r.do(http.MethodPost, "/oauth2/introspect", "Bearer "+*token.Load(), "application/x-www-form-urlencoded", "token="+session)
				}
				asked.Add(1)
				if a.status != want {
					select {
					case failed <- fmt.Sprintf("caller %d, request %d: %d %s", i, n, a.status, a.body):
					default:
					}
				}
			}
		})
	}
	during := func(what string) {
		t.Helper()
		before := asked.Load()
		eventually(t, "requests are answered "+what, func() bool { return asked.Load() > before+20 })
	}
	during("before the change")
	edit(t, file, "app: portal, secret: "+portalToken, "app: portal, secrets: ["+newPortalToken+", "+portalToken+"]")
	r.hangup(t)
	during("with both tokens")
	use(newPortalToken)
	during("after the callers changed") // by when each has made its last request with the old one
	during("and again")
	edit(t, file, "["+newPortalToken+", "+portalToken+"]", "["+newPortalToken+"]")
	r.hangup(t)
	during("with the new one alone")
	for range 5 { // and with nothing changed
		r.hangup(t)
	}
	close(stop)
	callers.Wait()
	close(failed)
	for each := range failed {
		t.Errorf("during a change of token: %s", each)
	}
	t.Logf("%d requests were answered, %d of them registrations, during 7 readings of the settings", asked.Load(), registered.Load())
	if got := r.post("/v1/sessions", portalToken, "{}").status; got != http.StatusUnauthorized {
		t.Errorf("the old token after it was taken out: got %d, want 401", got)
	}

	// A new source speaks; one that was taken out does not.
	if got := r.do(http.MethodPost, "/hooks/entra", entraSecret, "application/json", "{}").status; got != http.StatusNotFound {
		t.Errorf("a source that is not there yet: got %d, want 404", got)
	}
	more := newSettingsFolder(t, "entra.yaml", "sources: {entra: {type: okta, secrets: [\"file:entra.secret\"]}}", "entra.secret", entraSecret)
	edit(t, file, "sources:\n  okta: {type: okta, secrets: ["+oktaSecret+"]}\n", "include: "+more.path+"/*.yaml\n")
	r.hangup(t)
	if got := r.do(http.MethodPost, "/hooks/entra", "wrong-"+entraSecret, "application/json", "{}").status; got != http.StatusUnauthorized {
		t.Errorf("a new source without its proof: got %d, want 401", got)
	}
	if got := r.okta(oktaSecret, "user.lifecycle.suspend", "r-1", sally, time.Now()).status; got != http.StatusNotFound {
		t.Errorf("a source that was taken out: got %d, want 404", got)
	}
	if !r.active(t, session) {
		t.Error("a source that was taken out ended a session")
	}
	if page := string(r.get("/metrics", "Bearer "+opsToken).body); !strings.Contains(page, `curfew_refused_total{source="entra",why="mismatch"} 1`) {
		t.Error("a new source is not counted by its name")
	}

	p.reloadBadly(t, r, file)
	p.reloadTargets(t, r, file, app)
	for _, secret := range []string{directoryToken, portalToken, newPortalToken, gatewayToken, opsToken, oktaSecret, entraSecret, portalHook, session, sally} {
		if strings.Contains(r.log.String(), secret) {
			t.Error("the log shows a secret, or an e-mail address")
		}
	}
}

// reloadBadly: a mistake anywhere changes nothing; what takes a restart is named and keeps its old value; the log changes.
func (p program) reloadBadly(t *testing.T, r *running, file string) {
	t.Helper()
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		if err := os.WriteFile(file, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := strings.ReplaceAll(string(good), newPortalToken, "other-"+newPortalToken) + "brake: {users: none-of-these}\n"
	for what, text := range map[string]string{"a bad value": bad, "no YAML": "tokens: [" + portalToken, "no file": ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		said := r.hangup(t)
		if !strings.Contains(said, "nothing has changed") || !strings.Contains(said, "curfew.yaml") || strings.Contains(said, "none-of-these") {
			t.Errorf("%s: the log says\n%s\nwant the mistake and its place, without the value", what, said)
		}
		if what == "a bad value" && !strings.Contains(said, "curfew.yaml:12:16: brake.users") {
			t.Errorf("%s: the log says\n%s\nwant file, line, column and key", what, said)
		}
		if got := r.post("/v1/sessions", newPortalToken, "{}").status; got != http.StatusUnprocessableEntity {
			t.Errorf("%s: the token of before: got %d, want 422", what, got)
		}
		if got := r.post("/v1/sessions", "other-"+newPortalToken, "{}").status; got != http.StatusUnauthorized {
			t.Errorf("%s: a token of a file with a mistake: got %d, want 401", what, got)
		}
	}
	restore()
	eventually(t, "what became of the settings is an alarm", func() bool {
		return strings.Contains(r.log.String(), "curfew check lists them")
	})

	edit(t, file, "listen: 127.0.0.1:0", "listen: 127.0.0.1:1\nlogout: everywhere\napprovals: 2\ntrusted_proxies: [10.0.0.0/8]\ntime_zone: Europe/London\nforward_auth: {cookie: another}", "{format: json}", "{format: text, level: debug}")
	said := r.hangup(t)
	if !strings.Contains(said, "takes a restart: approvals, forward_auth.cookie, listen, logout, time_zone, trusted_proxies") {
		t.Errorf("settings that take a restart: the log says\n%s", said)
	}
	if !strings.Contains(said, `level=INFO msg="settings were read again"`) {
		t.Errorf("the log did not change its format:\n%s", said)
	}
	if again := r.hangup(t); !strings.Contains(again, "takes a restart: approvals") {
		t.Errorf("a second time the log no longer names what takes a restart:\n%s", again)
	}
	restore()
	if said := r.hangup(t); strings.Contains(said, "takes a restart") || !strings.Contains(said, `"level":"INFO","msg":"settings were read again"`) {
		t.Errorf("after everything was put back the log says\n%s", said)
	}
}

// reloadTargets: a call under way ends and counts, a new target is told, and what is owed to one that was taken out waits.
func (p program) reloadTargets(t *testing.T, r *running, file string, app *portal) {
	t.Helper()
	release := app.hold()
	resource := r.provision(t, "tom@example.edu")
	if a := r.setActive(resource, false); a.status/100 != 2 {
		t.Fatalf("SCIM deactivation: got %d %s", a.status, a.body)
	}
	eventually(t, "the application is called", func() bool { return len(app.refuse(false)) > 0 })
	second := newPortal(t)
	edit(t, file, "targets:\n", "targets:\n  second: {type: webhook, url: \""+second.URL+"\", secret: \""+portalHook+"\"}\n")
	r.hangup(t)
	release()
	state := func(want string) func() bool {
		return func() bool {
			return strings.Contains(string(r.get("/v1/deliveries?target=portal&limit=1000&state="+want, "Bearer "+opsToken).body), `"portal"`)
		}
	}
	eventually(t, "the call that was under way is recorded", state("done"))
	if ids := app.refuse(true); len(ids) != 1 {
		t.Errorf("the application was told %d times of one deactivation: %q", len(ids), ids)
	}

	if a := r.setActive(resource, true); a.status/100 != 2 {
		t.Fatalf("SCIM reactivation: got %d %s", a.status, a.body)
	}
	eventually(t, "the new target is told", func() bool { return second.heard("user.lifted", "tom@example.edu") })
	if second.heard("user.blocked", "tom") {
		t.Error("the new target was told of what was decided before it was there")
	}
	eventually(t, "the application refuses", func() bool { return len(app.refuse(true)) > 1 })
	settings, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, file, fmt.Sprintf("  portal: {type: webhook, url: %q, secret: %q}\n", app.URL, portalHook), "")
	if said := r.hangup(t); !strings.Contains(said, "waits until the settings name it again") || !strings.Contains(said, `"target_id":"portal"`) {
		t.Errorf("something is owed to the target that was taken out, and the log says\n%s", said)
	}
	before, others := app.refuse(false), second.refuse(true)
	if a := r.post("/v1/deliveries/retry", opsToken, `{"state": "due", "target": "portal"}`); a.status != http.StatusOK {
		t.Fatalf("retry: got %d %s", a.status, a.body)
	}
	if a := r.setActive(resource, false); a.status/100 != 2 {
		t.Fatalf("SCIM deactivation: got %d %s", a.status, a.body)
	}
	eventually(t, "the target that stayed was tried longer than the queue is left unread", func() bool { return len(second.refuse(true)) > len(others)+3 })
	second.refuse(false)
	if !state("due")() {
		t.Error("what was owed to the target that was taken out is gone")
	}
	if now := app.refuse(false); len(now) > len(before) {
		t.Errorf("a target that was taken out was called %d times", len(now)-len(before))
	}
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	r.hangup(t)
	eventually(t, "the target that came back is told what it is owed", func() bool { return app.heard("user.lifted", "tom@example.edu") })
	if now := app.refuse(false); !slices.Contains(before, now[len(now)-1]) {
		t.Errorf("told under webhook-id %s, want the one of before", now[len(now)-1])
	}
}

// TestSettingsAreReadAgainWhileEverybodyAsks lets the race detector watch.
func TestSettingsAreReadAgainWhileEverybodyAsks(t *testing.T) {
	t.Parallel()
	text := fmt.Sprintf(`tokens:
  - {name: directory, scopes: [scim], secret: %s}
  - {name: ops, scopes: [admin], secret: %s}
sources:
  okta: {type: okta, secrets: [%s]}
targets:
  portal: {type: webhook, url: "http://127.0.0.1:1/", secret: %q}
`, directoryToken, opsToken, oktaSecret, portalHook)
	s := wired(t, text)
	log := &logBuffer{listening: make(chan string, 1)}
	s.log = logSettings{Format: "text", Level: "info"}.logger(log)
	formats, level := []string{"text", "json"}, 0
	s.read = func() (*Loaded, error) {
		next, err := load(settingsInput{file: s.settings.File, lookup: lookupIn(canarySettings)})
		if err == nil {
			level++
			next.Log.Format = formats[level%2]
		}
		return next, err
	}
	hangup := make(chan os.Signal)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, hangup) }()
	var callers sync.WaitGroup
	asking, enough := context.WithCancel(t.Context())
	ask := func(method, path, token, body string) {
		r, err := http.NewRequestWithContext(asking, method, s.publicURL+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/scim+json")
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			if asking.Err() == nil {
				t.Error(err)
			}
			return
		}
		defer func() { _ = resp.Body.Close() }()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 && asking.Err() == nil {
			t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
		}
	}
	for i := range 3 {
		callers.Go(func() {
			for n := 0; asking.Err() == nil; n++ {
				name := fmt.Sprintf("p%d-%d@example.edu", i, n)
				ask(http.MethodPost, "/scim/v2/Users", directoryToken, `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "active": false, "userName": "`+name+`"}`)
				ask(http.MethodGet, "/v1/users?user_name="+name, opsToken, "")
				ask(http.MethodGet, "/metrics", opsToken, "")
			}
		})
	}
	for range 30 {
		hangup <- syscall.SIGHUP
	}
	enough()
	callers.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if got := strings.Count(log.String(), "settings were read again"); got < 30 {
		t.Errorf("30 readings of the settings, and the log tells of %d", got)
	}
}
