package revoketest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// resourcesContract is about what directories wrote over SCIM.
func resourcesContract() map[string]func(*bench) {
	return map[string]func(*bench){"resource": resourceRow, "filters": resourceFilters, "pages of resources": resourcePages, "members of groups": groupMembers}
}

// resource returns a resource of authority okta-scim that answers to its name. It is not written.
func (b *bench) resource(user revoke.ID, name string) revoke.Resource {
	return revoke.Resource{
		ID: b.id(), Org: org, Authority: "okta-scim", Type: "User", User: user, UserName: name, Active: true, Named: true,
		Profile: json.RawMessage(`{"userName":"x"}`), Version: 1, CreatedAt: b.now(), UpdatedAt: b.now(),
	}
}

func resourceRow(b *bench) {
	u := b.person()
	r := b.resource(u.ID, "Sally@Example.edu")
	r.ExternalID, r.RefusedAt, r.Version = "00U1", 77, 5
	r.Profile = json.RawMessage(`{"name": {"givenName": "Sälly \u0000"},  "b": [1, 2.50, null]}`)
	steps := []revoke.Resource{
		r,
		with(r, func(r *revoke.Resource) {
			r.Active, r.Named, r.RefusedAt, r.Version, r.UpdatedAt, r.UserName = false, false, 0, 6, r.UpdatedAt+9, "Sue"
		}),
		with(r, func(r *revoke.Resource) {
			r.Version, r.ExternalID, r.Profile = 7, "", emails("", "new@example.edu")
		}),
	}
	for i, want := range steps {
		b.write(revoke.Effects{Resources: []revoke.Resource{want}})
		got, err := b.store.Resource(b.deadline(), org, "okta-scim", r.ID)
		if err != nil {
			b.Fatalf("read the resource after write %d: %v", i, err)
		}
		b.same(fmt.Sprintf("resource after write %d", i), got, want)
		b.same(fmt.Sprintf("resource in the facts after write %d", i), b.facts(revoke.Need{Resources: []revoke.ID{r.ID}}).Resources, map[revoke.ID]revoke.Resource{r.ID: want})
	}
	heir := with(b.resource(u.ID, r.UserName), func(r *revoke.Resource) { r.UserName = "SALLY@example.EDU" })
	evicted := with(steps[2], func(r *revoke.Resource) { r.Named, r.Active, r.Version = false, false, 8 })
	b.write(revoke.Effects{Resources: []revoke.Resource{evicted, heir}})
	got, _ := b.resources(revoke.ResourceQuery{Filter: is("userName", "sally@example.edu"), Limit: 10})
	b.same("resources of a name that changed hands in one decision", got, []revoke.Resource{heir})

	ask := func(what, org, authority string, id revoke.ID) {
		if _, err := b.store.Resource(b.deadline(), org, authority, id); !errors.Is(err, revoke.ErrNotFound) {
			b.Errorf("resource %s: got %v, want %v", what, err, revoke.ErrNotFound)
		}
	}
	ask("of another authority", org, "other", r.ID)
	ask("of another org", "other", "okta-scim", r.ID)
	ask("that nobody made", org, "okta-scim", b.id())
	b.write(revoke.Effects{Resources: []revoke.Resource{with(r, func(r *revoke.Resource) { r.DeletedAt = 99 })}})
	ask("that is deleted", org, "okta-scim", r.ID)
}

// emails is a profile with addresses, each with its type.
func emails(pairs ...string) json.RawMessage {
	var list []map[string]string
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, map[string]string{"type": pair[0], "value": pair[1]})
	}
	profile, _ := json.Marshal(map[string]any{"emails": list})
	return profile
}

// is is a conjunction of equalities, those of emails about one and the same address.
func is(pairs ...string) revoke.Filter {
	all, address := revoke.Filter{Op: revoke.FilterAnd}, revoke.Filter{Op: revoke.FilterAnd}
	for pair := range slices.Chunk(pairs, 2) {
		into := &all
		if strings.HasPrefix(pair[0], "emails.") {
			into = &address
		}
		into.Terms = append(into.Terms, revoke.Filter{
			Op: revoke.FilterEq, Attribute: pair[0], Text: pair[1], Exact: pair[0] == "id" || pair[0] == "externalId",
		})
	}
	if len(address.Terms) > 0 {
		all.Terms = append(all.Terms, revoke.Filter{Op: revoke.FilterAny, Attribute: "emails", Terms: []revoke.Filter{address}})
	}
	return all
}

// resources asks for a page and fails on an error.
func (b *bench) resources(q revoke.ResourceQuery) ([]revoke.Resource, int) {
	b.Helper()
	q.Org, q.Authority, q.Type, q.Count = org, "okta-scim", "User", true
	got, n, err := b.store.Resources(b.deadline(), q)
	if err != nil {
		b.Fatalf("resources by %+v: %v", q, err)
	}
	return got, n
}

func resourceFilters(b *bench) {
	u := b.person()
	sally := with(b.resource(u.ID, "Sally@Example.edu"), func(r *revoke.Resource) {
		r.ExternalID, r.Profile = "X-1", emails("work", "Sally@Example.edu", "home", "s@home.example")
	})
	bob := with(b.resource(u.ID, "bob"), func(r *revoke.Resource) {
		r.ExternalID, r.Profile = "x-1", emails("work", "s@home.example", "Work", "bob@example.edu")
		r.Active, r.CreatedAt = false, r.CreatedAt+10
	})
	unnamed := with(b.resource(u.ID, "bob"), func(r *revoke.Resource) { r.Named, r.Active, r.CreatedAt = false, false, r.CreatedAt+20 })
	gone := with(b.resource(u.ID, "gone"), func(r *revoke.Resource) { r.DeletedAt = 5 })
	elsewhere := []revoke.Resource{
		with(b.resource(u.ID, "bob"), func(r *revoke.Resource) { r.Authority = "other" }),
		with(b.resource(u.ID, "bob"), func(r *revoke.Resource) { r.Org = "other" }),
		with(b.resource(u.ID, "bob"), func(r *revoke.Resource) { r.Type = "Group" }),
	}
	b.write(revoke.Effects{Resources: append(elsewhere, sally, bob, unnamed, gone)})
	cases := []struct {
		filter revoke.Filter
		want   []revoke.Resource
	}{
		{revoke.Filter{}, []revoke.Resource{sally, bob, unnamed}},
		{is("id", sally.ID.String()), []revoke.Resource{sally}},
		{is("id", gone.ID.String()), nil},
		{is("id", elsewhere[0].ID.String()), nil},
		{is("id", "not an id"), nil},
		{is("id", ""), nil},
		{is("userName", "sALLY@example.EDU"), []revoke.Resource{sally}},
		{is("userName", "bob"), []revoke.Resource{bob}},
		{is("userName", "gone"), nil},
		{is("userName", "bo"), nil},
		{is("userName", ""), nil},
		{is("externalId", "X-1"), []revoke.Resource{sally}},
		{is("externalId", "x-1"), []revoke.Resource{bob}},
		{is("emails.value", "S@HOME.example"), []revoke.Resource{sally, bob}},
		{is("emails.type", "WORK"), []revoke.Resource{sally, bob}},
		{is("emails.type", "home"), []revoke.Resource{sally}},
		{is("emails.type", "work", "emails.value", "s@home.example"), []revoke.Resource{bob}},
		{is("emails.value", "s@home.example", "emails.type", "home"), []revoke.Resource{sally}},
		{is("emails.value", "s@home.example", "emails.value", "sally@example.edu"), nil},
		{is("userName", "bob", "externalId", "x-1", "emails.type", "work", "id", bob.ID.String()), []revoke.Resource{bob}},
		{is("userName", "bob", "externalId", "X-1"), nil},
		{is("userName", "bob", "emails.value", "nobody"), nil},
	}
	for _, c := range cases {
		got, n := b.resources(revoke.ResourceQuery{Filter: c.filter, Limit: 100})
		b.same(fmt.Sprintf("resources by %v", c.filter), got, c.want)
		if n != len(c.want) {
			b.Errorf("number of resources by %v: got %d, want %d", c.filter, n, len(c.want))
		}
	}
	for _, value := range odd() {
		r := with(b.resource(u.ID, value), func(r *revoke.Resource) {
			r.ExternalID, r.Profile = value, emails("odd", value)
		})
		b.write(revoke.Effects{Resources: []revoke.Resource{r}})
		for _, filter := range []revoke.Filter{is("externalId", value), is("userName", value, "id", r.ID.String()), is("emails.value", strings.Clone(value), "emails.type", "odd", "externalId", value)} {
			got, _ := b.resources(revoke.ResourceQuery{Filter: filter, Limit: 100})
			b.same(fmt.Sprintf("resources by %v", filter), got, []revoke.Resource{r})
		}
	}
}

func groupMembers(b *bench) {
	u := b.person()
	one, two := b.id(), b.id()
	var all []revoke.Member
	for i := range 5 {
		all = append(all, revoke.Member{MemberKey: revoke.MemberKey{Org: org, Group: one, Resource: b.id()}, User: u.ID, AddedAt: revoke.Instant(i + 1)})
	}
	slices.SortFunc(all, func(x, y revoke.Member) int { return x.Resource.Compare(y.Resource) })
	other := with(all[0], func(m *revoke.Member) { m.Group = two })
	b.write(revoke.Effects{Members: append([]revoke.Member{other}, all...)})
	b.write(revoke.Effects{Members: []revoke.Member{with(all[0], func(m *revoke.Member) { m.AddedAt = 99 })}}) // is there already
	byGroup := func(x, y revoke.Member) int { return cmp.Or(x.Group.Compare(y.Group), x.Resource.Compare(y.Resource)) }
	ask := func(what string, q revoke.MemberQuery, want []revoke.Member) {
		b.Helper()
		q.Org = org
		got, err := b.store.Members(b.deadline(), q)
		if err != nil {
			b.Fatalf("members %s: %v", what, err)
		}
		want = slices.SortedFunc(slices.Values(want), byGroup)
		if len(q.Groups) > 0 { // are asked for whole, and in no order across groups
			slices.SortFunc(got, byGroup)
		}
		b.same("members "+what, got, want)
	}
	ask("of a group", revoke.MemberQuery{Group: one, Limit: 10}, all)
	ask("of a group, a page", revoke.MemberQuery{Group: one, Limit: 2}, all[:2])
	ask("of a group, further on", revoke.MemberQuery{Group: one, After: all[1].MemberKey, Limit: 10}, all[2:])
	ask("of two groups", revoke.MemberQuery{Groups: []revoke.ID{one, two}}, append([]revoke.Member{other}, all...))
	ask("by resource", revoke.MemberQuery{Resources: []revoke.ID{all[0].Resource}, Limit: 10}, []revoke.Member{other, all[0]})
	ask("by no resource", revoke.MemberQuery{Limit: 10}, nil)
	// Groups come in order across all the resources that are asked for, however many, and a limit cuts that order.
	var resources []revoke.ID
	for _, m := range all {
		resources = append(resources, m.Resource, m.Resource)
	}
	for range 300 {
		resources = append(resources, b.id())
	}
	slices.Reverse(resources)
	sorted := slices.SortedFunc(slices.Values(append([]revoke.Member{other}, all...)), byGroup)
	ask("by many resources", revoke.MemberQuery{Resources: resources, Limit: 10}, sorted)
	ask("by many resources, three", revoke.MemberQuery{Resources: resources, Limit: 3}, sorted[:3])
	ask("by many resources, none", revoke.MemberQuery{Resources: resources}, nil)
	facts := b.facts(revoke.Need{Org: org, Members: []revoke.MemberKey{all[1].MemberKey, {Org: org, Group: two, Resource: all[1].Resource}}, MembersOf: []revoke.ID{two}})
	b.same("members in the facts", facts.Members, map[revoke.MemberKey]revoke.Member{all[1].MemberKey: all[1], other.MemberKey: other})
	b.write(revoke.Effects{Left: []revoke.MemberKey{all[2].MemberKey, other.MemberKey}})
	ask("of a group that one left", revoke.MemberQuery{Group: one, Limit: 10}, slices.Delete(slices.Clone(all), 2, 3))
	ask("of a group that all left", revoke.MemberQuery{Groups: []revoke.ID{two}}, nil)
}

func resourcePages(b *bench) {
	u := b.person()
	var all []revoke.Resource
	for i := range 17 { // made in threes at the same instant
		r := b.resource(u.ID, fmt.Sprintf("p%d", i))
		r.CreatedAt = revoke.Instant(1000 + i/3)
		r.Profile = emails("work", "same", "home", "same")
		all = append(all, r)
	}
	b.write(revoke.Effects{Resources: all})
	slices.SortFunc(all, func(x, y revoke.Resource) int {
		return cmp.Or(cmp.Compare(x.CreatedAt, y.CreatedAt), x.ID.Compare(y.ID))
	})
	for _, filter := range []revoke.Filter{{}, is("emails.value", "Same")} {
		for _, limit := range []int{1, 2, 5, 17, 100} {
			var got []revoke.Resource
			for offset := 0; offset < len(all)+limit; offset += limit {
				rows, n := b.resources(revoke.ResourceQuery{Filter: filter, Offset: offset, Limit: limit})
				if n != len(all) {
					b.Errorf("number of resources from %d by %d: got %d, want %d", offset, limit, n, len(all))
				}
				got = append(got, rows...)
			}
			b.same(fmt.Sprintf("resources by %v, %d at a time", filter, limit), got, all)
		}
		rows, n := b.resources(revoke.ResourceQuery{Filter: filter})
		if len(rows) != 0 || n != len(all) {
			b.Errorf("resources with limit 0: got %d of %d, want none of %d", len(rows), n, len(all))
		}
		rows, n = b.resources(revoke.ResourceQuery{Filter: filter, Offset: 1 << 40, Limit: 10})
		if len(rows) != 0 || n != len(all) {
			b.Errorf("resources far beyond the end: got %d of %d, want none of %d", len(rows), n, len(all))
		}
	}
}
