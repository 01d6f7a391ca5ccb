package api_test

import (
	"fmt"
	"testing"
	"time"

	"curfew/revoke"
)

const (
	sally = `{"format": "email", "email": "sally@example.edu"}`
	tom   = `{"format": "email", "email": "tom@example.edu"}`
)

// live reports whether introspection finds a session token live.
func (b *bundle) live(token string) bool {
	b.t.Helper()
	got := b.want("introspect", b.form("gateway", "/oauth2/introspect", "token="+token), 200)
	return got.member("active") == true
}

func (b *bundle) wantLive(when string, want map[string]bool) {
	b.t.Helper()
	for token, live := range want {
		if got := b.live(token); got != live {
			b.t.Errorf("%s: %s live is %t, want %t", when, token, got, live)
		}
	}
}

func TestOrdersEndWhatTheyName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, token, body string
		covers            any
		dead              []string
	}{
		{"a user", "ops", `{"scope": "user", "subject": ` + sally + `, "reason": "x"}`, 3.0, []string{"laptop", "ipad", "book"}},
		{"a user, by soc", "soc", `{"scope": "user", "subject": ` + sally + `, "reason": "x"}`, 3.0, []string{"laptop", "ipad", "book"}},
		{"a user, by an app that may revoke", "both", `{"scope": "user", "subject": ` + sally + `, "reason": "x"}`, 3.0, []string{"laptop", "ipad", "book"}},
		{"a user's kind", "ops", `{"scope": "user", "subject": ` + sally + `, "kind": "mobile", "reason": "x"}`, 1.0, []string{"ipad"}},
		{"a user's app", "ops", `{"scope": "user", "subject": ` + sally + `, "app": "library", "reason": "x"}`, 1.0, []string{"book"}},
		{"a user, by an app", "portal", `{"scope": "user", "subject": ` + sally + `, "reason": "x"}`, 2.0, []string{"laptop", "ipad"}},
		{"a session", "soc", `{"scope": "session", "session": "ipad-session", "app": "portal", "reason": "x"}`, 1.0, []string{"ipad"}},
		{"a session, by its app", "portal", `{"scope": "session", "session": "ipad-session", "reason": "x"}`, 1.0, []string{"ipad"}},
		{"a device", "ops", `{"scope": "device", "device": {"id": "ipad-17"}, "reason": "x"}`, 2.0, []string{"ipad", "toms"}},
		{"everybody's on a person's device", "soc", `{"scope": "device", "device": {"id": "ipad-17"}, "subject": ` + sally + `, "reason": "x"}`, 2.0, []string{"ipad", "toms"}},
		{"a user's device, by its app", "portal", `{"scope": "device", "device": {"id": "ipad-17"}, "subject": ` + sally + `, "reason": "x"}`, 1.0, []string{"ipad"}},
		{"a kind", "ops", `{"scope": "kind", "kind": "browser", "reason": "x"}`, nil, []string{"laptop", "book"}},
		{"an app", "ops", `{"scope": "app", "app": "portal", "reason": "x"}`, nil, []string{"laptop", "ipad", "toms"}},
		{"everyone", "ops", `{"scope": "everyone", "reason": "x"}`, nil, []string{"laptop", "ipad", "book", "toms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			b.register("sally@example.edu", "browser", "laptop")
			for app, body := range map[string]string{
				"portal":  `{"subject": ` + sally + `, "kind": "mobile", "token": "ipad", "id": "ipad-session", "device": {"id": "ipad-17"}}`,
				"library": `{"subject": ` + sally + `, "kind": "browser", "token": "book"}`,
			} {
				b.want("register", b.as(app, "POST", "/v1/sessions", body), 201)
			}
			b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": `+tom+`, "kind": "device", "token": "toms", "device": {"id": "ipad-17"}}`), 201)
			want := map[string]bool{"laptop": true, "ipad": true, "book": true, "toms": true}
			b.wantLive("before", want)
			got := b.want("order", b.as(c.token, "POST", "/v1/revocations", c.body), 201)
			if got.text("id") == "" || got.text("at") == "" || got.member("known") != true {
				t.Errorf("answer: %s", got.body)
			}
			if covers := got.member("covers"); c.covers != nil && covers != c.covers || (c.name == "a kind" || c.name == "an app" || c.name == "everyone") && covers != nil {
				t.Errorf("covers: got %v, want %v", covers, c.covers)
			}
			for _, token := range c.dead {
				want[token] = false
			}
			b.wantLive("after", want)
		})
	}
}

func TestUnknownPeopleAreRemembered(t *testing.T) {
	t.Parallel()
	b := start(t)
	before := b.store.Clock().Now().String()
	b.store.Moving().Advance(time.Second)
	got := b.want("nobody we know", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "left"}`), 201)
	if got.member("known") != false || got.member("covers") != 0.0 {
		t.Errorf("an unknown subject: %s", got.body)
	}
	b.want("her older session", b.as("portal", "POST", "/v1/sessions", fmt.Sprintf(`{"subject": %s, "kind": "browser", "issued_at": %q}`, sally, before)), 403, "over")
	b.want("an unknown session, by an admin", b.as("ops", "POST", "/v1/revocations", `{"scope": "session", "session": "x-9", "reason": "left"}`), 404, "not-found")
	b.want("an unknown session of an app", b.as("portal", "POST", "/v1/revocations", `{"scope": "session", "session": "x-9", "reason": "left"}`), 201)
	b.want("that session", b.as("portal", "POST", "/v1/sessions", fmt.Sprintf(`{"subject": %s, "kind": "browser", "id": "x-9", "issued_at": %q}`, tom, before)), 403, "over")
}

func TestBlockStandsUntilLifted(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	got := b.want("block", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "suspended", "block": true}`), 201)
	if got.member("blocked") != true || got.member("covers") != 1.0 {
		t.Errorf("a block: %s", got.body)
	}
	user := b.want("user", b.as("ops", "GET", "/v1/users/"+got.text("user"), ""), 200)
	if user.member("blocked") != true || user.text("blocks.authority") != revoke.AdminAuthority || user.member("live") != 0.0 || user.text("because.sentence") == "" {
		t.Errorf("a blocked user: %s", user.body)
	}
	b.want("a source cannot lift it", b.as("portal", "POST", "/v1/signals", `{"signal": "reactivated", "subject": `+sally+`}`), 201)
	b.want("still out", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`), 403, "blocked")
	b.want("an admin lifts it", b.as("ops", "POST", "/v1/signals", `{"signal": "reactivated", "subject": `+sally+`}`), 201)
	b.want("in again", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`), 201)
	b.wantLive("after the lift", map[string]bool{"laptop": false})
}

func TestOrdersThatMeanNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, c := range []struct{ token, body, field string }{
		{"ops", `{"scope": "user", "subject": ` + sally + `}`, "reason"},
		{"ops", `{"reason": "x"}`, "scope"},
		{"ops", `{"scope": "galaxy", "reason": "x"}`, "scope"},
		{"ops", `{"scope": "group", "group": "pupils", "reason": "x"}`, "scope"},
		{"ops", `{"scope": "user", "reason": "x"}`, "subject"},
		{"ops", `{"scope": "device", "reason": "x"}`, "device"},
		{"ops", `{"scope": "device", "device": {"name": "hers"}, "reason": "x"}`, "device"},
		{"ops", `{"scope": "session", "reason": "x"}`, "session"},
		{"ops", `{"scope": "kind", "reason": "x"}`, "kind"},
		{"ops", `{"scope": "kind", "kind": "fridge", "reason": "x"}`, "kind"},
		{"ops", `{"scope": "kind", "kind": "mobile", "app": "portal", "reason": "x"}`, "app"},
		{"ops", `{"scope": "kind", "kind": "mobile", "reason": "x", "block": true}`, "block"},
		{"ops", `{"scope": "app", "reason": "x"}`, "app"},
		{"ops", `{"scope": "app", "app": "por\u0007tal", "reason": "x"}`, "app"},
		{"ops", `{"scope": "app", "app": "portal", "kind": "mobile", "reason": "x"}`, "kind"},
		{"ops", `{"scope": "app", "app": "portal", "subject": ` + sally + `, "reason": "x"}`, "subject"},
		{"ops", `{"scope": "everyone", "reason": "x", "dry_run": "yes"}`, "dry_run"},
		{"ops", `{"scope": "everyone", "reason": "x", "dryrun": true}`, "dryrun"},
		{"ops", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "until": "2127-01-01T00:00:00Z"}`, "until"},
		{"ops", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "block": true, "until": "2026-01-01T00:00:00Z"}`, "until"},
		{"ops", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "block": true, "until": "tomorrow"}`, "until"},
		{"ops", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "block": true, "until": 1893456000}`, "until"},
		{"ops", `{"scope": "everyone", "reason": "x", "confirm": "3"}`, "confirm"},
		{"ops", `{"scope": "everyone", "reason": "x", "confirm": 3.5}`, "confirm"},
		{"ops", `{"scope": "everyone", "reason": "x", "confirm": -1}`, "confirm"},
		{"ops", `{"scope": "everyone", "reason": "x", "confirm": 1e400}`, "confirm"},
		{"ops", `{"scope": "everyone", "reason": "x", "subject": ` + sally + `}`, "subject"},
		{"ops", `{"scope": "everyone", "reason": "x", "block": true}`, "block"},
		{"ops", `{"scope": "session", "session": "x", "reason": "x", "kind": "mobile"}`, "kind"},
		{"portal", `{"scope": "device", "device": {"id": "x"}, "reason": "x"}`, "subject"},
	} {
		if got := b.want(c.body, b.as(c.token, "POST", "/v1/revocations", c.body), 422, "invalid"); got.text("errors.field") != c.field {
			t.Errorf("%s: errors are %v, want one of %s", c.body, got.member("errors"), c.field)
		}
	}
	for _, c := range []struct{ token, body string }{
		{"soc", `{"scope": "everyone", "reason": "x"}`},
		{"soc", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "block": true}`},
		{"soc", `{"scope": "kind", "kind": "mobile", "reason": "x", "dry_run": true}`},
		{"portal", `{"scope": "app", "app": "portal", "reason": "x"}`},
		{"portal", `{"scope": "everyone", "reason": "x"}`},
		{"portal", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "block": true}`},
		{"portal", `{"scope": "user", "subject": ` + sally + `, "reason": "x", "app": "library"}`},
	} {
		b.want(c.body, b.as(c.token, "POST", "/v1/revocations", c.body), 403, "scope")
	}
	if n := len(b.store.AllEvents()); n != 0 {
		t.Errorf("%d events came of orders that mean nothing", n)
	}
}

func TestNewsOfAnApp(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	b.want("elsewhere", b.as("library", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "token": "book"}`), 201)
	b.want("cleared in the portal", b.as("portal", "POST", "/v1/signals", `{"signal": "sessions-cleared", "subject": `+sally+`}`), 201)
	b.wantLive("cleared in the portal", map[string]bool{"laptop": false, "book": true})
	news := fmt.Sprintf(`{"signal": "credential-changed", "subject": %s, "occurred_at": %q, "id": "n-1"}`, sally, b.store.Clock().Now())
	first := b.want("news", b.as("portal", "POST", "/v1/signals", news), 201)
	b.wantLive("password changed", map[string]bool{"laptop": false, "book": false})
	b.register("sally@example.edu", "browser", "after")
	again := b.want("news again", b.as("portal", "POST", "/v1/signals", news), 201)
	if again.body != first.body || first.text("state") != "decided" || first.member("known") != true || first.text("revocations.id") == "" {
		t.Errorf("first %s, again %s: want the same", first.body, again.body)
	}
	b.wantLive("the same news again", map[string]bool{"after": true})
	for _, c := range []struct{ body, field string }{
		{`{"signal": "sang", "subject": ` + sally + `}`, "signal"},
		{`{"subject": ` + sally + `}`, "signal"},
		{`{"signal": "suspended"}`, "subject"},
		{`{"signal": "suspended", "subject": ` + sally + `, "occurred_at": "noon"}`, "occurred_at"},
		{`{"signal": "device-lost", "subject": ` + sally + `, "device": {}}`, "device"},
	} {
		if got := b.want(c.body, b.as("portal", "POST", "/v1/signals", c.body), 422, "invalid"); got.text("errors.field") != c.field {
			t.Errorf("%s: errors are %v, want one of %s", c.body, got.member("errors"), c.field)
		}
	}
	unnamed := fmt.Sprintf(`{"signal": "credential-changed", "subject": %s, "occurred_at": %q}`, sally, b.store.Clock().Now())
	one, two := b.as("portal", "POST", "/v1/signals", unnamed), b.as("portal", "POST", "/v1/signals", unnamed)
	if one.text("id") == "" || one.text("id") != two.text("id") {
		t.Errorf("the same news with a time and without an id: events %q and %q, want one", one.text("id"), two.text("id"))
	}
	timeless := `{"signal": "credential-changed", "subject": ` + sally + `}`
	one, two = b.as("portal", "POST", "/v1/signals", timeless), b.as("portal", "POST", "/v1/signals", timeless)
	if one.text("id") == two.text("id") {
		t.Error("news with neither time nor id was taken for a duplicate")
	}
}
