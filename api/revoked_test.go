package api_test

import (
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

func TestOneRevocationTellsItsStory(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "mobile", "token": "ipad", "id": "ipad-session", "device": {"id": "ipad-17"}}`), 201)
	order := func(body string) string {
		t.Helper()
		return b.want(body, b.as("ops", "POST", "/v1/revocations", `{`+body+`, "reason": "lost it"}`), 201).text("id")
	}
	for body, want := range map[string]map[string]any{
		`"scope": "session", "session": "ipad-session"`:                             {"scope": "session", "app": "portal", "app_session": "ipad-session", "kind": "end"},
		`"scope": "user", "kind": "mobile", "subject": ` + sally:                    {"scope": "user_kind", "session_kind": "mobile", "kind": "end"},
		`"scope": "user", "app": "portal", "subject": ` + sally:                     {"scope": "user_app", "app": "portal", "kind": "end"},
		`"scope": "user", "block": true, "subject": ` + tom:                         {"scope": "user", "blocked": true, "kind": "block"},
		`"scope": "kind", "kind": "browser"`:                                        {"scope": "kind", "session_kind": "browser", "kind": "end", "user": nil},
		`"scope": "app", "app": "portal"`:                                           {"scope": "app", "app": "portal", "kind": "end", "user": nil},
		`"scope": "everyone"`:                                                       {"scope": "everyone", "kind": "end", "app": nil, "session_kind": nil},
		`"scope": "device", "device": {"id": "ipad-17"}`:                            {"scope": "device", "kind": "end", "user": nil},
		`"scope": "session", "app": "portal", "session": "not registered so far 1"`: {"scope": "session", "app": "portal", "app_session": "not registered so far 1", "session": nil},
	} {
		id := order(body)
		got := b.want(body, b.as("ops", "GET", "/v1/revocations/"+id, ""), 200)
		for member, value := range want {
			if got.member(member) != value {
				t.Errorf("%s: %s is %v, want %v", body, member, got.member(member), value)
			}
		}
		for _, member := range []string{"at", "event", "created_at"} {
			if got.text(member) == "" {
				t.Errorf("%s: no %s in %s", body, member, got.body)
			}
		}
		if got.text("id") != id || got.text("reason") != "lost it" || got.text("signal") != "sessions-cleared" || got.text("actor.name") != "ops" || got.text("actor.kind") != "operator" {
			t.Errorf("%s: %s", body, got.body)
		}
		b.want("another org's", b.as("abroad", "GET", "/v1/revocations/"+id, ""), 404, "not-found")
		b.want("with a parameter", b.as("ops", "GET", "/v1/revocations/"+id+"?x=1", ""), 422, "invalid")
	}
	for _, id := range []string{"019aaf3c-5b40-7000-8000-000000000000", "x", "%00", "019aaf3c-5b40-7000-8000-00000000000%2F", strings.Repeat("9", 5000)} {
		b.want("unknown", b.as("ops", "GET", "/v1/revocations/"+id, ""), 404, "not-found")
	}
	b.want("a verb that is not built", b.as("ops", "POST", "/v1/revocations/"+order(`"scope": "everyone"`)+"/undo", ""), 404, "not-found")
	for _, token := range []string{"portal", "soc", "gateway", "edge"} {
		b.want(token, b.as(token, "GET", "/v1/revocations/x", ""), 403, "scope")
		b.want(token, b.as(token, "GET", "/v1/deliveries/x", ""), 403, "scope")
	}
}

func TestAttemptsAreShownWithTheirDelivery(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	b.register("sally@example.edu", "browser", "laptop")
	id := b.want("order", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "x"}`), 201).text("id")
	fresh := b.want("before any attempt", b.as("ops", "GET", "/v1/revocations/"+id, ""), 200)
	if fresh.text("deliveries.id") != id+":canvas" || fresh.text("deliveries.state") != "due" || !strings.Contains(fresh.body, `"attempts":[]`) {
		t.Errorf("before any attempt: %s", fresh.body)
	}
	clock := b.store.Clock()
	for _, s := range []revoke.Settlement{
		{State: revoke.DeliveryDue, DueAt: clock.Now(), Attempt: revoke.Attempt{At: clock.Now(), Took: 1500 * time.Millisecond, Error: "canvas answered 500"}},
		{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: clock.Now(), Took: time.Second, Receipt: &revoke.Receipt{Evidence: revoke.Confirmed, Ended: 2, At: clock.Now()}}},
	} {
		owed, err := b.store.Claim(t.Context(), "canvas", 10, clock.Now(), clock.Now().Add(time.Minute), revoke.NewID(clock.Now()))
		if err != nil || len(owed) != 1 {
			t.Fatalf("claim: %d owed, %v", len(owed), err)
		}
		if err := b.store.Settle(t.Context(), owed[0], s); err != nil {
			t.Fatalf("settle: %v", err)
		}
	}
	one := b.want("the delivery", b.as("ops", "GET", "/v1/deliveries/"+id+":canvas", ""), 200)
	whole := b.want("the revocation", b.as("ops", "GET", "/v1/revocations/"+id, ""), 200)
	if !strings.Contains(whole.body, `"deliveries":[`+one.body+`]`) {
		t.Errorf("the revocation %s does not show its delivery %s", whole.body, one.body)
	}
	if one.text("state") != "done" || one.text("receipt.evidence") != "confirmed" || one.member("attempts.number") != 1.0 ||
		one.member("attempts.took_ms") != 1500.0 || one.text("attempts.error") != "canvas answered 500" || one.text("attempts.at") == "" ||
		strings.Count(one.body, `"took_ms"`) != 2 || strings.Count(one.body, `"ended":2`) != 2 {
		t.Errorf("a delivery after two attempts: %s", one.body)
	}
	b.want("another org's", b.as("abroad", "GET", "/v1/deliveries/"+id+":canvas", ""), 404, "not-found")
	for _, name := range []string{"x", "retry", id, id + ":", id + ":moodle", "019aaf3c-5b40-7000-8000-000000000000:canvas"} {
		b.want(name, b.as("ops", "GET", "/v1/deliveries/"+name, ""), 404, "not-found")
	}
}
