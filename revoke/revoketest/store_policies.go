package revoketest

import (
	"time"

	"curfew/revoke"
)

// policiesContract is about what is asked of sessions, and what binds those that exist.
func policiesContract() map[string]func(*bench) {
	return map[string]func(*bench){"policies": policies, "limits": limits, "groups of users": groupsOf}
}

func policies(b *bench) {
	group := b.id()
	wide := revoke.Policy{
		PolicyKey: revoke.PolicyKey{Org: org, Kind: revoke.Mobile}, Terms: revoke.Terms{Refused: true, MaxAge: time.Hour}, Reason: `a "reason"`,
		Actor: revoke.Actor{Kind: "operator", Name: "ops"}, SetAt: 7,
	}
	grouped := with(wide, func(p *revoke.Policy) {
		p.Group, p.Terms = group, revoke.Terms{Idle: time.Minute, DefaultLifetime: 24 * time.Hour}
		p.Owed = &revoke.Carrying{Terms: revoke.Terms{Refused: true}, Ends: true, At: 9, After: group, Why: "so"}
	})
	elsewhere := with(wide, func(p *revoke.Policy) { p.Org = "other" })
	b.write(revoke.Effects{Policies: []revoke.Policy{wide, grouped, elsewhere}})
	removed := with(wide, func(p *revoke.Policy) { p.Removed, p.Terms, p.SetAt = true, revoke.Terms{}, 8 })
	b.write(revoke.Effects{Policies: []revoke.Policy{removed}})
	got, err := b.store.Policies(b.deadline(), org)
	if err != nil {
		b.Fatalf("list policies: %v", err)
	}
	b.same("the org's policies", got, []revoke.Policy{removed, grouped})
	for name, need := range map[string]revoke.Need{"asked": {Policies: true}, "set": {SetsPolicy: true}} {
		b.same("facts where policies are "+name, b.facts(need).Policies, map[revoke.PolicyKey]revoke.Policy{removed.PolicyKey: removed, grouped.PolicyKey: grouped})
	}
	b.same("facts of who asked for none", b.facts(revoke.Need{}).Policies, map[revoke.PolicyKey]revoke.Policy{})
	v := b.known()
	b.same("the view's", v.Policies(), []revoke.Policy{removed, grouped, elsewhere})
}

// known reads what there is.
func (b *bench) known() *revoke.View {
	b.Helper()
	v := revoke.NewView()
	if err := b.store.LoadView(b.deadline(), func(changes ...revoke.Change) { v.Apply(changes...) }); err != nil {
		b.Fatalf("read the view: %v", err)
	}
	return v
}

func limits(b *bench) {
	u, other := b.person(), b.person()
	narrow := revoke.Limit{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUserKind, User: u.ID, Key: "mobile"}, MaxAge: time.Hour, Idle: time.Minute, At: 50, Revocation: b.id()}
	wide := revoke.Limit{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeKindOf, Key: "mobile"}, MaxAge: 2 * time.Hour, At: 40, Revocation: b.id()}
	b.write(revoke.Effects{Limits: []revoke.Limit{narrow, wide}})
	b.write(revoke.Effects{Limits: []revoke.Limit{
		with(narrow, func(l *revoke.Limit) { l.At, l.Revocation = 30, b.id() }), // never back
		with(narrow, func(l *revoke.Limit) { l.User = other.ID }),
	}})
	later := with(wide, func(l *revoke.Limit) { l.At, l.Revocation = 60, b.id() })
	longer := with(wide, func(l *revoke.Limit) { l.MaxAge = 3 * time.Hour })
	b.write(revoke.Effects{Limits: []revoke.Limit{later, longer}})
	want := map[revoke.LimitKey]revoke.Limit{narrow.LimitKey(): narrow, later.LimitKey(): later, longer.LimitKey(): longer}
	b.same("facts", b.facts(revoke.Need{Users: []revoke.ID{u.ID}, Cutoffs: true}).Limits, want)
	s := b.session(u.ID, 45)
	if got := revoke.Live(&s, b.known(), s.BornAt.Add(time.Hour)); got.Live || got.Cause != revoke.CauseAge || got.At != s.BornAt.Add(time.Hour) {
		b.Errorf("a session as old as its person's may become: %+v", got)
	}
	s.User = b.id()
	if got := revoke.Live(&s, b.known(), s.BornAt.Add(2*time.Hour)); got.Live || got.Revocation != later.Revocation {
		b.Errorf("a session as old as anybody's may become: %+v", got)
	}
}

func groupsOf(b *bench) {
	u, other, group, quiet := b.person(), b.person(), b.id(), b.id()
	member := func(group, user revoke.ID) revoke.Member {
		return revoke.Member{MemberKey: revoke.MemberKey{Org: org, Group: group, Resource: b.id()}, User: user, AddedAt: 5}
	}
	b.write(revoke.Effects{
		Policies: []revoke.Policy{{PolicyKey: revoke.PolicyKey{Org: org, Kind: revoke.Mobile, Group: group}, SetAt: 3}},
		Members:  []revoke.Member{member(group, u.ID), member(group, u.ID), member(quiet, u.ID), member(quiet, other.ID)},
	})
	want := map[revoke.ID][]revoke.ID{u.ID: {group}}
	got, err := b.store.GroupsOf(b.deadline(), org, []revoke.ID{u.ID, other.ID})
	if err != nil {
		b.Fatalf("groups of users: %v", err)
	}
	b.same("groups", got, want)
	b.same("facts", b.facts(revoke.Need{Users: []revoke.ID{u.ID, other.ID}, Policies: true}).Groups, want)
	if got, err := b.store.GroupsOf(b.deadline(), "other", []revoke.ID{u.ID}); err != nil || len(got) != 0 {
		b.Errorf("in another org: %v, %v", got, err)
	}
}
