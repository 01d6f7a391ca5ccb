package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"curfew/api"
	"curfew/revoke"
)

// classroom registers four live sessions of two people in two applications.
func classroom(t *testing.T) *bundle {
	t.Helper()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	for token, who := range map[string]string{"ipad": sally + `, "kind": "mobile"`, "toms": tom + `, "kind": "browser"`} {
		body := `{"subject": ` + who + `, "token": "` + token + `", "device": {"id": "ipad-17"}}`
		b.want("register", b.as("portal", "POST", "/v1/sessions", body), 201)
	}
	b.want("register", b.as("library", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "token": "book"}`), 201)
	return b
}

func TestPreviewsCountAndWriteNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, order string
		covers       float64
	}{
		"everyone":   {"ops", `"scope": "everyone"`, 4},
		"a kind":     {"ops", `"scope": "kind", "kind": "browser"`, 3},
		"an app":     {"ops", `"scope": "app", "app": "library"`, 1},
		"no app":     {"ops", `"scope": "app", "app": "laundry"`, 0},
		"a user":     {"ops", `"scope": "user", "subject": ` + sally, 3},
		"a block":    {"ops", `"scope": "user", "block": true, "subject": ` + sally, 3},
		"by an app":  {"portal", `"scope": "user", "subject": ` + sally, 2},
		"by soc":     {"soc", `"scope": "user", "subject": ` + sally, 3},
		"a stranger": {"ops", `"scope": "user", "subject": {"format": "email", "email": "bob@example.edu"}`, 0},
		"a device":   {"ops", `"scope": "device", "device": {"id": "ipad-17"}`, 2},
		"her device": {"ops", `"scope": "device", "device": {"id": "ipad-17"}, "subject": ` + tom, 2},
		"a new pad":  {"soc", `"scope": "device", "device": {"id": "ipad-18"}`, 0},
		"no device":  {"portal", `"scope": "device", "device": {"id": "x"}, "subject": ` + sally, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := classroom(t)
			before := len(b.store.AllEvents()) + len(b.store.Audit()) + len(b.store.Changes())
			got := b.want("preview", b.as(c.token, "POST", "/v1/revocations", `{`+c.order+`, "reason": "x", "dry_run": true}`), 200)
			if got.member("covers") != c.covers || got.member("dry_run") != true || got.member("blocked") == true != (name == "a block") {
				t.Errorf("preview: %s, want to cover %g", got.body, c.covers)
			}
			if strings.Contains(got.body, `"id"`) || strings.Contains(got.body, `"event"`) || got.text("user") != "" != (got.member("known") == true && strings.Contains(c.order, "subject")) {
				t.Errorf("a preview shows ids of what is not there: %s", got.body)
			}
			for _, wrong := range []float64{c.covers + 1, 1 << 40} {
				no := b.want("wrong confirm", b.as(c.token, "POST", "/v1/revocations", fmt.Sprintf(`{%s, "reason": "x", "confirm": %.0f}`, c.order, wrong)), 409, "conflict")
				if !strings.Contains(no.text("detail"), fmt.Sprintf("%.0f now", c.covers)) || !strings.Contains(no.text("detail"), fmt.Sprintf("says %.0f", wrong)) {
					t.Errorf("refusal: %s, want both numbers in it", no.body)
				}
			}
			if after := len(b.store.AllEvents()) + len(b.store.Audit()) + len(b.store.Changes()); after != before {
				t.Errorf("previews and refused orders wrote %d rows", after-before)
			}
			b.wantLive("after previews", map[string]bool{"laptop": true, "ipad": true, "book": true, "toms": true})
			done := b.want("confirmed", b.as(c.token, "POST", "/v1/revocations", fmt.Sprintf(`{%s, "reason": "x", "confirm": %.0f}`, c.order, c.covers)), 201)
			if done.member("covers") != c.covers || done.member("dry_run") != nil {
				t.Errorf("confirmed order: %s, want it to cover %g", done.body, c.covers)
			}
			live := 0.0
			for _, token := range []string{"laptop", "ipad", "book", "toms"} {
				if b.live(token) {
					live++
				}
			}
			if live != 4-c.covers {
				t.Errorf("%g sessions are live after an order that covers %g of 4", live, c.covers)
			}
		})
	}
}

// An order about many people shows what the last preview of the same scope counted, and of no other.
func TestOrdersShowTheLastCountOfTheirScope(t *testing.T) {
	t.Parallel()
	b := classroom(t)
	count := func(order string, want any) {
		t.Helper()
		if got := b.want(order, b.as("ops", "POST", "/v1/revocations", `{`+order+`, "reason": "x"}`), 201); got.member("covers") != want {
			t.Errorf("%s: covers %v, want %v", order, got.member("covers"), want)
		}
	}
	b.want("preview", b.as("ops", "POST", "/v1/revocations", `{"scope": "kind", "kind": "mobile", "reason": "x", "dry_run": true}`), 200)
	count(`"scope": "kind", "kind": "browser"`, nil)
	count(`"scope": "app", "app": "mobile"`, nil)
	count(`"scope": "everyone"`, nil)
	count(`"scope": "kind", "kind": "mobile"`, 1.0)
	for i := range 1001 {
		b.want("preview", b.as("ops", "POST", "/v1/revocations", fmt.Sprintf(`{"scope": "app", "app": "app-%d", "reason": "x", "dry_run": true}`, i)), 200)
	}
	count(`"scope": "kind", "kind": "mobile"`, nil)
	count(`"scope": "app", "app": "app-1000"`, 0.0)
}

func TestPreviewsOfWhatWouldBeHeld(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.shared("sally@example.edu")
	order := `{"scope": "user", "subject": ` + sally + `, "reason": "x"`
	if got := b.want("preview", b.as("ops", "POST", "/v1/revocations", order+`, "dry_run": true}`), 200); got.text("state") != "held" || got.member("covers") != 0.0 {
		t.Errorf("preview of an order that would be held: %s", got.body)
	}
	if got := b.want("order", b.as("ops", "POST", "/v1/revocations", order+`}`), 202); got.text("held") == "" {
		t.Errorf("a held order: %s", got.body)
	}
}

// shared lets a directory give one address to two of its people.
func (b *bundle) shared(address string) {
	b.t.Helper()
	src := revoke.Source{Name: "hr", Org: "main", Type: "okta", Authority: "hr", IDs: "hr", Learns: true}
	for _, id := range []string{"1", "2"} {
		who := revoke.Subject{{Namespace: "hr", Value: id}, {Namespace: revoke.NamespaceEmail, Value: address}}
		_, err := b.service.Receive(b.t.Context(), revoke.Actor{Kind: "source", Name: "hr"}, src,
			revoke.Event{Type: "test", Signals: []revoke.Signal{{Kind: revoke.CredentialChanged, Subject: who}}})
		if err != nil {
			b.t.Fatalf("teach %s: %v", address, err)
		}
	}
}

func TestTimedBlocks(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	until := b.store.Clock().Now().Add(time.Hour)
	got := b.want("block", b.as("ops", "POST", "/v1/revocations", fmt.Sprintf(`{"scope": "user", "subject": %s, "reason": "exam", "block": true, "until": %q}`, sally, until)), 201)
	if got.member("blocked") != true || got.text("until") != until.String() {
		t.Errorf("a timed block: %s", got.body)
	}
	b.want("during", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`), 403, "blocked")
	b.store.Moving().Advance(time.Hour)
	if err := b.service.EndDue(t.Context()); err != nil {
		t.Fatalf("end timed blocks: %v", err)
	}
	b.want("afterwards", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "token": "after"}`), 201)
	b.wantLive("afterwards", map[string]bool{"laptop": false, "after": true})
}

// One org's orders about many count and end nobody of another.
func TestOrdersStayInTheirOrg(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	b.register("sally@example.edu", "browser", "laptop")
	for _, order := range []string{`"scope": "everyone"`, `"scope": "kind", "kind": "browser"`, `"scope": "app", "app": "portal"`, `"scope": "user", "subject": ` + sally} {
		b.want("preview", b.as("ops", "POST", "/v1/revocations", `{`+order+`, "reason": "x", "dry_run": true}`), 200)
		got := b.want("preview elsewhere", b.as("abroad", "POST", "/v1/revocations", `{`+order+`, "reason": "x", "dry_run": true}`), 200)
		if got.member("covers") != 0.0 {
			t.Errorf("%s: the preview of another org covers %v", order, got.member("covers"))
		}
		got = b.want("order elsewhere", b.as("abroad", "POST", "/v1/revocations", `{`+order+`, "reason": "x"}`), 201)
		if got.member("covers") != 0.0 {
			t.Errorf("%s: the order of another org covers %v", order, got.member("covers"))
		}
	}
	b.wantLive("after another org's orders", map[string]bool{"laptop": true})
}

// elsewhere adds an admin of another org.
func elsewhere(cfg *api.Config) {
	abroad := tokens()[5]
	abroad.Name, abroad.Hashes = "abroad", hashesOf("abroad")
	abroad.Source.Name, abroad.Source.Authority, abroad.Source.Org = "abroad", "abroad", "college"
	cfg.Tokens = append(cfg.Tokens, abroad)
}

// With approvals: 2 an order for many says how many it expects, or nothing ends. The core holds what says it.
func TestOrdersForManyNeedASecondPerson(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) { cfg.Approvals = 2 })
	b.register("sally@example.edu", "mobile", "phone")
	for _, order := range []string{`"scope": "everyone"`, `"scope": "kind", "kind": "mobile"`, `"scope": "app", "app": "portal"`} {
		b.want(order, b.as("ops", "POST", "/v1/revocations", `{`+order+`, "reason": "theft"}`), 422, "invalid")
		b.want("a preview of "+order, b.as("ops", "POST", "/v1/revocations", `{`+order+`, "reason": "theft", "dry_run": true}`), 200)
	}
	if got := b.form("portal", "/oauth2/introspect", "token=phone"); got.member("active") != true {
		t.Errorf("after refused orders: %s", got.body)
	}
	b.want("one person", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "sally@example.edu"}, "reason": "theft"}`), 201)
}
