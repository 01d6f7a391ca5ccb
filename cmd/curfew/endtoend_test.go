package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProgram starts the real program, built once.
func TestProgram(t *testing.T) {
	t.Parallel()
	p := build(t, "")
	t.Run("story", func(t *testing.T) { onEach(t, p.story) })
	t.Run("owed", func(t *testing.T) { onEach(t, p.owed) })
	t.Run("second server", func(t *testing.T) { onEach(t, p.secondServer) })
	t.Run("commands", func(t *testing.T) { onEach(t, p.commands) })
	t.Run("orders", func(t *testing.T) { onEach(t, p.orders) })
	t.Run("blocks", func(t *testing.T) { onEach(t, p.blocks) })
	t.Run("operate", func(t *testing.T) { onEach(t, p.operate) })
	t.Run("reload", func(t *testing.T) { onEach(t, p.reload) })
	t.Run("parked", func(t *testing.T) { onEach(t, p.parked) })
	t.Run("alarms", func(t *testing.T) { onEach(t, p.alarms) })
	t.Run("pages", p.pages)
	t.Run("first start", p.firstStart)
	t.Run("files after a stop", p.filesAfterStop)
	t.Run("racing lifts", func(t *testing.T) { onEach(t, p.lifts) })
	t.Run("graceful stop", func(t *testing.T) { onEach(t, p.gracefulStop) })
	t.Run("outage", p.outage)
	t.Run("demo", p.demo)
	t.Run("tries", p.tries)
	t.Run("crash", p.crash)
	t.Run("crash while reading", func(t *testing.T) { onEach(t, p.crashWhileReading) })
}

const sally = "sally@example.edu"

// story is the main job: whatever says that a person is out, all of her sessions die, stay dead, and new ones work after.
func (p program) story(t *testing.T, folder, database string) {
	t.Helper()
	app := newPortal(t)
	file := configure(t, folder, database, app.URL)
	r := p.start(t, file)

	sessions := map[string]string{}
	for name, kind := range map[string]string{"iPhone": "mobile", "iPad": "mobile", "laptop": "browser"} {
		sessions[name] = r.signIn(t, kind)
	}
	all := func(want bool, when string) {
		t.Helper()
		for name, token := range sessions {
			if got := r.active(t, token); got != want {
				t.Errorf("%s, introspection of the %s: got active %t, want %t", when, name, got, want)
			}
			wantStatus := http.StatusUnauthorized
			if want {
				wantStatus = http.StatusOK
			}
			if got := r.verify(token); got != wantStatus {
				t.Errorf("%s, /verify of the %s: got %d, want %d", when, name, got, wantStatus)
			}
		}
	}
	resource := r.provision(t, sally)
	all(true, "signed in, then provisioned")

	if a := r.setActive(resource, false); a.status/100 != 2 {
		t.Fatalf("SCIM deactivation: got %d %s", a.status, a.body)
	}
	all(false, "after the SCIM deactivation")
	if a := r.register(sally, "browser"); a.status != http.StatusForbidden || a.member(t, "type") != "/problems/blocked" {
		t.Errorf("registration while blocked: got %d %s, want 403 blocked", a.status, a.body)
	}
	eventually(t, "the application is told of the block", func() bool { return app.heard("user.blocked", sally) })

	if a := r.setActive(resource, true); a.status/100 != 2 {
		t.Fatalf("SCIM reactivation: got %d %s", a.status, a.body)
	}
	all(false, "after the reactivation")
	eventually(t, "the application is told of the lift", func() bool { return app.heard("user.lifted", sally) })
	again := r.signIn(t, "mobile")
	if !r.active(t, again) || r.verify(again) != http.StatusOK {
		t.Error("a login after the reactivation does not work")
	}

	if a := r.okta("wrong-"+oktaSecret, "user.lifecycle.suspend", "e-0", sally, time.Now()); a.status != http.StatusUnauthorized {
		t.Errorf("Okta event with a wrong secret: got %d, want 401", a.status)
	}
	if !r.active(t, again) {
		t.Error("an Okta event with a wrong secret ended a session")
	}
	if a := r.okta(oktaSecret, "user.lifecycle.suspend", "e-1", sally, time.Now()); a.status/100 != 2 {
		t.Fatalf("Okta suspension: got %d %s", a.status, a.body)
	}
	if r.active(t, again) || r.verify(again) != http.StatusUnauthorized {
		t.Error("a session lives after the Okta suspension")
	}
	if a := r.okta(oktaSecret, "user.lifecycle.unsuspend", "e-2", sally, time.Now().Add(time.Millisecond)); a.status/100 != 2 {
		t.Fatalf("Okta unsuspension: got %d %s", a.status, a.body)
	}
	if r.active(t, again) {
		t.Error("the Okta unsuspension brought a session back")
	}
	sessions["after Okta"], sessions["after SCIM"] = r.signIn(t, "mobile"), again
	alive := r.signIn(t, "desktop")
	ended := r.post("/v1/revocations", opsToken, fmt.Sprintf(`{"scope": "user", "subject": {"format": "email", "email": %q}, "kind": "mobile", "reason": "lost her phone"}`, sally))
	if ended.status != http.StatusCreated {
		t.Errorf("an operator's revocation: got %d %s, want 201", ended.status, ended.body)
	}
	all(false, "after an operator ended the mobile ones")
	r.counted(t, alive, again)

	r.stop(t)
	r = p.start(t, file)
	all(false, "after a restart")
	if !r.active(t, alive) {
		t.Error("a live session died by a restart")
	}
	r.kill()
	r = p.start(t, file)
	all(false, "after kill -9")
	if !r.active(t, alive) {
		t.Error("a live session died by kill -9")
	}
	if len(app.bad) > 0 {
		t.Errorf("the standard's own library refuses our signatures: %v", app.bad)
	}
	for _, secret := range []string{directoryToken, portalToken, gatewayToken, opsToken, oktaSecret, portalHook, alive, again, sally} {
		if strings.Contains(r.log.String(), secret) {
			t.Error("the log shows a secret, or an e-mail address")
		}
	}
}

// counted: the page for Prometheus tells what the core and the dispatcher did, and no secret or person.
func (r *running) counted(t *testing.T, tokens ...string) {
	t.Helper()
	if a := r.get("/metrics", "Bearer "+portalToken); a.status != http.StatusForbidden {
		t.Errorf("/metrics with scope sessions: got %d, want 403", a.status)
	}
	var page string
	eventually(t, "a call of the target is counted", func() bool {
		page = string(r.get("/metrics", "Bearer "+opsToken).body)
		return strings.Contains(page, `curfew_attempt_seconds_count{target="portal"} `)
	})
	for _, want := range []string{
		`curfew_signals_total{signal="suspended",source="okta",state="decided"} 1`, `curfew_refused_total{source="okta",why="mismatch"} 1`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("/metrics lacks %s:\n%s", want, page)
		}
	}
	for _, secret := range append([]string{directoryToken, portalToken, gatewayToken, opsToken, oktaSecret, portalHook, sally}, tokens...) {
		if strings.Contains(page, secret) {
			t.Error("/metrics shows a secret, or an e-mail address")
		}
	}
}

// signIn registers a session of Sally's and returns its token.
func (r *running) signIn(t *testing.T, kind string) string {
	t.Helper()
	a := r.register(sally, kind)
	token, _ := a.member(t, "token").(string)
	if a.status != http.StatusCreated || token == "" {
		t.Fatalf("register: got %d %s, want 201 with a token", a.status, a.body)
	}
	return token
}

// owed: what a target did not take is told again, under the same webhook-id, also by the server after a kill -9.
func (p program) owed(t *testing.T, folder, database string) {
	t.Helper()
	app := newPortal(t)
	app.refuse(true)
	file := configure(t, folder, database, app.URL)
	r := p.start(t, file)
	resource := r.provision(t, sally)
	if a := r.setActive(resource, false); a.status/100 != 2 {
		t.Fatalf("SCIM deactivation: got %d %s", a.status, a.body)
	}
	// Killed in the middle of a call, as likely as not: what a dead server had claimed is free at the next start.
	eventually(t, "the application refuses", func() bool { return len(app.refuse(true)) > 0 })
	r.kill()
	before := app.refuse(false)
	r = p.start(t, file)
	eventually(t, "the application is told after the restart", func() bool { return app.heard("user.blocked", sally) })
	for _, id := range app.refuse(false)[len(before):] {
		if !slices.Contains(before, id) {
			t.Errorf("told again under webhook-id %s, want one of before: %q", id, before)
		}
	}
	eventually(t, "the delivery is done, and says how often it was tried", func() bool {
		a := r.get("/v1/deliveries?state=done", "Bearer "+opsToken)
		return a.status == http.StatusOK && strings.Contains(string(a.body), `"evidence":"accepted"`)
	})
}

// filesAfterStop: after a clean stop the database is one file, which an operator can copy, and nobody else can read it.
func (p program) filesAfterStop(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := configure(t, folder, "sqlite:"+filepath.Join(folder, "curfew.db"), "http://127.0.0.1:1")
	r := p.start(t, file)
	alive := r.signIn(t, "mobile")
	for _, name := range []string{"curfew.db", "curfew.db-wal", "curfew.db-shm", "curfew.db.lock"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s while the server runs: got %v, %v; want mode 0600", name, info, err)
		}
	}
	r.stop(t)
	elsewhere := t.TempDir()
	text, err := os.ReadFile(filepath.Join(folder, "curfew.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "curfew.db"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r = p.start(t, configure(t, elsewhere, "sqlite:"+filepath.Join(elsewhere, "curfew.db"), "http://127.0.0.1:1"))
	if got := r.verify(alive); got != http.StatusOK {
		t.Errorf("/verify on a copy of curfew.db alone: got %d, want 200", got)
	}
}

// secondServer: two servers on one database would each believe what it remembers.
func (p program) secondServer(t *testing.T, folder, database string) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1")
	r := p.start(t, file)
	code, out, text := p.run(t, folder, "serve", "--config", file)
	if code != exitFailed || out != "" || !strings.Contains(text, "server") {
		t.Errorf("a second server: got exit code %d and %q, want 1 and words about the server that runs", code, text)
	}
	if got := r.get("/readyz", "").status; got != http.StatusOK {
		t.Errorf("the first server after that: readyz %d, want 200", got)
	}
	r.kill()
	p.start(t, file) // a killed server leaves no lock behind
}

// firstStart: no file, no flag, no variable. The address may be taken on this machine; the file is written before.
func (p program) firstStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, defaultFile)
	serve := func() string {
		t.Helper()
		r := &running{cmd: exec.Command(p.path, "serve"), log: newLogBuffer(), exited: make(chan error, 1)}
		out := newLogBuffer()
		r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = folder, out, r.log
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { r.exited <- r.cmd.Wait() }()
		t.Cleanup(r.kill)
		eventually(t, "the server listens, or says that the address is taken", func() bool {
			return strings.Contains(r.log.String(), "listening") || strings.Contains(r.log.String(), "already in use")
		})
		if !strings.Contains(r.log.String(), "already in use") {
			r.stop(t)
		}
		if text := r.log.String() + out.String(); strings.Contains(text, tokenPrefix) {
			t.Errorf("a first start that no terminal watches shows a secret: %s", text)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text := serve()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("curfew.yaml: got %v, %v; want mode 0600", info.Mode(), err)
	}
	if strings.Count(text, tokenPrefix) != 3 {
		t.Errorf("a first start must make three tokens, got: %s", text)
	}
	if serve() != text {
		t.Error("a second start does not use the file of the first")
	}
	code, out, errs := p.run(t, folder, "check")
	if code != exitDone || strings.Contains(out+errs, tokenPrefix) || !strings.Contains(errs, "good") {
		t.Errorf("check of what a first start writes: got %d, %s%s", code, out, errs)
	}
}

// demo tells the whole story by itself, with what it observed over HTTP.
func (p program) demo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	start := time.Now()
	code, out, errs := p.run(t, folder, "demo", "--once")
	if code != exitDone || !strings.Contains(out, "All of it was observed") {
		t.Errorf("demo --once: got exit code %d\n%s\n%s", code, out, errs)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("demo --once took %s, want less than 30 s", took)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("demo left %v in the working directory (%v), want nothing", left, err)
	}
}
