package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scimCase is what no conversation can say.
type scimCase struct {
	name   string
	proves []string // which of scimRules
	run    func(*school)
	last   bool // it would disturb the others
}

func scimCases() []scimCase {
	return []scimCase{
		{name: "flood", proves: []string{"item 8", "item 2"}, run: flood},
		{name: "guesses", proves: []string{"item 2", "item 3"}, run: guesses, last: true},
		{name: "quick answers", proves: []string{"item 9"}, run: quickAnswers},
		{name: "filters without end", proves: []string{"item 7"}, run: filtersWithoutEnd},
		{name: "large bodies", proves: []string{"item 4", "item 48"}, run: largeBodies},
		{name: "more than a thousand operations", proves: []string{"item 48", "item 23"}, run: moreThanAThousand},
		{name: "other doors", proves: []string{"item 3"}, run: otherDoors},
		{name: "audit", proves: []string{"item 35", "item 26"}, run: auditOfSCIM},
		{name: "order", proves: []string{"item 31", "item 30"}, run: inTheirOrder},
		{name: "block by an operator", proves: []string{"item 30"}, run: operatorsBlock},
		{name: "suspended at Okta", proves: []string{"item 41a", "okta: suspends without SCIM"}, run: suspendedAtOkta},
		{name: "hook beside SCIM", proves: []string{"item 41a", "item 31"}, run: hookBesideSCIM},
		{name: "at once", proves: []string{"item 40"}, run: atOnce},
		{name: "many operations", proves: []string{"item 38"}, run: manyOperations},
		{name: "truth of discovery", proves: []string{"item 44"}, run: truthOfDiscovery},
	}
}

// provedElsewhere are tests of the whole server that prove rules of SCIM beside what they are for.
func provedElsewhere() []struct {
	test   any // the function, so that one that is gone does not compile
	name   string
	proves []string
} {
	return []struct {
		test   any
		name   string
		proves []string
	}{
		{program.story, "TestProgram/story", []string{"item 28"}},
		{program.crash, "TestProgram/crash", []string{"item 28"}},
		{TestPublicClients, "TestPublicClients", []string{"item 50"}},
	}
}

const sallyUser = `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "sally@example.edu", "externalId": "00u1", "active": true,
	"emails": [{"value": "sally@example.edu", "type": "work", "primary": true}]}`

// operations is a PATCH.
func operations(each ...string) string {
	return `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [` + strings.Join(each, ", ") + `]}`
}

func setActiveTo(active string) string {
	return operations(`{"op": "replace", "path": "active", "value": ` + active + `}`)
}

// quickAnswers: Okta closes the socket after a minute, and an import pages through everybody.
func quickAnswers(s *school) {
	const people = 500
	var made []string
	for i := range people {
		made = append(made, fmt.Sprintf(`{"method": "POST", "path": "/Users", "bulkId": "%d", "data": {"userName": "u%d@example.edu", "active": true, "emails": [{"value": "u%d@example.edu"}]}}`, i, i, i))
	}
	took := func(what string, most time.Duration, do func()) {
		best := most
		for range 3 { // the machine may be busy with something else
			began := time.Now()
			do()
			best = min(best, time.Since(began))
		}
		if best >= most {
			s.t.Errorf("%s took %v or more, three times", what, most)
		}
	}
	began := time.Now()
	s.do("POST", scimBulk, `{"Operations": [`+strings.Join(made, ", ")+`]}`).must(s.t, 200)
	if all := time.Since(began); all > time.Minute {
		s.t.Errorf("a Bulk request of %d took %v", people, all)
	}
	for _, query := range []string{"?startIndex=1&count=100", "?startIndex=401&count=100", "?count=500", "?filter=" + url.QueryEscape(`userName co "9@"`), "?sortBy=userName&startIndex=250&count=100"} {
		took("GET "+query, 600*time.Millisecond, func() { s.do("GET", scimUsers+query, nil).must(s.t, 200) })
	}
}

// filtersWithoutEnd are refused before anybody reads them.
func filtersWithoutEnd(s *school) {
	s.do("POST", scimUsers, sallyUser).must(s.t, 201)
	for name, filter := range map[string]string{
		"long":      `userName eq "` + strings.Repeat("x", 3000) + `"`,
		"deep":      strings.Repeat("(", 60) + `userName eq "a"` + strings.Repeat(")", 60),
		"nots":      strings.Repeat("not (", 60) + `userName eq "a"` + strings.Repeat(")", 60),
		"terms":     `userName eq "a"` + strings.Repeat(` or userName eq "a"`, 30),
		"brackets":  strings.Repeat("emails[", 60) + "value pr" + strings.Repeat("]", 60),
		"unfinshed": strings.Repeat("(", 60),
	} {
		for _, kind := range []string{scimUsers, scimGroups} {
			for _, got := range []said{s.do("GET", kind+"?filter="+url.QueryEscape(filter), nil), s.do("POST", kind+"/.search", map[string]any{"filter": filter})} {
				if got.status != 400 || got.json["scimType"] != "invalidFilter" && got.json["scimType"] != "tooMany" {
					s.t.Errorf("%s of %s: %d %s", name, kind, got.status, got.body)
				}
			}
		}
	}
	s.do("GET", scimUsers+"?filter="+url.QueryEscape(`userName eq "a"`+strings.Repeat(` or userName eq "sally@example.edu"`, 19)), nil).must(s.t, 200)
}

// largeBodies are refused whole, and nobody leaves by half of one.
func largeBodies(s *school) {
	sally := s.do("POST", scimUsers, sallyUser).must(s.t, 201).id()
	phone := s.login(byDirectory, "sally@example.edu")
	large := strings.Repeat("x", 1<<20)
	s.do("PUT", scimUsers+"/"+sally, `{"userName": "sally@example.edu", "active": false, "title": "`+large+`"}`).must(s.t, 413)
	s.do("POST", scimUsers, `{"userName": "`+large+`"}`).must(s.t, 413)
	s.do("POST", scimBulk, `{"Operations": [{"method": "DELETE", "path": "/Users/`+sally+`", "data": "`+large+`"}]}`).must(s.t, 413)
	s.do("PATCH", scimUsers+"/"+sally, operations(slices.Repeat([]string{`{"op": "replace", "path": "title", "value": "x"}`}, 1001)...)).must(s.t, 400)
	s.mustBe(phone, true, "bodies that were too large to be read")
	deletions := slices.Repeat([]string{`{"method": "DELETE", "path": "/Users/` + sally + `"}`}, 1001)
	s.do("POST", scimBulk, `{"Operations": [`+strings.Join(deletions, ",")+`]}`).must(s.t, 413)
	s.mustBe(phone, false, "too many operations, which could be read")
	s.do("PUT", scimUsers+"/"+sally, `{"userName": "sally@example.edu", "active": true, "title": "`+large[:100_000]+`"}`).must(s.t, 200)
}

// moreThanAThousand operations are refused as a whole, but for those who leave in them, wherever they stand.
func moreThanAThousand(s *school) {
	var ids, phones []string
	for _, name := range []string{"first", "last", "deleted", "stays"} {
		address := name + "@example.edu"
		ids = append(ids, s.do("POST", scimUsers, `{"userName": "`+address+`", "active": true, "emails": [{"value": "`+address+`"}]}`).must(s.t, 201).id())
		phones = append(phones, s.login(byDirectory, address))
	}
	change := func(id, active string) string {
		return `{"method": "PATCH", "path": "/Users/` + id + `", "data": ` + setActiveTo(active) + `}`
	}
	many := []string{change(ids[0], `"False"`)}
	for i := range 1000 {
		many = append(many, fmt.Sprintf(`{"method": "POST", "path": "/Users", "bulkId": "%d", "data": {"userName": "m%d@example.edu", "active": true}}`, i, i))
	}
	many = append(many, `{"method": "DELETE", "path": "/Users/`+ids[2]+`"}`, change(ids[3], "true"),
		`{"method": "PUT", "path": "/Users/`+ids[1]+`", "data": {"userName": "last@example.edu", "active": false}}`)
	got := s.do("POST", scimBulk, `{"failOnErrors": 1, "Operations": [`+strings.Join(many, ", ")+`]}`).must(s.t, 413)
	for _, text := range []string{"1000 operations", "several requests", "carried out all the same"} {
		if !strings.Contains(string(got.body), text) {
			s.t.Errorf("answered %s, want it to say %q", got.body, text)
		}
	}
	for i, live := range []bool{false, false, false, true} {
		s.mustBe(phones[i], live, fmt.Sprintf("leaver %d of a request that is too long", i))
	}
	for _, name := range []string{"first", "last", "deleted"} {
		if !s.blocked(name + "@example.edu") {
			s.t.Errorf("%s can sign in", name)
		}
	}
	if got := s.do("GET", scimUsers+"?count=0", nil).must(s.t, 200); got.json["totalResults"] != float64(len(ids)) {
		s.t.Errorf("%v users, want %d: nothing was created or deleted", got.json["totalResults"], len(ids))
	}
	// Sent in parts, as the answer says, all of it is done.
	for part := range slices.Chunk(many, 600) {
		s.do("POST", scimBulk, `{"Operations": [`+strings.Join(part, ", ")+`]}`).must(s.t, 200)
	}
	if got := s.do("GET", scimUsers+"?count=0", nil).must(s.t, 200); got.json["totalResults"] != float64(len(ids)+1000-1) {
		s.t.Errorf("%v users, want %d", got.json["totalResults"], len(ids)+1000-1)
	}
}

// otherDoors do not open to a SCIM token.
func otherDoors(s *school) {
	phone := s.login(byDirectory, "sally@example.edu")
	_, token, _ := strings.Cut(phone, " ")
	for _, each := range [][3]string{
		{"GET", "/v1/users", ""},
		{"GET", "/v1/sessions?email=sally@example.edu", ""},
		{"GET", "/v1/nosuch", ""},
		{"DELETE", "/v1/sessions/" + token, ""},
		{"POST", "/v1/revocations", `{"scope": "everyone", "reason": "x"}`},
		{"POST", "/v1/sessions", `{}`},
		{"POST", "/oauth2/introspect", "token=" + token},
		{"POST", "/oauth2/revoke", "token=" + token},
	} {
		if got := s.send(byDirectory, each[0], each[1], each[2], "Content-Type", "application/json"); got.status != http.StatusForbidden {
			s.t.Errorf("%s %s with a SCIM token: %d %s, want 403", each[0], each[1], got.status, got.body)
		}
	}
	s.mustBe(phone, true, "requests at other doors")
	if got := s.r.get("/verify", s.credential(byDirectory)); got.status != http.StatusUnauthorized {
		s.t.Errorf("/verify of a SCIM token: %d, want 401", got.status)
	}
}

// auditOfSCIM: what was done, by whom, in which request, to which attributes; never what a secret was.
func auditOfSCIM(s *school) {
	const secret = "correct-horse-battery"
	created := s.do("POST", scimUsers, strings.Replace(sallyUser, `"active": true`, `"active": true, "password": "`+secret+`"`, 1)).must(s.t, 201)
	at := scimUsers + "/" + created.id()
	s.login(byDirectory, "sally@example.edu")
	changed := s.do("PATCH", at, operations(`{"op": "replace", "value": {"title": "Dr", "password": "`+secret+`"}}`)).must(s.t, 200)
	left := s.do("PATCH", at, setActiveTo(`"False"`)).must(s.t, 200)
	s.do("PATCH", at, setActiveTo("true")).must(s.t, 200)
	refused := s.do("PATCH", at, operations(`{"op": "replace", "path": "active", "value": false}`, `{"op": "add", "path": "nosuch", "value": "`+secret+`"}`)).must(s.t, 400)
	gone := s.do("DELETE", at, nil).must(s.t, 204)
	all := s.audited("")
	for what, each := range map[string]struct {
		request said
		names   []string
	}{
		"creation": {created, []string{"userName", "externalId", "emails"}}, "change": {changed, []string{"title"}}, "deactivation": {left, []string{"active", "deactivated"}},
		"refused deactivation": {refused, []string{"deactivated"}}, "deletion": {gone, []string{"deleted"}},
	} {
		id := each.request.header.Get("X-Request-Id")
		var entries strings.Builder
		for _, entry := range all {
			if strings.Contains(entry, id) {
				entries.WriteString(entry)
			}
		}
		for _, want := range append(each.names, s.name+".directory") {
			if !strings.Contains(entries.String(), want) {
				s.t.Errorf("the audit log of the %s, request %s, does not name %s: %s", what, id, want, entries.String())
			}
		}
	}
	events := s.send(byOps, "GET", "/v1/events?limit=100", "")
	if !strings.Contains(string(events.body), "the request was refused") || !strings.Contains(string(events.body), "nosuch") {
		s.t.Errorf("the events do not say what was refused: %s", events.body)
	}
	if strings.Contains(strings.Join(all, "")+s.r.log.String()+string(events.body), secret) {
		s.t.Error("a password is in the audit log, among the events, or in the log")
	}
}

// atOnce: many requests change one resource, and none of them is lost.
func atOnce(s *school) {
	const n, addresses = 100, 40
	var made, members []string
	for i := range n {
		made = append(made, fmt.Sprintf(`{"method": "POST", "path": "/Users", "bulkId": "%d", "data": {"userName": "u%d@example.edu"}}`, i, i))
	}
	s.do("POST", scimBulk, `{"Operations": [`+strings.Join(made, ", ")+`]}`).must(s.t, 200)
	for _, each := range s.do("GET", scimUsers+"?count=100", nil).must(s.t, 200).json["Resources"].([]any) {
		members = append(members, each.(map[string]any)["id"].(string))
	}
	group := scimGroups + "/" + s.do("POST", scimGroups, `{"displayName": "Year 9"}`).must(s.t, 201).id()
	user := scimUsers + "/" + members[0]
	var all sync.WaitGroup
	for i, id := range members {
		all.Go(func() {
			if got := s.do("PATCH", group, operations(`{"op": "add", "path": "members", "value": [{"value": "`+id+`"}]}`)); got.status != http.StatusNoContent {
				s.t.Errorf("one of many: %d %s", got.status, got.body)
			}
		})
		all.Go(func() {
			add := fmt.Sprintf(`{"op": "add", "path": "roles", "value": [{"value": "%d"}]}`, i)
			if i < addresses {
				add = fmt.Sprintf(`{"op": "add", "path": "emails", "value": [{"value": "m%d@example.edu"}]}`, i)
			}
			if got := s.do("PATCH", user, operations(add)); got.status != http.StatusOK {
				s.t.Errorf("one of many: %d %s", got.status, got.body)
			}
		})
	}
	all.Wait()
	shown := s.do("GET", group, nil).must(s.t, 200)
	var got []string
	list, _ := shown.json["members"].([]any)
	for _, each := range list {
		got = append(got, each.(map[string]any)["value"].(string))
	}
	slices.Sort(got)
	slices.Sort(members)
	if diff := cmp.Diff(members, got); diff != "" {
		s.t.Errorf("members after %d at once (-want +got):\n%s", n, diff)
	}
	after := s.do("GET", user, nil).must(s.t, 200).json
	emails, _ := after["emails"].([]any)
	roles, _ := after["roles"].([]any)
	if len(emails) != addresses || len(roles) != n-addresses {
		s.t.Errorf("%d e-mail addresses and %d roles after %d and %d were added at once", len(emails), len(roles), addresses, n-addresses)
	}
	if want := fmt.Sprintf(`W/"%d"`, n+1); shown.header.Get("ETag") != want {
		s.t.Errorf("the group's version is %s, want %s", shown.header.Get("ETag"), want)
	}
}

// manyOperations in one request, as the IPSIE profile asks: fifty and more.
func manyOperations(s *school) {
	const n = 60
	var made, adds, keep []string
	for i := range n {
		made = append(made, fmt.Sprintf(`{"method": "POST", "path": "/Users", "bulkId": "%d", "data": {"userName": "u%d@example.edu"}}`, i, i))
	}
	s.do("POST", scimBulk, `{"Operations": [`+strings.Join(made, ", ")+`]}`).must(s.t, 200)
	for i, each := range s.do("GET", scimUsers+"?count=100", nil).must(s.t, 200).json["Resources"].([]any) {
		id := each.(map[string]any)["id"].(string)
		adds = append(adds, `{"op": "Add", "path": "members", "value": [{"value": "`+id+`"}]}`)
		if i%2 == 1 {
			adds = append(adds, `{"op": "Remove", "path": "members[value eq \"`+id+`\"]"}`)
		} else {
			keep = append(keep, id)
		}
	}
	group := scimGroups + "/" + s.do("POST", scimGroups, `{"displayName": "Year 9"}`).must(s.t, 201).id()
	s.do("PATCH", group, operations(append(adds, `{"op": "replace", "path": "displayName", "value": "Year 10"}`)...)).must(s.t, 204)
	shown := s.do("GET", group, nil).must(s.t, 200)
	var got []string
	for _, each := range shown.json["members"].([]any) {
		got = append(got, each.(map[string]any)["value"].(string))
	}
	slices.Sort(got)
	slices.Sort(keep)
	if diff := cmp.Diff(keep, got); diff != "" || shown.json["displayName"] != "Year 10" {
		s.t.Errorf("after %d operations, %v (-want +got):\n%s", len(adds)+1, shown.json["displayName"], diff)
	}
}

// truthOfDiscovery: nothing is null or empty, names are written as Entra asks, and every attribute of a user is in its schema.
func truthOfDiscovery(s *school) {
	for _, path := range []string{"ServiceProviderConfig", "ResourceTypes", "ResourceTypes/User", "ResourceTypes/Group", "Schemas"} {
		got := s.do("GET", "/scim/v2/"+path, nil).must(s.t, 200)
		sound(s.t, path, got.json)
		list, isList := got.json["Resources"].([]any)
		if isList && got.json["totalResults"] != float64(len(list)) {
			s.t.Errorf("%s: totalResults %v of %d", path, got.json["totalResults"], len(list))
		}
		for _, each := range append(list, got.json) {
			one := each.(map[string]any)
			meta, _ := one["meta"].(map[string]any)
			if location, _ := meta["location"].(string); !isList && location == "" || isList && one["id"] != nil && location == "" {
				s.t.Errorf("%s: %v has no location", path, one["id"])
			} else if location != "" {
				s.do("GET", strings.TrimPrefix(location, "https://curfew.example.edu"), nil).must(s.t, 200)
			}
		}
	}
}

func sound(t *testing.T, where string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", where)
	case string:
		if v == "" {
			t.Errorf("%s is empty", where)
		}
	case map[string]any:
		for name, each := range v {
			if first := name[:1]; first != strings.ToLower(first) && name != "Resources" {
				t.Errorf("%s.%s begins with a capital letter", where, name)
			}
			sound(t, where+"."+name, each)
		}
	case []any:
		for _, each := range v {
			sound(t, where+"[]", each)
		}
	}
}
