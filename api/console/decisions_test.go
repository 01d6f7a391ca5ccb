package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

// S13: a policy is shown with what it would end, and set once that number was typed.
func TestPoliciesAreSetByTheirCount(t *testing.T) {
	o := newOffice(t)
	phone, laptop := o.signIn("sally@example.edu", "phone", revoke.Mobile), o.signIn("sally@example.edu", "laptop", revoke.Browser)
	text, _ := o.page(200, "GET", "/console/policies", nil)
	o.has("no policy", text, "Nothing is asked of sessions")
	form := func(do, confirm string) url.Values {
		return url.Values{"do": {do}, "kind": {"mobile"}, "allowed": {"no"}, "reason": {"exams"}, "confirm": {confirm}}
	}
	text, _ = o.page(200, "POST", "/console/policies", form("try", ""))
	o.has("the preview", text, "would end 1 live session now", "Type 1 to go on", `name="reason" value="exams"`)
	for _, wrong := range []string{"", "2", "one"} {
		o.page(422, "POST", "/console/policies", form("set", wrong))
		if !o.live(phone) {
			t.Fatalf("typing %q ended the phone", wrong)
		}
	}
	if _, to := o.page(303, "POST", "/console/policies", form("set", "1")); to != "/console/policies?done=set" || o.live(phone) || !o.live(laptop) {
		t.Errorf("set: to %q, live: phone %v, laptop %v, want only the laptop", to, o.live(phone), o.live(laptop))
	}
	text, _ = o.page(200, "GET", "/console/policies", nil)
	o.has("one policy", text, "not allowed", "exams", "ada@example.edu")
	text, _ = o.page(422, "POST", "/console/policies", url.Values{"do": {"try"}, "kind": {"browser"}, "allowed": {"yes"}, "idle": {"soon"}, "reason": {"x"}})
	o.has("no time", text, "idle is not a time")
	text, _ = o.page(422, "POST", "/console/policies", url.Values{"do": {"try"}, "kind": {"browser"}, "group": {"nobody's"}, "idle": {"15m"}, "reason": {"x"}})
	o.has("no group", text, "is no group")
	o.page(303, "POST", "/console/policies/remove", url.Values{"kind": {"mobile"}, "group": {""}, "reason": {"over"}})
	text, _ = o.page(200, "GET", "/console/policies", nil)
	o.has("removed", text, "Nothing is asked of sessions")
	if o.live(phone) {
		t.Error("without the policy the phone came back")
	}
}

// S11: many are counted, and ended once that number was typed.
func TestManyAreEndedByTheirCount(t *testing.T) {
	o := newOffice(t)
	phone, laptop := o.signIn("sally@example.edu", "phone", revoke.Mobile), o.signIn("ben@example.edu", "laptop", revoke.Browser)
	form := func(do, confirm string, more ...string) url.Values {
		f := url.Values{"do": {do}, "scope": {"kind"}, "kind": {"mobile"}, "reason": {"a leak"}, "confirm": {confirm}}
		for i := 0; i < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	text, _ := o.page(200, "POST", "/console/many", form("try", ""))
	o.has("the preview", text, "would end 1 live session", "all mobile sessions", "Type 1 to go on")
	for _, wrong := range []string{"", "0", "2", "-1", "1e0"} {
		o.page(422, "POST", "/console/many", form("end", wrong))
		if !o.live(phone) {
			t.Fatalf("typing %q ended the phone", wrong)
		}
	}
	text, _ = o.page(422, "POST", "/console/many", form("try", "", "scope", "app", "app", ""))
	o.has("no app", text, "app")
	_, to := o.page(303, "POST", "/console/many", form("end", "1"))
	if !strings.HasPrefix(to, "/console/revocations/") || o.live(phone) || !o.live(laptop) {
		t.Fatalf("end: to %q, live: phone %v, laptop %v, want only the laptop", to, o.live(phone), o.live(laptop))
	}
	text, _ = o.page(200, "GET", to, nil)
	o.has("the revocation", text, "a leak")
}

// What ends other people's sessions takes a proof that is no older than 15 minutes, and what is sent without one changes nothing.
func TestOrdersTakeAFreshProof(t *testing.T) {
	o := newOffice(t)
	phone := o.signIn("sally@example.edu", "phone", revoke.Mobile)
	o.who.ProvedAt = o.store.Clock().Now().Add(-16 * time.Minute)
	person := "/console/people/" + phone.User.String()
	for _, path := range []string{"/console/many", person + "/end", person + "/block"} {
		if _, to := o.page(303, "GET", path, nil); !strings.HasPrefix(to, "/login?next=") || !strings.Contains(to, "step_up=1") {
			t.Errorf("GET %s with an old proof went to %q, want to prove again", path, to)
		}
	}
	for _, path := range []string{"/console/many", "/console/policies", "/console/policies/remove", "/console/schedules", person + "/end", person + "/block"} {
		text, _ := o.page(403, "POST", path, url.Values{
			"do": {"end"}, "scope": {"everyone"}, "kind": {"mobile"}, "allowed": {"no"}, "confirm": {"1"}, "reason": {"x"}, "how": {"now"}, "name": {"n"},
		})
		o.has(path, text, "step_up=1")
	}
	if !o.live(phone) || len(o.store.AllEvents()) != 0 {
		t.Errorf("with an old proof: the phone lives: %v, and %d events, want true and none", o.live(phone), len(o.store.AllEvents()))
	}
}
