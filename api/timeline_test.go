package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

// moment is what a test looks at in a timeline.
type moment struct {
	At         revoke.Instant
	What       string
	User, With string
	Session    struct{ ID string }
	Revocation struct {
		ID, Scope, Reason, Session string
		Actor                      struct{ Name string }
	}
	Identifier struct{ Value string }
	Authority  string
	Plan       struct {
		Effective revoke.Instant `json:"effective_at"`
	}
}

// timeline reads all pages of a given length.
func (b *bundle) timeline(user string, limit int) []moment {
	b.t.Helper()
	var all []moment
	next := ""
	for range 200 {
		got := b.want("timeline", b.as("ops", "GET", fmt.Sprintf("/v1/users/%s/timeline?limit=%d%s", user, limit, next), ""), 200)
		var page struct {
			Items []moment
			Next  *string
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil {
			b.t.Fatalf("read %s: %v", got.body, err)
		}
		if all = append(all, page.Items...); len(page.Items) > limit {
			b.t.Fatalf("a page of %d has %d moments", limit, len(page.Items))
		}
		if page.Next == nil {
			return all
		}
		if strings.Contains(decoded(*page.Next), "sally") {
			b.t.Errorf("a cursor names people: %s", decoded(*page.Next))
		}
		next = "&cursor=" + *page.Next
	}
	b.t.Fatal("a timeline has no end")
	return nil
}

func TestTimelineTellsAPersonsStory(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	step := func() { b.store.Moving().Advance(time.Minute) }
	user, taught := b.joined()
	step()
	b.want("a phone", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "mobile", "id": "phone"}`), 201)
	step()
	b.want("end it", b.as("portal", "DELETE", "/v1/sessions/phone", ""), 200)
	step()
	b.want("block", b.as("ops", "POST", "/v1/users/"+user+"/block", `{"reason": "left"}`), 200)
	step()
	b.want("lift", b.as("ops", "POST", "/v1/users/"+user+"/lift", `{"reason": "came back"}`), 200)
	joins := 0
	for _, m := range b.timeline(user, 100) {
		if m.What == "joined" {
			joins++
		}
	}
	if joins != 1 {
		t.Errorf("one join is told %d times", joins)
	}
	step()
	b.want("split", b.as("ops", "POST", "/v1/users/"+user+"/split", fmt.Sprintf(`{"with": %q, "reason": "x"}`, taught)), 200)
	if all := b.timeline(taught, 100); slices.ContainsFunc(all, func(m moment) bool { return m.What == "session-began" }) {
		t.Errorf("after a split the other's sessions are in the timeline: %+v", all)
	}
	b.teach(revoke.Subject{{Namespace: "hr", Value: "1042"}, {Namespace: revoke.NamespaceUserName, Value: "sally"}})
	hr := revoke.Source{Name: "hr", Org: "main", Type: "okta", Authority: "hr", IDs: "hr", Learns: true}
	leaves := b.store.Clock().Now().Add(48 * time.Hour)
	if _, err := b.service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "hr"}, hr, revoke.Event{Type: "leaves", Signals: []revoke.Signal{
		{Kind: revoke.Terminated, Planned: true, EffectiveAt: leaves, Subject: revoke.Subject{{Namespace: "hr", Value: "1042"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range slices.Backward(b.timeline(user, 100)) {
		told = append(told, m.What)
	}
	if want := []string{"session-began", "identifier-gained", "joined", "session-began", "ended", "blocked", "lifted", "split"}; !slices.Equal(told, want) {
		t.Errorf("the story of %s is %q, want %q", user, told, want)
	}
	whole := b.timeline(user, 100)
	at := slices.IndexFunc(whole, func(m moment) bool { return m.What == "lifted" })
	if at < 0 || whole[at].Revocation.Reason != "came back" || whole[at].Revocation.Actor.Name != "ops" {
		t.Errorf("who lifted why is not in %+v", whole)
	}
	other := b.timeline(taught, 100)
	at = slices.IndexFunc(other, func(m moment) bool { return m.What == "planned" })
	if at < 0 || other[at].Plan.Effective != leaves || other[at].Authority != "hr" {
		t.Errorf("no plan in %+v", other)
	}
	// However it is cut into pages, it is one list, newest first.
	for limit := 1; limit < len(whole); limit++ {
		if parts := b.timeline(user, limit); !slices.Equal(parts, whole) {
			t.Errorf("in pages of %d: %+v, want %+v", limit, parts, whole)
		}
	}
	if !slices.IsSortedFunc(whole, func(x, y moment) int { return int(y.At - x.At) }) {
		t.Errorf("not newest first: %+v", whole)
	}
	for _, path := range []string{"019aaf3c-5b40-7000-8000-000000000000", "x"} {
		b.want("nobody", b.as("ops", "GET", "/v1/users/"+path+"/timeline", ""), 404, "not-found")
	}
	b.want("another org", b.as("abroad", "GET", "/v1/users/"+user+"/timeline", ""), 404, "not-found")
	b.want("a parameter that is none", b.as("ops", "GET", "/v1/users/"+user+"/timeline?since=x", ""), 422, "invalid")
	b.want("a cursor that is none", b.as("ops", "GET", "/v1/users/"+user+"/timeline?cursor=x", ""), 422, "invalid")
}

// TestTimelineStaysInOrderWhileThingsHappen reads pages of a story that goes on between them, at instants that many share.
func TestTimelineStaysInOrderWhileThingsHappen(t *testing.T) {
	t.Parallel()
	b := start(t)
	for i := range 9 {
		if b.register("sally@example.edu", "browser", fmt.Sprint("t", i)); i%3 == 0 {
			b.order(sally)
		}
	}
	b.order(sally) // a first page that ends before the first session
	user := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	whole := b.timeline(user, 100)
	if len(whole) != 9+4+1 {
		t.Fatalf("%d moments, want 9 sessions, 4 revocations and an address: %+v", len(whole), whole)
	}
	for limit := 1; limit < 6; limit++ {
		var read []moment
		next := ""
		for range 50 {
			got := b.want("page", b.as("ops", "GET", fmt.Sprintf("/v1/users/%s/timeline?limit=%d%s", user, limit, next), ""), 200)
			var page struct {
				Items []moment
				Next  *string
			}
			if err := json.Unmarshal([]byte(got.body), &page); err != nil {
				t.Fatal(err)
			}
			read = append(read, page.Items...)
			b.order(sally)
			b.register("sally@example.edu", "browser", fmt.Sprint("more", limit, len(read)))
			if page.Next == nil {
				break
			}
			next = "&cursor=" + *page.Next
		}
		if len(read) < len(whole) || !slices.Equal(read[len(read)-len(whole):], whole) {
			t.Errorf("in pages of %d, with more happening meanwhile: %+v, want it to end in %+v", limit, read, whole)
		}
	}
}

func TestAPersonShowsPlansAndLastUse(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "mobile", "id": "phone", "token": "phone", "device": {"id": "ipad-17"}}`), 201)
	user := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	got := b.want("show", b.as("ops", "GET", "/v1/users/"+user, ""), 200)
	if got.member("sessions.last_used") != nil || !strings.Contains(got.body, `"plans":[]`) {
		t.Errorf("nothing was used or announced: %s", got.body)
	}
	id, err := revoke.ParseID(got.text("sessions.curfew_id"))
	if err != nil {
		t.Fatal(err)
	}
	used := b.store.Moving().Advance(time.Hour)
	if err := b.store.Used(t.Context(), []revoke.Use{{Org: "main", Session: id, At: used}}); err != nil {
		t.Fatal(err)
	}
	hr := revoke.Source{Name: "hr", Org: "main", Type: "okta", Authority: "hr", IDs: "hr", Learns: true}
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, "sally@example.edu")
	if _, err := b.service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "hr"}, hr, revoke.Event{Type: "leaves", Signals: []revoke.Signal{
		{Kind: revoke.Terminated, Planned: true, EffectiveAt: used.Add(time.Hour), Subject: who},
	}}); err != nil {
		t.Fatal(err)
	}
	got = b.want("show", b.as("ops", "GET", "/v1/users/"+user, ""), 200)
	if got.text("sessions.last_used") != used.String() || got.text("devices.last_used") != used.String() {
		t.Errorf("used at %s: %s", used, got.body)
	}
	if got.text("plans.authority") != "hr" || got.text("plans.effective_at") != used.Add(time.Hour).String() || got.member("blocked") != false {
		t.Errorf("a plan: %v", got.member("plans"))
	}
	if one := b.want("the session", b.as("portal", "GET", "/v1/sessions/phone", ""), 200); one.text("last_used") != used.String() {
		t.Errorf("used at %s: %s", used, one.body)
	}
}
