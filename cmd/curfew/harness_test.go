package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"curfew/internal/pgtest"
	"curfew/store"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		return store.Migrate(ctx, store.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	})
}

// program is the built product: without cgo and without the race detector, as it ships.
type program struct{ path string }

// build builds the product, changed by an overlay when there is one.
func build(t *testing.T, overlay string) program {
	t.Helper()
	p := program{filepath.Join(t.TempDir(), "curfew")}
	args := []string{"build", "-o", p.path}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, ".")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return p
}

// run carries out one command and returns its exit code and what it wrote.
func (p program) run(t *testing.T, folder string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("curfew %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// running is a server that answers.
type running struct {
	cmd       *exec.Cmd
	base      string
	log       *logBuffer
	exited    chan error
	described *described // what its answers are held against
}

const (
	directoryToken = "directory-0123456789abcdef"
	portalToken    = "portal-0123456789abcdef"
	gatewayToken   = "gateway-0123456789abcdef"
	opsToken       = "ops-0123456789abcdef"
	oktaSecret     = "okta-0123456789abcdef"
	portalHook     = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// configure writes a configuration for the database and returns its file.
func configure(t *testing.T, folder, database, hook string, more ...string) string {
	t.Helper()
	file := filepath.Join(folder, "curfew.yaml")
	text := fmt.Sprintf(`listen: 127.0.0.1:0
database: %q
log: {format: json}
tokens:
  - {name: directory, scopes: [scim], secret: %s}
  - {name: portal, scopes: [sessions], app: portal, secret: %s}
  - {name: gateway, scopes: [check], app: "*", secret: %s}
  - {name: ops, scopes: [admin], secret: %s}
sources:
  okta: {type: okta, secrets: [%s]}
targets:
  portal: {type: webhook, url: %q, secret: %q}
`, database, directoryToken, portalToken, gatewayToken, opsToken, oktaSecret, hook, portalHook)
	if err := os.WriteFile(file, []byte(text+strings.Join(more, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// noBrake is for tests in which more people are signed out in a minute than the brake lets pass.
const noBrake = "brake: off\n"

// start starts a server and waits until it is ready: within 10 s, as promised.
func (p program) start(t *testing.T, file string) *running {
	t.Helper()
	r := &running{cmd: exec.Command(p.path, "serve", "--config", file), log: newLogBuffer(), exited: make(chan error, 1)}
	r.cmd.Stderr, r.cmd.Dir = r.log, filepath.Dir(file)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.exited <- r.cmd.Wait() }()
	t.Cleanup(r.kill)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case address := <-r.log.listening:
		r.base = "http://" + address
	case err := <-r.exited:
		r.exited <- err
		t.Fatalf("the server ended at its start: %v\n%s", err, r.log)
	case <-ctx.Done():
		t.Fatalf("the server was not ready within 10 s\n%s", r.log)
	}
	eventually(t, "readyz answers 200", func() bool { return r.get("/readyz", "").status == http.StatusOK })
	r.holdToDocument(t)
	return r
}

// stop asks the server to end and waits for it.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v\n%s", err, r.log)
	}
	err := <-r.exited
	r.exited <- err
	if err != nil {
		t.Fatalf("after SIGTERM: got %v, want exit code 0\n%s", err, r.log)
	}
}

// kill ends the server as a power cut would, as far as the process goes. Killing it again does nothing.
func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	r.exited <- <-r.exited
}

// logBuffer keeps a server's log and tells the address that it names.
type logBuffer struct {
	mu        sync.Mutex
	text      bytes.Buffer
	listening chan string
}

func newLogBuffer() *logBuffer { return &logBuffer{listening: make(chan string, 1)} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for lines := bufio.NewScanner(bytes.NewReader(p)); lines.Scan(); {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			b.listening <- line.Address
		}
	}
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// answer is what the server said. The zero answer is none: the connection broke.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) member(t *testing.T, name string) any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(a.body, &all); err != nil {
		t.Fatalf("answer %d is not JSON: %s", a.status, a.body)
	}
	return all[name]
}

// do makes one request.
func (r *running) do(method, path, token, contentType, body string) answer {
	request, err := http.NewRequest(method, r.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(request)
	if err != nil {
		return answer{}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}
	}
	got := answer{resp.StatusCode, resp.Header, text}
	r.described.held(request, body, got)
	return got
}

func (r *running) get(path, token string) answer {
	return r.do(http.MethodGet, path, token, "", "")
}

func (r *running) post(path, token, body string) answer {
	return r.do(http.MethodPost, path, "Bearer "+token, "application/json", body)
}

// register signs a device in and returns the answer; its member token is the session token.
func (r *running) register(email, kind string) answer {
	return r.post("/v1/sessions", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": %q, "token": "new"}`, email, kind))
}

// verify asks as a proxy does.
func (r *running) verify(session string) int { return r.get("/verify", "Bearer "+session).status }

// active asks as an application does.
func (r *running) active(t *testing.T, session string) bool {
	t.Helper()
	a := r.do(http.MethodPost, "/oauth2/introspect", "Bearer "+gatewayToken, "application/x-www-form-urlencoded", "token="+session)
	if a.status != http.StatusOK {
		t.Fatalf("introspection: got %d %s, want 200", a.status, a.body)
	}
	return a.member(t, "active") == true
}

// provision creates a person over SCIM and returns its resource's id.
func (r *running) provision(t *testing.T, email string) string {
	t.Helper()
	a := r.do(http.MethodPost, "/scim/v2/Users", "Bearer "+directoryToken, "application/scim+json", fmt.Sprintf(
		`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": %q, "active": true, "emails": [{"value": %q, "primary": true}]}`, email, email))
	if a.status != http.StatusCreated {
		t.Fatalf("SCIM create of %s: got %d %s, want 201", email, a.status, a.body)
	}
	return a.member(t, "id").(string)
}

// setActive deactivates or reactivates a person over SCIM.
func (r *running) setActive(resource string, active bool) answer {
	return r.do(http.MethodPatch, "/scim/v2/Users/"+resource, "Bearer "+directoryToken, "application/scim+json", fmt.Sprintf(
		`{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "active", "value": %t}]}`, active))
}

// okta sends one event as Okta does.
func (r *running) okta(secret, event, id, email string, at time.Time) answer {
	return r.do(http.MethodPost, "/hooks/okta", secret, "application/json", fmt.Sprintf(`{"eventType": "com.okta.event_hook", "eventTypeVersion": "1.0",
		"cloudEventsVersion": "0.1", "contentType": "application/json", "eventId": "delivery-%s", "eventTime": %q, "source": "https://acme.example/api/v1/eventHooks/who1",
		"data": {"events": [{"uuid": %q, "published": %q, "eventType": %q, "version": "0", "severity": "INFO", "outcome": {"result": "SUCCESS"},
		"actor": {"id": "00uADMIN", "type": "User", "alternateId": "admin@acme.example"},
		"target": [{"id": %q, "type": "User", "alternateId": %q, "displayName": "somebody"}]}]}}`,
		id, at.UTC().Format(time.RFC3339Nano), id, at.UTC().Format(time.RFC3339Nano), event, "00u-"+email, email))
}

// portal is an application that is told over a webhook. It checks signatures by the library of the standard's authors.
type portal struct {
	*httptest.Server
	mu      sync.Mutex
	told    []string // the type, then the message
	ids     []string // webhook-id of every request, also of refused ones
	bad     []string // signatures that the standard's library refuses
	refuses bool     // everything, with 503
	held    chan struct{}
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	oracle, err := standardwebhooks.NewWebhook(portalHook)
	if err != nil {
		t.Fatal(err)
	}
	p := &portal{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := oracle.Verify(body, r.Header); err != nil {
			p.bad = append(p.bad, err.Error())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.ids = append(p.ids, r.Header.Get("Webhook-Id"))
		if held := p.held; held != nil {
			p.mu.Unlock()
			<-held
			p.mu.Lock()
		}
		if p.refuses {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var m struct{ Type string }
		_ = json.Unmarshal(body, &m)
		p.told = append(p.told, m.Type+" "+string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(p.Close)
	return p
}

// refuse makes the application refuse or take what it is told, and returns the webhook-ids of before.
func (p *portal) refuse(refuses bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuses
	return slices.Clone(p.ids)
}

// hold lets every call wait until release is called.
func (p *portal) hold() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := make(chan struct{})
	p.held = held
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held = nil
		close(held)
	}
}

// heard reports whether a message of the type that mentions about came.
func (p *portal) heard(kind, about string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.told {
		if strings.HasPrefix(m, kind+" ") && strings.Contains(m, about) {
			return true
		}
	}
	return false
}

// eventually waits until a thing that needs no more input has happened.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !happened() {
		select {
		case <-deadline:
			t.Fatalf("within 20 s not: %s", what)
		case <-tick.C:
		}
	}
}

// onEach runs a test on SQLite and on PostgreSQL. Its database is its own.
func onEach(t *testing.T, test func(t *testing.T, folder, database string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		test(t, folder, "sqlite:"+filepath.Join(folder, "curfew.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, t.TempDir(), pgtest.EmptyDatabase(t))
	})
}

// look opens the database beside the server, to read what is really stored.
func look(t *testing.T, database string) *sql.DB {
	t.Helper()
	driver, name := "postgres", database
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
