package api_test

import (
	"net/netip"
	"strings"
	"testing"

	"curfew/api"
)

func TestMountedHandlerKnowsWhoAsks(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	got := b.want("SCIM", b.do("PATCH", "/scim/v2/Users/a%2Fb?x=1", "body", "Authorization", "Bearer "+secretOf("directory"),
		"X-Forwarded-For", "6.6.6.6, 203.0.113.9", "X-Forwarded-For", "10.1.2.3", "X-Many", "a", "X-Many", "b"), 200)
	for path, want := range map[string]any{
		"method": "PATCH", "path": "/scim/v2/Users/a/b", "query": "x=1", "source": "directory", "actor.Kind": "source", "actor.Name": "directory",
		"from": "203.0.113.9:0", "length": 4.0,
	} {
		if have := got.member(path); have != want {
			t.Errorf("%s: got %v, want %v", path, have, want)
		}
	}
	if many, _ := got.member("many").([]any); len(many) != 2 {
		t.Errorf("two equal headers: the handler saw %v", many)
	}
	if id := got.text("request"); id == "" || id != got.header.Get("X-Request-Id") {
		t.Errorf("request id: handler %q, client %q", id, got.header.Get("X-Request-Id"))
	}
	hook := b.want("hook", b.do("POST", "/hooks/okta", "x", "Authorization", "its own", "X-Forwarded-For", "nonsense"), 200)
	if hook.text("source") != "" || hook.text("from") != "127.0.0.1:0" {
		t.Errorf("a hook: %s", hook.body)
	}
	b.want("a hook's other method", b.do("PUT", "/hooks/okta", "x"), 405, "method")
}

func TestNobodysWordIsTakenForAnAddress(t *testing.T) {
	t.Parallel()
	b := start(t)
	if got := b.do("POST", "/hooks/okta", "", "X-Forwarded-For", "203.0.113.9"); got.text("from") != "127.0.0.1:0" {
		t.Errorf("an untrusted peer says it is %q", got.text("from"))
	}
}

func TestPanicIsOurs(t *testing.T) {
	t.Parallel()
	b := start(t)
	got := b.want("panic", b.do("GET", "/scim/v2/Users", "", "Authorization", "Bearer "+secretOf("directory"), "X-Panic", "1"), 500)
	if strings.Contains(got.body, "secret of this panic") || got.text("status") != "500" {
		t.Errorf("a panic: %s", got.body)
	}
	if strings.Contains(b.log.String(), "secret of this panic") {
		t.Error("the log holds a panic's text")
	}
	if id := got.header.Get("X-Request-Id"); id == "" || !strings.Contains(b.log.String(), id) {
		t.Errorf("the log does not hold request id %q", id)
	}
	b.want("after it", b.do("GET", "/healthz", ""), 200)
}
