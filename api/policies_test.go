package api_test

import (
	"strings"
	"testing"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "mobile", "phone")
	b.register("sally@example.edu", "browser", "laptop")
	b.want("nothing set", b.as("ops", "GET", "/v1/policies/mobile", ""), 404, "not-found")
	b.want("an unknown kind", b.as("ops", "GET", "/v1/policies/tv", ""), 404, "not-found")
	b.want("not an admin's", b.as("portal", "PUT", "/v1/policies/mobile", `{"allowed":false}`), 403, "scope")
	dry := b.want("a preview", b.as("ops", "PUT", "/v1/policies/mobile", `{"allowed":false,"dry_run":true}`), 200)
	if dry.member("covers") != 1.0 || dry.member("dry_run") != true {
		t.Errorf("a preview: %s", dry.body)
	}
	b.want("a preview sets nothing", b.as("ops", "GET", "/v1/policies/mobile", ""), 404)
	b.want("another number", b.as("ops", "PUT", "/v1/policies/mobile", `{"allowed":false,"confirm":2}`), 409, "conflict")
	b.wantLive("nothing was done", map[string]bool{"phone": true, "laptop": true})
	set := b.want("not allowed", b.as("ops", "PUT", "/v1/policies/mobile", `{"allowed":false,"confirm":1,"reason":"exams"}`), 200)
	if set.member("allowed") != false || set.text("reason") != "exams" || set.text("set_at") == "" {
		t.Errorf("a policy: %s", set.body)
	}
	b.wantLive("not allowed", map[string]bool{"phone": false, "laptop": true})
	body := `{"subject":{"format":"email","email":"sally@example.edu"},"kind":"mobile","token":"new"`
	b.want("refused", b.as("portal", "POST", "/v1/sessions", body+`}`), 403, "kind-not-allowed")
	b.want("refused before what is optional", b.as("portal", "POST", "/v1/sessions", body+`,"ip":"nowhere"}`), 403, "kind-not-allowed")
	b.want("removed", b.as("ops", "DELETE", "/v1/policies/mobile", ""), 200)
	b.want("removed again", b.as("ops", "DELETE", "/v1/policies/mobile", ""), 404, "not-found")
	b.wantLive("allowed again", map[string]bool{"phone": false, "laptop": true})
	b.want("allowed again", b.as("portal", "POST", "/v1/sessions", body+`}`), 201)
}

func TestTermsOfPolicies(t *testing.T) {
	t.Parallel()
	b := start(t)
	want := map[string]string{"max_age": "60d", "idle": "15m", "default_lifetime": "36h"}
	b.want("set", b.as("ops", "PUT", "/v1/policies/browser", `{"allowed":true,"max_age":"60d","idle":"900s","default_lifetime":"36h"}`), 200)
	got := b.want("shown", b.as("ops", "GET", "/v1/policies/browser", ""), 200)
	for member, text := range want {
		if got.text(member) != text {
			t.Errorf("%s = %q, want %q", member, got.text(member), text)
		}
	}
	if list := b.want("list", b.as("ops", "GET", "/v1/policies", ""), 200); list.text("items.kind") != "browser" || strings.Contains(list.body, "mobile") {
		t.Errorf("list: %s", list.body)
	}
	for _, span := range []string{"0d", "-1d", "15", "1w", "1.5h", "999999999d", "15 m"} {
		b.want(span, b.as("ops", "PUT", "/v1/policies/browser", `{"max_age":"`+span+`"}`), 422, "invalid")
	}
	b.want("no group", b.as("ops", "PUT", "/v1/policies/browser?group=Nobody", `{"allowed":false}`), 422, "invalid")
}
