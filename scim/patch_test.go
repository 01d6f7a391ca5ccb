package scim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	core       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// waysToDeactivate is every accepted way of saying active false in a PATCH (items 19 and 20).
func waysToDeactivate() map[string][]map[string]any {
	ways := map[string][]map[string]any{}
	for _, value := range []any{false, "false", "False", "FALSE"} {
		for _, name := range []string{"replace", "Add", "REPLACE"} {
			for _, path := range []string{"active", "Active", " active ", core + ":active", core + ":Active", strings.ToUpper(core) + ":active"} {
				ways[fmt.Sprintf("%s %q %v", name, path, value)] = []map[string]any{op(name, path, value)}
			}
			for _, key := range []string{"active", "Active", core + ":active"} {
				ways[fmt.Sprintf("%s {%q: %v}", name, key, value)] = []map[string]any{op(name, "", map[string]any{key: value})}
			}
			ways[fmt.Sprintf("%s {core: {active: %v}}", name, value)] = []map[string]any{op(name, "", map[string]any{core: map[string]any{"active": value}})}
			ways[fmt.Sprintf("%s core {active: %v}", name, value)] = []map[string]any{op(name, core, map[string]any{"active": value})}
		}
	}
	ways["path null"] = []map[string]any{{"op": "replace", "path": nil, "value": map[string]any{"active": false}}}
	ways["path empty"] = []map[string]any{{"op": "replace", "path": "", "value": map[string]any{"active": false}}}
	ways["extra member"] = []map[string]any{{"op": "replace", "path": "active", "value": false, "name": "x"}}
	ways["beside an unknown attribute"] = []map[string]any{op("replace", "", map[string]any{"active": false, "nosuch": 1})}
	ways["beside a null title"] = []map[string]any{op("replace", "active", false), {"op": "replace", "path": "title", "value": nil}}
	ways["beside a bare manager"] = []map[string]any{op("add", enterprise+":manager", "00u7"), op("replace", "active", false)}
	ways["beside an unknown extension"] = []map[string]any{op("replace", "urn:acme:custom:2.0:User:badge", "7"), op("replace", "active", false)}
	ways["after active true"] = []map[string]any{op("replace", "active", true), op("replace", "active", false)}
	return ways
}

func TestItem19EveryWayToDeactivate(t *testing.T) {
	t.Parallel()
	for name, operations := range waysToDeactivate() {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		got := b.do("PATCH", users+"/"+id, patch(operations...))
		if got.StatusCode != 200 || got.json["active"] != false {
			t.Errorf("%s: answered %d %s, want 200 and active false", name, got.StatusCode, got.text)
		}
		b.mustBe(token, false, name)
		if !b.blocked("sally@example.edu") {
			t.Errorf("%s: the user can sign in", name)
		}
	}
}

// The same ways beside something that must be refused (item 23).
func TestItem23ARefusedDeactivationIsCarriedOut(t *testing.T) {
	t.Parallel()
	neighbours := map[string]map[string]any{
		"unknown path":     op("replace", "nosuch", "x"),
		"unknown sub path": op("replace", "name.nosuch", "x"),
		"empty userName":   op("replace", "userName", ""),
		"number as title":  op("replace", "title", 7),
		"remove active":    op("remove", "active", nil),
		"unknown op":       op("toggle", "title", "x"),
		"filter noTarget":  op("add", `emails[value co "z"].type`, "x"),
		"broken path":      op("add", `emails[value`, "x"),
		"path is a number": {"op": "replace", "path": 7, "value": "x"},
		"no value":         {"op": "replace", "path": "title"},
		"another id":       op("replace", "id", "x"),
		"not an object":    nil,
	}
	// Every way beside one neighbour, and every neighbour beside one way.
	whats, ways := slices.Sorted(maps.Keys(neighbours)), waysToDeactivate()
	for i, name := range slices.Sorted(maps.Keys(ways)) {
		refusedDeactivation(t, name, ways[name], whats[i%len(whats)], neighbours[whats[i%len(whats)]])
	}
	for _, what := range whats {
		refusedDeactivation(t, "Entra's", []map[string]any{op("Replace", "active", "False")}, what, neighbours[what])
	}
}

func refusedDeactivation(t *testing.T, name string, operations []map[string]any, what string, neighbour map[string]any) {
	t.Helper()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	got := b.do("PATCH", users+"/"+id, patch(append(operations, neighbour)...))
	if got.StatusCode != 400 || !strings.Contains(got.text, "carried out") {
		t.Errorf("%s and %s: answered %d %s, want 400 that says what was done", name, what, got.StatusCode, got.text)
	}
	b.mustBe(token, false, name+" and "+what)
	if b.show(id)["active"] != true || !b.blocked("sally@example.edu") {
		t.Errorf("%s and %s: shown as %v, want active true, and nobody signs in", name, what, b.show(id)["active"])
	}
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", true))).must(t, 200)
	if b.blocked("sally@example.edu") {
		t.Errorf("%s and %s: an accepted active true does not lift", name, what)
	}
	b.mustBe(token, false, "the lift")
}

func TestItem23ARefusedPutOrPostDeactivates(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]struct {
		change map[string]any
		post   int // the answer to a POST; a PUT is always 400
	}{
		"bad title":         {map[string]any{"title": 7}, 400},
		"bad primary":       {map[string]any{"emails": []any{map[string]any{"value": "sally@example.edu", "primary": "yes"}}}, 400},
		"bad name":          {map[string]any{"name": "Sally"}, 400},
		"a ListResponse":    {map[string]any{"Resources": []any{}, "totalResults": 1}, 400},
		"blank userName":    {map[string]any{"userName": " "}, 400},
		"core in an object": {map[string]any{core: map[string]any{"active": false}, "active": nil, "title": 7}, 400},
	} {
		body := user("sally@example.edu", "00u1")
		body["active"] = "False"
		maps.Copy(body, each.change)
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		b.do("PUT", users+"/"+id, body).must(t, 400)
		b.mustBe(token, false, "PUT with "+name)
		if b.show(id)["active"] != true {
			t.Errorf("PUT with %s: the resource does not keep active true", name)
		}

		fresh := newBundle(t) // an application knew her before any directory did
		token = fresh.login("sally@example.edu")
		if got := fresh.do("POST", users, body).must(t, each.post); !strings.Contains(got.text, "carried out") {
			t.Errorf("POST with %s: %s does not say what was done", name, got.text)
		}
		fresh.mustBe(token, false, "POST with "+name)
	}
	b := newBundle(t)
	b.sally()
	token := b.login("sally@example.edu")
	body := user("sally@example.edu", "00u1")
	body["active"] = false
	b.do("POST", users, body).must(t, 409)
	b.mustBe(token, false, "an inactive creation that conflicts")
}

func TestItem20OnlyBooleansAreReadFromText(t *testing.T) {
	t.Parallel()
	for _, value := range []any{0, 1, "0", "1", "yes", "no", "f", "", []any{false}, map[string]any{"value": false}, "falsee"} {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		for _, body := range []map[string]any{patch(op("replace", "active", value)), patch(op("replace", "", map[string]any{"active": value}))} {
			if got := b.do("PATCH", users+"/"+id, body).must(t, 400); got.json["scimType"] != "invalidValue" {
				t.Errorf("active %v: scimType %v, want invalidValue", value, got.json["scimType"])
			}
		}
		put := user("sally@example.edu", "00u1")
		put["active"] = value
		b.do("PUT", users+"/"+id, put).must(t, 400)
		b.mustBe(token, true, fmt.Sprintf("active %v, which means nothing", value))
		got := b.do("PATCH", users+"/"+id, patch(op("replace", "title", "True"), op("replace", "locale", "false"))).must(t, 200)
		if got.json["title"] != "True" || got.json["locale"] != "false" {
			t.Errorf("text was read as a boolean: %s", got.text)
		}
	}
}

func TestItem22ActiveIsNeverRemoved(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	before := b.show(id)
	for _, each := range []map[string]any{
		op("remove", "active", nil), op("Remove", "Active", nil),
		{"op": "remove", "path": "active", "value": false},
		{"op": "replace", "path": "active", "value": nil},
		op("replace", "active", ""), op("add", "", map[string]any{"active": nil}),
		op("remove", core+":active", nil), op("remove", core, nil),
	} {
		if got := b.do("PATCH", users+"/"+id, patch(op("replace", "title", "Dr"), each)).must(t, 400); got.json["scimType"] != "invalidValue" {
			t.Errorf("%v: scimType %v, want invalidValue", each, got.json["scimType"])
		}
	}
	if diff := cmp.Diff(before, b.show(id)); diff != "" {
		t.Errorf("refused operations changed the user (-before +after):\n%s", diff)
	}
	b.mustBe(token, true, "removals of active")
}

func TestItem24WhatIsTheServersIsIgnored(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	before := b.show(id)
	for _, each := range []map[string]any{
		op("replace", "", map[string]any{"id": id, "meta": map[string]any{"version": "x"}, "schemas": []any{"x"}, "groups": []any{"g"}}),
		op("replace", "meta.version", "x"), op("add", "groups", []any{map[string]any{"value": "g"}}), op("remove", `groups[value eq "g"]`, nil),
		op("replace", "schemas", []any{"x"}), op("replace", "id", id),
	} {
		got := b.do("PATCH", users+"/"+id, patch(each)).must(t, 200)
		if diff := cmp.Diff(before, got.json); diff != "" {
			t.Errorf("%v changed the user (-before +after):\n%s", each, diff)
		}
	}
	for _, each := range []map[string]any{op("replace", "id", "other"), op("replace", "", map[string]any{"id": "other"}), op("remove", "id", nil)} {
		if got := b.do("PATCH", users+"/"+id, patch(each)).must(t, 400); got.json["scimType"] != "mutability" {
			t.Errorf("%v: scimType %v, want mutability", each, got.json["scimType"])
		}
	}
}

// One line a rule of RFC 7644 section 3.5.2, as items 19 to 21 settle them.
func TestItem21PatchSemantics(t *testing.T) {
	t.Parallel()
	email := func(value, kind string, primary any) map[string]any {
		e := map[string]any{"value": value}
		if kind != "" {
			e["type"] = kind
		}
		if primary != nil {
			e["primary"] = primary
		}
		return e
	}
	work := email("sally@example.edu", "work", true)
	for name, each := range map[string]struct {
		operations []map[string]any
		attribute  string
		want       any
	}{
		"replace a plain one":           {[]map[string]any{op("replace", "title", "Dr")}, "title", "Dr"},
		"add is replace there":          {[]map[string]any{op("add", "title", "Dr"), op("Add", "Title", "Prof")}, "title", "Prof"},
		"remove":                        {[]map[string]any{op("add", "title", "Dr"), op("Remove", "title", nil)}, "title", nil},
		"null removes":                  {[]map[string]any{op("add", "title", "Dr"), {"op": "replace", "path": "title", "value": nil}}, "title", nil},
		"a sub-attribute":               {[]map[string]any{op("replace", "Name.GivenName", "Sal")}, "name", map[string]any{"givenName": "Sal", "familyName": "Ride"}},
		"a dotted key":                  {[]map[string]any{op("replace", "", map[string]any{"name.givenName": "Sal"})}, "name", map[string]any{"givenName": "Sal", "familyName": "Ride"}},
		"complex merges":                {[]map[string]any{op("replace", "name", map[string]any{"givenname": "Sal"})}, "name", map[string]any{"givenName": "Sal", "familyName": "Ride"}},
		"remove a sub-attribute":        {[]map[string]any{op("remove", "name.givenName", nil)}, "name", map[string]any{"familyName": "Ride"}},
		"remove the last sub-attribute": {[]map[string]any{op("remove", "name.givenName", nil), op("remove", "name.familyName", nil)}, "name", nil},
		"extension by colon":            {[]map[string]any{op("replace", enterprise+":department", "Physics")}, enterprise, map[string]any{"department": "Physics"}},
		"extension as a whole":          {[]map[string]any{op("replace", enterprise, map[string]any{"department": "Physics"})}, enterprise, map[string]any{"department": "Physics"}},
		"extension as a key":            {[]map[string]any{op("add", "", map[string]any{enterprise: map[string]any{"Department": "Physics"}})}, enterprise, map[string]any{"department": "Physics"}},
		"extension key by colon":        {[]map[string]any{op("add", "", map[string]any{enterprise + ":department": "Physics"})}, enterprise, map[string]any{"department": "Physics"}},
		"remove the extension":          {[]map[string]any{op("add", enterprise+":department", "Physics"), op("remove", enterprise, nil)}, enterprise, nil},
		"malformed extension":           {[]map[string]any{op("add", "urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department", "Physics")}, enterprise, map[string]any{"department": "Physics"}},
		"manager as an id":              {[]map[string]any{op("add", enterprise+":manager", "00u7")}, enterprise, map[string]any{"manager": map[string]any{"value": "00u7"}}},
		"manager by plain path":         {[]map[string]any{op("add", "manager", []any{map[string]any{"$ref": "../Users/00u7", "value": "00u7"}})}, enterprise, map[string]any{"manager": map[string]any{"value": "00u7", "$ref": "../Users/00u7"}}},
		"a new manager":                 {[]map[string]any{op("add", "manager", map[string]any{"$ref": "a", "value": "a"}), op("replace", "manager", "b")}, enterprise, map[string]any{"manager": map[string]any{"value": "b"}}},
		"manager cleared":               {[]map[string]any{op("add", "manager", "a"), op("replace", "manager", "")}, enterprise, nil},
		"manager value cleared":         {[]map[string]any{op("add", "manager", "a"), {"op": "replace", "path": "manager", "value": map[string]any{"value": nil}}}, enterprise, nil},
		"add to a list":                 {[]map[string]any{op("add", "emails", []any{email("s@home.example", "home", nil)})}, "emails", []any{work, email("s@home.example", "home", nil)}},
		"add one object":                {[]map[string]any{op("add", "emails", email("s@home.example", "home", nil))}, "emails", []any{work, email("s@home.example", "home", nil)}},
		"add what is there":             {[]map[string]any{op("add", "emails", []any{email("sally@example.edu", "work", nil)})}, "emails", []any{work}},
		"replace a list":                {[]map[string]any{op("replace", "emails", []any{email("s@home.example", "home", "True")})}, "emails", []any{email("s@home.example", "home", true)}},
		"empty a list":                  {[]map[string]any{op("replace", "emails", []any{})}, "emails", nil},
		"remove a list":                 {[]map[string]any{op("remove", "emails", nil)}, "emails", nil},
		"remove by value":               {[]map[string]any{op("add", "emails", email("s@home.example", "home", nil)), op("remove", "emails", []any{map[string]any{"value": "sally@example.edu"}})}, "emails", []any{email("s@home.example", "home", nil)}},
		"remove by filter":              {[]map[string]any{op("add", "emails", email("s@home.example", "home", nil)), op("remove", `emails[type eq "WORK"]`, nil)}, "emails", []any{email("s@home.example", "home", nil)}},
		"remove by or":                  {[]map[string]any{op("remove", `emails[type eq "home" or value eq "sally@example.edu"]`, nil)}, "emails", nil},
		"remove by not":                 {[]map[string]any{op("remove", `emails[not (type eq "home")]`, nil)}, "emails", nil},
		"remove nothing":                {[]map[string]any{op("remove", `emails[type eq "home"]`, nil)}, "emails", []any{work}},
		"remove an element's value":     {[]map[string]any{op("remove", `emails[type eq "work"].value`, nil)}, "emails", nil},
		"clear an element's value":      {[]map[string]any{op("replace", `emails[type eq "work"].value`, "")}, "emails", nil},
		"replace an element's value":    {[]map[string]any{op("Replace", `emails[type eq "work"].Value`, "new@example.edu")}, "emails", []any{email("new@example.edu", "work", true)}},
		"replace an element":            {[]map[string]any{op("replace", `emails[type eq "work"]`, map[string]any{"value": "new@example.edu"})}, "emails", []any{email("new@example.edu", "work", true)}},
		"add to no element":             {[]map[string]any{op("Add", `emails[type eq "home"].value`, "s@home.example")}, "emails", []any{work, email("s@home.example", "home", nil)}},
		"replace no element":            {[]map[string]any{op("Replace", `phoneNumbers[type eq "mobile"].value`, "+1")}, "phoneNumbers", []any{map[string]any{"type": "mobile", "value": "+1"}}},
		"a value-path key":              {[]map[string]any{op("replace", "", map[string]any{`emails[type eq "home"].value`: "s@home.example"})}, "emails", []any{work, email("s@home.example", "home", nil)}},
		"primary by boolean":            {[]map[string]any{op("replace", `emails[primary eq true].value`, "new@example.edu")}, "emails", []any{email("new@example.edu", "work", true)}},
		"primary by text":               {[]map[string]any{op("replace", `emails[primary eq "True"].value`, "new@example.edu")}, "emails", []any{email("new@example.edu", "work", true)}},
		"a new primary":                 {[]map[string]any{op("add", "emails", email("s@home.example", "home", "true"))}, "emails", []any{email("sally@example.edu", "work", false), email("s@home.example", "home", true)}},
		"roles by primary":              {[]map[string]any{op("Add", `roles[primary eq "True"].value`, "admin")}, "roles", []any{map[string]any{"primary": true, "value": "admin"}}},
		"roles as text":                 {[]map[string]any{op("Add", "roles", []any{"admin", "admin"})}, "roles", []any{map[string]any{"value": "admin"}}},
		"roles again":                   {[]map[string]any{op("Add", "roles", []any{map[string]any{"value": `{"id":"1"}`}}), op("Add", "roles", []any{map[string]any{"value": `{"id":"1"}`}})}, "roles", []any{map[string]any{"value": `{"id":"1"}`}}},
		"an address":                    {[]map[string]any{op("Add", `addresses[type eq "work"].Formatted`, "1 Main St")}, "addresses", []any{map[string]any{"type": "work", "formatted": "1 Main St"}}},
		"every element":                 {[]map[string]any{op("replace", "emails.display", "Sally")}, "emails", []any{map[string]any{"value": "sally@example.edu", "type": "work", "primary": true, "display": "Sally"}}},
		"core by its URI":               {[]map[string]any{op("replace", core+":name.givenName", "Sal")}, "name", map[string]any{"givenName": "Sal", "familyName": "Ride"}},
		"escaped text in a filter":      {[]map[string]any{op("add", "roles", "a\"b"), op("remove", `roles[value eq "a\"b"]`, nil)}, "roles", nil},
		"an unknown extension":          {[]map[string]any{op("add", "", map[string]any{"urn:acme:2.0:User": map[string]any{"badge": 7}})}, "title", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			id := b.sally()
			got := b.do("PATCH", users+"/"+id, patch(each.operations...)).must(t, 200)
			if diff := cmp.Diff(each.want, got.json[each.attribute]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", each.attribute, diff)
			}
			if diff := cmp.Diff(got.json, b.show(id)); diff != "" {
				t.Errorf("what was answered and what is shown differ:\n%s", diff)
			}
			if got.json["active"] != true || got.json["userName"] != "sally@example.edu" {
				t.Errorf("active %v, userName %v", got.json["active"], got.json["userName"])
			}
		})
	}
}

func TestItem19SchemasOfAPatchDoNotMatter(t *testing.T) {
	t.Parallel()
	for _, schemas := range []any{nil, []any{}, []any{"urn:ietf:params:scim:api:messages:2.0:patchop"}, []any{"a", "b"}, "x"} {
		b := newBundle(t)
		id := b.sally()
		body := patch(op("replace", "active", false))
		if delete(body, "schemas"); schemas != nil {
			body["schemas"] = schemas
		}
		if got := b.do("PATCH", users+"/"+id, body).must(t, 200); got.json["active"] != false {
			t.Errorf("schemas %v: active %v", schemas, got.json["active"])
		}
	}
}

func TestItem25UnchangedPatchKeepsTheVersion(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	for _, each := range []map[string]any{
		op("replace", "active", true), op("replace", "name.givenName", "Sally"), op("add", "emails", map[string]any{"value": "sally@example.edu", "type": "work"}),
		op("remove", "title", nil), op("remove", `phoneNumbers[type eq "work"]`, nil), op("replace", "userName", "sally@example.edu"),
	} {
		if got := b.do("PATCH", users+"/"+id, patch(each)).must(t, 200); got.Header.Get("ETag") != `W/"1"` {
			t.Errorf("%v: ETag %q, want W/\"1\"", each, got.Header.Get("ETag"))
		}
	}
	if got := b.do("PATCH", users+"/"+id, patch(op("replace", "title", "Dr"))).must(t, 200); got.Header.Get("ETag") != `W/"2"` || got.id() != id {
		t.Errorf("a change answered %s with ETag %q", got.text, got.Header.Get("ETag"))
	}
	b.do("PATCH", users+"/00000000-0000-7000-8000-000000000001", patch(op("replace", "title", "Dr"))).must(t, 404)
}

func TestItem23PatchIsAtomic(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	before := b.show(id)
	b.do("PATCH", users+"/"+id, patch(op("replace", "title", "Dr"), op("remove", "emails", nil), op("replace", "nosuch", 1))).must(t, 400)
	b.do("PATCH", users+"/"+id, patch(op("replace", "title", "Dr"), op("replace", `emails[value co "z"].type`, "x"))).must(t, 400)
	if diff := cmp.Diff(before, b.show(id)); diff != "" {
		t.Errorf("a refused PATCH changed the user (-before +after):\n%s", diff)
	}
	for name, body := range map[string]any{
		"no operations": patch(), "not a list": map[string]any{"Operations": "x"}, "remove without a path": patch(op("remove", "", nil)),
		"a plain value without a path": patch(op("replace", "", "x")), "many": patch(make([]map[string]any, 1001)...),
	} {
		if got := b.do("PATCH", users+"/"+id, body); got.StatusCode != 400 {
			t.Errorf("%s: %d, want 400", name, got.StatusCode)
		}
	}
}

func TestItem29RepeatedDeactivation(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	b.login("sally@example.edu")
	off := patch(op("replace", "active", false))
	b.do("PATCH", users+"/"+id, off).must(t, 200)
	first := b.revocations()
	for range 3 {
		b.do("PATCH", users+"/"+id, off).must(t, 200)
	}
	if got := b.revocations(); got != first {
		t.Errorf("%d revocations after repeats, want %d", got, first)
	}
}

func TestItem30ReactivationRevivesNothing(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]map[string]any{
		"boolean": op("replace", "active", true), "Entra's text": op("Replace", "active", "True"), "no path": op("add", "", map[string]any{"active": "TRUE"}),
	} {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		before := b.revocations()
		b.do("PATCH", users+"/"+id, patch(on)).must(t, 200)
		b.mustBe(token, true, "active true over true by "+name)
		if b.revocations() != before {
			t.Errorf("%s: active true over true made a revocation", name)
		}
		b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
		b.do("PATCH", users+"/"+id, patch(on)).must(t, 200)
		b.mustBe(token, false, "reactivation by "+name)
		b.mustBe(b.login("sally@example.edu"), true, "a new login")
	}
}

// Items 31 and 40: requests take effect in the order they came, and none is lost.
func TestItem40ConcurrentPatchesLoseNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			b.do("PATCH", users+"/"+id, patch(op("add", "roles", fmt.Sprintf("role-%d", i))))
		})
	}
	wg.Wait()
	if roles, _ := b.show(id)["roles"].([]any); len(roles) != 50 {
		t.Errorf("%d roles after 50 parallel additions, want 50", len(roles))
	}
	for range 5 {
		b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
		b.do("PATCH", users+"/"+id, patch(op("replace", "active", true))).must(t, 200)
	}
	if b.blocked("sally@example.edu") {
		t.Error("blocked after the last active true")
	}
}
