package scim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// withIDs puts ids that are not known before a run in the place of the names that committed seeds have for them.
func withIDs(body string, ids ...string) string {
	for i, id := range ids {
		body = strings.ReplaceAll(body, fmt.Sprintf("{%d}", i), id)
	}
	return body
}

// FuzzBulk sends any body to /Bulk: nothing panics, nothing answers 5xx, what the user shows is sane, and whoever is shown inactive
// has no live session.
func FuzzBulk(f *testing.F) {
	for _, body := range []string{
		`{"Operations":[{"method":"PATCH","path":"/Users/{0}","data":{"Operations":[{"op":"Replace","path":"active","value":"False"}]}}]}`,
		`{"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users"},{"method":"DELETE","path":"/Users/{0}","version":"W/\"7\""}]}`,
		`{"Operations":[{"method":"POST","path":"/Groups","bulkId":"a","data":{"displayName":"A","members":[{"value":"bulkId:a"},{"value":"bulkId:b"},{"value":"{0}"}]}},{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"n"}}]}`,
		`{"Operations":[{"method":"PUT","path":"Users/{0}?x","data":{"userName":"sally@example.edu","active":"FALSE","title":"bulkId:x"}}]} x`,
		`{"Operations":{"method":"POST","path":"/Users/.search","data":{}},"failOnErrors":"1"}`, `{"Operations":[null,1,[],{"path":"/Bulk"},{"method":"GET","path":"//"}]}`,
		`{"Operations":[{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"add","path":"members","value":"{0}"}]}},{"method":"POST","path":"/groups/","bulkId":"g","data":{"displayName":"G"}}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		got := b.do("POST", bulkPath, withIDs(body, id))
		if got.StatusCode >= 500 || slices.ContainsFunc(statuses(got), func(s string) bool { return strings.Contains(s, " 5") }) {
			t.Errorf("answered %d %s", got.StatusCode, got.text)
		}
		if b.do("GET", users+"/"+id, nil).StatusCode == 404 {
			b.calm()
			b.mustBe(token, false, "deleted")
			return
		}
		b.sane(id, token)
	})
}

// FuzzGroupPatch sends any body as a PATCH of a group: nothing panics, nothing answers 5xx, the group keeps a name and members that
// exist, once each, and nobody's session ends.
func FuzzGroupPatch(f *testing.F) {
	for _, body := range []string{
		`{"Operations":[{"op":"remove","path":"members[value eq \"{0}\"]"},{"op":"add","path":"members","value":[{"value":"{1}","display":"x"}]}]}`,
		`{"Operations":[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"{0}"}]}]}`, `{"Operations":[{"op":"replace","path":"members","value":[]}]}`,
		`{"Operations":{"op":"add","value":{"members":"{1}","active":false}}}`, `{"Operations":[{"op":"replace","value":{"id":"x","displayName":"N","urn:ietf:params:scim:schemas:core:2.0:Group:members":[]}}]}`,
		`{"Operations":[{"op":"remove","path":"members[value eq \"{0}\" or (value eq \"{1}\" and type eq \"User\")].display"}]}`,
		`{"Operations":[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group","value":{"externalId":null}},{"op":"remove","path":"members"},{"op":"replace","path":"active","value":false}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		b := newBundle(t)
		p := b.people(2)
		token := b.login("m0@example.edu")
		id := b.do("POST", groups, fmt.Sprintf(`{"displayName":"G","members":[{"value":%q}]}`, p[0])).must(t, 201).id()
		before := b.do("GET", groups+"/"+id, nil).text
		got := b.do("PATCH", groups+"/"+id, withIDs(body, p...))
		if got.StatusCode != 204 && got.StatusCode != 400 && got.StatusCode != 409 {
			t.Errorf("answered %d %s", got.StatusCode, got.text)
		}
		b.calm()
		b.mustBe(token, true, "a PATCH of a group")
		after := b.do("GET", groups+"/"+id, nil).must(t, 200)
		if got.StatusCode >= 400 && after.text != before {
			t.Errorf("refused, and yet %s became %s", before, after.text)
		}
		name, _ := after.json["displayName"].(string)
		members := memberIDs(after)
		if strings.TrimSpace(name) == "" || len(slices.Compact(slices.Clone(members))) != len(members) {
			t.Errorf("the group is shown as %s", after.text)
		}
		for _, m := range members {
			b.do("GET", users+"/"+m, nil).must(t, 200)
		}
	})
}

// bulkPiece is an operation of a bulk request, and whether its maker means somebody to leave.
type bulkPiece struct {
	operation map[string]any
	leaves    bool
}

// bulkPieces are operations about a user, as clients write them, alone and beside what is refused.
func bulkPieces(t *rapid.T, id, address string) bulkPiece {
	path := fmt.Sprintf(rapid.SampledFrom([]string{"/Users/%s", "/users/%s/", "Users/%s", "/Users/%s?aadOptscim062020", "https://curfew.example.edu/scim/v2/Users/%s"}).Draw(t, "path"), id)
	is := rapid.Bool().Draw(t, "active")
	value := rapid.SampledFrom(map[bool][]any{true: {true, "true", "True"}, false: {false, "false", "False", "FALSE"}}[is]).Draw(t, "spelled")
	p := bulkPiece{operation: map[string]any{"path": path}, leaves: !is}
	if rapid.IntRange(0, 5).Draw(t, "stale") == 0 {
		p.operation["version"] = `W/"999"`
	}
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		p.operation["method"], p.leaves = rapid.SampledFrom([]string{"DELETE", "delete"}).Draw(t, "method"), true
	case 1:
		name := rapid.SampledFrom([]string{"Replace", "add"}).Draw(t, "op")
		operations := []map[string]any{rapid.SampledFrom([]map[string]any{
			op(name, "active", value), op(name, " Active", value), op(name, core+":active", value), op(name, "", map[string]any{"ACTIVE": value}),
		}).Draw(t, "operation")}
		operations = append(operations, rapid.SliceOfN(rapid.SampledFrom([]map[string]any{
			op("replace", "nosuch", 1), op("replace", "title", "bulkId:never"), op("replace", "title", "x"), op("remove", "active", nil),
		}), 0, 2).Draw(t, "beside")...)
		p.operation["method"], p.operation["data"] = "Patch", patch(operations...)
	case 2:
		p.operation["method"], p.operation["data"] = "PUT", map[string]any{
			"userName": rapid.SampledFrom([]string{address, " "}).Draw(t, "userName"), "active": value, "title": rapid.SampledFrom([]any{"x", 7, "bulkId:never"}).Draw(t, "title"),
		}
	case 3:
		p.leaves = false
		p.operation = rapid.SampledFrom([]map[string]any{
			{"method": "PATCH", "path": path, "data": patch(op("replace", "title", "active"))},
			{"method": "PUT", "path": path, "data": map[string]any{"userName": address}},
			{"method": "PATCH", "path": path, "data": patch(op("replace", "", map[string]any{"meta": map[string]any{"active": false}, "urn:acme:2.0:User:active": false}))},
		}).Draw(t, "harmless")
	default:
		p.leaves = false
		p.operation = rapid.SampledFrom([]map[string]any{
			{"method": "DELETE", "path": "/Users", "data": map[string]any{"userName": address}},
			{"method": "PATCH", "path": "/Users", "data": map[string]any{"userName": address, "active": false}},
			{"method": "PATCH", "path": "/Groups/" + id, "data": patch(op("replace", "active", false))},
			{"method": "DELETE", "path": "/Groups/" + id},
			{"method": "DELETE", "path": "/Users/" + id + "/x/y"},
			{"method": "GET", "path": path},
			{"path": path, "data": map[string]any{"active": false}},
			{"method": "DELETE", "path": "https://example.edu/Users/" + id},
			{"method": "PATCH", "path": path, "data": patch(op("replace", "active", 0))},
			{"method": "PATCH", "path": path, "data": patch(op("remove", "active", nil))},
			{"method": "PUT", "path": path, "data": map[string]any{"userName": address, "active": []any{false}}},
			{"method": "POST", "path": "/Bulk", "data": map[string]any{"Operations": []any{map[string]any{"method": "DELETE", "path": path}}}},
		}).Draw(t, "meaningless")
	}
	return p
}

// Whoever makes a bulk request knows whom it means (items 23 and 48): they are signed out, and nobody else, whether operations, the
// whole or what stands behind failOnErrors are refused or not.
func TestBulkMeansWhatItSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		b := newBundle(t)
		const people = 3
		var ids, phones [people]string
		var leaves [people]bool
		address := func(i int) string { return fmt.Sprintf("m%d@example.edu", i) }
		for i := range people {
			ids[i] = b.do("POST", users, user(address(i), "")).must(t, 201).id()
			phones[i] = b.login(address(i))
		}
		body := map[string]any{"failOnErrors": rapid.SampledFrom([]any{0, 1, 2, nil, "x"}).Draw(r, "failOnErrors")}
		operations := []any{map[string]any{"method": "POST", "path": "/Users", "bulkId": "never", "data": map[string]any{}}}
		for range rapid.IntRange(1, 6).Draw(r, "operations") {
			who := rapid.IntRange(0, people-1).Draw(r, "who")
			p := bulkPieces(r, ids[who], address(who))
			operations = append(operations, p.operation)
			leaves[who] = leaves[who] || p.leaves
		}
		body["Operations"] = operations
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		behind := rapid.SampledFrom([]string{"", "", " x"}).Draw(r, "behind")
		got := b.do("POST", bulkPath, string(raw)+behind)
		if want := map[bool]int{true: 400, false: 200}[behind != "" || body["failOnErrors"] == "x"]; got.StatusCode != want {
			r.Fatalf("%s%s: answered %d %s, want %d", raw, behind, got.StatusCode, got.text, want)
		}
		b.calm()
		for i, phone := range phones {
			if b.live(phone) == leaves[i] || !leaves[i] && b.blocked(address(i)) {
				r.Fatalf("%s%s: user %d: live %v, want %v; answered %s", raw, behind, i, b.live(phone), !leaves[i], got.text)
			}
		}
	})
}
