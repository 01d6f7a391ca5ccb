package api_test

import (
	"fmt"
	"testing"
	"time"

	"curfew/revoke"
)

func TestBlockAndLift(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	b.register("tom@example.edu", "browser", "toms")
	id := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	blocked := b.want("block", b.as("ops", "POST", "/v1/users/"+id+"/block", `{"reason": "left the school"}`), 200)
	if blocked.text("id") != id || blocked.member("blocked") != true || blocked.member("live") != 0.0 || blocked.text("blocks.authority") != revoke.AdminAuthority || blocked.text("because.sentence") == "" {
		t.Errorf("a blocked user: %s", blocked.body)
	}
	why := b.want("its revocation", b.as("ops", "GET", "/v1/revocations/"+blocked.text("because.revocation"), ""), 200)
	if why.text("reason") != "left the school" || why.text("kind") != "block" || why.text("actor.name") != "ops" {
		t.Errorf("the revocation of a block: %s", why.body)
	}
	if same := b.want("as GET shows it", b.as("ops", "GET", "/v1/users/"+id, ""), 200); same.body != blocked.body {
		t.Errorf("the block answered %s, and GET answers %s", blocked.body, same.body)
	}
	b.want("kept out", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`), 403, "blocked")
	b.wantLive("after the block", map[string]bool{"laptop": false, "toms": true})
	for range 2 { // lifting what nobody blocks any more is the same answer
		lifted := b.want("lift", b.as("ops", "POST", "/v1/users/"+id+"/lift", `{"reason": "came back"}`), 200)
		if lifted.member("blocked") != false || lifted.text("id") != id {
			t.Errorf("a lifted user: %s", lifted.body)
		}
	}
	b.register("sally@example.edu", "browser", "again")
	b.wantLive("after the lift", map[string]bool{"laptop": false, "again": true, "toms": true})
}

func TestABlockEndsAtItsTime(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	id := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	until := b.store.Clock().Now().Add(time.Hour)
	got := b.want("block", b.as("ops", "POST", "/v1/users/"+id+"/block", fmt.Sprintf(`{"reason": "exam", "until": %q}`, until)), 200)
	if got.member("blocked") != true || got.text("blocks.until") != until.String() {
		t.Errorf("a timed block: %s", got.body)
	}
	b.store.Moving().Advance(time.Hour)
	if err := b.service.EndDue(t.Context()); err != nil {
		t.Fatalf("end timed blocks: %v", err)
	}
	b.register("sally@example.edu", "browser", "after")
	b.wantLive("after its time", map[string]bool{"laptop": false, "after": true})
}

// An admin lifts also what a source blocked, which its own later news sets anew.
func TestAnAdminLiftsWhatASourceBlocked(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	id := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	b.want("suspend", b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`), 201)
	standing := b.want("suspended", b.as("ops", "GET", "/v1/users/"+id, ""), 200)
	if standing.text("blocks.authority") != "portal" || standing.member("blocks.lifted_at") != nil {
		t.Errorf("a block that stands: %s", standing.body)
	}
	if got := b.want("lift", b.as("ops", "POST", "/v1/users/"+id+"/lift", `{"reason": "a mistake"}`), 200); got.member("blocked") != false || got.text("blocks.lifted_at") == "" {
		t.Errorf("after an admin's lift: %s", got.body)
	}
	b.register("sally@example.edu", "browser", "again")
	b.wantLive("after an admin's lift", map[string]bool{"laptop": false, "again": true})
	b.want("suspend again", b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`), 201)
	b.wantLive("after newer news", map[string]bool{"again": false})
}

func TestActsOnUsersThatMeanNothing(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	b.register("sally@example.edu", "browser", "laptop")
	id := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	for _, c := range []struct{ verb, body, field string }{
		{"block", `{}`, "reason"},
		{"block", `{"reason": ""}`, "reason"},
		{"block", `{"reason": null}`, "reason"},
		{"block", `{"reason": 7}`, "reason"},
		{"block", `{"reason": "a\u0000b"}`, "reason"},
		{"block", `{"reason": "x", "until": "soon"}`, "until"},
		{"block", `{"reason": "x", "until": "2026-01-01T00:00:00Z"}`, "until"},
		{"block", `{"reason": "x", "until": true}`, "until"},
		{"block", `{"reason": "x", "forever": true}`, "forever"},
		{"lift", `{}`, "reason"},
		{"lift", `{"reason": ["x"]}`, "reason"},
		{"lift", `{"reason": "x", "until": "2127-01-01T00:00:00Z"}`, "until"},
	} {
		if got := b.want(c.body, b.as("ops", "POST", "/v1/users/"+id+"/"+c.verb, c.body), 422, "invalid"); got.text("errors.field") != c.field {
			t.Errorf("%s %s: errors are %v, want one of %s", c.verb, c.body, got.member("errors"), c.field)
		}
	}
	for _, verb := range []string{"block", "lift"} {
		path := "/v1/users/" + id + "/" + verb
		b.want("no body", b.as("ops", "POST", path, ""), 400, "invalid")
		b.want("a list", b.as("ops", "POST", path, `["x"]`), 422, "invalid")
		b.want("GET", b.as("ops", "GET", path, ""), 405, "method")
		b.want("another org's", b.as("abroad", "POST", path, `{"reason": "x"}`), 404, "not-found")
		for _, nobody := range []string{"x", "sally@example.edu", "019aaf3c-5b40-7000-8000-000000000000", "00000000-0000-0000-0000-000000000000"} {
			b.want(nobody, b.as("ops", "POST", "/v1/users/"+nobody+"/"+verb, `{"reason": "x"}`), 404, "not-found")
		}
		for _, token := range []string{"portal", "soc", "gateway", "edge"} {
			b.want(token, b.as(token, "POST", path, `{"reason": "x"}`), 403, "scope")
		}
		b.want("nobody", b.do("POST", path, `{"reason": "x"}`), 401, "unauthenticated")
	}
	if n := len(b.store.AllEvents()); n != 0 {
		t.Errorf("%d events came of requests that mean nothing", n)
	}
	if n := len(b.store.AllUsers()); n != 1 {
		t.Errorf("%d people are known, want Sally alone", n)
	}
	b.wantLive("after all that", map[string]bool{"laptop": true})
}
