package revoketest

import (
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// peopleContract is about finding users by what they are called, however odd.
func peopleContract() map[string]func(*bench) {
	return map[string]func(*bench){"holders": holders, "search for users": searchUsers, "odd names": oddNames, "people": manyPeople}
}

func holders(b *bench) {
	sally, bob, carol := b.person(), b.person(), b.person()
	id := func(namespace, value string) revoke.Identifier {
		return revoke.Identifier{Org: org, Namespace: namespace, Value: value}
	}
	b.write(revoke.Effects{Holdings: []revoke.Holding{
		{Identifier: id("email", "one"), User: sally.ID, HeldFrom: 10},
		{Identifier: id("email", "moved"), User: sally.ID, HeldFrom: 10, ReleasedAt: 20},
		{Identifier: id("email", "moved"), User: bob.ID, HeldFrom: 30},
		{Identifier: id("email", "shared"), User: sally.ID, HeldFrom: 10},
		{Identifier: id("email", "shared"), User: bob.ID, HeldFrom: 20},
		{Identifier: id("email", "left"), User: bob.ID, HeldFrom: 30, ReleasedAt: 40},
		{Identifier: id("email", "left"), User: sally.ID, HeldFrom: 10, ReleasedAt: 20},
		{Identifier: id("email", "back"), User: sally.ID, HeldFrom: 10},
		{Identifier: id("email", "back"), User: bob.ID, HeldFrom: 30, ReleasedAt: 40},
		{Identifier: id("okta", "one"), User: carol.ID, HeldFrom: 10},
		{Identifier: revoke.Identifier{Org: "other", Namespace: "email", Value: "one"}, User: carol.ID, HeldFrom: 10},
	}})
	cases := []struct {
		ids  []revoke.Identifier
		want []revoke.ID
	}{
		{[]revoke.Identifier{id("email", "one")}, []revoke.ID{sally.ID}},
		{[]revoke.Identifier{id("email", "moved")}, []revoke.ID{bob.ID}},
		{[]revoke.Identifier{id("email", "shared")}, []revoke.ID{sally.ID, bob.ID}},
		{[]revoke.Identifier{id("email", "left")}, []revoke.ID{bob.ID}},
		{[]revoke.Identifier{id("email", "back")}, []revoke.ID{sally.ID}},
		{[]revoke.Identifier{id("email", "nobody")}, nil},
		{[]revoke.Identifier{id("okta", "one"), id("email", "one"), id("email", "shared")}, []revoke.ID{sally.ID, bob.ID, carol.ID}},
		{[]revoke.Identifier{id("email", "left"), id("email", "nobody"), id("email", "moved")}, []revoke.ID{bob.ID}},
		{nil, nil},
	}
	for _, c := range cases {
		got, err := b.store.Holders(b.deadline(), c.ids)
		if err != nil {
			b.Fatalf("holders of %v: %v", c.ids, err)
		}
		b.same(fmt.Sprintf("holders of %v", c.ids), sorted(got), sorted(c.want))
	}
}

func sorted(ids []revoke.ID) []revoke.ID {
	return slices.SortedFunc(slices.Values(ids), revoke.ID.Compare)
}

func searchUsers(b *bench) {
	hold := func(user revoke.User, namespace, value string, released revoke.Instant) revoke.Holding {
		return revoke.Holding{Identifier: revoke.Identifier{Org: user.Org, Namespace: namespace, Value: value}, User: user.ID, HeldFrom: 1, ReleasedAt: released}
	}
	sally, salim, bob := b.person(), b.person(), b.person()
	foreign := revoke.User{ID: b.id(), Org: "other"}
	b.write(revoke.Effects{Users: []revoke.User{foreign}, Holdings: []revoke.Holding{
		hold(sally, revoke.NamespaceEmail, "sally@example.edu", 0), hold(sally, "okta", "00u1", 0), hold(sally, revoke.NamespaceUserName, "sally", 0),
		hold(salim, revoke.NamespaceEmail, "salim@example.edu", 0), hold(salim, revoke.NamespacePhone, "+1", 0), hold(salim, revoke.NamespaceExternalID, "00u1-b", 0),
		hold(bob, revoke.NamespaceUserName, "sally@example.edu", 0), hold(bob, revoke.NamespaceEmail, "former@example.edu", 50), hold(bob, revoke.NamespaceAccount, "00u1", 0),
		hold(foreign, revoke.NamespaceEmail, "sally@example.edu", 0),
	}})
	cases := []struct {
		what string
		q    revoke.UserQuery
		want []revoke.User
	}{
		{"an email", revoke.UserQuery{Namespace: revoke.NamespaceEmail, Value: "sally@example.edu"}, []revoke.User{sally}},
		{"a value in any namespace", revoke.UserQuery{Value: "sally@example.edu"}, []revoke.User{sally, bob}},
		{"part of a value", revoke.UserQuery{Namespace: revoke.NamespaceEmail, Value: "sally"}, nil},
		{"a value nobody has", revoke.UserQuery{Value: "nobody"}, nil},
		{"an email held once", revoke.UserQuery{Value: "former@example.edu"}, []revoke.User{bob}},
		{"a prefix", revoke.UserQuery{Prefix: "sal"}, []revoke.User{sally, salim, bob}},
		{"a prefix in a namespace", revoke.UserQuery{Namespace: revoke.NamespaceEmail, Prefix: "sal"}, []revoke.User{sally, salim}},
		{"a prefix of the whole length", revoke.UserQuery{Namespace: revoke.NamespaceEmail, Prefix: "salim@example.edu"}, []revoke.User{salim}},
		{"a prefix in another letter case", revoke.UserQuery{Prefix: "SAL"}, nil},
		{"somebody's own id", revoke.UserQuery{Namespace: revoke.AnyOwnID, Value: "00u1"}, []revoke.User{sally}},
		{"a prefix of somebody's own id", revoke.UserQuery{Namespace: revoke.AnyOwnID, Prefix: "00u1"}, []revoke.User{sally, salim}},
		{"own ids, given a name", revoke.UserQuery{Namespace: revoke.AnyOwnID, Value: "sally"}, nil},
		{"everyone", revoke.UserQuery{EveryoneIn: true}, []revoke.User{sally, salim, bob}},
		{"no condition at all", revoke.UserQuery{}, nil},
	}
	for _, c := range cases {
		for _, limit := range []int{1, 2, 100} {
			got := paged(b, limit, func(last *revoke.User) ([]revoke.User, error) {
				q := c.q
				q.Org, q.Limit = org, limit
				if last != nil {
					q.After = last.ID
				}
				return b.store.Users(b.deadline(), q)
			})
			b.same(fmt.Sprintf("users by %s, %d at a time", c.what, limit), got, c.want)
		}
	}
}

// odd are values that break stores which compare, escape, cut or fold for themselves.
func odd() []string {
	return []string{
		"sälly@exämple.edu", "sa\u0308lly@exa\u0308mple.edu", "istanbul@i\u0307.tr", "İSTANBUL", "straße", "ſ", "ﬀ", "Σίσυφος", "σίσυφοσ",
		"100%", "100_", `100\`, "100", "1000", "%", "_", "[a-z]*", "'; DROP TABLE users; --", `"quoted"`, "`", "$1", "?", ":name", "@p1", "{}", "null", "(NULL)", "0", "00", "0x10", "1e3", "1.0", "1",
		"true", "\u2028", "\u202egnp.exe", "\u200bzero", "zero\u200b", "\ufeffbom", "\U0001F469\u200D\U0001F52C", "\U0010FFFF", "a\U0010FFFF", "a\uffff", "a\ufffd", "ａ", "a b", "a  b", "-", "--", "/*", "\\x00",
		strings.Repeat("x", 512), strings.Repeat("x", 511) + "y", strings.Repeat("ü", 256), strings.Repeat("\U0010FFFF", 128),
	}
}

// oddNames gives each odd value to a person of her own and finds exactly her by it, whole and by its beginning.
func oddNames(b *bench) {
	people := map[string]revoke.User{}
	var e revoke.Effects
	for i, value := range odd() {
		u := revoke.User{ID: b.id(), Org: org, CreatedAt: b.now()}
		people[value] = u
		s := b.session(u.ID, revoke.Instant(i+1))
		s.App, s.ClientID, s.SID, s.Facts.DeviceName, s.Facts.UserAgent = value, value, value, value, value
		r := b.resource(u.ID, value)
		r.ExternalID, r.Profile = value, emails(value, value)
		rev := with(b.revocation(u.ID), func(r *revoke.Revocation) { r.Reason = value })
		e = revoke.Merge(e, revoke.Effects{
			Users: []revoke.User{u}, Holdings: []revoke.Holding{{Identifier: email(value), User: u.ID, HeldFrom: 1, Authority: value}}, Sessions: []revoke.Session{s},
			Resources: []revoke.Resource{r}, Revocations: []revoke.Revocation{rev}, Deliveries: []revoke.Delivery{b.delivery(rev, value)},
			Cutoffs: []revoke.Cutoff{{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeApp, Key: value}, At: revoke.Instant(i + 1)}},
		})
	}
	b.write(e)
	for i, value := range odd() {
		u := people[value]
		b.same(fmt.Sprintf("cutoff on app %q", value), b.facts(revoke.Need{Cutoffs: true}).Cutoffs[e.Cutoffs[i].Scope], e.Cutoffs[i])
		b.same(fmt.Sprintf("facts by %q", value), b.facts(revoke.Need{Identifiers: []revoke.Identifier{email(value)}}).Users, map[revoke.ID]revoke.User{u.ID: u})
		s, err := b.store.FindSession(b.deadline(), revoke.SessionRef{Org: org, App: value, ClientID: value})
		if err != nil {
			b.Errorf("session %q: %v", value, err)
		}
		b.same(fmt.Sprintf("session %q", value), s, e.Sessions[i])
		found, err := b.store.Users(b.deadline(), revoke.UserQuery{Org: org, Value: value, Limit: 100})
		if err != nil {
			b.Errorf("users called %q: %v", value, err)
		}
		b.same(fmt.Sprintf("users called %q", value), found, []revoke.User{u})
		var want []revoke.User
		for _, other := range odd() {
			if strings.HasPrefix(other, value) {
				want = append(want, people[other])
			}
		}
		slices.SortFunc(want, func(x, y revoke.User) int { return x.ID.Compare(y.ID) })
		found, err = b.store.Users(b.deadline(), revoke.UserQuery{Org: org, Prefix: value, Limit: 100})
		if err != nil {
			b.Errorf("users beginning with %q: %v", value, err)
		}
		b.same(fmt.Sprintf("users beginning with %q", value), found, want)
		rev, deliveries, err := b.store.Revocation(b.deadline(), org, e.Revocations[i].ID)
		if err != nil || rev.Reason != value || len(deliveries) != 1 || deliveries[0].Target != value {
			b.Errorf("revocation for reason %q at target %q: got %q with %v (%v)", value, value, rev.Reason, deliveries, err)
		}
	}
}

func manyPeople(b *bench) {
	var ids []revoke.ID
	for i := range 40 {
		ids = append(ids, b.person(email(fmt.Sprintf("p%d@example.edu", i))).ID)
	}
	got := b.people(append(slices.Clone(ids), b.id(), ids[3], revoke.ID{})...)
	if len(got) != len(ids) {
		b.Fatalf("people by %d ids, a repeated one and two unknown ones: got %d", len(ids), len(got))
	}
	seen := map[revoke.ID]string{}
	for _, p := range got {
		seen[p.User.ID] = p.Name(revoke.NamespaceEmail)
	}
	for i, id := range ids {
		if want := fmt.Sprintf("p%d@example.edu", i); seen[id] != want {
			b.Errorf("person %d is called %q, want %q", i, seen[id], want)
		}
	}
	b.same("nobody", b.people(), []revoke.Person{})
}
