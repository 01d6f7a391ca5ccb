package api_test

import (
	"strings"
	"testing"

	"curfew/api"
)

func TestForwardAuthBelievesOnlyLiveTokens(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) { cfg.Cookie = "portal_session" })
	live := b.register("sally@example.edu", "browser", "live-token")
	b.register("tom@example.edu", "browser", "toms-token")
	b.want("end", b.as("portal", "DELETE", "/v1/sessions/"+b.register("sally@example.edu", "mobile", "dead-token"), ""), 200)
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"nothing", nil, 401},
		{"a live token", []string{"Authorization", "Bearer live-token"}, 200},
		{"a live token, scheme in capitals", []string{"Authorization", "BEARER live-token"}, 200},
		{"a live cookie", []string{"Cookie", "other=1; portal_session=live-token; x=y"}, 200},
		{"a live cookie in quotes", []string{"Cookie", `portal_session="live-token"`}, 200},
		{"a live cookie beside the app's own Basic", []string{"Authorization", "Basic eDp5", "Cookie", "portal_session=live-token"}, 200},
		{"a live cookie of another name", []string{"Cookie", "session=live-token"}, 401},
		{"a dead token", []string{"Authorization", "Bearer dead-token"}, 401},
		{"a dead cookie", []string{"Cookie", "portal_session=dead-token"}, 401},
		{"an unknown token", []string{"Authorization", "Bearer nobodys"}, 401},
		{"an unknown token and a live cookie", []string{"Authorization", "Bearer nobodys", "Cookie", "portal_session=live-token"}, 401},
		{"a live token and somebody else's cookie", []string{"Authorization", "Bearer live-token", "Cookie", "portal_session=nobodys"}, 200},
		{"a live token and a dead cookie", []string{"Authorization", "Bearer live-token", "Cookie", "portal_session=dead-token"}, 401},
		{"two cookies, one dead", []string{"Cookie", "portal_session=live-token; portal_session=dead-token"}, 401},
		{"two Authorizations", []string{"Authorization", "Bearer live-token", "Authorization", "Bearer toms-token"}, 401},
		{"six cookies", []string{"Cookie", strings.Repeat("portal_session=live-token; ", 6)}, 401},
		{"a bearer token of the configuration", []string{"Authorization", "Bearer " + secretOf("ops")}, 401},
		{"spoofed headers", []string{"X-Curfew-User", "x", "X-Curfew-Session", "x", "X-Forwarded-User", "x", "X-Forwarded-For", "127.0.0.1"}, 401},
	} {
		for _, path := range []string{"/verify", "/verify/", "/verify/some/page?q=1"} {
			got := b.do("GET", path, "", c.header...)
			if got.status != c.status {
				t.Errorf("%s, %s: got %d %s, want %d", c.name, path, got.status, got.body, c.status)
			}
			if got.status == 200 && (got.header.Get("X-Curfew-Session") != live || got.header.Get("X-Curfew-Email") != "sally@example.edu" || got.header.Get("X-Curfew-User") == "") {
				t.Errorf("%s: names %v", c.name, got.header)
			}
			if got.status == 401 && (got.text("type") != "/problems/unauthenticated" || got.header.Get("X-Curfew-User") != "" || got.header.Get("WWW-Authenticate") == "") {
				t.Errorf("%s: %s %v", c.name, got.body, got.header)
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCALENDAR"} {
		if got := b.do(method, "/verify/x", "", "Authorization", "Bearer live-token"); got.status != 200 {
			t.Errorf("%s: got %d, want 200", method, got.status)
		}
		if got := b.do(method, "/verify/x", "", "Authorization", "Bearer dead-token"); got.status != 401 {
			t.Errorf("%s, dead: got %d, want 401", method, got.status)
		}
	}
}
