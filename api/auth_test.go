package api_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/api"
)

// paths below the guarded prefixes, each with the tokens that get past 401 and 403 there.
func guarded() map[string][]string {
	ofV1 := []string{"portal", "library", "gateway", "soc", "ops", "edge"}
	admin := []string{"ops"}
	sessions := []string{"portal", "library", "ops"}
	metering := []string{"ops", "meter"}
	asking := []string{"portal", "library", "gateway", "ops"}
	return map[string][]string{
		"/scim": {"directory"}, "/scim/v2/Users": {"directory"}, "/scim/v2/nothing": {"directory"}, "/SCIM/v2/Users": {"directory"},
		"/v1": ofV1, "/v1/": ofV1, "/v1/nothing": ofV1, "/v1/nothing/at/all": ofV1, "/V1/sessions": ofV1, "/v1//sessions": ofV1,
		"/v1/sessions": sessions, "/v1/sessions/": sessions, "/v1/sessions/x": sessions, "/v1/sessions/x/y": ofV1,
		"/v1/signals": sessions, "/v1/links": sessions, "/v1/check": asking, "/v1/changes": {"portal", "edge", "ops"},
		"/v1/revocations": {"portal", "library", "soc", "ops"}, "/v1/revocations/x": admin, "/v1/revocations/x/stop": admin,
		"/v1/users": admin, "/v1/users/x": admin, "/v1/users/x/block": admin, "/v1/users/x/timeline": admin,
		"/v1/events": admin, "/v1/events/x/replay": admin, "/v1/deliveries": admin, "/v1/deliveries/retry": admin, "/v1/deliveries/x:y/retry": admin, "/v1/deliveries/x/drop": admin,
		"/v1/held": admin, "/v1/held/x/approve": admin, "/v1/alarms": admin, "/v1/coverage": admin, "/v1/sources": admin, "/v1/targets": admin,
		"/v1/targets/x/pause": admin, "/v1/audit": admin, "/v1/why": admin, "/v1/policies/mobile": admin, "/v1/schedules": admin, "/v1/schedules/x/skip": admin,
		"/oauth2": asking, "/oauth2/introspect": asking, "/oauth2/revoke": sessions, "/oauth2/token": asking,
		"/healthz/../v1/users": ofV1, "/%76%31/users": ofV1, "/v1/%75sers": ofV1, "/scim/../healthz": {"directory"}, "/v1/sessions/..%2f..%2fhealthz": sessions,
		"/verify/../v1/users": ofV1, "/hooks/x/../../scim/v2/Users": {"directory"},
		"/metrics": metering, "/metrics/": metering, "/metrics/x": metering, "/METRICS": metering, "/%6detrics": metering, "/healthz/../metrics": metering,
	}
}

// TestCredentialAndScopeComeFirst asks every path, built or not, with every method and token: who may not come in learns
// neither whether the path exists nor what its methods and bodies are.
func TestCredentialAndScopeComeFirst(t *testing.T) {
	t.Parallel()
	b := start(t)
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"}
	names := []string{"directory", "portal", "library", "gateway", "soc", "ops", "edge", "meter"}
	for path, allowed := range guarded() {
		b.store.Moving().Advance(time.Minute) // so that all these guesses are not throttled
		for _, method := range methods {
			ask := func(what string, header ...string) reply {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, b.url+"/", strings.NewReader("{not json"))
				if err != nil {
					t.Fatal(err)
				}
				r.URL.Opaque = "//" + b.address + path
				for i := 0; i+1 < len(header); i += 2 {
					r.Header.Add(header[i], header[i+1])
				}
				got := b.send(r)
				if got.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s %s %s: 401 without WWW-Authenticate: Bearer", what, method, path)
				}
				if strings.Contains(got.body, "-secret-") {
					t.Errorf("%s %s %s: answer shows a secret: %s", what, method, path, got.body)
				}
				return got
			}
			for what, header := range map[string][]string{
				"nothing":         nil,
				"a wrong token":   {"Authorization", "Bearer " + secretOf("ops")[1:]},
				"nearly a token":  {"Authorization", "Bearer " + secretOf("ops") + "x"},
				"two credentials": {"Authorization", "Bearer " + secretOf("ops"), "Authorization", "Bearer " + secretOf("directory")},
				"an empty token":  {"Authorization", "Bearer "},
				"another scheme":  {"Authorization", "Digest " + secretOf("ops")},
			} {
				if got := ask(what, header...); got.status != 401 {
					t.Errorf("%s, %s %s: got %d, want 401", what, method, path, got.status)
				}
			}
			for _, name := range names {
				got := ask(name, "Authorization", "Bearer "+secretOf(name))
				in := slices.Contains(allowed, name) && (method != "POST" || !strings.HasPrefix(path, "/v1/held/")) // which takes who signed in
				switch {
				case in && (got.status == 401 || got.status == 403):
					t.Errorf("%s, %s %s: got %d, want to be let in", name, method, path, got.status)
				case !in && got.status != 403:
					t.Errorf("%s, %s %s: got %d, want 403", name, method, path, got.status)
				case in && got.status == 405 && got.header.Get("Allow") == "":
					t.Errorf("%s, %s %s: 405 without Allow", name, method, path)
				}
			}
		}
	}
}

func TestAnswersAfterLettingIn(t *testing.T) {
	t.Parallel()
	b := start(t)
	for path, word := range map[string]string{"/v1/nothing": "not-found", "/v1/schedules/x": "not-found", "/v1//sessions": "not-found", "/v1/sessions/../users": "not-found"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = "//" + b.address + path
		r.Header.Set("Authorization", "Bearer "+secretOf("ops"))
		b.want(path, b.send(r), 404, word)
	}
	for _, method := range []string{"PUT", "PROPFIND"} {
		got := b.want(method, b.as("ops", method, "/v1/sessions", ""), 405, "method")
		if allow := got.header.Get("Allow"); allow != "GET, HEAD, POST" {
			t.Errorf("Allow of /v1/sessions: %q", allow)
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT"} { // the handler knows which it takes
		b.want("SCIM, "+method, b.as("directory", method, "/scim/v2/Users", ""), 200)
	}
	scim := b.want("SCIM", b.do("GET", "/scim/v2/Users", ""), 401)
	if scim.header.Get("Content-Type") != "application/scim+json" || scim.text("status") != "401" || !strings.Contains(scim.body, "urn:ietf:params:scim:api:messages:2.0:Error") {
		t.Errorf("a 401 of SCIM: %s %s", scim.header.Get("Content-Type"), scim.body)
	}
	oauth := b.want("OAuth", b.as("portal", "GET", "/oauth2/introspect", ""), 405)
	if oauth.text("error") != "invalid_request" || oauth.text("error_description") == "" {
		t.Errorf("a 405 of OAuth: %s", oauth.body)
	}
	open := b.want("no such path", b.do("GET", "/nothing", ""), 404, "not-found")
	if open.header.Get("X-Request-Id") == "" || open.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a 404: %v", open.header)
	}
	if got := b.want("health", b.do("GET", "/healthz", ""), 200); got.text("status") != "ok" {
		t.Errorf("health: %s", got.body)
	}
}

func TestWaysToSendAToken(t *testing.T) {
	t.Parallel()
	b := start(t)
	basic := func(name, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+secret))
	}
	for _, c := range []struct {
		path, authorization string
		status              int
	}{
		{"/scim/v2/Users", "Bearer " + secretOf("directory"), 200},
		{"/scim/v2/Users", "bearer  " + secretOf("directory"), 200},
		{"/scim/v2/Users", secretOf("directory"), 200},
		{"/scim/v2/Users", basic("whoever", secretOf("directory")), 200},
		{"/scim/v2/Users", basic("directory", "wrong"), 401},
		{"/scim/v2/Users", basic("whoever", secretOf("ops")), 403},
		{"/oauth2/introspect", basic("portal", secretOf("portal")), 405},
		{"/oauth2/introspect", basic("portal", strings.ReplaceAll(secretOf("portal"), "-", "%2D")), 405},
		{"/oauth2/introspect", basic("library", secretOf("portal")), 401},
		{"/oauth2/introspect", secretOf("portal"), 401},
		{"/v1/sessions", basic("portal", secretOf("portal")), 401},
		{"/v1/sessions", secretOf("portal"), 401},
		{"/v1/sessions", "Bearer " + secretOf("portal"), 200},
	} {
		if got := b.do("GET", c.path, "", "Authorization", c.authorization); got.status != c.status {
			t.Errorf("%s with %q: got %d, want %d", c.path, c.authorization, got.status, c.status)
		}
	}
}

func TestGuessingIsThrottledAndValidTokensAreNot(t *testing.T) {
	t.Parallel()
	b := start(t)
	for i := range 10_001 {
		got := b.do("GET", "/v1/users", "", "Authorization", "Bearer guess")
		if i < 10_000 && got.status != 401 || i == 10_000 && (got.status != 429 || got.header.Get("Retry-After") != "1") {
			t.Fatalf("guess %d: got %d", i+1, got.status)
		}
	}
	b.want("a valid token from there", b.as("ops", "GET", "/v1/users", ""), 200)
	b.want("no token from there", b.do("GET", "/v1/users", ""), 401, "unauthenticated")
}

func TestTokensThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*[]api.Token){
		"no app":          func(ts *[]api.Token) { (*ts)[1].App = "" },
		"an empty secret": func(ts *[]api.Token) { (*ts)[0].Hashes[0] = [32]byte{} },
		"no secret":       func(ts *[]api.Token) { (*ts)[0].Hashes = nil },
		"the same secret": func(ts *[]api.Token) { (*ts)[0].Hashes = (*ts)[1].Hashes },
		"an odd scope":    func(ts *[]api.Token) { (*ts)[0].Scopes = []string{"root"} },
		"no org":          func(ts *[]api.Token) { (*ts)[0].Source.Org = "" },
	} {
		b := start(t)
		list := tokens()
		change(&list)
		if _, err := api.New(api.Config{Service: b.service, Store: b.store, Clock: b.store.Clock(), Log: slog.New(slog.DiscardHandler), Tokens: list}); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
}
