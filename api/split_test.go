package api_test

import (
	"fmt"
	"strings"
	"testing"

	"curfew/revoke"
)

// joined registers Sally's session, lets a directory find that she is one of its people, and returns both users.
func (b *bundle) joined() (registered, taught string) {
	b.t.Helper()
	b.register("sally@example.edu", "browser", "laptop")
	registered = b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	taught = b.teach(revoke.Subject{{Namespace: "hr", Value: "1042"}})
	b.teach(revoke.Subject{{Namespace: "hr", Value: "1042"}, {Namespace: revoke.NamespaceEmail, Value: "sally@example.edu"}})
	return registered, taught
}

// teach lets a directory say that the identifiers are one person's, and returns the user that they lead to.
func (b *bundle) teach(who revoke.Subject) string {
	b.t.Helper()
	src := revoke.Source{Name: "hr", Org: "main", Type: "okta", Authority: "hr", IDs: "hr", Learns: true, Rules: map[revoke.SignalKind]revoke.Rule{revoke.IdentifierChanged: {Cut: revoke.AtEvent}}}
	ev := revoke.Event{Type: "test", Signals: []revoke.Signal{{Kind: revoke.IdentifierChanged, OccurredAt: 1e6, Subject: who}}}
	out, err := b.service.Receive(b.t.Context(), revoke.Actor{Kind: "source", Name: "hr"}, src, ev)
	if err != nil {
		b.t.Fatalf("teach %v: %v", who, err)
	}
	return out[0].User.String()
}

func TestSplitTakesAJoinBack(t *testing.T) {
	t.Parallel()
	for _, reversed := range []bool{false, true} {
		b := start(t)
		id, with := b.joined()
		if reversed {
			id, with = with, id
		}
		b.wantLive("joined", map[string]bool{"laptop": true})
		before := b.want("joined", b.as("ops", "GET", "/v1/users/"+id, ""), 200)
		if !strings.Contains(before.body, fmt.Sprintf(`"members":[%q]`, with)) {
			t.Fatalf("not joined: %s", before.body)
		}
		split := fmt.Sprintf(`{"with": %q, "reason": "two people of that name"}`, with)
		got := b.want("split", b.as("ops", "POST", "/v1/users/"+id+"/split", split), 200)
		if got.text("id") != id || !strings.Contains(got.body, `"members":[]`) || got.member("live") != 0.0 {
			t.Errorf("after a split: %s", got.body)
		}
		b.wantLive("both sides were cut", map[string]bool{"laptop": false})
		b.want("split again", b.as("ops", "POST", "/v1/users/"+id+"/split", split), 409, "conflict")
		b.want("block one side", b.as("ops", "POST", "/v1/users/"+id+"/block", `{"reason": "x"}`), 200)
		if other := b.want("the other", b.as("ops", "GET", "/v1/users/"+with, ""), 200); other.member("blocked") != false {
			t.Errorf("a block of one side reached the other: %s", other.body)
		}
		who, why := false, false
		for _, line := range b.store.Audit() {
			who = who || line.Kind == "split" && strings.Contains(string(line.Entry), `"ops"`)
		}
		for _, ev := range b.store.AllEvents() {
			why = why || ev.Type == "split" && ev.Note == "two people of that name"
		}
		if !who || !why {
			t.Errorf("recorded who split them: %t, and why: %t", who, why)
		}
	}
}

func TestSplitsThatMeanNothing(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	id, with := b.joined()
	b.register("tom@example.edu", "browser", "toms")
	toms := b.want("look up", b.as("ops", "GET", "/v1/users?email=tom@example.edu", ""), 200).text("items.id")
	b.want("abroad", b.as("abroad", "POST", "/v1/revocations", `{"scope": "user", "subject": `+tom+`, "reason": "x"}`), 201)
	stranger := b.want("look up abroad", b.as("abroad", "GET", "/v1/users?email=tom@example.edu", ""), 200).text("items.id")
	written := len(b.store.Audit())
	path := "/v1/users/" + id + "/split"
	for _, c := range []struct{ body, field string }{
		{`{"reason": "x"}`, "with"},
		{`{"with": "", "reason": "x"}`, "with"},
		{`{"with": "sally@example.edu", "reason": "x"}`, "with"},
		{`{"with": 7, "reason": "x"}`, "with"},
		{fmt.Sprintf(`{"with": %q, "reason": "x"}`, id), "with"},
		{fmt.Sprintf(`{"with": %q, "reason": "x"}`, stranger), "with"},
		{`{"with": "019aaf3c-5b40-7000-8000-000000000000", "reason": "x"}`, "with"},
		{fmt.Sprintf(`{"with": %q}`, with), "reason"},
		{fmt.Sprintf(`{"with": %q, "reason": "x", "force": true}`, with), "force"},
	} {
		if got := b.want(c.body, b.as("ops", "POST", path, c.body), 422, "invalid"); got.text("errors.field") != c.field {
			t.Errorf("%s: errors are %v, want one of %s", c.body, got.member("errors"), c.field)
		}
	}
	sound := fmt.Sprintf(`{"with": %q, "reason": "x"}`, with)
	b.want("strangers to each other", b.as("ops", "POST", path, fmt.Sprintf(`{"with": %q, "reason": "x"}`, toms)), 409, "conflict")
	b.want("another org's", b.as("abroad", "POST", path, sound), 404, "not-found")
	b.want("nobody's", b.as("ops", "POST", "/v1/users/x/split", sound), 404, "not-found")
	for _, token := range []string{"portal", "soc", "gateway", "edge"} {
		b.want(token, b.as(token, "POST", path, sound), 403, "scope")
	}
	if n := len(b.store.Audit()); n != written {
		t.Errorf("%d lines in the audit log came of splits that mean nothing", n-written)
	}
	b.wantLive("after all that", map[string]bool{"laptop": true, "toms": true})
}

// Three users are one person through the one in the middle: the outer two have no join of their own.
func TestSplitOfUsersWhoMeetInAThird(t *testing.T) {
	t.Parallel()
	b := start(t)
	id, middle := b.joined()
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "phone_number", "phone_number": "+4420"}, "kind": "mobile"}`), 201)
	third := b.want("look up", b.as("ops", "GET", "/v1/users?phone=%2B4420", ""), 200).text("items.id")
	b.teach(revoke.Subject{{Namespace: "hr", Value: "1042"}, {Namespace: revoke.NamespacePhone, Value: "+4420"}})
	got := b.want("the outer two", b.as("ops", "POST", "/v1/users/"+id+"/split", fmt.Sprintf(`{"with": %q, "reason": "x"}`, third)), 409, "conflict")
	if !strings.Contains(got.text("detail"), "through a third user") {
		t.Errorf("splitting users who meet in a third: %s", got.body)
	}
	b.want("the middle", b.as("ops", "POST", "/v1/users/"+middle+"/split", fmt.Sprintf(`{"with": %q, "reason": "x"}`, third)), 200)
}
