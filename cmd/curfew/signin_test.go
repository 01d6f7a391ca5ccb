package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/revoke"
)

// oidcProvider lets everybody in at once, as whom claims say. A code works once.
type oidcProvider struct {
	*httptest.Server
	mu     sync.Mutex
	claims jwt.MapClaims
	codes  map[string]url.Values
}

func (p *oidcProvider) say(claims jwt.MapClaims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = claims
}

func newOIDCProvider(t *testing.T) *oidcProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &oidcProvider{codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	reply := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		b64 := base64.RawURLEncoding.EncodeToString
		reply(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		p.mu.Lock()
		defer p.mu.Unlock()
		code := rand.Text()
		p.codes[code] = q
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		asked, ok := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		if !ok || asked.Get("code_challenge_method") != "S256" || r.PostFormValue("code_verifier") == "" {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": "invalid_grant"})
			return
		}
		claims := jwt.MapClaims{
			"iss": p.URL, "aud": "curfew", "sub": "1042", "nonce": asked.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"auth_time": time.Now().Unix(),
		}
		maps.Copy(claims, p.claims)
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
		token.Header["kid"] = "1"
		text, err := token.SignedString(key)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		reply(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": text})
	})
	return p
}

// surfer is somebody's browser. It follows nothing by itself.
type surfer struct {
	t       *testing.T
	base    string
	cookies map[string]string
}

func (b *surfer) send(method, to string, form url.Values, headers ...string) (status int, next, body string) {
	b.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.base + to
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if strings.HasPrefix(to, b.base) {
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// signIn goes to path, to the provider and back, and returns the callback's address unopened.
func (b *surfer) toCallback(path string) string {
	b.t.Helper()
	status, at, body := b.send("GET", path, nil)
	if status != http.StatusSeeOther {
		b.t.Fatalf("GET %s: got %d %s, want 303 to the provider", path, status, body)
	}
	_, back, _ := b.send("GET", at, nil)
	return back
}

func peopleServer(t *testing.T) (*server, *oidcProvider, func() *surfer) {
	t.Helper()
	p := newOIDCProvider(t)
	s := wired(t, fmt.Sprintf(`tokens:
  - {name: directory, scopes: [scim], secret: %s}
sign_in: {issuer: %q, client_id: curfew, client_secret: 0123456789abcdef, roles: {claim: groups, admin: [curfew-admins], viewer: [staff]}}
`, directoryToken, p.URL))
	s.serve(t)
	return s, p, func() *surfer { return &surfer{t, s.publicURL, map[string]string{}} }
}

// TestSignInEndsWithThePerson (T18): an admin who is deactivated at the provider is out of the console at once.
func TestSignInEndsWithThePerson(t *testing.T) {
	t.Parallel()
	s, p, browser := peopleServer(t)
	r := &running{base: s.publicURL}
	ada := r.provision(t, "ada@example.edu")
	p.say(jwt.MapClaims{"email": "ada@example.edu", "email_verified": true, "groups": []string{"curfew-admins"}})
	b := browser()
	b.cookies["curfew"] = "planted" // fixation: the sign-in must not take it
	status, next, body := b.send("GET", b.toCallback("/login?next=/console/people"), nil)
	if status != http.StatusSeeOther || next != "/console/people" || b.cookies["curfew"] == "planted" || b.cookies["curfew"] == "" {
		t.Fatalf("signing in: got %d to %q (%s), want 303 to /console/people with a new cookie", status, next, body)
	}
	if status, _, body := b.send("GET", "/console", nil); status != http.StatusOK {
		t.Fatalf("the console: got %d %s, want 200", status, body)
	}
	first := maps.Clone(b.cookies)
	if status, _, _ := b.send("GET", b.toCallback("/login"), nil); status != http.StatusSeeOther {
		t.Fatalf("signing in again: got %d, want 303", status)
	}
	if status, _, _ := (&surfer{t, b.base, first}).send("GET", "/console", nil); status != http.StatusSeeOther {
		t.Errorf("the sign-in before: got %d, want 303: a new one ends it", status)
	}
	if a := r.setActive(ada, false); a.status != http.StatusOK {
		t.Fatalf("deactivate: got %d %s", a.status, a.body)
	}
	if status, next, _ := b.send("GET", "/console", nil); status != http.StatusSeeOther || !strings.HasPrefix(next, "/login?") {
		t.Errorf("the console of who was deactivated: got %d to %q, want 303 to /login", status, next)
	}
	if status, _, _ := b.send("GET", b.toCallback("/login"), nil); status != http.StatusForbidden {
		t.Errorf("signing in while blocked: got %d, want 403", status)
	}
}

// TestForgedAnswersSignNobodyIn: state, nonce and issuer each have to be this sign-in's own, and a code works once.
func TestForgedAnswersSignNobodyIn(t *testing.T) {
	t.Parallel()
	_, p, browser := peopleServer(t)
	for name, forge := range map[string]func(b *surfer, back string) string{
		"another state":   func(_ *surfer, back string) string { return strings.Replace(back, "state=", "state=x", 1) },
		"another issuer":  func(_ *surfer, back string) string { return strings.Replace(back, "iss=http", "iss=https", 1) },
		"another browser": func(b *surfer, back string) string { clear(b.cookies); return back },
		"another nonce":   func(_ *surfer, back string) string { p.say(jwt.MapClaims{"nonce": "x"}); return back },
		"another client":  func(_ *surfer, back string) string { p.say(jwt.MapClaims{"aud": "other"}); return back },
		"over":            func(_ *surfer, back string) string { p.say(jwt.MapClaims{"exp": 1}); return back },
		"another code":    func(_ *surfer, back string) string { return strings.Replace(back, "code=", "code=x", 1) },
	} {
		p.say(nil)
		b := browser()
		status, _, body := b.send("GET", forge(b, b.toCallback("/login")), nil)
		if status < 400 || b.cookies["curfew"] != "" {
			t.Errorf("%s: got %d %s with cookies %v, want a refusal", name, status, body, b.cookies)
		}
	}
	p.say(nil)
	b := browser()
	back := b.toCallback("/login")
	before := maps.Clone(b.cookies)
	if status, next, _ := b.send("GET", back, nil); status != http.StatusSeeOther || next != "/me" {
		t.Fatalf("an honest answer, no role: got %d to %q, want 303 to /me", status, next)
	}
	if status, _, _ := (&surfer{t, b.base, before}).send("GET", back, nil); status < 400 {
		t.Errorf("a code again: got %d, want a refusal", status)
	}
	if status, _, _ := b.send("GET", "/console", nil); status != http.StatusForbidden {
		t.Errorf("the console without a role: got %d, want 403", status)
	}
	p.say(jwt.MapClaims{"auth_time": time.Now().Add(-time.Hour).Unix()})
	if status, _, _ := b.send("GET", b.toCallback("/login?step_up=1&next=/me"), nil); status < 400 {
		t.Errorf("a step-up without a fresh proof: got %d, want a refusal", status)
	}
	p.say(nil)
	for _, to := range []string{"//evil.example", "https://evil.example/me", `/\evil.example`, "/v1/users", "/me\t//evil.example"} {
		if _, next, _ := b.send("GET", b.toCallback("/login?next="+url.QueryEscape(to)), nil); next != "/me" {
			t.Errorf("next=%s led to %q, want /me", to, next)
		}
	}
	if status, _, _ := b.send("POST", "/login/out", url.Values{"form": {"x"}}); status != http.StatusForbidden {
		t.Errorf("signing out by a forged form: got %d, want 403", status)
	}
	if status, _, _ := b.send("POST", "/login/out", url.Values{}, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("signing out from another site: got %d, want 403", status)
	}
}

// TestLinksWorkOnce (T31): a link is made beside a running server, survives what follows links, and lets one browser in.
func TestLinksWorkOnce(t *testing.T) {
	t.Parallel()
	s, _, browser := peopleServer(t)
	made, err := makeLink(t.Context(), s.settings, nil, revoke.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	path := made.URL[strings.Index(made.URL, "/login/link/"):]
	b := browser()
	for _, method := range []string{"GET", "HEAD", "GET"} {
		if status, _, _ := b.send(method, path, nil); status != http.StatusOK || len(b.cookies) > 0 {
			t.Fatalf("%s: got %d and cookies %v, want 200 and none", method, status, b.cookies)
		}
	}
	if status, _, _ := b.send("POST", path, url.Values{}, "Origin", "https://evil.example"); status != http.StatusForbidden {
		t.Errorf("POST from another origin: got %d, want 403", status)
	}
	if status, next, body := b.send("POST", path, url.Values{}); status != http.StatusSeeOther || next != "/console" {
		t.Fatalf("POST: got %d to %q (%s), want 303 to /console", status, next, body)
	}
	if status, _, _ := b.send("GET", "/console", nil); status != http.StatusOK {
		t.Errorf("the console by a link: got %d, want 200", status)
	}
	other := browser()
	for _, used := range []string{path, path + "x"} {
		if status, _, _ := other.send("POST", used, url.Values{}); status != http.StatusGone || len(other.cookies) > 0 {
			t.Errorf("a link that was used, or never was: got %d and cookies %v, want 410 and none", status, other.cookies)
		}
	}
	alarms, err := s.store.Alarms(t.Context(), revoke.AlarmQuery{Org: mainOrg, Kind: revoke.AlarmBreakGlass, Limit: 9})
	if err != nil || len(alarms) != 1 || alarms[0].Count < 2 {
		t.Errorf("alarms of a link: %+v %v, want one that counts its making and its use", alarms, err)
	}
}

// TestLinksOfAnApplication (W10): an application's profile page leads to /me, as that person of the token's own org and nobody else,
// once, and with no more proof than the application gave.
func TestLinksOfAnApplication(t *testing.T) {
	t.Parallel()
	s := wired(t, fmt.Sprintf(`tokens:
  - {name: portal, scopes: [sessions], app: portal, secret: %s}
  - {name: abroad, scopes: [sessions], app: portal, org: north, secret: north-%s}
  - {name: gateway, scopes: [check], app: "*", secret: %s}
`, portalToken, portalToken, gatewayToken))
	s.serve(t)
	r := &running{base: s.publicURL}
	for _, c := range []struct {
		name, token, more string
		recent            bool
	}{
		{"no proof", portalToken, "", false},
		{"an old proof", portalToken, `, "auth_time": "` + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + `"`, false},
		{"a proof from ahead", portalToken, `, "auth_time": "` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`, true},
		{"a fresh proof, in another org", "north-" + portalToken, `, "auth_time": "` + time.Now().UTC().Format(time.RFC3339) + `"`, true},
	} {
		device := "phone of " + c.name
		if a := r.post("/v1/sessions", c.token, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "id": %q, "device": {"id": %q, "name": %q}}`, sally, device, device, device)); a.status != http.StatusCreated {
			t.Fatalf("%s: register: got %d %s", c.name, a.status, a.body)
		}
		a := r.post("/v1/links", c.token, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}%s}`, sally, c.more))
		made, _ := a.member(t, "url").(string)
		if a.status != http.StatusCreated || !strings.HasPrefix(made, s.publicURL+"/login/link/") {
			t.Fatalf("%s: got %d %s, want 201 with a link", c.name, a.status, a.body)
		}
		path := strings.TrimPrefix(made, s.publicURL)
		b := &surfer{t, s.publicURL, map[string]string{}}
		if status, next, body := b.send("POST", path, url.Values{}); status != http.StatusSeeOther || next != "/me" {
			t.Fatalf("%s: POST: got %d to %q (%s), want 303 to /me", c.name, status, next, body)
		}
		if status, _, body := b.send("GET", "/me", nil); status != http.StatusOK || !strings.Contains(body, device) || strings.Contains(body, "another org") != strings.Contains(device, "another org") {
			t.Errorf("%s: /me: got %d, want %q and nothing of the other org's:\n%s", c.name, status, device, body)
		}
		status, next, _ := b.send("GET", "/me/end/others", nil)
		if asked := status == http.StatusSeeOther && strings.HasPrefix(next, "/login?"); asked == c.recent {
			t.Errorf("%s: to end the others: got %d to %q, want to be asked for a proof: %v", c.name, status, next, !c.recent)
		}
		if status, _, _ := b.send("GET", "/console", nil); status != http.StatusForbidden {
			t.Errorf("%s: the console: got %d, want 403", c.name, status)
		}
		if status, _, _ := (&surfer{t, s.publicURL, map[string]string{}}).send("POST", path, url.Values{}); status != http.StatusGone {
			t.Errorf("%s: the link again: got %d, want 410", c.name, status)
		}
	}
	if a := r.post("/v1/links", gatewayToken, `{"subject": {"format": "email", "email": "`+sally+`"}}`); a.status != http.StatusForbidden {
		t.Errorf("a token that only asks: got %d %s, want 403", a.status, a.body)
	}
}
