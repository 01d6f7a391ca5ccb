package scim_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
)

const groups = "/scim/v2/Groups"

// memberIDs are the members that a group shows, sorted.
func memberIDs(r reply) []string {
	out := []string{}
	list, _ := r.json["members"].([]any)
	for _, each := range list {
		m, _ := each.(map[string]any)
		value, _ := m["value"].(string)
		out = append(out, value)
	}
	slices.Sort(out)
	return out
}

func (b *bundle) people(n int) []string {
	b.t.Helper()
	var out []string
	for i := range n {
		out = append(out, b.do("POST", users, fmt.Sprintf(`{"userName":"m%d@example.edu"}`, i)).must(b.t, 201).id())
	}
	slices.Sort(out)
	return out
}

func (b *bundle) wantMembers(id string, want []string, when string) {
	b.t.Helper()
	if diff := cmp.Diff(want, memberIDs(b.do("GET", groups+"/"+id, nil).must(b.t, 200))); diff != "" {
		b.t.Errorf("%s: members (-want +got):\n%s", when, diff)
	}
}

func TestItem36CreateGroup(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(2)
	made := b.do("POST", groups, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
		"externalId":"8aa1a0c0","displayName":"Year 9","meta":{"resourceType":"Group"},"members":[]}`).must(t, 201)
	id := made.id()
	if made.json["displayName"] != "Year 9" || made.json["externalId"] != "8aa1a0c0" || made.Header.Get("Location") != "https://curfew.example.edu/scim/v2/Groups/"+id || made.Header.Get("ETag") != `W/"1"` {
		t.Errorf("made %s %v", made.text, made.Header)
	}
	b.wantMembers(id, []string{}, "nobody")
	if got := b.do("POST", groups, `{"displayName":"YEAR 9"}`).must(t, 409); got.json["scimType"] != "uniqueness" {
		t.Errorf("the same name again: %s", got.text)
	}
	b.do("POST", groups, `{"displayName":" "}`).must(t, 400)
	b.do("POST", groups, `{"externalId":"x"}`).must(t, 400)
	b.do("POST", groups, `{"displayName":"x","members":[{}]}`).must(t, 400)
	b.do("POST", groups, `{"displayName":"x","members":[{"value":"00000000-0000-7000-8000-000000000001"}]}`).must(t, 400)
	all := b.do("POST", groups, fmt.Sprintf(`{"displayName":"All","members":[{"value":%q,"$ref":null},%q,{"value":%q,"type":"Group"},{"value":%q}]}`, p[0], p[1], id, p[0])).must(t, 201)
	want := append([]string{id}, p...)
	slices.Sort(want)
	if diff := cmp.Diff(want, memberIDs(all)); diff != "" {
		t.Errorf("members of all (-want +got):\n%s", diff)
	}
	kinds := map[any]any{}
	for _, m := range all.json["members"].([]any) {
		kinds[m.(map[string]any)["value"]] = m.(map[string]any)["type"]
	}
	if kinds[p[0]] != "User" || kinds[id] != "Group" {
		t.Errorf("types of members: %v", kinds)
	}
	if n := len(b.store.AllEvents()); n != 0 {
		t.Errorf("groups made %d events, want none", n)
	}
}

func TestItem37FindGroups(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(2)
	one := b.do("POST", groups, fmt.Sprintf(`{"displayName":"One","externalId":"e1","members":[{"value":%q}]}`, p[0])).must(t, 201).id()
	two := b.do("POST", groups, fmt.Sprintf(`{"displayName":"Two","members":[{"value":%q},{"value":%q}]}`, p[0], p[1])).must(t, 201).id()
	for filter, want := range map[string][]string{
		`displayName eq "one"`: {one}, `displayName eq "x"`: {}, `displayName sw "T"`: {two}, `externalId eq "e1"`: {one}, `externalId eq "E1"`: {}, `id eq "` + two + `"`: {two},
		`members[value eq "` + p[1] + `"]`: {two}, `members.value eq "` + p[0] + `"`: {one, two}, `members eq "` + p[1] + `"`: {two}, `members eq "x"`: {}, `members pr`: {one, two},
		`id eq "` + one + `" and members eq "` + p[1] + `"`: {}, `id eq "` + two + `" and members[value eq "` + p[1] + `"]`: {two}, `not (members eq "` + p[1] + `")`: {one},
		`urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq "Two"`: {two}, `meta.resourceType eq "group"`: {}, `meta.resourceType eq "Group"`: {one, two},
	} {
		got := b.do("GET", groups+"?filter="+url.QueryEscape(filter), nil).must(t, 200)
		if diff := cmp.Diff(want, ids(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	for _, filter := range []string{`userName eq "x"`, `active eq true`, `nosuch pr`, `members[nosuch eq "x"]`} {
		b.do("GET", groups+"?filter="+url.QueryEscape(filter), nil).must(t, 400)
	}
	for _, target := range []string{groups + "?excludedAttributes=members&filter=displayName+eq+%22two%22", groups + "?attributes=displayName", groups + "/" + two + "?excludedAttributes=Members"} {
		if got := b.do("GET", target, nil).must(t, 200); strings.Contains(got.text, "members") {
			t.Errorf("%s shows members: %s", target, got.text)
		}
	}
	if got := b.do("GET", groups+"?filter=displayName+eq+%22two%22", nil).must(t, 200); !strings.Contains(got.text, p[1]) {
		t.Errorf("a list without wishes shows %s, want the members", got.text)
	}
	if got := b.do("GET", groups, nil).must(t, 200); strings.Count(got.text, p[0]) != 4 || strings.Count(got.text, p[1]) != 2 { // value and $ref of each
		t.Errorf("a list of both shows %s, want the members of both", got.text)
	}
	b.do("GET", users+"/"+one, nil).must(t, 404)
	b.do("GET", groups+"/"+p[0], nil).must(t, 404)
	b.do("DELETE", groups+"/"+p[0], nil).must(t, 404)
	b.do("PATCH", groups+"/"+p[0], `{"Operations":[{"op":"replace","path":"displayName","value":"x"}]}`).must(t, 404)
	b.do("PATCH", users+"/"+one, `{"Operations":[{"op":"replace","path":"active","value":false}]}`).must(t, 404)
	other := okta()
	other.Name, other.Authority = "entra-scim", "entra"
	b.as(other, "GET", groups+"/"+one, nil).must(t, 404)
	b.as(other, "PATCH", groups+"/"+one, `{"Operations":[{"op":"remove","path":"members"}]}`).must(t, 404)
	if got := b.as(other, "GET", groups, nil).must(t, 200); len(ids(got)) != 0 {
		t.Errorf("another token sees %s", got.text)
	}
	b.as(other, "POST", groups, fmt.Sprintf(`{"displayName":"One","members":[{"value":%q}]}`, p[0])).must(t, 400)
}

func TestItem38And39PatchGroup(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(4)
	id := b.do("POST", groups, `{"displayName":"G"}`).must(t, 201).id()
	patch := func(operations string, args ...any) reply {
		t.Helper()
		return b.do("PATCH", groups+"/"+id, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+operations+`]}`, args...))
	}
	steps := []struct {
		what, operations string
		args             []any
		want             []string
	}{
		{"add an array", `{"op":"Add","path":"members","value":[{"$ref":null,"value":%q},{"value":%q}]}`, []any{p[0], p[1]}, p[:2]},
		{"add one object, again", `{"op":"add","path":"members","value":{"value":%q,"display":"x"}}`, []any{p[1]}, p[:2]},
		{"add a bare id", `{"op":"add","path":"members","value":%q}`, []any{p[2]}, p[:3]},
		{"add without path", `{"op":"add","value":{"members":[{"value":%q}]}}`, []any{p[3]}, p},
		{"remove by value array", `{"op":"Remove","path":"members","value":[{"$ref":null,"value":%q}]}`, []any{p[0]}, p[1:]},
		{"remove by filter", `{"op":"remove","path":"members[value eq \"%s\"]"}`, []any{p[1]}, p[2:]},
		{"remove who is not there", `{"op":"remove","path":"members[value eq \"%s\"]"},{"op":"remove","path":"members[value eq \"nobody\"]"}`, []any{p[1]}, p[2:]},
		{"remove by or", `{"op":"remove","path":"members[value eq \"%s\" or value eq \"%s\"]"}`, []any{p[2], p[3]}, []string{}},
		{"remove, add and rename in one", `{"op":"add","path":"members","value":[{"value":%q},{"value":%q}]},{"op":"remove","path":"members[value eq \"%s\"]"},{"op":"replace","value":{"id":"x","displayName":"Renamed"}}`, []any{p[0], p[1], p[0]}, p[1:2]},
		{"replace", `{"op":"replace","path":"members","value":[{"value":%q}]}`, []any{p[3]}, p[3:]},
		{"replace with a type in the filter", `{"op":"remove","path":"members[type eq \"User\" and value eq \"%s\"]"},{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":[{"value":%q}]}`, []any{p[3], p[0]}, p[:1]},
		{"replace with none", `{"op":"replace","path":"members","value":[]}`, nil, []string{}},
	}
	for _, s := range steps {
		patch(s.operations, s.args...).must(t, 204)
		b.wantMembers(id, s.want, s.what)
	}
	shown := b.do("GET", groups+"/"+id, nil).must(t, 200)
	if shown.json["displayName"] != "Renamed" || shown.json["id"] != id {
		t.Errorf("after the renaming: %s", shown.text)
	}
	before := shown.Header.Get("ETag")
	for _, bad := range []string{
		`{"op":"add","path":"members","value":[{"display":"x"}]}`, `{"op":"add","path":"members","value":[{"value":"nobody"}]}`, `{"op":"remove","path":"displayName"}`,
		`{"op":"replace","path":"displayName","value":""}`, `{"op":"replace","path":"nosuch","value":"x"}`, `{"op":"remove"}`, `{"op":"add","path":"members"}`, `{"op":"spoil","path":"members"}`,
		`{"op":"remove","path":"members[display eq \"x\"]"}`, `{"op":"replace","path":"id","value":"x"}`, `{"op":"add","path":"members","value":[{"value":"` + p[0] + `"}]},{"op":"remove","path":"displayName"}`,
	} {
		patch("%s", bad).must(t, 400)
	}
	b.wantMembers(id, []string{}, "after what was refused")
	if got := b.do("GET", groups+"/"+id, nil); got.Header.Get("ETag") != before {
		t.Errorf("refused requests moved the version from %s to %s", before, got.Header.Get("ETag"))
	}
	b.do("PUT", groups+"/"+id, fmt.Sprintf(`{"displayName":"Put","members":[{"value":%q}]}`, p[2])).must(t, 200)
	b.wantMembers(id, p[2:3], "PUT")
	b.do("PUT", groups+"/"+id, `{"displayName":"Put again"}`).must(t, 200)
	b.wantMembers(id, p[2:3], "PUT without members")
	b.do("PUT", groups+"/"+id, `{"id":"other","displayName":"x"}`).must(t, 400)
	b.do("PUT", groups+"/"+id, b.do("GET", groups, nil).text).must(t, 400)
	b.do("DELETE", users+"/"+p[2], nil).must(t, 204)
	b.wantMembers(id, []string{}, "its member was deleted")
	b.do("DELETE", groups+"/"+id, nil).must(t, 204)
	b.do("DELETE", groups+"/"+id, nil).must(t, 404)
	b.do("POST", groups, `{"displayName":"Put again"}`).must(t, 201)
}

// Item 33: who is deactivated keeps the groups, for Entra does not send them again.
func TestItem33DeactivatedStaysMember(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(1)
	id := b.do("POST", groups, fmt.Sprintf(`{"displayName":"G","members":[{"value":%q}]}`, p[0])).must(t, 201).id()
	b.do("PATCH", users+"/"+p[0], `{"Operations":[{"op":"replace","path":"active","value":"False"}]}`).must(t, 200)
	b.wantMembers(id, p, "deactivated")
}

// Item 40: a hundred at a time, and none is lost.
func TestItem40ParallelMembers(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(100)
	id := b.do("POST", groups, `{"displayName":"G"}`).must(t, 201).id()
	var all sync.WaitGroup
	for _, each := range p {
		all.Go(func() {
			b.do("PATCH", groups+"/"+id, fmt.Sprintf(`{"Operations":[{"op":"add","path":"members","value":[{"value":%q}]}]}`, each)).must(t, 204)
		})
	}
	all.Wait()
	b.wantMembers(id, p, "a hundred at a time")
}

// Item 41: who leaves a group is heard of only where a rule says so.
func TestItem41LeavingAGroup(t *testing.T) {
	t.Parallel()
	for _, promoted := range []bool{false, true} {
		b := newBundle(t)
		if promoted {
			b.source.Rules = map[revoke.SignalKind]revoke.Rule{revoke.AccessChanged: {Cut: revoke.AtReceipt}}
		}
		id := b.sally()
		phone := b.login("sally@example.edu")
		group := b.do("POST", groups, fmt.Sprintf(`{"displayName":"G","members":[{"value":%q}]}`, id)).must(t, 201).id()
		b.mustBe(phone, true, "a member")
		b.do("PATCH", groups+"/"+group, fmt.Sprintf(`{"Operations":[{"op":"remove","path":"members[value eq \"%s\"]"}]}`, id)).must(t, 204)
		b.mustBe(phone, !promoted, fmt.Sprintf("removed, with a rule: %v", promoted))
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
