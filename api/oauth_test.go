package api_test

import (
	"encoding/json"
	"testing"

	"curfew/api"
)

func TestIntrospectionGivesOneAnswerForWhatIsNotLive(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "aliases", "identifiers": [`+sally+`, {"format": "opaque", "id": "1042"}]}, "kind": "mobile", "token": "live"}`), 201)
	ended := b.register("sally@example.edu", "mobile", "ended")
	b.want("end", b.as("portal", "DELETE", "/v1/sessions/"+ended, ""), 200)
	b.want("another app's", b.as("library", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "token": "others"}`), 201)
	for _, token := range []string{"ended", "unknown", "others", "LIVE", "live "} {
		got := b.want(token, b.form("portal", "/oauth2/introspect", "token="+token), 200)
		if got.body != `{"active":false}` || got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" || len(got.header) != 4 {
			t.Errorf("introspect %q: %s %v, want the one answer", token, got.body, got.header)
		}
	}
	for range 2 { // from the store, then from memory
		got := b.want("live", b.form("portal", "/oauth2/introspect", "token_type_hint=access_token&token=live&colour=red"), 200)
		if got.member("active") != true || got.text("sub") == "" || got.text("sid") == "" || got.text("client_id") != "portal" || got.member("iat") != 1795428000.0 || got.member("exp") == nil {
			t.Errorf("introspect a live session: %s", got.body)
		}
	}
	if got := b.want("another app asks", b.form("library", "/oauth2/introspect", "token=live"), 200); got.body != `{"active":false}` {
		t.Errorf("another app asks, the answer being in memory: %s", got.body)
	}
	for body, what := range map[string]string{"": "no token", "token=": "an empty token", "token=a&token=b": "two tokens", "tok=live": "another parameter"} {
		if got := b.want(what, b.form("portal", "/oauth2/introspect", body), 400); got.text("error") != "invalid_request" {
			t.Errorf("%s: %s", what, got.body)
		}
	}
	if got := b.want("no caller", b.do("POST", "/oauth2/introspect", "token=live"), 401); got.text("error") != "invalid_client" || len(got.header.Values("WWW-Authenticate")) != 2 {
		t.Errorf("without a caller: %s %v", got.body, got.header)
	}
	if got := b.want("no scope", b.form("soc", "/oauth2/introspect", "token=live"), 403); got.text("error") != "insufficient_scope" {
		t.Errorf("without the scope: %s", got.body)
	}
}

func TestUserNameIsEscapedByHand(t *testing.T) {
	t.Parallel()
	b := start(t)
	for token, name := range map[string]string{"plain": `a.b@x`, "quoted": `a"b\c@x`, "letters": `ä<é>@x`} {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"subject": {"format": "email", "email": ` + string(quoted) + `}, "kind": "api", "token": "` + token + `", "id": ` + string(quoted) + `}`
		b.want("register "+name, b.as("portal", "POST", "/v1/sessions", body), 201)
		if got := b.form("portal", "/oauth2/introspect", "token="+token); got.text("username") != name || got.text("sid") != name {
			t.Errorf("introspect the session of %s: %s", name, got.body)
		}
		if got := b.do("GET", "/verify", "", "Authorization", "Bearer "+token); got.header.Get("X-Curfew-Session") != name || got.header.Get("X-Curfew-Email") != name {
			t.Errorf("forward-auth for the session of %s: %v", name, got.header)
		}
	}
}

func TestDoNotKnowIs503(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	b.wantLive("before", map[string]bool{"laptop": true})
	b.want("ready", b.do("GET", "/readyz", ""), 200)
	b.store.SetDown(true)
	b.wantLive("from memory while the store is down", map[string]bool{"laptop": true})
	down := b.want("an unknown token while the store is down", b.form("portal", "/oauth2/introspect", "token=never"), 503)
	if down.text("error") != "temporarily_unavailable" || down.header.Get("Retry-After") != "1" {
		t.Errorf("while the store is down: %s %v", down.body, down.header)
	}
	for path, ask := range map[string]func() reply{
		"/readyz":      func() reply { return b.do("GET", "/readyz", "") },
		"/v1/sessions": func() reply { return b.as("portal", "GET", "/v1/sessions", "") },
		"/v1/signals": func() reply {
			return b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`)
		},
		"/v1/revocations": func() reply { return b.as("ops", "POST", "/v1/revocations", `{"scope": "everyone", "reason": "x"}`) },
		"/v1/sessions new": func() reply {
			return b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`)
		},
	} {
		if got := b.want(path, ask(), 503, "unavailable"); got.header.Get("Retry-After") != "1" {
			t.Errorf("%s while the store is down: no Retry-After", path)
		}
	}
	b.store.SetDown(false)
	b.store.DoubtNext(1)
	b.want("a commit of unknown outcome", b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`), 503, "unavailable")
	b.want("after it, ready", b.do("GET", "/readyz", ""), 503, "not-fresh")
	b.want("after it, /verify", b.do("GET", "/verify", "", "Authorization", "Bearer laptop"), 503, "not-fresh")
	b.want("after it, introspection", b.form("portal", "/oauth2/introspect", "token=laptop"), 503)
	b.want("after it, lists", b.as("portal", "GET", "/v1/sessions", ""), 503, "not-fresh")
	b.want("health", b.do("GET", "/healthz", ""), 200)
	if err := b.service.Load(t.Context()); err != nil {
		t.Fatalf("read the view again: %v", err)
	}
	b.wantLive("when the view was read again", map[string]bool{"laptop": false})
}

func TestLogOutEndsWhatTheSettingSays(t *testing.T) {
	t.Parallel()
	for setting, left := range map[api.Logout]bool{api.LogoutSession: true, api.LogoutEverywhere: false} {
		b := start(t, func(cfg *api.Config) { cfg.Logout = setting })
		b.register("sally@example.edu", "browser", "laptop")
		b.register("sally@example.edu", "mobile", "ipad")
		b.want("register elsewhere", b.as("library", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "token": "book"}`), 201)
		b.want("another app's", b.form("library", "/oauth2/revoke", "token=laptop"), 200)
		b.want("unknown", b.form("portal", "/oauth2/revoke", "token=nothing"), 200)
		b.wantLive(string(setting)+", another app's log-out", map[string]bool{"laptop": true, "ipad": true, "book": true})
		for range 2 {
			if got := b.want("log out", b.form("portal", "/oauth2/revoke", "token=laptop&token_type_hint=access_token"), 200); got.body != "" {
				t.Errorf("answer to a log-out: %q, want nothing", got.body)
			}
		}
		b.wantLive(string(setting), map[string]bool{"laptop": false, "ipad": left, "book": left})
		b.want("no token", b.form("portal", "/oauth2/revoke", ""), 400)
	}
}
