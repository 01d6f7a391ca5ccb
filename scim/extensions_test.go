package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const acme = "urn:acme:params:scim:schemas:extension:2.0:User"

func TestCustomExtensionIsKeptAndShown(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	u := user("sally@example.edu", "00u1")
	u["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:User", acme}
	sent := map[string]any{"costCentre": "4711", "grade": 9007199254740993, "tags": []any{"a", "b"}, "desk": map[string]any{"floor": 3, "window": true}}
	u[acme] = map[string]any{"costCentre": "4711", "grade": 9007199254740993, "tags": []any{"a", "b"}, "desk": map[string]any{"floor": 3, "window": true}, "Password": "hidden-1", "none": nil}
	u["urn:acme:PassWord"] = "hidden-2"
	u["urn:ietf:params:scim:schemas:core:2.0:Group"] = map[string]any{"displayName": "no"}
	made := b.do("POST", users, u).must(t, 201)
	at := users + "/" + made.id()
	if !strings.Contains(made.text, `"grade":9007199254740993`) {
		t.Errorf("POST answered %s, want the number as it was sent", made.text)
	}
	sent["grade"] = float64(9007199254740993)
	sent["desk"] = map[string]any{"floor": float64(3), "window": true}
	for _, r := range []reply{made, b.do("GET", at, nil)} {
		if diff := cmp.Diff(any(sent), r.json[acme]); diff != "" {
			t.Errorf("the extension is not what was sent (-want +got):\n%s", diff)
		}
		if got := r.json["schemas"].([]any); !slices.Contains(got, any(acme)) || len(got) != 2 {
			t.Errorf("schemas %v, want the core's and %s", got, acme)
		}
		if strings.Contains(r.text, "hidden-") || r.json["urn:ietf:params:scim:schemas:core:2.0:Group"] != nil {
			t.Errorf("answered %s, want no password and nothing under a reserved URN", r.text)
		}
	}
	list := b.do("GET", users, nil).must(t, 200)
	if !strings.Contains(list.text, `"costCentre":"4711"`) {
		t.Errorf("the list lacks the extension: %s", list.text)
	}
	echo := b.do("PUT", at, b.do("GET", at, nil).text).must(t, 200)
	if echo.json["meta"].(map[string]any)["version"] != made.json["meta"].(map[string]any)["version"] {
		t.Error("an echo made a new version")
	}
	for query, want := range map[string]any{
		"?attributes=" + acme + ":costCentre":                     map[string]any{"costCentre": "4711"},
		"?attributes=" + acme:                                     any(sent),
		"?attributes=userName":                                    nil,
		"?excludedAttributes=" + acme:                             nil,
		"?excludedAttributes=" + acme + ":tags," + acme + ":desk": map[string]any{"costCentre": "4711", "grade": float64(9007199254740993)},
	} {
		if diff := cmp.Diff(want, b.do("GET", at+query, nil).must(t, 200).json[acme]); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", query, diff)
		}
	}
	// A PUT clears what it leaves out (RFC 7644 section 3.5.1).
	if r := b.do("PUT", at, user("sally@example.edu", "00u1")).must(t, 200); r.json[acme] != nil || len(r.json["schemas"].([]any)) != 1 {
		t.Errorf("PUT without the extension answered %s", r.text)
	}
	for _, filter := range []string{acme + `:costCentre eq "4711"`, acme + `:tags[value eq "a"]`} {
		if r := b.do("GET", users+"?filter="+escaped(filter), nil).must(t, 400); r.json["scimType"] != "invalidFilter" {
			t.Errorf("filter %s answered %s", filter, r.text)
		}
	}
}

func escaped(filter string) string {
	return strings.NewReplacer(" ", "%20", `"`, "%22", "[", "%5B", "]", "%5D").Replace(filter)
}

func TestCustomExtensionIsPatched(t *testing.T) {
	t.Parallel()
	before := map[string]any{"costCentre": "4711", "tags": []any{"a", "b"}, "desk": map[string]any{"floor": float64(3), "room": "x"}}
	for name, c := range map[string]struct {
		operations []map[string]any
		want       any
	}{
		"colon path":             {[]map[string]any{op("replace", acme+":costCentre", "1")}, map[string]any{"costCentre": "1", "tags": before["tags"], "desk": before["desk"]}},
		"any case":               {[]map[string]any{op("Replace", strings.ToUpper(acme)+":COSTCENTRE", "1")}, map[string]any{"costCentre": "1", "tags": before["tags"], "desk": before["desk"]}},
		"new attribute":          {[]map[string]any{op("add", acme+":badge", true)}, map[string]any{"costCentre": "4711", "tags": before["tags"], "desk": before["desk"], "badge": true}},
		"whole":                  {[]map[string]any{op("replace", acme, map[string]any{"costCentre": "1", "tags": nil})}, map[string]any{"costCentre": "1", "desk": before["desk"]}},
		"no path":                {[]map[string]any{op("replace", "", map[string]any{acme: map[string]any{"costCentre": "1"}})}, map[string]any{"costCentre": "1", "tags": before["tags"], "desk": before["desk"]}},
		"no path, colon key":     {[]map[string]any{op("add", "", map[string]any{acme + ":costCentre": "1", "title": "x"})}, map[string]any{"costCentre": "1", "tags": before["tags"], "desk": before["desk"]}},
		"sub-attribute":          {[]map[string]any{op("replace", acme+":desk.floor", 4)}, map[string]any{"costCentre": "4711", "tags": before["tags"], "desk": map[string]any{"floor": float64(4), "room": "x"}}},
		"complex merges":         {[]map[string]any{op("replace", acme+":desk", map[string]any{"floor": 4})}, map[string]any{"costCentre": "4711", "tags": before["tags"], "desk": map[string]any{"floor": float64(4), "room": "x"}}},
		"list grows once":        {[]map[string]any{op("add", acme+":tags", []any{"b", "c"})}, map[string]any{"costCentre": "4711", "tags": []any{"a", "b", "c"}, "desk": before["desk"]}},
		"value leaves":           {[]map[string]any{op("remove", acme+":tags", []any{"b"})}, map[string]any{"costCentre": "4711", "tags": []any{"a"}, "desk": before["desk"]}},
		"last values leave":      {[]map[string]any{op("remove", acme+":tags", []any{"b", "a"})}, map[string]any{"costCentre": "4711", "desk": before["desk"]}},
		"attribute leaves":       {[]map[string]any{op("remove", acme+":tags", nil)}, map[string]any{"costCentre": "4711", "desk": before["desk"]}},
		"sub-attributes leave":   {[]map[string]any{op("remove", acme+":desk.floor", nil), op("remove", acme+":desk.room", nil)}, map[string]any{"costCentre": "4711", "tags": before["tags"]}},
		"whole leaves":           {[]map[string]any{op("remove", acme, nil)}, nil},
		"unknown leaves":         {[]map[string]any{op("remove", "urn:other:ext:User:x", nil)}, any(before)},
		"password does not pass": {[]map[string]any{op("add", acme+":Password", "hidden"), op("add", acme, map[string]any{"passWORD": "hidden"}), op("add", acme+":desk.password", "hidden")}, any(before)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			u := user("sally@example.edu", "00u1")
			u[acme] = before
			at := users + "/" + b.do("POST", users, u).must(t, 201).id()
			r := b.do("PATCH", at, patch(c.operations...)).must(t, 200)
			if diff := cmp.Diff(c.want, r.json[acme]); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", c.operations, diff)
			}
			if strings.Contains(r.text, "hidden") {
				t.Errorf("a password was kept: %s", r.text)
			}
			if got := b.do("GET", at, nil).must(t, 200); cmp.Diff(c.want, got.json[acme]) != "" {
				t.Errorf("GET shows %v, want %v", got.json[acme], c.want)
			}
		})
	}
}

// TestCustomExtensionIsBounded holds that what is too much is refused, while a deactivation beside it is not lost.
func TestCustomExtensionIsBounded(t *testing.T) {
	t.Parallel()
	many := map[string]any{}
	for i := range 1100 {
		many[fmt.Sprint("a", i)] = i
	}
	half := map[string]any{}
	for i := range 600 {
		half[fmt.Sprint("a", i)] = i
	}
	for name, operations := range map[string][]map[string]any{
		"values":           {op("add", acme, many)},
		"values of two":    {op("add", acme, half), op("add", acme+"2:User", half)},
		"bytes":            {op("add", acme+":a", strings.Repeat("x", 300<<10))},
		"path":             {op("add", acme+":"+strings.Repeat("x", 500), "x")},
		"number":           {op("add", acme+":a", jsonNumber("1e999"))},
		"filter":           {op("replace", acme+`:tags[value eq "x"].value`, "x")},
		"no object for it": {op("add", acme, "text")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			id := b.sally()
			b.do("PATCH", users+"/"+id, patch(op("add", acme+":here", "x"))).must(t, 200)
			token := b.login("sally@example.edu")
			r := b.do("PATCH", users+"/"+id, patch(append(operations, op("replace", "active", false))...)).must(t, 400)
			if r.json["scimType"] == nil || !strings.Contains(r.text, "carried out all the same") {
				t.Errorf("answered %s, want a scimType and what was done", r.text)
			}
			b.mustBe(token, false, name)
			if got := b.show(id)[acme]; cmp.Diff(map[string]any{"here": "x"}, got) != "" {
				t.Errorf("the extension became %v", got)
			}
		})
	}
}

type jsonNumber string

func (n jsonNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// TestCustomExtensionGrowsNoFurther holds that many requests bring a user no further than one.
func TestCustomExtensionGrowsNoFurther(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	at := users + "/" + b.sally()
	part := func(from, n int) map[string]any {
		out := map[string]any{}
		for i := range n {
			out[fmt.Sprint("a", from+i)] = i
		}
		return patch(op("add", acme, out))
	}
	b.do("PATCH", at, part(0, 600)).must(t, 200)
	b.do("PATCH", at, part(600, 400)).must(t, 200)
	b.do("PATCH", at, part(1000, 1)).must(t, 400)
	b.do("PATCH", at, part(0, 400)).must(t, 200) // what is there already is no more
	if got := len(b.do("GET", at, nil).json[acme].(map[string]any)); got != 1000 {
		t.Errorf("the user has %d values, want 1000", got)
	}
}
