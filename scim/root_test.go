package scim_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mixed makes users and groups, and returns their ids in the order of the root.
func (b *bundle) mixed(users, groups int) []string {
	ids := b.people(users)
	for i := range groups {
		ids = append(ids, b.do("POST", "/scim/v2/Groups", map[string]any{"displayName": fmt.Sprint("group ", i)}).must(b.t, 201).id())
	}
	return ids
}

func TestItem46QueryAtTheRoot(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	all := b.mixed(3, 2)
	people, groups := all[:3], all[3:]
	other := okta()
	other.Name, other.Authority = "entra-scim", "entra"
	b.as(other, "POST", users, user("tom@example.edu", "e1")).must(t, 201)
	for filter, want := range map[string][]string{
		"":                                  all,
		`meta.resourceType eq "User"`:       people,
		`meta.resourceType eq "Group"`:      groups,
		`meta.resourceType eq "group"`:      {},
		`id eq "` + groups[1] + `"`:         groups[1:],
		`displayName eq "Group 1"`:          groups[1:],
		`userName pr`:                       people,
		`not (userName pr)`:                 groups,
		`userName ne "x"`:                   all,
		`userName eq null`:                  groups,
		`members eq "` + people[0] + `"`:    {},
		`not (members pr)`:                  all,
		`members pr or userName sw "M"`:     people,
		`active eq true and displayName pr`: {},
	} {
		byGet := b.do("GET", "/scim/v2?filter="+url.QueryEscape(filter), nil).must(t, 200)
		byPost := b.do("POST", "/scim/v2/.search", map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": filter}).must(t, 200)
		for how, r := range map[string]reply{"GET": byGet, "POST": byPost} {
			if diff := cmp.Diff(want, append([]string{}, ids(r)...)); diff != "" || r.json["totalResults"] != float64(len(want)) {
				t.Errorf("%s %s: total %v (-want +got):\n%s", how, filter, r.json["totalResults"], diff)
			}
		}
	}
	for _, filter := range []string{`nonsense eq "x"`, `userName pr and nonsense pr`, `password eq "x"`, `active eq 5`, `urn:acme:User:title eq "x"`, `emails[nonsense eq "x"]`} {
		if r := b.do("GET", "/scim/v2/?filter="+url.QueryEscape(filter), nil).must(t, 400); r.json["scimType"] != "invalidFilter" {
			t.Errorf("%s answered %s", filter, r.text)
		}
	}
	b.do("GET", "/scim/v2?sortBy=userName", nil).must(t, 400)
	b.do("POST", "/scim/v2", "{}").must(t, 405)
	b.do("GET", "/scim/v2/.search", nil).must(t, 405)
	r := b.do("POST", "/scim/v2/.search", map[string]any{"attributes": []string{"displayName"}}).must(t, 200)
	for _, each := range r.json["Resources"].([]any) {
		if names := sortedNames(each.(map[string]any)); slices.Contains(names, "userName") || slices.Contains(names, "meta") {
			t.Errorf("shows %v, want displayName, id and schemas at most", names)
		}
	}
}

// TestItem46PagesAtTheRoot walks pages of every size over the border between users and groups, by index and by cursor.
func TestItem46PagesAtTheRoot(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	all := b.mixed(5, 4)
	for size := 1; size <= 10; size++ {
		var byIndex, byCursor []string
		for start := 1; start <= len(all); start += size {
			r := b.do("GET", fmt.Sprintf("/scim/v2?startIndex=%d&count=%d", start, size), nil).must(t, 200)
			page := ids(r)
			byIndex = append(byIndex, page...)
			if r.json["totalResults"] != float64(9) || r.json["itemsPerPage"] != float64(len(page)) || r.json["startIndex"] != float64(start) {
				t.Errorf("size %d from %d: answered %v of %v from %v", size, start, r.json["itemsPerPage"], r.json["totalResults"], r.json["startIndex"])
			}
		}
		for next, pages := "", 0; pages == 0 || next != ""; pages++ {
			r := b.do("GET", fmt.Sprintf("/scim/v2?cursor=%s&count=%d", next, size), nil).must(t, 200)
			byCursor = append(byCursor, ids(r)...)
			next, _ = r.json["nextCursor"].(string)
		}
		if diff := cmp.Diff([][]string{all, all}, [][]string{byIndex, byCursor}); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	empty := b.do("GET", "/scim/v2?count=0", nil).must(t, 200)
	if empty.json["totalResults"] != float64(9) || len(empty.json["Resources"].([]any)) != 0 {
		t.Errorf("count=0 answered %s", empty.text)
	}
	next := b.do("GET", "/scim/v2?cursor=&count=2", nil).must(t, 200).json["nextCursor"].(string)
	b.do("GET", "/scim/v2?cursor="+next+"&count=2&filter=userName%20pr", nil).must(t, 400)
	b.do("GET", users+"?cursor="+next+"&count=2", nil).must(t, 400)
	b.do("GET", "/scim/v2?cursor=&count=0", nil).must(t, 400)
}
