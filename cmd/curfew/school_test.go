package main

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// school is an organisation with a directory that speaks SCIM and an application whose sessions it ends.
type school struct {
	t     *testing.T
	r     *running
	db    *sql.DB
	name  string
	known map[string]string // what conversations kept
}

// Who can speak at a school. Elsewhere is a school of its own, whose directory has the same authority's name.
const (
	byDirectory = ""
	bySibling   = "sibling"    // another token of the directory's authority
	byOther     = "other"      // of another authority, at the same school
	byElsewhere = "elsewhere"  // of another school
	byRuled     = "ruled"      // the directory's authority, with a rule that leaving a group ends sessions
	byStrict    = "strict"     // the directory's authority, held to the profiles
	byNewSecret = "new secret" // the directory, whose secret is being changed
	byRaw       = "raw"        // the directory, without the word Bearer
	byBasic     = "basic"      // the directory, as the password of some name
	byApp       = "app"        // the application, which may not provision
	byOps       = "ops"        // an operator, who may not either
	byNobody    = "nobody"
	byGuess     = "guess" // with a token that is none
	scimType    = "application/scim+json"
	scimUsers   = "/scim/v2/Users"
	scimGroups  = "/scim/v2/Groups"
	scimBulk    = "/scim/v2/Bulk"
)

func schoolName(test string) string { return strings.NewReplacer("/", "-", " ", "-").Replace(test) }

func newSchool(t *testing.T, r *running, db *sql.DB, test string) *school {
	t.Helper()
	return &school{t: t, r: r, db: db, name: schoolName(test), known: map[string]string{}}
}

// secret is the token of somebody at a school.
func schoolSecret(school, who string) string { return school + "." + who + "-0123456789abcdef" }

// configureSchools writes a configuration with everybody who speaks at the schools, and returns its file.
func configureSchools(t *testing.T, folder, database string, schools []string) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "listen: 127.0.0.1:0\npublic_url: https://curfew.example.edu\ndatabase: %q\nlog: {format: json}\nbrake: off\ntokens:\n", database)
	for _, name := range schools {
		token := func(who, settings string) {
			fmt.Fprintf(&text, "  - {name: %s.%s, secrets: [%s, %s], %s}\n", name, who, schoolSecret(name, who), schoolSecret(name, who+"-new"), settings)
		}
		token("directory", "scopes: [scim], ids: okta, org: "+name+", authority: "+name)
		token(bySibling, "scopes: [scim], ids: okta, org: "+name+", authority: "+name)
		token(byRuled, "scopes: [scim], ids: okta, rules: {access-changed: {cut: receipt}}, org: "+name+", authority: "+name)
		token(byStrict, "scopes: [scim], ids: okta, strict: true, org: "+name+", authority: "+name)
		token(byOther, "scopes: [scim], ids: other, org: "+name)
		token(byElsewhere, "scopes: [scim], ids: okta, org: "+name+".elsewhere, authority: "+name)
		token(byApp, "scopes: [sessions], app: portal, org: "+name)
		token(byApp+"-elsewhere", "scopes: [sessions], app: portal, org: "+name+".elsewhere")
		token(byOps, "scopes: [admin], org: "+name)
	}
	text.WriteString("sources:\n")
	for _, name := range schools {
		fmt.Fprintf(&text, "  %s.hook: {type: okta, ids: okta, org: %s, authority: %s, secrets: [%s]}\n", name, name, name, schoolSecret(name, "hook"))
	}
	file := filepath.Join(folder, "curfew.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// credential is the Authorization header of somebody.
func (s *school) credential(by string) string {
	switch by {
	case byDirectory:
		return "Bearer " + schoolSecret(s.name, "directory")
	case byNewSecret:
		return "bearer " + schoolSecret(s.name, "directory-new")
	case byRaw:
		return schoolSecret(s.name, "directory")
	case byBasic:
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+schoolSecret(s.name, "directory")))
	case byNobody:
		return ""
	default: // also a guess, since nobody has that token
		return "Bearer " + schoolSecret(s.name, by)
	}
}

// said is an answer over SCIM, with its body read.
type said struct {
	answer
	json map[string]any
}

func (a said) id() string {
	id, _ := a.json["id"].(string)
	return id
}

// must fails unless the status is the one wanted.
func (a said) must(t *testing.T, want int) said {
	t.Helper()
	if a.status != want {
		t.Fatalf("answered %d %s, want %d", a.status, a.body, want)
	}
	return a
}

// do sends a request as the school's directory. body is text, or is rendered as JSON.
func (s *school) do(method, target string, body any) said {
	s.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			s.t.Fatalf("render body: %v", err)
		}
		text = string(raw)
	}
	return s.as(byDirectory, method, target, text)
}

// as sends a request and holds what is true of every answer: its type, and of an error its body.
func (s *school) as(by, method, target, body string, headers ...string) said {
	s.t.Helper()
	got := s.send(by, method, target, body, headers...)
	what := method + " " + target
	if len(what) > 300 {
		what = what[:300]
	}
	if kind := got.header.Get("Content-Type"); kind != scimType {
		s.t.Errorf("%s: %d with Content-Type %q, want %s: %.300s", what, got.status, kind, scimType, got.body)
	}
	if got.header.Get("X-Request-Id") == "" {
		s.t.Errorf("%s: %d without X-Request-Id", what, got.status)
	}
	out := said{answer: got}
	if len(got.body) > 0 {
		if err := json.Unmarshal(got.body, &out.json); err != nil {
			s.t.Fatalf("%s: %d with %q, which is not a JSON object: %v", what, got.status, got.body, err)
		}
	}
	if got.status >= 400 && method != http.MethodHead {
		s.explained(what, out)
	}
	if !strings.Contains(strings.ToLower(target), "attributes=") && !strings.Contains(body, "ttributes") {
		s.whole(what, out.json)
	}
	return out
}

// explained: a refusal is an error of RFC 7644 section 3.12 that says what to do.
func (s *school) explained(what string, a said) {
	s.t.Helper()
	detail, _ := a.json["detail"].(string)
	if a.json["status"] != fmt.Sprint(a.status) || !strings.Contains(string(a.body), "urn:ietf:params:scim:api:messages:2.0:Error") {
		s.t.Errorf("%s: error body %s, want schemas and status %q", what, a.body, fmt.Sprint(a.status))
	}
	if !strings.HasSuffix(detail, ".") || len(detail) < 20 {
		s.t.Errorf("%s: %d with the detail %q, want a sentence", what, a.status, detail)
	}
	if a.status != 400 && a.status != 409 {
		return
	}
	if kind, _ := a.json["scimType"].(string); kind == "" {
		s.t.Errorf("%s: %s without scimType", what, a.body)
	}
	if wrong, fix, _ := strings.Cut(detail, ". "); wrong == "" || fix == "" || strings.HasPrefix(fix, "The deactivation") {
		s.t.Errorf("%s: the detail %q does not say what to send instead", what, detail)
	}
}

// whole: a user who is shown has an active that is a boolean, and no password.
func (s *school) whole(what string, v any) {
	s.t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if meta, ok := v["meta"].(map[string]any); ok && meta["resourceType"] == "User" {
			if _, ok := v["active"].(bool); !ok {
				s.t.Errorf("%s: a user with active %v", what, v["active"])
			}
			if _, ok := v["password"]; ok {
				s.t.Errorf("%s: a user with a password", what)
			}
		}
		for _, each := range v {
			s.whole(what, each)
		}
	case []any:
		for _, each := range v {
			s.whole(what, each)
		}
	}
}

// send makes one request.
func (s *school) send(by, method, target, body string, headers ...string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.r.base+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	if credential := s.credential(by); credential != "" {
		request.Header.Set("Authorization", credential)
	}
	if body != "" {
		request.Header.Set("Content-Type", scimType+"; charset=utf-8")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(request)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	got := answer{resp.StatusCode, resp.Header, text}
	// The document knows nothing of what is only forgiven: other spellings of a path, parameters without a meaning, numbers below 0.
	query := request.URL.Query()
	query.Del("aadOptscim062020")
	request.URL.RawQuery = query.Encode()
	if known, _ := s.r.described.doc.Find(method, request.URL.EscapedPath()); known != nil && got.status != http.StatusMethodNotAllowed && !strings.Contains(target, "=-") {
		s.r.described.held(request, body, got)
	}
	return got
}

// signIn registers a session where by is.
func (s *school) signIn(by, email string) answer {
	s.t.Helper()
	app := byApp
	if by == byElsewhere {
		app += "-elsewhere"
	}
	return s.send(app, http.MethodPost, "/v1/sessions", fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "token": "new"}`, email),
		"Content-Type", "application/json")
}

// login registers a session and returns how to ask for it: where it is, and its token.
func (s *school) login(by, email string) string {
	s.t.Helper()
	a := s.signIn(by, email)
	if a.status != http.StatusCreated {
		s.t.Fatalf("%s cannot sign in: %d %s", email, a.status, a.body)
	}
	return by + " " + a.member(s.t, "token").(string)
}

// blocked reports whether nobody with the address can sign in.
func (s *school) blocked(email string) bool {
	s.t.Helper()
	a := s.signIn(byDirectory, email)
	switch {
	case a.status == http.StatusCreated:
		return false
	case a.status == http.StatusForbidden && a.member(s.t, "type") == "/problems/blocked":
		return true
	}
	s.t.Fatalf("%s signs in: %d %s", email, a.status, a.body)
	return false
}

// live asks as an application does.
func (s *school) live(session string) bool {
	s.t.Helper()
	by, token, _ := strings.Cut(session, " ")
	app := byApp
	if by == byElsewhere {
		app += "-elsewhere"
	}
	a := s.send(app, http.MethodPost, "/oauth2/introspect", "token="+token, "Content-Type", "application/x-www-form-urlencoded")
	if a.status != http.StatusOK {
		s.t.Fatalf("introspection: %d %s", a.status, a.body)
	}
	return a.member(s.t, "active") == true
}

// mustBe fails unless the session is live or dead as wanted.
func (s *school) mustBe(session string, live bool, after string) {
	s.t.Helper()
	if got := s.live(session); got != live {
		s.t.Errorf("after %s: live is %t, want %t", after, got, live)
	}
}

// audited returns the audit log's entries of a kind, all for none, with their personal parts.
func (s *school) audited(kind string) []string {
	s.t.Helper()
	rows, err := s.db.QueryContext(s.t.Context(), "SELECT entry, person FROM audit WHERE org = $1 AND (kind = $2 OR $2 = '') ORDER BY seq", s.name, kind)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var entry, person string
		if err := rows.Scan(&entry, &person); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, entry+" "+person)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// revocations counts the decisions made so far.
func (s *school) revocations() int { return len(s.audited("revocation")) }
