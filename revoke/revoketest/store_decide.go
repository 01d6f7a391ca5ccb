package revoketest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"curfew/revoke"
)

// decideContract is about what one decision sees and when its writing counts.
func decideContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"need follows identifiers": needIdentifiers, "need follows joins": needJoins, "need follows sessions and resources": needThings,
		"need of nobody": needNobody, "sessions of the people in need": needSessionsOf, "newest sessions": needNewest,
		"an error writes nothing": errorWritesNothing, "a cancelled caller": cancelledCaller, "one decision of many rows": manyRows,
	}
}

func needIdentifiers(b *bench) {
	shared, phone := email("sally@example.edu"), revoke.Identifier{Org: org, Namespace: revoke.NamespacePhone, Value: "+15550100"}
	sally, bob := b.person(), b.person()
	b.person(email("carol@example.edu"))
	holdings := []revoke.Holding{
		{Identifier: shared, User: sally.ID, HeldFrom: 10, ReleasedAt: 20},
		{Identifier: shared, User: bob.ID, HeldFrom: 30},
		{Identifier: phone, User: sally.ID, HeldFrom: 15, Authority: "hr"},
	}
	b.write(revoke.Effects{Holdings: holdings})
	want := revoke.NewFacts()
	want.Users = map[revoke.ID]revoke.User{sally.ID: sally, bob.ID: bob}
	for _, h := range holdings {
		want.AddHolding(h)
	}
	b.sameFacts("facts by an identifier of two people, one of them in the past", b.facts(revoke.Need{Identifiers: []revoke.Identifier{shared}}), want)

	want = revoke.NewFacts()
	want.Users = map[revoke.ID]revoke.User{sally.ID: sally}
	want.AddHolding(holdings[0])
	want.AddHolding(holdings[2])
	b.sameFacts("facts by the phone of one: her holding of the address, not his", b.facts(revoke.Need{Identifiers: []revoke.Identifier{phone}}), want)

	foreign := shared
	foreign.Org = "other"
	b.sameFacts("facts by the same address in another org", b.facts(revoke.Need{Org: "other", Identifiers: []revoke.Identifier{foreign}}), revoke.NewFacts())
	upper := email("SALLY@example.edu")
	b.sameFacts("facts by a value that nobody folded", b.facts(revoke.Need{Identifiers: []revoke.Identifier{upper}}), revoke.NewFacts())
}

func needJoins(b *bench) {
	people := make([]revoke.User, 5)
	for i := range people {
		people[i] = b.person(email(fmt.Sprintf("p%d@example.edu", i)))
	}
	joins := []revoke.Join{ // 0 - 1 - 2 - 3, where 2 - 3 was split, and 4 alone
		revoke.NewJoin(people[0].ID, people[1].ID, 10, b.id()), revoke.NewJoin(people[2].ID, people[1].ID, 20, b.id()),
		with(revoke.NewJoin(people[2].ID, people[3].ID, 30, b.id()), func(j *revoke.Join) { j.SplitAt = 40 }),
	}
	block := revoke.Block{BlockKey: revoke.BlockKey{User: people[2].ID, Authority: "hr", Class: revoke.ClassPlain}, BlockedAt: 5}
	cutoff := revoke.Cutoff{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: people[2].ID}, At: 6}
	unseen := revoke.Cutoff{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: people[3].ID}, At: 7}
	b.write(revoke.Effects{Joins: joins, Blocks: []revoke.Block{block}, Cutoffs: []revoke.Cutoff{cutoff, unseen}})
	want := revoke.NewFacts()
	want.Cutoffs[cutoff.Scope] = cutoff
	want.AddBlock(block)
	for i, p := range people[:3] {
		want.Users[p.ID] = p
		want.AddHolding(revoke.Holding{Identifier: email(fmt.Sprintf("p%d@example.edu", i)), User: p.ID, HeldFrom: 1})
		want.AddJoin(joins[i])
	}
	b.sameFacts("facts by the far end of a chain of joins", b.facts(revoke.Need{Identifiers: []revoke.Identifier{email("p0@example.edu")}, Cutoffs: true}), want)
	b.sameFacts("facts by the middle of it", b.facts(revoke.Need{Users: []revoke.ID{people[1].ID}, Cutoffs: true}), want)
}

func needThings(b *bench) {
	sally, bob, carol := b.person(), b.person(), b.person()
	s := b.session(sally.ID, 10)
	r := b.resource(bob.ID, "bob@example.edu")
	gone := with(b.resource(carol.ID, "Carol@Example.edu"), func(r *revoke.Resource) { r.Active, r.DeletedAt, r.ExternalID = false, b.now(), "x-9" })
	b.write(revoke.Effects{Sessions: []revoke.Session{s}, Resources: []revoke.Resource{r, gone}})
	name := revoke.ResourceName{Org: org, Authority: r.Authority, Type: "User"}
	cases := []struct {
		what string
		need revoke.Need
		user revoke.User
		res  []revoke.Resource
		sess []revoke.Session
	}{
		{"a session's token", revoke.Need{Sessions: []revoke.SessionRef{{Org: org, Token: s.Token}}}, sally, nil, []revoke.Session{s}},
		{"a session's id at its app", revoke.Need{Sessions: []revoke.SessionRef{{Org: org, App: s.App, ClientID: s.ClientID}}}, sally, nil, []revoke.Session{s}},
		{"a resource's id", revoke.Need{Resources: []revoke.ID{r.ID}}, bob, []revoke.Resource{r}, nil},
		{"a deleted resource's id", revoke.Need{Resources: []revoke.ID{gone.ID}}, carol, []revoke.Resource{gone}, nil},
		{"a deleted resource's name", revoke.Need{Names: []revoke.ResourceName{with(name, func(n *revoke.ResourceName) { n.UserName = "carol@example.edu" })}}, carol, []revoke.Resource{gone}, nil},
		{"an external id", revoke.Need{Names: []revoke.ResourceName{with(name, func(n *revoke.ResourceName) { n.ExternalID, n.UserName = "x-9", "nobody" })}}, carol, []revoke.Resource{gone}, nil},
	}
	for _, c := range cases {
		want := revoke.NewFacts()
		want.Users[c.user.ID] = c.user
		for _, each := range c.res {
			want.Resources[each.ID] = each
		}
		for _, each := range c.sess {
			want.AddSession(each)
			want.Newest[each.User] = revoke.Newest{Born: each.BornAt, Registered: each.RegisteredAt}
		}
		b.sameFacts("facts by "+c.what, b.facts(c.need), want)
	}
	for what, n := range map[string]revoke.ResourceName{
		"external id in another letter case": with(name, func(n *revoke.ResourceName) { n.ExternalID = "X-9" }),
		"name of another authority":          {Org: org, Authority: "other", Type: "User", UserName: "bob@example.edu"},
		"name in another org":                {Org: "other", Authority: r.Authority, Type: "User", UserName: "bob@example.edu"},
		"name of another type":               {Org: org, Authority: r.Authority, Type: "Group", UserName: "bob@example.edu"},
		"empty name":                         name,
	} {
		b.sameFacts("facts by the "+what, b.facts(revoke.Need{Names: []revoke.ResourceName{n}}), revoke.NewFacts())
	}
}

func needNobody(b *bench) {
	b.person(email("sally@example.edu"))
	b.sameFacts("facts of an empty need", b.facts(revoke.Need{}), revoke.NewFacts())
	b.sameFacts("facts of what nobody has seen", b.facts(revoke.Need{
		Identifiers: []revoke.Identifier{email("nobody@example.edu")}, Users: []revoke.ID{b.id()},
		Sessions: []revoke.SessionRef{{Org: org, ID: b.id()}, {Org: org, SID: "no"}}, Resources: []revoke.ID{b.id()},
		Devices: []revoke.DeviceIdentifier{{Org: org, Namespace: "serial", Value: "no"}},
		Events:  []revoke.EventKey{{Org: org, Authority: "okta", SenderID: "no"}}, Cutoffs: true, SessionsOf: true,
	}), revoke.NewFacts())
}

func needSessionsOf(b *bench) {
	sally, bob := b.person(), b.person()
	open, ended, expired := b.session(sally.ID, 10), b.session(sally.ID, 20), b.session(sally.ID, 30)
	expired.ExpiresAt = b.now() - revoke.Instant(time.Hour.Microseconds())
	of := b.session(bob.ID, 40)
	b.write(revoke.Effects{Sessions: []revoke.Session{open, ended, expired, of}})
	b.write(revoke.Effects{Ends: []revoke.End{{Session: ended.ID, At: 50}}})
	b.same("sessions of one", b.facts(revoke.Need{Users: []revoke.ID{sally.ID}, SessionsOf: true}).Sessions, map[revoke.ID]revoke.Session{open.ID: open})
	b.same("sessions unless needed", b.facts(revoke.Need{Users: []revoke.ID{sally.ID}}).Sessions, map[revoke.ID]revoke.Session{})
	b.write(revoke.Effects{Joins: []revoke.Join{revoke.NewJoin(sally.ID, bob.ID, 60, b.id())}})
	b.same("sessions of two joined", b.facts(revoke.Need{Users: []revoke.ID{sally.ID}, SessionsOf: true}).Sessions, map[revoke.ID]revoke.Session{open.ID: open, of.ID: of})
}

func needNewest(b *bench) {
	u := b.person()
	device := revoke.DeviceScope(org, b.id())
	old := with(b.session(u.ID, 100), func(s *revoke.Session) { s.RegisteredAt = 900 })
	newer := with(b.session(u.ID, 300), func(s *revoke.Session) {
		s.RegisteredAt, s.Kind, s.App, s.Device = 800, revoke.Browser, "canvas", device.Device
	})
	foreign := with(b.session(u.ID, 500), func(s *revoke.Session) { s.Org = "other" })
	b.write(revoke.Effects{Sessions: []revoke.Session{old, newer, foreign}})
	b.write(revoke.Effects{Ends: []revoke.End{{Session: newer.ID, At: 950}}})
	want := map[revoke.Scope]revoke.Instant{
		{Org: org, Kind: revoke.ScopeEveryone}:                           300,
		{Org: org, Kind: revoke.ScopeKindOf, Key: string(revoke.Mobile)}: 100,
		{Org: org, Kind: revoke.ScopeKindOf, Key: string(revoke.API)}:    0,
		{Org: org, Kind: revoke.ScopeApp, Key: "canvas"}:                 300,
		{Org: org, Kind: revoke.ScopeApp, Key: "nothing"}:                0,
		device:                          300,
		revoke.DeviceScope(org, b.id()): 0,
	}
	need := revoke.Need{}
	for scope := range want {
		need.NewestOf = append(need.NewestOf, scope)
	}
	b.same("newest sessions of wide scopes, ended ones too", b.facts(need).NewestOf, want)
	b.same("newest wide sessions unless needed", b.facts(revoke.Need{Users: []revoke.ID{u.ID}}).NewestOf, map[revoke.Scope]revoke.Instant{})

	plain := with(b.person(), func(*revoke.User) {})
	b.write(revoke.Effects{Sessions: []revoke.Session{
		with(b.session(plain.ID, 100), func(s *revoke.Session) { s.RegisteredAt = 900 }),
		with(b.session(plain.ID, 300), func(s *revoke.Session) { s.RegisteredAt = 800 }),
	}})
	b.same("newest birth and registration, each by itself", b.facts(revoke.Need{Users: []revoke.ID{plain.ID}}).Newest[plain.ID], revoke.Newest{Born: 300, Registered: 900})
}

func errorWritesNothing(b *bench) {
	wrong := errors.New("no")
	var kept, dropped []revoke.ID
	for range 24 {
		kept, dropped = append(kept, b.id()), append(dropped, b.id())
	}
	errs := b.together(48, func(ctx context.Context, i int) error {
		id := kept[i/2]
		if i%2 == 1 {
			id = dropped[i/2]
		}
		key := email(fmt.Sprintf("p%d@example.edu", i))
		return b.store.Decide(ctx, revoke.Need{Org: org, Identifiers: []revoke.Identifier{key}}, func(f *revoke.Facts) (revoke.Effects, error) {
			e := revoke.Effects{
				Users:    []revoke.User{{ID: id, Org: org, CreatedAt: f.Now}},
				Holdings: []revoke.Holding{{Identifier: key, User: id, HeldFrom: f.Now}},
				Blocks:   []revoke.Block{{BlockKey: revoke.BlockKey{User: id, Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: f.Now}},
			}
			if i%2 == 1 {
				return e, wrong
			}
			return e, nil
		})
	})
	for i, err := range errs {
		if i%2 == 0 && err != nil {
			b.Errorf("decision %d, whose neighbours fail: got %v, want none", i, err)
		}
		if i%2 == 1 && !errors.Is(err, wrong) {
			b.Errorf("decision %d, which fails: got %v, want its own error", i, err)
		}
	}
	if got := len(b.people(kept...)); got != len(kept) {
		b.Errorf("people of the decisions that went well: got %d, want %d", got, len(kept))
	}
	b.same("people of the decisions that failed", b.people(dropped...), []revoke.Person{})
	for i := range dropped {
		holders, err := b.store.Holders(b.deadline(), []revoke.Identifier{email(fmt.Sprintf("p%d@example.edu", 2*i+1))})
		if err != nil || len(holders) > 0 {
			b.Errorf("identifier of a decision that failed leads to %v (%v), want nobody", holders, err)
		}
	}
}

func cancelledCaller(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	u := revoke.User{ID: b.id(), Org: org}
	err := b.store.Decide(ctx, revoke.Need{Org: org}, func(*revoke.Facts) (revoke.Effects, error) {
		return revoke.Effects{Users: []revoke.User{u}}, nil
	})
	if !errors.Is(err, revoke.ErrUnavailable) {
		b.Errorf("a decision of a caller who has left: got %v, want %v", err, revoke.ErrUnavailable)
	}
	b.same("what it wrote", b.people(u.ID), []revoke.Person{})
	if _, err := b.store.Users(ctx, revoke.UserQuery{Org: org, EveryoneIn: true, Limit: 1}); !errors.Is(err, revoke.ErrUnavailable) {
		b.Errorf("a question of a caller who has left: got %v, want %v", err, revoke.ErrUnavailable)
	}
	if err := b.store.LoadView(ctx, func(...revoke.Change) {}); !errors.Is(err, revoke.ErrUnavailable) {
		b.Errorf("a view for a caller who has left: got %v, want %v", err, revoke.ErrUnavailable)
	}

	ctx, cancel = context.WithCancel(b.Context())
	defer cancel()
	err = b.store.Decide(ctx, revoke.Need{Org: org}, func(*revoke.Facts) (revoke.Effects, error) {
		cancel()
		return revoke.Effects{Users: []revoke.User{u}}, nil
	})
	there := len(b.people(u.ID)) == 1
	switch {
	case err == nil && !there:
		b.Error("the caller left during its decision: it was told that all went well, and nothing is there")
	case errors.Is(err, revoke.ErrUnavailable) && there:
		b.Errorf("the caller left during its decision: it was told that nothing was done (%v), and it is there", err)
	case err != nil && !errors.Is(err, revoke.ErrUnavailable) && !errors.Is(err, revoke.ErrUnknownCommit):
		b.Errorf("the caller left during its decision: got %v, want none, %v or %v", err, revoke.ErrUnavailable, revoke.ErrUnknownCommit)
	}
	if err := b.store.Ping(b.deadline()); err != nil {
		b.Errorf("the store after its callers left: %v", err)
	}
}

// manyRows is more than one statement of either database can take as parameters.
func manyRows(b *bench) {
	const n = 3000
	u := b.person()
	var e revoke.Effects
	for i := range n {
		e.Holdings = append(e.Holdings, revoke.Holding{Identifier: email(fmt.Sprintf("p%d@example.edu", i)), User: u.ID, HeldFrom: 1})
		e.Sessions = append(e.Sessions, b.session(u.ID, revoke.Instant(i+1)))
		e.Cutoffs = append(e.Cutoffs, revoke.Cutoff{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUserApp, User: u.ID, Key: fmt.Sprint(i)}, At: 1})
	}
	b.write(e)
	var need revoke.Need
	for _, h := range e.Holdings {
		need.Identifiers = append(need.Identifiers, h.Identifier)
	}
	for _, s := range e.Sessions {
		need.Sessions = append(need.Sessions, revoke.SessionRef{Org: org, ID: s.ID})
	}
	need.Cutoffs = true
	f := b.facts(need)
	if len(f.Sessions) != n || len(f.Cutoffs) != n || len(f.Users) != 1 {
		b.Errorf("facts of one large decision: got %d sessions, %d cutoffs, %d users, want %d, %d, 1", len(f.Sessions), len(f.Cutoffs), len(f.Users), n, n)
	}
}
