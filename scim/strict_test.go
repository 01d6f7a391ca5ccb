package scim_test

import (
	"strings"
	"testing"

	"curfew/scim"
)

// TestStrict holds each rule of the profile, with what is refused beside a deactivation, and that a token that is not strict is not held to it.
func TestStrict(t *testing.T) {
	t.Parallel()
	const (
		core   = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
		op     = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`
		leaves = `{"op":"replace","path":"active","value":false}`
	)
	one := func(operation string) string { return `{` + op + `,"Operations":[` + operation + `,` + leaves + `]}` }
	put := func(more string) string {
		return `{` + core + `,"userName":"sally@example.edu","active":false,` + more + `}`
	}
	for name, c := range map[string]struct{ method, body, scimType, names string }{
		"an undefined attribute":          {"PUT", put(`"shoeSize":44`), "invalidSyntax", "shoeSize"},
		"an undefined sub-attribute":      {"PUT", put(`"name":{"nickName":"x"}`), "invalidSyntax", "name.nickName"},
		"one of an element":               {"PUT", put(`"emails":[{"value":"a@example.edu","verified":true}]`), "invalidSyntax", "emails.verified"},
		"a custom extension":              {"PUT", put(`"urn:acme:User":{"a":"b"}`), "invalidSyntax", "urn:acme:User"},
		"one in the enterprise extension": {"PUT", put(`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"shoe":"x"}`), "invalidSyntax", "shoe"},
		"manager without its schema":      {"PUT", put(`"manager":{"value":"x"}`), "invalidSyntax", "manager"},
		"manager as text":                 {"PUT", put(`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"x"}`), "invalidValue", "manager"},
		"a password":                      {"PUT", put(`"password":"hidden"`), "invalidValue", "password"},
		"roles as text":                   {"PUT", put(`"roles":["x"]`), "invalidValue", "roles"},
		"one e-mail without a list":       {"PUT", put(`"emails":{"value":"a@example.edu"}`), "invalidValue", "emails"},
		"a boolean as text":               {"PUT", `{` + core + `,"userName":"sally@example.edu","active":"False"}`, "invalidValue", "active"},
		"no schemas":                      {"PUT", `{"userName":"sally@example.edu","active":false}`, "invalidSyntax", "schemas"},
		"another schema":                  {"PUT", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:acme:User"],"userName":"sally@example.edu","active":false}`, "invalidSyntax", "urn:acme:User"},
		"no path":                         {"PATCH", `{` + op + `,"Operations":[{"op":"replace","value":{"active":false}}]}`, "invalidPath", "path"},
		"an undefined path":               {"PATCH", one(`{"op":"add","path":"shoeSize","value":"x"}`), "invalidSyntax", "shoeSize"},
		"a path in a custom extension":    {"PATCH", one(`{"op":"add","path":"urn:acme:User:a","value":"x"}`), "invalidSyntax", "urn:acme:User:a"},
		"an undefined one in a value":     {"PATCH", one(`{"op":"add","path":"name","value":{"shoe":"x"}}`), "invalidSyntax", "name.shoe"},
		"a password by path":              {"PATCH", one(`{"op":"replace","path":"password","value":"hidden"}`), "invalidValue", "password"},
		"active as text":                  {"PATCH", `{` + op + `,"Operations":[{"op":"Replace","path":"active","value":"False"}]}`, "invalidValue", "active"},
		"a member of an operation":        {"PATCH", one(`{"op":"add","path":"title","name":"x","value":"x"}`), "invalidSyntax", "Operations.name"},
		"a PATCH without schemas":         {"PATCH", `{"Operations":[` + leaves + `]}`, "invalidSyntax", "schemas"},
		"primary as text":                 {"PATCH", one(`{"op":"replace","path":"emails[type eq \"work\"].primary","value":"true"}`), "invalidValue", "primary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			id := b.sally()
			token := b.login("sally@example.edu")
			lenient := b.door
			b.door = scim.Strict(b.door, []string{"other", "okta-scim"})
			r := b.do(c.method, users+"/"+id, c.body).must(t, 400)
			if r.json["scimType"] != c.scimType || !strings.Contains(r.text, c.names) || strings.Contains(r.text, "hidden") {
				t.Errorf("answered %s, want %s and %q", r.text, c.scimType, c.names)
			}
			b.mustBe(token, false, "a refused deactivation") // item 23
			if got := b.show(id); got["active"] != true || got["title"] != nil {
				t.Errorf("the user became %v", got)
			}
			b.door = scim.Strict(lenient, []string{"other"})
			b.do(c.method, users+"/"+id, c.body).must(t, 200, 400)
		})
	}
}

// TestStrictTakesWhatTheProfileHas holds that a client of the profile is served, over Bulk and for groups too.
func TestStrictTakesWhatTheProfileHas(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.door = scim.Strict(b.door, []string{"okta-scim"})
	u := user("sally@example.edu", "00u1")
	u["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = map[string]any{"department": "x", "manager": map[string]any{"value": "y"}}
	u["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}
	made := b.do("POST", users, u).must(t, 201)
	at := users + "/" + made.id()
	group := b.do("POST", "/scim/v2/Groups", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Staff", "members": []any{map[string]any{"value": made.id()}}}).must(t, 201).id()
	b.do("PUT", at, b.do("GET", at, nil).text).must(t, 200) // an echo, with id, meta and groups
	b.do("PATCH", at, patch(
		op("replace", "name.givenName", "Sal"), op("add", "emails", []any{map[string]any{"value": "s@example.edu", "type": "home"}}),
		op("replace", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "z"), op("remove", `emails[type eq "home"]`, nil),
	)).must(t, 200)
	b.do("PATCH", "/scim/v2/Groups/"+group, patch(op("remove", `members[value eq "`+made.id()+`"]`, nil), op("add", "members", []any{map[string]any{"value": made.id()}}))).must(t, 204)
	for _, bad := range []map[string]any{patch(op("replace", "", map[string]any{"displayName": "x"})), patch(op("add", "colour", "x")), patch(op("add", "members", "x"))} {
		b.do("PATCH", "/scim/v2/Groups/"+group, bad).must(t, 400)
	}
	token := b.login("sally@example.edu")
	r := b.do("POST", bulkPath, `{"Operations":[{"method":"PATCH","path":"/Users/`+made.id()+`","data":{"Operations":[{"op":"replace","value":{"active":false}}]}}]}`).must(t, 200)
	if got := statuses(r); len(got) != 1 || got[0] != "PATCH 400" {
		t.Errorf("Bulk answered %v, want its operation refused", got)
	}
	b.mustBe(token, false, "a refused deactivation in Bulk")

	lenient := okta()
	lenient.Name = "another"
	for strict, door := range map[bool]reply{
		true:  b.do("GET", "/scim/v2/ServiceProviderConfig", nil),
		false: b.as(lenient, "GET", "/scim/v2/ServiceProviderConfig", nil),
	} {
		if door.json["interopProfileConformant"] != strict || door.json["changePassword"].(map[string]any)["supported"] == strict {
			t.Errorf("strict %v: ServiceProviderConfig %s", strict, door.text)
		}
	}
}
