package revoketest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"curfew/revoke"
)

// bulkContract is about decisions that name very many, as an import does.
func bulkContract() map[string]func(*bench) {
	return map[string]func(*bench){"a thousand registrations": manyRegistrations, "many names have one holder": manyNames}
}

func manyRegistrations(b *bench) {
	const n = 1000
	u := b.person()
	var e revoke.Effects
	need := revoke.Need{Cutoffs: true}
	for i := range n {
		name := revoke.DeviceIdentifier{Org: org, Namespace: revoke.NamespaceDeviceID, Value: fmt.Sprint("device ", i%10)}
		s := with(b.session(u.ID, revoke.Instant(1000+i)), func(s *revoke.Session) {
			s.ClientID, s.Device = fmt.Sprint("s-", i), revoke.DeviceID(name)
		})
		if i < 10 {
			e.Devices = append(e.Devices, revoke.Device{ID: s.Device, Org: org, Identifiers: []revoke.DeviceIdentifier{name}, CreatedAt: 1})
		}
		e.Sessions = append(e.Sessions, s)
		need.Sessions = append(need.Sessions, revoke.SessionRef{Org: org, App: s.App, ClientID: s.ClientID}, revoke.SessionRef{Org: org, Token: s.Token})
		need.Devices = append(need.Devices, name)
		need.Identifiers = append(need.Identifiers, email(fmt.Sprintf("nobody-%d@example.edu", i)))
	}
	if before := b.facts(need); len(before.Sessions)+len(before.Devices) != 0 {
		b.Fatalf("before they are registered: got %d sessions and %d devices, want none", len(before.Sessions), len(before.Devices))
	}
	need.Org = org
	err := b.store.Decide(b.deadline(), need, func(*revoke.Facts) (revoke.Effects, error) { return e, nil })
	if err != nil {
		b.Fatalf("register a thousand at once: %v", err)
	}
	got := b.facts(need)
	want := revoke.NewFacts()
	for i, s := range e.Sessions {
		want.AddSession(s)
		if i >= n-10 {
			want.NewestOf[revoke.DeviceScope(org, s.Device)] = s.BornAt
		}
	}
	b.same("a thousand sessions", got.Sessions, want.Sessions)
	b.same("the newest on each device", got.NewestOf, want.NewestOf)
	b.same("their user", got.Users, map[revoke.ID]revoke.User{u.ID: u})
}

// manyNames lets decisions with one name and with very many meet: whoever comes second sees who holds it.
func manyNames(b *bench) {
	b.meet("names of many decisions with very many", 4, false)
	b.meet("names of both kinds of decision", 8, true)
}

func (b *bench) meet(what string, decisions int, mixed bool) {
	b.Helper()
	const names = 1500
	var all []revoke.Identifier
	for i := range names {
		all = append(all, email(fmt.Sprintf("name-%d-%d@example.edu", decisions, i)))
	}
	var taken atomic.Int64
	var madeFor sync.Map // user to identifier
	b.allWell(decisions, func(ctx context.Context, i int) error {
		ids := all
		if mixed && i%2 == 1 {
			ids = all[i*100 : i*100+3]
		}
		made := int64(0)
		err := b.store.Decide(ctx, revoke.Need{Org: org, Identifiers: ids}, func(f *revoke.Facts) (e revoke.Effects, err error) {
			made = 0
			held := map[any]bool{}
			for user := range f.Users {
				id, _ := madeFor.Load(user)
				held[id] = true
			}
			for _, id := range ids {
				if held[id] {
					continue
				}
				u := revoke.User{ID: revoke.NewID(f.Now), Org: org, CreatedAt: f.Now}
				madeFor.Store(u.ID, id)
				e.Users = append(e.Users, u)
				e.Holdings = append(e.Holdings, revoke.Holding{Identifier: id, User: u.ID, HeldFrom: f.Now})
				made++
			}
			return e, nil
		})
		taken.Add(made)
		return err
	})
	if n := taken.Load(); n != names {
		b.Errorf("people made for %d %s: got %d, want one for each", names, what, n)
	}
	holdings, err := b.store.Holdings(b.deadline(), all)
	if err != nil || len(holdings) != names {
		b.Errorf("holdings of %d %s: got %d, %v, want one of each", names, what, len(holdings), err)
	}
}
