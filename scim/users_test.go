package scim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
)

// A creation answers the whole user (RFC 7644 section 3.3).
func TestItem10CreateAnswersTheWholeUser(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	got := b.do("POST", users, user("Sally@Example.edu", "00u1")).must(t, 201)
	id := got.id()
	location := "https://curfew.example.edu/scim/v2/Users/" + id
	if got.Header.Get("Location") != location {
		t.Errorf("Location %q, want %q", got.Header.Get("Location"), location)
	}
	meta, _ := got.json["meta"].(map[string]any)
	if got.Header.Get("ETag") != `W/"1"` || meta["version"] != `W/"1"` || meta["location"] != location || meta["resourceType"] != "User" {
		t.Errorf("ETag %q and meta %v, want version W/\"1\" and location %s in both", got.Header.Get("ETag"), meta, location)
	}
	for _, name := range []string{"created", "lastModified"} {
		if text, _ := meta[name].(string); !strings.HasPrefix(text, "2026-11-23T10:00:00") {
			t.Errorf("meta.%s is %q, want the clock's time", name, text)
		}
	}
	delete(got.json, "meta")
	want := map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": id, "externalId": "00u1", "userName": "Sally@Example.edu", "active": true,
		"name":   map[string]any{"givenName": "Sally", "familyName": "Ride"},
		"emails": []any{map[string]any{"value": "Sally@Example.edu", "type": "work", "primary": true}},
	}
	if diff := cmp.Diff(want, got.json); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if strings.Contains(id, "bulkId") || len(id) != 36 {
		t.Errorf("id %q, want an opaque one", id)
	}
}

func TestItem12DuplicateOfAnActiveUserConflicts(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.sally()
	for name, body := range map[string]map[string]any{
		"same userName in other case": user("SALLY@example.edu", "00u2"),
		"same externalId":             user("other@example.edu", "00u1"),
		"both":                        user("sally@example.edu", "00u1"),
	} {
		got := b.do("POST", users, body).must(t, 409)
		if got.json["scimType"] != "uniqueness" {
			t.Errorf("%s: scimType %v, want uniqueness", name, got.json["scimType"])
		}
	}
	b.do("POST", users, user("other@example.edu", "00U1")).must(t, 201) // externalId compares exactly
}

func TestItem12CreationRestoresTheInactiveOne(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]map[string]any{
		"same externalId, renamed":    user("sally.ride@example.edu", "00u1"),
		"same userName, no id sent":   user("sally@example.edu", ""),
		"same userName in other case": user("Sally@Example.EDU", "00u1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			id := b.sally()
			token := b.login("sally@example.edu")
			b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
			got := b.do("POST", users, again).must(t, 201)
			if got.id() != id || got.json["active"] != true {
				t.Errorf("restored as %s, want id %s and active", got.text, id)
			}
			b.mustBe(token, false, "restoration")
			email, _ := again["userName"].(string)
			if b.blocked(email) {
				t.Error("still blocked after restoration")
			}
		})
	}
}

func TestItem12ContradictingExternalIDIsAnotherPerson(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
	got := b.do("POST", users, user("sally@example.edu", "00u2")).must(t, 201)
	if got.id() == id {
		t.Error("another person got the same id")
	}
	found := b.do("GET", users+`?filter=userName%20eq%20%22sally@example.edu%22`, nil).must(t, 200)
	if diff := cmp.Diff([]string{got.id()}, ids(found)); diff != "" {
		t.Errorf("who answers to the userName (-want +got):\n%s", diff)
	}
}

func TestItem13InactiveCreationStaysInactive(t *testing.T) {
	t.Parallel()
	for _, active := range []any{false, "False", "false"} {
		b := newBundle(t)
		body := user("sally@example.edu", "00u1")
		body["active"] = active
		got := b.do("POST", users, body).must(t, 201)
		if got.json["active"] != false {
			t.Errorf("active %v: shown as %v, want false", active, got.json["active"])
		}
		if !b.blocked("sally@example.edu") {
			t.Errorf("active %v: the person can sign in", active)
		}
	}
}

func TestItem14UserNameIsNeeded(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	for _, name := range []any{"", "   ", nil, strings.Repeat("x", 600)} {
		body := user("x", "00u9")
		body["userName"] = name
		for method, target := range map[string]string{"POST": users, "PUT": users + "/" + id} {
			if got := b.do(method, target, body).must(t, 400); got.json["scimType"] != "invalidValue" {
				t.Errorf("%s with userName %v: scimType %v, want invalidValue", method, name, got.json["scimType"])
			}
		}
		b.do("PATCH", users+"/"+id, patch(map[string]any{"op": "replace", "path": "userName", "value": name})).must(t, 400)
	}
	if got := b.show(id)["userName"]; got != "sally@example.edu" {
		t.Errorf("userName is %v after refused changes", got)
	}
}

func TestItem15InactiveUsersAreShown(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
	if got := b.show(id)["active"]; got != false {
		t.Errorf("GET shows active %v, want false", got)
	}
	for _, target := range []string{users, users + `?filter=userName%20eq%20%22sally@example.edu%22`} {
		list := b.do("GET", target, nil).must(t, 200)
		resources, _ := list.json["Resources"].([]any)
		if len(resources) != 1 || resources[0].(map[string]any)["active"] != false {
			t.Errorf("GET %s shows %s, want the inactive user", target, list.text)
		}
	}
	b.do("GET", users+"/"+strings.ToUpper(id), nil).must(t, 404) // ids compare exactly
	b.do("GET", users+"/nobody", nil).must(t, 404)
}

func TestItem18EchoIsNoChange(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	body := user("sally@example.edu", "00u1")
	body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = map[string]any{"department": "Physics", "manager": map[string]any{"value": "00u7"}}
	body["phoneNumbers"] = []any{map[string]any{"value": "+44 20 7946 0000", "type": "work"}}
	id := b.do("POST", users, body).must(t, 201).id()
	token := b.login("sally@example.edu")
	echo := b.show(id)
	echo["groups"] = []any{map[string]any{"value": "g1"}}
	echo["vendorExtra"] = "x"
	before := b.revocations()
	got := b.do("PUT", users+"/"+id, echo).must(t, 200)
	if got.Header.Get("ETag") != `W/"1"` {
		t.Errorf("ETag %q after an echo, want W/\"1\"", got.Header.Get("ETag"))
	}
	if b.revocations() != before {
		t.Error("an echo made a revocation")
	}
	b.mustBe(token, true, "an echo")

	echo["title"] = "Astronaut"
	if got := b.do("PUT", users+"/"+id, echo).must(t, 200); got.Header.Get("ETag") != `W/"2"` || got.json["title"] != "Astronaut" {
		t.Errorf("a change gave ETag %q and title %v", got.Header.Get("ETag"), got.json["title"])
	}
	delete(echo, "title")
	if got := b.do("PUT", users+"/"+id, echo).must(t, 200); got.json["title"] != nil {
		t.Errorf("title is %v after a PUT without it", got.json["title"])
	}
}

func TestItem18PutKeepsActive(t *testing.T) {
	t.Parallel()
	for _, active := range []bool{true, false} {
		for _, sent := range []string{"omitted", "null"} {
			b := newBundle(t)
			id := b.sally()
			b.do("PATCH", users+"/"+id, patch(op("replace", "active", active))).must(t, 200)
			body := user("sally@example.edu", "00u1")
			if delete(body, "active"); sent == "null" {
				body["active"] = nil
			}
			if got := b.do("PUT", users+"/"+id+"?x;y", body).must(t, 200); got.json["active"] != active {
				t.Errorf("active %v, PUT with active %s: now %v", active, sent, got.json["active"])
			}
			if got := b.blocked("sally@example.edu"); got == active {
				t.Errorf("active %v, PUT with active %s: blocked is %v", active, sent, got)
			}
		}
	}
}

func TestItem18ActiveUnderItsLongName(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	b.do("PUT", users+"/"+id, `{"userName":"sally@example.edu","urn:ietf:params:scim:schemas:core:2.0:User":{"active":"False"},"active":null}`).must(t, 200)
	b.mustBe(token, false, "active false under its long name beside null")
	again := b.revocations()
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", true))).must(t, 200)
	b.login("sally@example.edu")
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
	if b.revocations() == again {
		t.Error("a second deactivation made no revocation")
	}
}

func TestItem18PutIsToTheResourceInThePath(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	body := user("sally@example.edu", "00u1")
	body["id"] = "00000000-0000-7000-8000-000000000001"
	if got := b.do("PUT", users+"/"+id, body).must(t, 400); got.json["scimType"] != "mutability" {
		t.Errorf("scimType %v, want mutability", got.json["scimType"])
	}
	list := map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, "totalResults": 1, "Resources": []any{user("sally@example.edu", "00u1")}}
	if got := b.do("PUT", users+"/"+id, list).must(t, 400); !strings.Contains(got.text, "ListResponse") {
		t.Errorf("detail %s does not say that a ListResponse was sent", got.text)
	}
	b.do("PUT", users+"/00000000-0000-7000-8000-000000000001", user("x", "")).must(t, 404)
}

// Items 26 and 35: a password is heard where it says something, and kept nowhere.
func TestItem26PasswordIsHeardAndNotKept(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery"
	b := newBundle(t)
	body := user("sally@example.edu", "00u1")
	body["password"] = secret
	id := b.do("POST", users, body).must(t, 201).id()
	first := b.login("sally@example.edu")
	b.mustBe(first, true, "a creation with a password")

	b.do("PATCH", users+"/"+id, patch(op("replace", "", map[string]any{"password": secret}))).must(t, 200)
	b.mustBe(first, false, "a PATCH with a password")
	if b.blocked("sally@example.edu") {
		t.Error("a password blocked the user")
	}
	second := b.login("sally@example.edu")
	b.do("PUT", users+"/"+id, body).must(t, 200)
	b.mustBe(second, false, "a PUT with a password")
	third := b.login("sally@example.edu")
	b.do("PATCH", users+"/"+id, patch(op("replace", "password", secret), op("replace", "title", "Dr"))).must(t, 200)
	b.mustBe(third, false, "a PATCH with a password by path")
	fourth := b.login("sally@example.edu")
	for _, nothing := range []any{map[string]any{"password": nil}, map[string]any{"title": "Dr"}} {
		b.do("PATCH", users+"/"+id, patch(op("replace", "", nothing))).must(t, 200)
	}
	b.mustBe(fourth, true, "a PATCH without a password")

	shown := b.show(id)
	if shown["active"] != true || shown["password"] != nil {
		t.Errorf("shown as %v, want active and no password", shown)
	}
	if got := b.do("GET", users+`?filter=password%20sw%20%22c%22`, nil).must(t, 400); got.json["scimType"] != "invalidFilter" {
		t.Errorf("filter by password: %s", got.text)
	}
	kept := b.logged.String() + b.do("GET", users, nil).text
	for _, each := range b.store.Audit() {
		kept += string(each.Entry) + string(each.Person)
	}
	for _, each := range b.store.AllEvents() {
		kept += string(each.Body) + each.Note
	}
	resources, _, err := b.store.Resources(t.Context(), revoke.ResourceQuery{Org: "main", Authority: "okta", Type: "User", Limit: 10})
	if err != nil || len(resources) != 1 {
		t.Fatalf("Resources: %d, %v", len(resources), err)
	}
	if strings.Contains(kept+string(resources[0].Profile), secret) {
		t.Error("the password is kept somewhere")
	}
}

func TestItem27DeletedUsersAreGone(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	if got := b.do("DELETE", users+"/"+id, nil).must(t, 204); got.text != "" {
		t.Errorf("204 with a body %q", got.text)
	}
	b.mustBe(token, false, "DELETE")
	b.do("DELETE", users+"/"+id, nil).must(t, 404)
	b.do("GET", users+"/"+id, nil).must(t, 404)
	b.do("PUT", users+"/"+id, user("sally@example.edu", "00u1")).must(t, 404)
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", true))).must(t, 404)
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 404)
	if got := b.do("GET", users+`?filter=userName%20eq%20%22sally@example.edu%22`, nil).must(t, 200); got.json["totalResults"] != 0.0 {
		t.Errorf("filter after DELETE: %s", got.text)
	}
	if again := b.sally(); again == id {
		t.Error("the id was used again")
	}
	b.mustBe(token, false, "re-creation")
	if b.blocked("sally@example.edu") {
		t.Error("still blocked after re-creation")
	}
}

func TestItem32RenamingKeepsTheSessions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	got := b.do("PATCH", users+"/"+id, patch(op("replace", "", map[string]any{
		"userName": "sally.jones@example.edu", "externalId": "00u1b", `emails[type eq "work"].value`: "sally.jones@example.edu",
	}))).must(t, 200)
	if got.id() != id || got.json["userName"] != "sally.jones@example.edu" || got.json["externalId"] != "00u1b" {
		t.Errorf("renamed to %s", got.text)
	}
	b.mustBe(token, true, "renaming")
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", "False"))).must(t, 200)
	b.mustBe(token, false, "deactivation under the new name")
	for _, name := range []string{"sally@example.edu", "sally.jones@example.edu"} {
		if !b.blocked(name) {
			t.Errorf("%s can sign in", name)
		}
	}
}

func TestItem49TokensSeeOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	stranger := revoke.Source{Name: "other", Org: "main", Type: "scim", Authority: "other", IDs: "other", Learns: true}
	foreign := okta()
	foreign.Org = "school-2"
	for _, src := range []revoke.Source{stranger, foreign} {
		b.as(src, "GET", users+"/"+id, nil).must(t, 404)
		b.as(src, "PUT", users+"/"+id, user("sally@example.edu", "00u1")).must(t, 404)
		b.as(src, "PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 404)
		b.as(src, "PATCH", users+"/"+id, patch(op("replace", "nosuch", 1), op("replace", "active", false))).must(t, 404, 400)
		b.as(src, "DELETE", users+"/"+id, nil).must(t, 404)
		if got := b.as(src, "GET", users, nil).must(t, 200); got.json["totalResults"] != 0.0 {
			t.Errorf("%s of %s sees %s", src.Name, src.Org, got.text)
		}
	}
	b.mustBe(token, true, "requests of others")
	shared := revoke.Source{Name: "okta-scim-new", Org: "main", Type: "scim", Authority: "okta", IDs: "okta", Learns: true}
	b.as(shared, "PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
	b.mustBe(token, false, "a deactivation by a token of the same authority")
}

func ids(r reply) []string {
	out := []string{}
	resources, _ := r.json["Resources"].([]any)
	for _, each := range resources {
		user, _ := each.(map[string]any)
		id, _ := user["id"].(string)
		out = append(out, id)
	}
	return out
}

// A directory teaches every name that a profile carries, and each leads to the person.
func TestItem32ThePersonIsKnownByEveryName(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]struct {
		body map[string]any
		want map[string]string
	}{
		"all": {
			map[string]any{
				"userName": "sally", "externalId": "00u1", "phoneNumbers": []any{map[string]any{"value": "+44 7700 900-000"}},
				"emails": []any{map[string]any{"value": "A@work.example", "type": "work"}, map[string]any{"value": "a@home.example"}},
			},
			map[string]string{"okta": "00u1", "user_name": "sally", "email": "a@home.example", "phone": "+447700900000"},
		},
		"an address as userName": {map[string]any{"userName": "Sally@Example.edu"}, map[string]string{"user_name": "sally@example.edu", "email": "sally@example.edu"}},
	} {
		b := newBundle(t)
		id := b.do("POST", users, each.body).must(t, 201).id()
		for namespace, value := range each.want {
			found, err := b.store.Holders(t.Context(), []revoke.Identifier{{Org: "main", Namespace: namespace, Value: value}})
			if err != nil || len(found) != 1 {
				t.Errorf("%s: %s %q leads to %v, %v, want one user", name, namespace, value, found, err)
			}
		}
		put := map[string]any{"userName": each.body["userName"]}
		if got := b.do("PUT", users+"/"+id, put).must(t, 200); got.json["externalId"] != each.body["externalId"] || got.json["emails"] != nil {
			t.Errorf("%s: a PUT of a userName alone left %s, want the externalId kept and the rest cleared", name, got.text)
		}
		put["externalId"] = nil
		if got := b.do("PUT", users+"/"+id, put).must(t, 200); got.json["externalId"] != nil {
			t.Errorf("%s: externalId is %v after null", name, got.json["externalId"])
		}
	}
	b := newBundle(t)
	b.source.IDs = ""
	b.sally()
	found, err := b.store.Holders(t.Context(), []revoke.Identifier{{Org: "main", Namespace: revoke.NamespaceExternalID, Value: "00u1"}})
	if err != nil || len(found) != 1 {
		t.Errorf("without ids: the externalId leads to %v, %v, want one user", found, err)
	}
}
