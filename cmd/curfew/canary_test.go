package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// canaries are the secrets of a test, each made for one place, so that finding any of them says where it came from.
type canaries struct {
	made map[string]string
	// hashed are those of which the database keeps the SHA-256: session tokens.
	hashed []string
	// kept are those that the database keeps as they are and that open no door: Idempotency-Keys.
	kept []string
}

// new returns a secret that nothing else holds: both its halves are long enough to be known by themselves.
func (c *canaries) new(place string) string {
	text := strings.ReplaceAll(place, " ", "") + "~" + rand.Text() + rand.Text()
	c.made[place] = text
	return text
}

func (c *canaries) session(place string) string {
	c.hashed = append(c.hashed, place)
	return c.new(place)
}

// needle is a form of a secret that gives it away, or half of it.
type needle struct{ place, form, text string }

func (c *canaries) needles() []needle {
	var out []needle
	for place, secret := range c.made {
		add := func(form, text string) { out = append(out, needle{place, form, text}) }
		chance := secret[max(0, len(secret)-52):]
		for name, part := range map[string]string{"": secret, "first half of the ": chance[:len(chance)/2], "second half of the ": chance[len(chance)/2:]} {
			add(name+"text", part)
			add(name+"URL form", url.QueryEscape(part))
			add(name+"hexadecimal form", hex.EncodeToString([]byte(part)))
			add(name+"hexadecimal form", strings.ToUpper(hex.EncodeToString([]byte(part))))
			for shift := range 3 { // base64 of a text that holds it, wherever it stands there
				for form, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
					text := encoding.EncodeToString([]byte(strings.Repeat("x", shift) + part))
					add(name+form, text[(shift*8+5)/6:len(text)-2])
				}
			}
		}
		if !slices.Contains(c.hashed, place) {
			sum := sha256.Sum256([]byte(secret))
			add("SHA-256", string(sum[:]))
			add("SHA-256 in hexadecimal", hex.EncodeToString(sum[:]))
			add("SHA-256 in base64", base64.RawStdEncoding.EncodeToString(sum[:]))
			add("SHA-256 in base64url", base64.RawURLEncoding.EncodeToString(sum[:]))
		}
	}
	return out
}

// found looks for every needle at once: by what each begins with.
func (c *canaries) found(text string) (all []string) {
	const beginning = 8
	byBeginning := map[string][]needle{}
	for _, n := range c.needles() {
		byBeginning[n.text[:beginning]] = append(byBeginning[n.text[:beginning]], n)
	}
	for at := range max(0, len(text)-beginning) {
		for _, n := range byBeginning[text[at:at+beginning]] {
			if strings.HasPrefix(text[at:], n.text) {
				all = append(all, fmt.Sprintf("the %s of the canary of %s, after %q", n.form, n.place, text[max(0, at-100):at]))
			}
		}
	}
	return all
}

// hunt fails the test for every secret that a text holds.
func (c *canaries) hunt(t *testing.T, where, text string) {
	t.Helper()
	for _, what := range c.found(text) {
		t.Errorf("%s holds %s", where, what)
	}
}

// huntStored does so in what the database holds.
func (c *canaries) huntStored(t *testing.T, where, text string) {
	t.Helper()
	others := &canaries{made: maps.Clone(c.made), hashed: c.hashed}
	for _, place := range c.kept {
		delete(others.made, place)
	}
	others.hunt(t, where, text)
}

// TestT12Canaries plants a secret in every place that takes one, drives every door well and badly, and looks for them in all
// that is left behind. The program is built to panic over one session token, with what it holds of it at hand.
func TestT12Canaries(t *testing.T) {
	t.Parallel()
	panics := "panics~" + rand.Text() + rand.Text()
	const ask = "func (s *Service) Ask(ctx context.Context, ref SessionRef) (Answer, error) {\n"
	p := build(t, overlay(t, map[string]string{"revoke/ask.go": replaced(t, "revoke/ask.go", ask,
		ask+fmt.Sprintf("\tif ref.Token == HashToken(%q) {\n\t\tpanic(fmt.Sprintf(\"planted: %%v %%+v\", ctx, ref))\n\t}\n", panics), 1)}))
	onEach(t, func(t *testing.T, folder, database string) {
		t.Helper()
		p.canary(t, folder, database, panics)
	})
}

func (p program) canary(t *testing.T, folder, database, panics string) {
	t.Helper()
	c := &canaries{made: map[string]string{"panicking session token": panics}, hashed: []string{"panicking session token"}}
	standard := func(place string) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(c.new(place)[:48]))
	}
	if address, err := url.Parse(database); err == nil && address.Scheme == "postgres" {
		address.User = url.UserPassword(address.User.Username(), c.new("database password"))
		database = address.String()
	}
	hook, alarm := standard("target secret"), standard("alarm secret")
	c.made["target secret as configured"], c.made["alarm secret as configured"] = hook, alarm
	// An application that answers with all that it was sent, refuses it, and breaks off.
	var calls atomic.Int64
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, name := range []string{"X-Request-Id", "Location", "Retry-After", "Server", "WWW-Authenticate"} {
			w.Header().Set(name, hook+r.URL.RawQuery)
		}
		w.WriteHeader([]int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusFound, http.StatusUnprocessableEntity}[calls.Add(1)%4])
		_, _ = fmt.Fprintf(w, "%s %v %s %s", hook, r.Header, r.URL, body)
	}))
	t.Cleanup(echo.Close)

	file := filepath.Join(folder, "curfew.yaml")
	tokens := map[string]string{}
	for _, name := range []string{"directory", "portal", "portal old", "gateway", "ops", "soc"} {
		tokens[name] = c.new(name + " token")
	}
	oktaHook := c.new("okta secret")
	write := func(more string) {
		t.Helper()
		text := fmt.Sprintf(`listen: 127.0.0.1:0
database: %q
log: {format: json, level: debug}
forward_auth: {cookie: session}
tokens:
  - {name: directory, scopes: [scim], secret: %q}
  - {name: portal, scopes: [sessions], app: portal, secrets: [%q, %q]}
  - {name: gateway, scopes: [check], app: "*", secret: %q}
  - {name: ops, scopes: [admin], secret: %q}
  - {name: soc, scopes: [revoke], secret: %q}
sources:
  okta: {type: okta, secrets: [%q]}
targets:
  portal: {type: webhook, url: %q, secret: %q}
alarms: [{type: webhook, url: %q, secret: %q}]
sign_in: {issuer: https://id.example.edu, client_id: curfew, client_secret: %q}
mail: {smtp: mail.example.edu:587, from: curfew@example.edu, user: curfew, password: %q}
%s`, database, tokens["directory"], tokens["portal"], tokens["portal old"], tokens["gateway"], tokens["ops"], tokens["soc"], oktaHook,
			echo.URL+"/logout?key="+c.new("target query"), hook, echo.URL+"/alarm?key="+c.new("alarm query"), alarm,
			c.new("client secret"), c.new("mail password"), more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	r := p.start(t, file)
	r.described = nil // parameters and paths that no document has are where secrets stand by mistake
	answers := &strings.Builder{}
	keep := func(a answer) answer {
		_, _ = fmt.Fprintln(answers, a.status, a.header)
		answers.Write(a.body)
		return a
	}
	r.driveWithCanaries(t, c, tokens, oktaHook, keep)

	// The settings are read again: with new secrets, with mistakes, and as no YAML at all.
	for n, more := range []string{"", "brake: " + c.new("bad brake") + "\n", c.new("unknown key") + ": 1\n", "tls: {cert: " + c.new("broken YAML") + "\n", "tls: {key: \"file:" + c.new("missing file") + "\"}\n"} {
		write(more)
		if n == 0 {
			oktaHook = c.made["okta secret"]
		}
		before := strings.Count(r.log.String(), "SIGHUP")
		if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "SIGHUP is answered in the log", func() bool {
			return strings.Count(r.log.String(), "SIGHUP")+strings.Count(r.log.String(), "settings") > before
		})
		code, out, errs := p.run(t, folder, "check", "--config", file)
		_, _ = fmt.Fprintln(answers, code, out, errs)
	}
	write("")
	said := p.commandsWithCanaries(t, c, r, folder, file)

	metrics := keep(r.get("/metrics", "Bearer "+tokens["ops"]))
	if metrics.status != http.StatusOK || !strings.Contains(string(metrics.body), "curfew_signals_total") {
		t.Errorf("/metrics: got %d", metrics.status)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	c.hunt(t, "the process list", string(cmdline))
	running := r.stored(t, database)
	r.stop(t)
	for where, text := range running {
		c.huntStored(t, where+" while the server runs", text)
	}
	for where, text := range r.stored(t, database) {
		c.huntStored(t, where, text)
	}
	c.hunt(t, "the log", r.log.String())
	c.hunt(t, "an answer", answers.String())
	c.hunt(t, "a command's output", said)
	if strings.Contains(r.log.String(), sally) {
		t.Error("the log holds an e-mail address")
	}
}

// driveWithCanaries goes through the doors, well and badly, with a secret wherever one can stand.
func (r *running) driveWithCanaries(t *testing.T, c *canaries, tokens map[string]string, oktaHook string, keep func(answer) answer) {
	t.Helper()
	bearer := func(name string) string { return "Bearer " + tokens[name] }
	scim := func(method, path, body string) answer {
		return keep(r.do(method, "/scim/v2/"+path, bearer("directory"), "application/scim+json", body))
	}
	const user = `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": %q, "active": true, "emails": [{"value": %q}], "password": %q}`
	created := scim(http.MethodPost, "Users", fmt.Sprintf(user, sally, sally, c.new("SCIM password")))
	id, _ := created.member(t, "id").(string)
	if created.status != http.StatusCreated {
		t.Fatalf("SCIM create: got %d %s", created.status, created.body)
	}
	patch := func(value string) string {
		return `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [` + value + `]}`
	}
	scim(http.MethodPatch, "Users/"+id, patch(fmt.Sprintf(`{"op": "replace", "path": "password", "value": %q}`, c.new("patched SCIM password"))))
	scim(http.MethodPatch, "Users/"+id, patch(fmt.Sprintf(`{"op": "replace", "value": {"password": %q}}`, c.new("pathless SCIM password"))))
	scim(http.MethodPatch, "Users/"+id, patch(fmt.Sprintf(`{"op": "replace", "path": "password.no", "value": {"a": %q}}`, c.new("SCIM password in a part"))))
	scim(http.MethodPut, "Users/"+id, fmt.Sprintf(user, sally, sally, c.new("put SCIM password")))
	scim(http.MethodPost, "Users", fmt.Sprintf(user, sally, sally, c.new("conflicting SCIM password")))
	scim(http.MethodPost, "Users", `{"password": {"is": "`+c.new("malformed SCIM password")+`"}, "userName": 7}`)
	scim(http.MethodPost, "Users", `{"password": "`+c.new("broken SCIM password"))
	scim(http.MethodGet, "Users?filter="+url.QueryEscape(`password eq "`+c.new("SCIM filter")+`"`), "")
	scim(http.MethodPost, "Bulk", fmt.Sprintf(`{"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
		{"method": "POST", "path": "/Users", "bulkId": "b", "data": `+user+`}, {"method": "PATCH", "path": "/Users/%s", "data": {"password": %q}}]}`,
		"bulk@example.edu", "bulk@example.edu", c.new("bulk SCIM password"), id, c.new("bad bulk SCIM password")))

	// Sessions: a token of the application's, one made here, and what is refused.
	register := func(token, more string) {
		keep(r.do(http.MethodPost, "/v1/sessions", bearer("portal"), "application/json",
			fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "token": %q%s}`, sally, token, more)))
	}
	own := c.session("session token")
	for _, more := range []string{"", `, "id": "other"`, `, "kind": 7`, `, "password": "` + c.new("unknown member") + `"`} {
		register(own, more)
	}
	register("short", "")
	register(c.session("session token of nobody"), `, "issued_at": "yesterday"`)
	var made struct{ Token string }
	fresh := r.do(http.MethodPost, "/v1/sessions", bearer("portal old"), "application/json",
		fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "browser", "token": "new"}`, sally)) // the one answer that shows it
	if err := json.Unmarshal(fresh.body, &made); err != nil || fresh.status != http.StatusCreated {
		t.Fatalf("register: got %d %s", fresh.status, fresh.body)
	}
	c.hashed, c.made["new session token"] = append(c.hashed, "new session token"), made.Token
	for _, token := range []string{own, made.Token, c.new("unknown session token")} {
		keep(r.get("/verify", "Bearer "+token))
		keep(r.get("/verify/"+token+"?token="+token, "Bearer "+token))
		keep(r.get("/v1/why?token="+token, bearer("ops")))
		for _, path := range []string{"/oauth2/introspect", "/oauth2/introspect?token=" + token} {
			keep(r.do(http.MethodPost, path, bearer("gateway"), "application/x-www-form-urlencoded", "token="+token+"&token_type_hint="+token))
		}
	}
	for range 2 {
		if a := keep(r.get("/verify", "Bearer "+c.made["panicking session token"])); a.status != http.StatusInternalServerError || strings.Contains(string(a.body), "planted") {
			t.Errorf("a request that panics: got %d %s, want 500 without its words", a.status, a.body)
		}
		keep(r.do(http.MethodPost, "/oauth2/introspect", bearer("gateway"), "application/x-www-form-urlencoded", "token="+c.made["panicking session token"]))
	}
	keep(r.send(http.MethodGet, "/verify", map[string]string{"Cookie": "session=" + own, "X-Forwarded-For": c.new("forwarded")}, ""))
	c.kept = append(c.kept, "Idempotency-Key")
	key := map[string]string{"Authorization": bearer("portal"), "Content-Type": "application/json", "Idempotency-Key": c.new("Idempotency-Key")}
	for range 2 {
		keep(r.send(http.MethodPost, "/v1/signals", key, `{"signal": "credential-changed", "subject": {"format": "email", "email": "`+sally+`"}}`))
	}
	keep(r.send(http.MethodPost, "/v1/signals", key, `{"signal": "`+c.new("signal")+`"}`))

	// Whoever is refused, in every way to say who one is.
	for _, path := range []string{"/v1/users", "/scim/v2/Users", "/oauth2/introspect", "/metrics", "/nowhere", "/v1/" + c.new("path")} {
		basic := base64.StdEncoding.EncodeToString([]byte("portal:" + c.new("Basic password "+path)))
		for _, authorization := range []string{"Bearer " + c.new("wrong token "+path), "Basic " + basic, c.new("raw token " + path), "Digest " + c.new("digest "+path)} {
			keep(r.do(http.MethodPost, path, authorization, "application/json", `{"password": "`+c.new("refused body "+path)+`"}`))
		}
		keep(r.get(path+"?access_token="+c.new("query "+path), ""))
	}
	for event, secret := range map[string]string{
		"user.lifecycle.suspend": oktaHook, "user.lifecycle.unsuspend": c.new("wrong okta secret"), "user.session.clear": "Bearer " + c.new("okta bearer"),
	} {
		keep(r.okta(secret, event, "e-"+event, sally, time.Now()))
	}
	keep(r.do(http.MethodPost, "/hooks/okta?key="+c.new("hook query"), oktaHook, "application/json", `{"data": 7}`))
	keep(r.do(http.MethodPost, "/hooks/okta", c.new("hook secret of a bad body"), "application/json", `{"data": "`+c.new("unverified body")+`"}`))
	keep(r.do(http.MethodPost, "/hooks/"+c.new("unknown hook"), oktaHook, "application/json", `{}`))
	for _, path := range []string{"/v1/revocations", "/v1/check", "/oauth2/revoke", "/v1/deliveries/" + c.new("delivery") + "/retry"} {
		for _, body := range []string{`{"reason": `, `{"scope": "` + c.new("scope "+path) + `"}`, `[{"subject": "` + c.new("subject "+path) + `"}]`, "token=" + own} {
			for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "text/" + c.new("type "+path)} {
				keep(r.do(http.MethodPost, path, bearer("ops"), kind, body))
			}
		}
	}
	eventually(t, "the target was called, and refused", func() bool {
		return strings.Contains(string(keep(r.get("/v1/deliveries", bearer("ops"))).body), "last_error")
	})
	for _, path := range []string{"/v1/users", "/v1/users?email=" + sally, "/v1/events", "/v1/alarms", "/v1/sources", "/v1/targets", "/v1/sessions?email=" + sally, "/openapi.json"} {
		keep(r.get(path, bearer("ops")))
	}
}

// commandsWithCanaries runs the commands, well and badly, and returns what they said.
func (p program) commandsWithCanaries(t *testing.T, c *canaries, r *running, folder, file string) string {
	t.Helper()
	said := &strings.Builder{}
	run := func(args ...string) {
		t.Helper()
		code, out, errs := p.run(t, folder, args...)
		_, _ = fmt.Fprintln(said, args[0], code, out, errs)
	}
	server := []string{"--config", file, "--server", r.base}
	for _, args := range [][]string{
		{"user", "show", sally},
		{"user", "show", sally, "--json"},
		{"user", "show", "nobody@example.edu"},
		{"session", "list", sally, "--json"},
		{"parked", "list"},
		{"parked", "list", "--json"},
		{"revoke", "--user", sally, "--reason", "test", "--dry-run"},
		{"check"},
		{"check", "--json"},
	} {
		run(append(args, server...)...)
	}
	token := filepath.Join(folder, "token")
	if err := os.WriteFile(token, []byte(c.new("wrong token file")), 0o600); err != nil {
		t.Fatal(err)
	}
	run("user", "show", sally, "--server", r.base, "--token-file", token)
	run("user", "show", sally, "--server", "http://127.0.0.1:1/?key="+c.new("server query"), "--token-file", token)
	run("serve", "--database", "postgres://curfew:"+c.new("wrong database password")+"@127.0.0.1:1/curfew", "--listen", "127.0.0.1:0")
	run("serve", "--database", "postgres://curfew:"+c.new("password of a bad address")+"@[::1/curfew", "--listen", "127.0.0.1:0")
	run("migrate", "--database", "mysql://curfew:"+c.new("password of no database")+"@127.0.0.1/curfew")
	return said.String()
}

// send makes a request with headers of its own.
func (r *running) send(method, path string, header map[string]string, body string) answer {
	request, err := http.NewRequest(method, r.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(request)
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

// stored is all that a database left on the disk: its files and logs, and on PostgreSQL every row as a dump would show it.
func (r *running) stored(t *testing.T, database string) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(pattern string) {
		t.Helper()
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if text, err := os.ReadFile(name); err == nil { // PostgreSQL's may go while we look
				out[filepath.Base(name)] = string(text)
			}
		}
	}
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		read(path + "*")
		if !strings.Contains(out["curfew.db"]+out["curfew.db-wal"], sally) {
			t.Error("the database's files do not hold what they must: the test looks at the wrong ones")
		}
		return out
	}
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	folder := address.Query().Get("host")
	read(filepath.Join(folder, "log"))
	read(filepath.Join(folder, "data", "pg_wal", "0*"))
	db := look(t, database)
	var tables []string
	rows, err := db.QueryContext(t.Context(), "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		var text string
		if err := db.QueryRowContext(t.Context(), "SELECT coalesce(string_agg(CAST(x AS TEXT), E'\n'), '') FROM "+name+" x").Scan(&text); err != nil {
			t.Fatal(err)
		}
		out["table "+name] = text
	}
	if !strings.Contains(out["table identifiers"], sally) {
		t.Error("the tables do not hold what they must: the test looks at the wrong ones")
	}
	return out
}

// TestCanaryIsFound: a hunt that finds nothing proves nothing by itself.
func TestCanaryIsFound(t *testing.T) {
	t.Parallel()
	c := &canaries{made: map[string]string{}}
	secret, session := c.new("secret"), c.session("session")
	sum, known := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(session))
	for name, text := range map[string]string{
		"the text": "a " + secret, "its end": secret[len(secret)-26:], "URL form": "?a=" + url.QueryEscape(secret), "hexadecimal": strings.ToUpper(hex.EncodeToString([]byte("x" + secret))),
		"Basic": base64.StdEncoding.EncodeToString([]byte("portal:" + secret)), "base64url": base64.URLEncoding.EncodeToString([]byte("ab" + secret + "c")),
		"hash": hex.EncodeToString(sum[:]), "hash as bytes": string(sum[:]), "session": session,
	} {
		if len(c.found("some words before it "+text+" and some after it")) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	if got := c.found("a hash " + hex.EncodeToString(known[:]) + " and nothing else"); len(got) > 0 {
		t.Errorf("of the hash of a session token is found: %v", got)
	}
}
