package revoketest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"curfew/revoke"
)

// concurrencyContract is about decisions at the same time.
func concurrencyContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"instants": instants, "one person's decisions follow each other": serialDecisions, "first sight of an identifier": firstSight,
		"identifiers in any order": lockOrder, "an event twice at once": eventTwice, "a session twice at once": sessionTwice,
		"joined people lock each other": joinedDecisions, "nothing is half there": wholeDecisions,
	}
}

// yield lets others run where a decision has read and not yet written: who does not hold a lock there is found out.
func yield() {
	for range 5 {
		runtime.Gosched()
	}
}

func instants(b *bench) {
	var mu sync.Mutex
	var seen []revoke.Instant
	b.allWell(32, func(ctx context.Context, i int) error {
		before := b.now()
		var at revoke.Instant
		err := b.store.Decide(ctx, revoke.Need{Org: org}, func(f *revoke.Facts) (revoke.Effects, error) {
			at = f.Now
			return revoke.Effects{}, nil
		})
		if after := b.now(); at < before || after < at {
			return fmt.Errorf("decision at %d, asked for at %d and over at %d: its instant lies outside", at, before, after)
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, at)
		return err
	})
	var moved revoke.Instant
	err := b.store.Decide(b.deadline(), revoke.Need{Org: org}, func(f *revoke.Facts) (revoke.Effects, error) {
		f.Now += 50 // one instant for each of many events
		moved = f.Now
		return revoke.Effects{}, nil
	})
	if now := b.now(); err != nil || now < moved {
		b.Errorf("the clock after a decision that used instants up to %d shows %d (%v), want it no earlier", moved, now, err)
	}
	seen = append(seen, moved)
	slices.Sort(seen)
	if got := len(slices.Compact(seen)); got != 33 {
		b.Errorf("33 decisions have %d different instants, want 33", got)
	}
	last := slices.Max(seen)
	for range 20 {
		if at := b.facts(revoke.Need{}).Now; at <= last {
			b.Fatalf("a later decision has instant %d after %d, want it later", at, last)
		} else {
			last = at
		}
	}
}

// serialDecisions lets each decision count what the ones before it wrote: two that see the same number were decided on one
// state, and the second would be wrong.
func serialDecisions(b *bench) {
	const n = 32
	key := email("sally@example.edu")
	sally := b.person(key)
	var mu sync.Mutex
	counted := map[int]revoke.Instant{}
	b.allWell(n, func(ctx context.Context, i int) error {
		need := revoke.Need{Org: org, SessionsOf: true, Cutoffs: true}
		if i%2 == 0 {
			need.Users = []revoke.ID{sally.ID}
		} else {
			need.Identifiers = []revoke.Identifier{key}
		}
		s := b.session(sally.ID, revoke.Instant(i+1))
		var count int
		var at revoke.Instant
		err := b.store.Decide(ctx, need, func(f *revoke.Facts) (revoke.Effects, error) {
			count, at = len(f.Sessions), f.Now
			yield()
			return revoke.Effects{Sessions: []revoke.Session{s}}, nil
		})
		mu.Lock()
		defer mu.Unlock()
		counted[count] = at
		return err
	})
	for i := range n {
		if _, ok := counted[i]; !ok {
			b.Errorf("no decision saw exactly %d before it; %d different counts among %d decisions", i, len(counted), n)
		} else if i > 0 && counted[i] <= counted[i-1] {
			b.Errorf("the decision that saw %d is stamped %d, not after the one that saw %d at %d", i, counted[i], i-1, counted[i-1])
		}
	}
}

func firstSight(b *bench) {
	for round := range 5 {
		key := email(fmt.Sprintf("new%d@example.edu", round))
		b.allWell(16, func(ctx context.Context, i int) error {
			own := revoke.Identifier{Org: org, Namespace: "okta", Value: fmt.Sprintf("%d-%d", round, i)}
			return b.store.Decide(ctx, revoke.Need{Org: org, Identifiers: []revoke.Identifier{own, key}}, func(f *revoke.Facts) (revoke.Effects, error) {
				if len(f.Users) > 0 {
					return revoke.Effects{}, nil
				}
				yield()
				u := revoke.User{ID: revoke.NewID(f.Now), Org: org, CreatedAt: f.Now}
				return revoke.Effects{Users: []revoke.User{u}, Holdings: []revoke.Holding{{Identifier: key, User: u.ID, HeldFrom: f.Now}, {Identifier: own, User: u.ID, HeldFrom: f.Now}}}, nil
			})
		})
		holders, err := b.store.Holders(b.deadline(), []revoke.Identifier{key})
		if err != nil || len(holders) != 1 {
			b.Errorf("16 decisions at once on an identifier nobody had seen made %d users (%v), want 1", len(holders), err)
		}
	}
	users, err := b.store.Users(b.deadline(), revoke.UserQuery{Org: org, EveryoneIn: true, Limit: 100})
	if err != nil || len(users) != 5 {
		b.Errorf("users after 5 rounds: got %d (%v), want 5", len(users), err)
	}
}

// lockOrder names the same identifiers and users in opposite orders: whoever locks in the order of asking ends in a deadlock.
func lockOrder(b *bench) {
	var ids []revoke.Identifier
	var users []revoke.ID
	for i := range 6 {
		ids = append(ids, email(fmt.Sprintf("p%d@example.edu", i)))
		users = append(users, b.person(ids[i]).ID)
	}
	ids = append(ids, email("unseen1@example.edu"), email("unseen2@example.edu"))
	b.allWell(32, func(ctx context.Context, i int) error {
		need := revoke.Need{Org: org, Identifiers: slices.Clone(ids), Users: slices.Clone(users)}
		if i%2 == 1 {
			slices.Reverse(need.Identifiers)
		}
		if i%4 < 2 {
			slices.Reverse(need.Users)
		}
		if i%3 == 0 {
			need.Identifiers = need.Identifiers[:3]
		}
		return b.store.Decide(ctx, need, func(f *revoke.Facts) (revoke.Effects, error) {
			var e revoke.Effects
			for _, user := range users {
				e.Cutoffs = append(e.Cutoffs, revoke.Cutoff{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: user}, At: f.Now})
			}
			if i%2 == 1 {
				slices.Reverse(e.Cutoffs)
			}
			return e, nil
		})
	})
}

// eventTwice sends one event many times at once, about somebody and about nobody: it is written once, and all the others
// see it.
func eventTwice(b *bench) {
	for what, ids := range map[string][]revoke.Identifier{"somebody": {email("sally@example.edu")}, "nobody": nil} {
		key := revoke.EventKey{Org: org, Authority: "okta", SenderID: what}
		var mu sync.Mutex
		first, duplicates := 0, 0
		b.allWell(16, func(ctx context.Context, i int) error {
			var seen bool
			err := b.store.Decide(ctx, revoke.Need{Org: org, Identifiers: ids, Events: []revoke.EventKey{key}}, func(f *revoke.Facts) (revoke.Effects, error) {
				if _, seen = f.Events[key]; seen {
					return revoke.Effects{}, nil
				}
				yield()
				return revoke.Effects{Events: []revoke.Event{{ID: revoke.NewID(f.Now), Org: org, Source: "okta", Authority: "okta", SenderID: what, ReceivedAt: f.Now, State: revoke.EventIgnored}}}, nil
			})
			mu.Lock()
			defer mu.Unlock()
			if seen {
				duplicates++
			} else {
				first++
			}
			return err
		})
		if first != 1 || duplicates != 15 {
			b.Errorf("one event about %s sent 16 times at once was new %d times and a duplicate %d times, want 1 and 15", what, first, duplicates)
		}
	}
}

// sessionTwice registers one token for many people at once: one gets it, and all the others see whose it is.
func sessionTwice(b *bench) {
	token := revoke.HashToken("the same")
	taken := errors.New("taken")
	var people []revoke.User
	for i := range 8 {
		people = append(people, b.person(email(fmt.Sprintf("p%d@example.edu", i))))
	}
	errs := b.together(16, func(ctx context.Context, i int) error {
		s := with(b.session(people[i%8].ID, 10), func(s *revoke.Session) { s.Token = token })
		ref := revoke.SessionRef{Org: org, Token: token}
		return b.store.Decide(ctx, revoke.Need{Org: org, Users: []revoke.ID{s.User}, Sessions: []revoke.SessionRef{ref}}, func(f *revoke.Facts) (revoke.Effects, error) {
			if len(f.Sessions) > 0 {
				return revoke.Effects{}, taken
			}
			yield()
			return revoke.Effects{Sessions: []revoke.Session{s}}, nil
		})
	})
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, taken):
			b.Errorf("registration %d of one token: got %v, want it to see whose the token is", i, err)
		}
	}
	if won != 1 {
		b.Errorf("one token was registered %d times, want once", won)
	}
}

// joinedDecisions decides on two people who are one, asking for either: the decisions follow each other all the same.
func joinedDecisions(b *bench) {
	a, c := b.person(), b.person()
	b.write(revoke.Effects{Joins: []revoke.Join{revoke.NewJoin(a.ID, c.ID, 10, b.id())}})
	const n = 24
	var mu sync.Mutex
	counts := map[int]bool{}
	b.allWell(n, func(ctx context.Context, i int) error {
		asked := []revoke.ID{a.ID, c.ID}[i%2]
		s := b.session(asked, revoke.Instant(i+1))
		count := 0
		err := b.store.Decide(ctx, revoke.Need{Org: org, Users: []revoke.ID{asked}, SessionsOf: true}, func(f *revoke.Facts) (revoke.Effects, error) {
			count = len(f.Sessions)
			yield()
			return revoke.Effects{Sessions: []revoke.Session{s}}, nil
		})
		mu.Lock()
		defer mu.Unlock()
		counts[count] = true
		return err
	})
	if len(counts) != n {
		b.Errorf("%d decisions on two joined people saw %d different states, want %d", n, len(counts), n)
	}
}

// wholeDecisions runs 32 deciders over people they share, each writing one row of everything, some of them failing. All of
// what went well is there, and nothing of the rest.
func wholeDecisions(b *bench) {
	const deciders, rounds = 32, 4
	var people []revoke.User
	for i := range 5 {
		people = append(people, b.person(email(fmt.Sprintf("p%d@example.edu", i))))
	}
	wrong := errors.New("no")
	var mu sync.Mutex
	var done, undone []revoke.Effects
	newest := map[revoke.Scope]revoke.Cutoff{}
	b.allWell(deciders, func(ctx context.Context, i int) error {
		for round := range rounds {
			u := people[(i+round)%len(people)]
			name := fmt.Sprintf("evt-%d-%d", i, round)
			need := revoke.Need{
				Org: org, Users: []revoke.ID{u.ID}, Identifiers: []revoke.Identifier{email(fmt.Sprintf("p%d@example.edu", round))},
				Events: []revoke.EventKey{{Org: org, Authority: "okta", SenderID: name}}, Cutoffs: true,
			}
			var e revoke.Effects
			err := b.store.Decide(ctx, need, func(f *revoke.Facts) (revoke.Effects, error) {
				e = b.wholeDecision(f, u.ID, name)
				if (i+round)%5 == 0 {
					return e, wrong
				}
				return e, nil
			})
			mu.Lock()
			if errors.Is(err, wrong) {
				undone = append(undone, e)
				err = nil
			} else if err == nil {
				done = append(done, e)
				newest[e.Cutoffs[0].Scope] = newest[e.Cutoffs[0].Scope].Join(e.Cutoffs[0])
			}
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, e := range done {
		b.wholeThere(e)
	}
	for _, e := range undone {
		b.nothingThere(e)
	}
	for scope, want := range newest {
		want.Scope = scope
		b.same("cutoff after all of them", b.facts(revoke.Need{Users: []revoke.ID{scope.User}, Cutoffs: true}).Cutoffs[scope], want)
	}
	b.journalHas(done, undone)
}

// wholeDecision returns one row of everything that a signal writes.
func (b *bench) wholeDecision(f *revoke.Facts, user revoke.ID, name string) revoke.Effects {
	event := revoke.Event{ID: revoke.NewID(f.Now), Org: org, Source: "okta", Authority: "okta", SenderID: name, ReceivedAt: f.Now, State: revoke.EventDecided}
	r := revoke.Revocation{
		ID: revoke.NewID(f.Now), Event: event.ID, Org: org, Kind: revoke.RevocationBlock, Signal: revoke.Suspended, At: f.Now,
		Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: user}, Blocked: true, CreatedAt: f.Now,
	}
	return revoke.Effects{
		Events: []revoke.Event{event}, Revocations: []revoke.Revocation{r},
		Blocks:     []revoke.Block{{BlockKey: revoke.BlockKey{User: user, Authority: name, Class: revoke.ClassPlain}, BlockedAt: f.Now, Revocation: r.ID}},
		Cutoffs:    []revoke.Cutoff{{Scope: r.Scope, At: f.Now, Revocation: r.ID}},
		Deliveries: []revoke.Delivery{b.delivery(r, "canvas"), b.delivery(r, "portal")},
		Audit:      []revoke.AuditEntry{{Org: org, At: f.Now, Kind: "revocation", Entry: []byte(`{"event":"` + event.ID.String() + `"}`), Person: []byte(`{}`)}},
	}
}

func (b *bench) wholeThere(e revoke.Effects) {
	b.Helper()
	r, deliveries, err := b.store.Revocation(b.deadline(), org, e.Revocations[0].ID)
	if err != nil || r != e.Revocations[0] || len(deliveries) != 2 {
		b.Errorf("revocation of a decision that went well: got %+v with %d deliveries (%v), want all of it", r, len(deliveries), err)
	}
	key := e.Events[0].Key()
	facts := b.facts(revoke.Need{Events: []revoke.EventKey{key}})
	b.same("event of a decision that went well", facts.Events, map[revoke.EventKey]revoke.Event{key: e.Events[0]})
	block := e.Blocks[0]
	if blocks := b.people(block.User)[0].Blocks; !slices.Contains(blocks, block) {
		b.Errorf("block of a decision that went well: got %+v, want among them %+v", blocks, block)
	}
}

func (b *bench) nothingThere(e revoke.Effects) {
	b.Helper()
	if _, _, err := b.store.Revocation(b.deadline(), org, e.Revocations[0].ID); !errors.Is(err, revoke.ErrNotFound) {
		b.Errorf("revocation of a decision that failed: got %v, want %v", err, revoke.ErrNotFound)
	}
	key := e.Events[0].Key()
	b.same("event of a decision that failed", b.facts(revoke.Need{Events: []revoke.EventKey{key}}).Events, map[revoke.EventKey]revoke.Event{})
	for _, block := range b.people(e.Blocks[0].User)[0].Blocks {
		if block.BlockKey == e.Blocks[0].BlockKey {
			b.Errorf("block of a decision that failed is there: %+v", block)
		}
	}
}

// journalHas looks for the change and audit rows of every decision, where the store lets us see them.
func (b *bench) journalHas(done, undone []revoke.Effects) {
	b.Helper()
	journal, ok := b.store.(Journal)
	if !ok {
		return
	}
	changes, audit, err := journal.Journal(b.deadline())
	if err != nil {
		b.Fatalf("read the journal: %v", err)
	}
	blocks, entries := map[revoke.BlockKey]bool{}, map[string]bool{}
	for i, c := range changes {
		if i > 0 && c.Seq <= changes[i-1].Seq {
			b.Errorf("change %d follows change %d", c.Seq, changes[i-1].Seq)
		}
		if c.Block != nil {
			blocks[c.Block.BlockKey] = true
		}
	}
	for _, a := range audit {
		entries[string(a.Entry)] = true
	}
	for want, all := range map[bool][]revoke.Effects{true: done, false: undone} {
		for _, e := range all {
			if got := blocks[e.Blocks[0].BlockKey]; got != want {
				b.Errorf("change of the block of %s: there is one: %t, want %t", e.Events[0].SenderID, got, want)
			}
			if got := entries[string(e.Audit[0].Entry)]; got != want {
				b.Errorf("audit entry of %s: there is one: %t, want %t", e.Events[0].SenderID, got, want)
			}
		}
	}
}
