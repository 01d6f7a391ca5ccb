package revoketest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp/cmpopts"

	"curfew/revoke"
)

// sessionsContract is about finding sessions.
func sessionsContract() map[string]func(*bench) {
	return map[string]func(*bench){"find a session": findSession, "list sessions": listSessions, "each session of many people": eachSession}
}

func findSession(b *bench) {
	u := b.person()
	s := with(b.session(u.ID, 10), func(s *revoke.Session) { s.ClientID, s.SID = "s-1", "sid-1" })
	namesake := with(b.session(u.ID, 20), func(s *revoke.Session) { s.App, s.ClientID = "canvas", "s-1" })
	sibling := with(b.session(u.ID, 30), func(s *revoke.Session) { s.App, s.SID, s.ClientID = "canvas", "sid-2", "" })
	third := with(b.session(u.ID, 40), func(s *revoke.Session) { s.SID = "sid-2" })
	foreign := with(b.session(u.ID, 50), func(s *revoke.Session) { s.Org, s.SID, s.ClientID = "other", "sid-1", "s-1" })
	b.write(revoke.Effects{Sessions: []revoke.Session{s, namesake, sibling, third, foreign}})
	cases := []struct {
		what string
		ref  revoke.SessionRef
		want *revoke.Session
		err  error
	}{
		{"our id", revoke.SessionRef{Org: org, ID: s.ID}, &s, nil},
		{"our id at its app", revoke.SessionRef{Org: org, App: "portal", ID: s.ID}, &s, nil},
		{"our id at another app", revoke.SessionRef{Org: org, App: "canvas", ID: s.ID}, nil, revoke.ErrNotFound},
		{"our id in another org", revoke.SessionRef{Org: "other", ID: s.ID}, nil, revoke.ErrNotFound},
		{"the app's id", revoke.SessionRef{Org: org, App: "portal", ClientID: "s-1"}, &s, nil},
		{"the other app's same id", revoke.SessionRef{Org: org, App: "canvas", ClientID: "s-1"}, &namesake, nil},
		{"an id of two apps", revoke.SessionRef{Org: org, ClientID: "s-1"}, nil, revoke.ErrConflict},
		{"an id of two apps in an org that has one", revoke.SessionRef{Org: "other", ClientID: "s-1"}, &foreign, nil},
		{"the token", revoke.SessionRef{Org: org, Token: s.Token}, &s, nil},
		{"the token at another app", revoke.SessionRef{Org: org, App: "canvas", Token: s.Token}, nil, revoke.ErrNotFound},
		{"another token", revoke.SessionRef{Org: org, Token: revoke.HashToken("no")}, nil, revoke.ErrNotFound},
		{"the provider's id", revoke.SessionRef{Org: org, SID: "sid-1"}, &s, nil},
		{"a provider's id of two", revoke.SessionRef{Org: org, SID: "sid-2"}, nil, revoke.ErrConflict},
		{"a provider's id of two, one at the app", revoke.SessionRef{Org: org, App: "portal", SID: "sid-2"}, &third, nil},
		{"an id of ours or of the app's", revoke.SessionRef{Org: org, App: "portal", ID: s.ID, ClientID: "nothing"}, &s, nil},
		{"two ids of one", revoke.SessionRef{Org: org, App: "portal", ID: s.ID, ClientID: "s-1", SID: "sid-1", Token: s.Token}, &s, nil},
		{"ids of two", revoke.SessionRef{Org: org, ID: s.ID, Token: third.Token}, nil, revoke.ErrConflict},
		{"nothing at all", revoke.SessionRef{Org: org}, nil, revoke.ErrNotFound},
		{"only an app", revoke.SessionRef{Org: org, App: "portal"}, nil, revoke.ErrNotFound},
	}
	for _, c := range cases {
		got, err := b.store.FindSession(b.deadline(), c.ref)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			b.Errorf("session by %s: got %v, want %v", c.what, err, c.err)
			continue
		}
		if c.want != nil {
			b.same("session by "+c.what, got, *c.want)
		}
		seen := b.facts(revoke.Need{Sessions: []revoke.SessionRef{c.ref}}).Sessions
		want := 1
		switch {
		case errors.Is(c.err, revoke.ErrConflict):
			want = 2
		case errors.Is(c.err, revoke.ErrNotFound):
			want = 0
		}
		if len(seen) != want {
			b.Errorf("sessions in the facts by %s: got %d, want %d", c.what, len(seen), want)
		}
	}
}

func listSessions(b *bench) {
	sally, bob := b.person(), b.person()
	var all []revoke.Session
	for i := range 23 { // born in threes at the same instant
		s := b.session(sally.ID, revoke.Instant(100+i/3))
		if i%4 == 0 {
			s.User = bob.ID
		}
		if i%5 == 0 {
			s.App = "canvas"
		}
		all = append(all, s)
	}
	foreign := with(b.session(sally.ID, 500), func(s *revoke.Session) { s.Org = "other" })
	b.write(revoke.Effects{Sessions: append(slices.Clone(all), foreign)})
	b.write(revoke.Effects{Ends: []revoke.End{{Session: all[7].ID, At: 9}}})
	all[7].EndedAt = 9
	cases := []struct {
		what string
		q    revoke.SessionQuery
		want func(revoke.Session) bool
	}{
		{"everybody's", revoke.SessionQuery{Org: org}, func(revoke.Session) bool { return true }},
		{"one person's", revoke.SessionQuery{Org: org, Users: []revoke.ID{sally.ID}}, func(s revoke.Session) bool { return s.User == sally.ID }},
		{"two people's", revoke.SessionQuery{Org: org, Users: []revoke.ID{sally.ID, bob.ID, b.id()}}, func(revoke.Session) bool { return true }},
		{"one app's", revoke.SessionQuery{Org: org, App: "canvas"}, func(s revoke.Session) bool { return s.App == "canvas" }},
		{"one person's at one app", revoke.SessionQuery{Org: org, Users: []revoke.ID{bob.ID}, App: "canvas"}, func(s revoke.Session) bool { return s.User == bob.ID && s.App == "canvas" }},
		{"nobody's", revoke.SessionQuery{Org: org, Users: []revoke.ID{b.id()}}, func(revoke.Session) bool { return false }},
	}
	byID := func(x, y revoke.Session) int { return x.ID.Compare(y.ID) }
	for _, c := range cases {
		want := slices.DeleteFunc(slices.Clone(all), func(s revoke.Session) bool { return !c.want(s) })
		for _, limit := range []int{1, 2, 3, 7, 100} {
			got := paged(b, limit, func(last *revoke.Session) ([]revoke.Session, error) {
				q := c.q
				q.Limit = limit
				if last != nil {
					q.After = &revoke.SessionCursor{BornAt: last.BornAt, ID: last.ID}
				}
				return b.store.SessionsOf(b.deadline(), q)
			})
			if !slices.IsSortedFunc(got, func(x, y revoke.Session) int { return cmp.Compare(y.BornAt, x.BornAt) }) {
				b.Errorf("%s sessions by %d: not newest birth first", c.what, limit)
			}
			b.same(fmt.Sprintf("%s sessions by %d", c.what, limit), slices.SortedFunc(slices.Values(got), byID), slices.SortedFunc(slices.Values(want), byID))
		}
	}
}

func eachSession(b *bench) {
	sally, bob := b.person(), b.person()
	device := revoke.DeviceScope(org, b.id())
	all := []revoke.Session{
		with(b.session(sally.ID, 10), func(s *revoke.Session) { s.Spared, s.Device = true, device.Device }),
		with(b.session(bob.ID, 20), func(s *revoke.Session) { s.App, s.Kind = "canvas", revoke.Browser }),
		with(b.session(bob.ID, 30), func(s *revoke.Session) { s.ExpiresAt = 100 }),
		b.session(sally.ID, 40),
		with(b.session(sally.ID, 50), func(s *revoke.Session) { s.Org = "other" }),
	}
	b.write(revoke.Effects{Sessions: all})
	b.write(revoke.Effects{Ends: []revoke.End{{Session: all[3].ID, At: 60}}})
	cases := []struct {
		scope revoke.Scope
		now   revoke.Instant
		want  []revoke.Session
	}{
		{revoke.Scope{Org: org, Kind: revoke.ScopeEveryone}, 99, all[:3]},
		{revoke.Scope{Org: org, Kind: revoke.ScopeEveryone}, 100, all[:2]},
		{revoke.Scope{Org: org, Kind: revoke.ScopeKindOf, Key: string(revoke.Mobile)}, 100, all[:1]},
		{revoke.Scope{Org: org, Kind: revoke.ScopeApp, Key: "canvas"}, 100, all[1:2]},
		{device, 100, all[:1]},
		{revoke.Scope{Org: org, Kind: revoke.ScopeApp, Key: "nothing"}, 100, nil},
		{revoke.Scope{Org: "nowhere", Kind: revoke.ScopeEveryone}, 100, nil},
	}
	for _, c := range cases {
		var got []revoke.Session
		if err := b.store.EachSession(b.deadline(), c.scope, c.now, func(s *revoke.Session) { got = append(got, *s) }); err != nil {
			b.Fatalf("each session in %+v: %v", c.scope, err)
		}
		b.same(fmt.Sprintf("sessions in %+v at %d", c.scope, c.now), got, c.want, cmpopts.SortSlices(func(x, y revoke.Session) bool { return x.BornAt < y.BornAt }))
	}
}

// paged reads a whole list page by page. A page that is longer than its limit, or a list that does not end, fails.
func paged[T any](b *bench, limit int, next func(last *T) ([]T, error)) (all []T) {
	b.Helper()
	var last *T
	for range 10_000 {
		rows, err := next(last)
		if err != nil {
			b.Fatalf("read a page of %d: %v", limit, err)
		}
		if len(rows) > limit {
			b.Fatalf("a page of %d has %d rows", limit, len(rows))
		}
		all = append(all, rows...)
		if len(rows) < limit {
			return all
		}
		last = &rows[len(rows)-1]
	}
	b.Fatalf("a list by %d does not end", limit)
	return nil
}
