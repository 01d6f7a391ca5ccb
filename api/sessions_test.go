package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRegisteredSessionIsLiveUntilItEnds(t *testing.T) {
	t.Parallel()
	b := start(t)
	made := b.want("register", b.as("portal", "POST", "/v1/sessions", `{
		"subject": {"format": "email", "email": "Sally@example.edu"}, "kind": "mobile", "id": "app-7", "token": "new", "sid": "s-9",
		"device": {"id": "ipad-17", "name": "Sally's iPad", "platform": "iPadOS"}, "ip": "192.0.2.7", "user_agent": "Portal/2"}`), 201)
	id, token := made.text("id"), made.text("token")
	if !strings.HasPrefix(token, "cft_") || len(token) != 4+43 {
		t.Errorf("token made here: got %q, want cft_ and 43 characters", token)
	}
	if made.member("live") != true || made.text("app") != "portal" || made.text("id") != "app-7" || made.text("curfew_id") == "" || made.text("device.id") != "ipad-17" || made.text("sid") != "s-9" {
		t.Errorf("answer to a registration: %s", made.body)
	}
	if where := made.header.Get("Location"); where != "/v1/sessions/"+id {
		t.Errorf("Location: got %q, want the session's own", where)
	}
	again := b.want("the same again", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "mobile", "id": "app-7", "token": "new"}`), 200)
	if again.text("id") != id || again.member("token") != nil || again.member("live") != true {
		t.Errorf("the same registration again: %s, want the same session and no token", again.body)
	}
	b.want("other facts", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "id": "app-7"}`), 409, "conflict")
	if got := b.form("portal", "/oauth2/introspect", "token="+token); got.member("active") != true || got.text("sid") != id || got.text("client_id") != "portal" {
		t.Errorf("introspection of a live session: %s", got.body)
	}
	for _, name := range []string{id, "app-7"} {
		if got := b.want("read by "+name, b.as("portal", "GET", "/v1/sessions/"+name, ""), 200); got.text("id") != id {
			t.Errorf("read by %s: %s", name, got.body)
		}
		b.want("read by another app", b.as("library", "GET", "/v1/sessions/"+name, ""), 404, "not-found")
	}
	b.want("ended by another app", b.as("library", "DELETE", "/v1/sessions/app-7", ""), 404, "not-found")
	for range 2 {
		got := b.want("end", b.as("portal", "DELETE", "/v1/sessions/app-7", ""), 200)
		if got.member("live") != false || !strings.Contains(got.text("because.sentence"), "was ended") || got.text("because.scope") != "session" || got.text("because.revocation") == "" {
			t.Errorf("an ended session: %s", got.body)
		}
	}
	if got := b.form("portal", "/oauth2/introspect", "token="+token); got.body != `{"active":false}` {
		t.Errorf("introspection of an ended session: %s", got.body)
	}
	b.want("unknown", b.as("portal", "DELETE", "/v1/sessions/nobody", ""), 404, "not-found")
	if strings.Contains(b.log.String(), token) {
		t.Error("the log holds a session token")
	}
}

func TestRegistrationIsRefusedBeforeItsDetailsAre(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "a-token")
	b.want("block", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "sally@example.edu"}, "reason": "suspended", "block": true}`), 201)
	for name, body := range map[string]string{
		"sound":               `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser"}`,
		"bad optional member": `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "ip": "nowhere"}`,
		"member of odd type":  `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "ip": 7}`,
		"unknown member":      `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "colour": "red"}`,
	} {
		got := b.want(name, b.as("portal", "POST", "/v1/sessions", body), 403, "blocked")
		if !strings.Contains(got.text("detail"), "blocked") {
			t.Errorf("%s: detail %q does not say why", name, got.text("detail"))
		}
	}
	b.want("somebody else, bad optional member", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "tom@example.edu"}, "kind": "browser", "ip": "nowhere"}`), 422, "invalid")
	same := b.want("the same token again, while blocked", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "token": "a-token"}`), 200)
	if same.member("live") != false || same.text("because.scope") != "user" {
		t.Errorf("a session registered before, while its user is blocked: %s", same.body)
	}
}

func TestOldSessionIsOver(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "a-token")
	before := b.store.Clock().Now().String()
	b.store.Moving().Advance(time.Minute)
	b.want("end all", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "sally@example.edu"}, "reason": "theft"}`), 201)
	over := fmt.Sprintf(`{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "mobile", "issued_at": %q`, before)
	b.want("born before the cutoff", b.as("portal", "POST", "/v1/sessions", over+`}`), 403, "over")
	b.want("born before the cutoff, bad optional member", b.as("portal", "POST", "/v1/sessions", over+`, "ip": "x"}`), 403, "over")
	b.want("born now", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "mobile"}`), 201)
}

func TestAppsOwnIDsMayClash(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, app := range []string{"portal", "library"} {
		b.want("register in "+app, b.as(app, "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "id": "a/b%"}`), 201)
	}
	b.want("which one", b.as("ops", "GET", "/v1/sessions/a%2Fb%25", ""), 409, "conflict")
	if got := b.want("that one", b.as("ops", "GET", "/v1/sessions/a%2Fb%25?app=library", ""), 200); got.text("app") != "library" {
		t.Errorf("?app=library: %s", got.body)
	}
	b.want("its own", b.as("portal", "GET", "/v1/sessions/a%2Fb%25", ""), 200)
	b.want("another's", b.as("portal", "GET", "/v1/sessions/a%2Fb%25?app=library", ""), 403, "scope")
	b.want("registered as another's", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "app": "library"}`), 403, "scope")
	b.want("an admin names none", b.as("ops", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser"}`), 422, "invalid")
}

func TestListsHavePages(t *testing.T) {
	t.Parallel()
	b := start(t)
	want := map[string]bool{}
	for i := range 5 {
		want[b.register("sally@example.edu", "browser", fmt.Sprintf("token-%d", i))] = true
	}
	b.register("tom@example.edu", "browser", "token-of-tom")
	path, pages := "/v1/sessions?email=SALLY@example.edu&limit=2", 0
	for path != "" {
		got := b.want("list", b.as("portal", "GET", path, ""), 200)
		pages++
		items, _ := got.member("items").([]any)
		for _, item := range items {
			id, _ := item.(map[string]any)["id"].(string)
			if !want[id] {
				t.Errorf("page %d holds %s, which is not hers or was there before", pages, id)
			}
			delete(want, id)
		}
		path = ""
		if next := got.text("next"); next != "" {
			path = "/v1/sessions?email=SALLY@example.edu&limit=2&cursor=" + next
		} else if !strings.Contains(got.body, `"next":null`) {
			t.Errorf("the last page says %s, want next null", got.body)
		}
	}
	if pages != 3 || len(want) != 0 {
		t.Errorf("got %d pages, %d sessions missing; want 3 and none", pages, len(want))
	}
	for query, total := range map[string]int{
		"email=nobody@example.edu": 0, "": 6, "q=sal": 5, "user_name=sally@example.edu": 0, "id=019aaf3c-5b40-7000-8000-000000000000": 0,
		"iss=https://id.example.edu&sub=7": 0,
	} {
		if got := b.want("list "+query, b.as("portal", "GET", "/v1/sessions?"+query, ""), 200); strings.Count(got.body, `"registered_at"`) != total {
			t.Errorf("list %q: want %d sessions: %s", query, total, got.body)
		}
	}
	if got := b.want("another app's list", b.as("library", "GET", "/v1/sessions?email=sally@example.edu", ""), 200); got.body != `{"items":[],"next":null}` {
		t.Errorf("another app's list: %s", got.body)
	}
	for query, field := range map[string]string{
		"emial=x": "emial", "limit=0": "limit", "limit=1001": "limit", "limit=x": "limit", "cursor=!": "cursor", "email=a&email=b": "email",
		"email=a@b.c&q=xy": "q", "iss=x": "iss", "id=7": "id", "email=": "email",
	} {
		if got := b.want("list "+query, b.as("portal", "GET", "/v1/sessions?"+query, ""), 422, "invalid"); got.text("errors.field") != field {
			t.Errorf("list %q: errors name %q, want %q", query, got.text("errors.field"), field)
		}
	}
}
