package scim_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
	"curfew/scim"
)

// counting counts what is asked of the store.
type counting struct {
	scim.Store
	members, resources int
}

func (c *counting) Members(ctx context.Context, q revoke.MemberQuery) ([]revoke.Member, error) {
	c.members++
	return c.Store.Members(ctx, q)
}

func (c *counting) Resources(ctx context.Context, q revoke.ResourceQuery) ([]revoke.Resource, int, error) {
	c.resources++
	return c.Store.Resources(ctx, q)
}

func TestUsersShowTheirGroups(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	people := b.people(3)
	group := func(name string, members ...string) string {
		list := []any{}
		for _, id := range members {
			list = append(list, map[string]any{"value": id})
		}
		return b.do("POST", "/scim/v2/Groups", map[string]any{"displayName": name, "members": list}).must(t, 201).id()
	}
	before := b.show(people[0])
	staff := group("Staff", people...)
	pupils := group("Pupils", people[0])
	group("Nested", staff)
	shown := func(id, name string) map[string]any {
		return map[string]any{"value": id, "display": name, "type": "direct", "$ref": "https://curfew.example.edu/scim/v2/Groups/" + id}
	}
	want := []any{shown(staff, "Staff"), shown(pupils, "Pupils")}
	if diff := cmp.Diff(any(want), b.show(people[0])["groups"]); diff != "" {
		t.Errorf("GET (-want +got):\n%s", diff)
	}
	// Who is a member is written in the group: it makes no other version of the user.
	if diff := cmp.Diff(before["meta"], b.show(people[0])["meta"]); diff != "" {
		t.Errorf("a membership changed the user's meta:\n%s", diff)
	}
	at := users + "/" + people[0]
	b.do("GET", at, nil, "If-None-Match", before["meta"].(map[string]any)["version"].(string)).must(t, 304)

	for query, want := range map[string]any{
		"?attributes=groups.display":                               []any{map[string]any{"display": "Staff"}, map[string]any{"display": "Pupils"}},
		"?attributes=userName":                                     nil,
		"?excludedAttributes=groups":                               nil,
		"?excludedAttributes=groups.$ref,groups.type,groups.value": []any{map[string]any{"display": "Staff"}, map[string]any{"display": "Pupils"}},
	} {
		if diff := cmp.Diff(want, b.do("GET", at+query, nil).must(t, 200).json["groups"]); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", query, diff)
		}
	}

	// What is sent of it is ignored, and an echo stays no change.
	echo := b.do("GET", at, nil)
	if put := b.do("PUT", at, echo.text).must(t, 200); cmp.Diff(echo.json, put.json) != "" {
		t.Errorf("an echo answered %s, want %s", put.text, echo.text)
	}
	b.do("PATCH", at, patch(op("remove", "groups", nil))).must(t, 200)
	b.do("PATCH", at, patch(op("replace", "", map[string]any{"groups": []any{}}))).must(t, 200)
	if got := b.show(people[0])["groups"]; cmp.Diff(any(want), got) != "" {
		t.Errorf("after requests that sent groups: %v", got)
	}

	b.do("DELETE", "/scim/v2/Groups/"+pupils, nil).must(t, 204)
	if got := b.show(people[0])["groups"]; cmp.Diff(any(want[:1]), got) != "" {
		t.Errorf("after the group went: %v", got)
	}
}

// TestGroupsOfAPageAreAskedForOnce holds that a page costs the same however many users are on it, and nothing where groups are not shown.
func TestGroupsOfAPageAreAskedForOnce(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	people := b.people(50)
	for i := range 3 {
		members := []any{}
		for _, id := range people {
			members = append(members, map[string]any{"value": id})
		}
		b.do("POST", "/scim/v2/Groups", map[string]any{"displayName": fmt.Sprint("group ", i), "members": members}).must(t, 201)
	}
	seen := &counting{Store: b.store}
	b.door = b.handler(scim.Config{Service: b.service, Store: seen})
	for query, want := range map[string][2]int{
		"":                                    {1, 2},
		"?count=50&filter=active%20eq%20true": {1, 2},
		"?excludedAttributes=groups":          {0, 1},
		"?attributes=userName":                {0, 1},
		"?count=0":                            {0, 1},
	} {
		*seen = counting{Store: b.store}
		r := b.do("GET", users+query, nil).must(t, 200)
		if got := [2]int{seen.members, seen.resources}; got != want {
			t.Errorf("GET %s asked %v times for members and resources, want %v", query, got, want)
		}
		list, _ := r.json["Resources"].([]any)
		for _, each := range list {
			groups, _ := each.(map[string]any)["groups"].([]any)
			if want[0] == 1 && len(groups) != 3 {
				t.Fatalf("GET %s shows the groups %v, want three", query, groups)
			}
		}
	}
}

// crowded has users in very many groups.
type crowded struct{ scim.Store }

func (crowded) Members(_ context.Context, q revoke.MemberQuery) ([]revoke.Member, error) {
	return make([]revoke.Member, q.Limit), nil
}

func TestTooManyGroupsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.people(2)[0]
	b.door = b.handler(scim.Config{Service: b.service, Store: crowded{b.store}})
	r := b.do("GET", users, nil).must(t, http.StatusBadRequest)
	if r.json["scimType"] != "tooMany" || !strings.Contains(r.text, "excludedAttributes=groups") {
		t.Errorf("answered %s, want tooMany and what to do", r.text)
	}
	b.do("GET", users+"?excludedAttributes=groups", nil).must(t, http.StatusOK)
	b.do("GET", users+"/"+id, nil).must(t, http.StatusOK) // one user is always shown, with as many as there is room for
}

func TestGroupsOfOthersAreNotShown(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	b.do("POST", "/scim/v2/Groups", map[string]any{"displayName": "Staff", "members": []any{map[string]any{"value": id}}}).must(t, 201)
	other := okta()
	other.Name, other.Authority = "entra-scim", "entra"
	theirs := b.as(other, "POST", users, user("tom@example.edu", "e1")).must(t, 201).id()
	if got := b.as(other, "GET", users+"/"+theirs, nil).must(t, 200).json["groups"]; got != nil {
		t.Errorf("shows the groups %v, want none", got)
	}
	b.as(other, "POST", "/scim/v2/Groups", map[string]any{"displayName": "Mine", "members": []any{map[string]any{"value": id}}}).must(t, 400, 201)
	groups, _ := b.show(id)["groups"].([]any)
	if slices.ContainsFunc(groups, func(each any) bool { return each.(map[string]any)["display"] == "Mine" }) {
		t.Error("a group of another directory is shown")
	}
}
