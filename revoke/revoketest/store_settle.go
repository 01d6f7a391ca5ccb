package revoketest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"curfew/revoke"
)

func (b *bench) deliveries(q revoke.DeliveryQuery) []revoke.Delivery {
	b.Helper()
	q.Org = org
	got, err := b.store.Deliveries(b.deadline(), q)
	if err != nil {
		b.Fatalf("list deliveries by %+v: %v", q, err)
	}
	return got
}

func settleDelivery(b *bench) {
	u := b.person()
	first, second := b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.Ord = 1 }), b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.Ord = 2 })
	at := b.now()
	receipt := &revoke.Receipt{Evidence: revoke.Confirmed, RequestID: "r-1", Status: 200, Ended: 3, At: at}
	steps := []struct {
		s    revoke.Settlement
		want func(*revoke.Delivery)
	}{
		{
			revoke.Settlement{State: revoke.DeliveryDue, DueAt: at + 10, Attempt: revoke.Attempt{At: at, Took: time.Second, Error: `it said "no" (503)`}},
			func(d *revoke.Delivery) { d.DueAt, d.Attempts, d.LastError = at+10, 1, `it said "no" (503)` },
		},
		{
			revoke.Settlement{State: revoke.DeliveryDue, DueAt: at + 20, Attempt: revoke.Attempt{At: at + 10, Error: "timeout"}},
			func(d *revoke.Delivery) { d.DueAt, d.Attempts, d.LastError = at+20, 2, "timeout" },
		},
		{
			revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: at + 20, Receipt: receipt}},
			func(d *revoke.Delivery) {
				d.State, d.Attempts, d.LastError, d.Receipt = revoke.DeliveryDone, 3, "", receipt
			},
		},
	}
	want := []revoke.Delivery{first, second}
	for i, step := range steps {
		owed := b.claim("canvas", 1, at+revoke.Instant(10*i), at.Add(time.Hour))
		b.same(fmt.Sprintf("claim %d", i), names(owed), [][]string{{first.Name(), second.Name()}})
		if err := b.store.Settle(b.deadline(), owed[0], step.s); err != nil {
			b.Fatalf("settlement %d: %v", i, err)
		}
		for j := range want {
			step.want(&want[j])
		}
		got := b.deliveries(revoke.DeliveryQuery{Limit: 10})
		for j := range got {
			done := got[j].State == revoke.DeliveryDone
			if (got[j].DoneAt != 0) != done {
				b.Errorf("delivery in state %s after settlement %d is done at %d", got[j].State, i, got[j].DoneAt)
			}
			if got[j].DoneAt = 0; done {
				got[j].DueAt = want[j].DueAt // says nothing any more
			}
			if got[j].State != revoke.DeliveryClaimed { // nor does the lease
				got[j].Lease, got[j].LeaseUntil = revoke.ID{}, 0
			}
		}
		b.same(fmt.Sprintf("deliveries after settlement %d", i), byOrd(got), want)
	}
	for _, d := range want {
		var made []revoke.Attempt
		for i, step := range steps {
			made = append(made, with(step.s.Attempt, func(a *revoke.Attempt) {
				a.Revocation, a.Target, a.Number = d.Revocation, d.Target, i+1
			}))
		}
		b.same("attempts of "+d.Name(), b.attempts(org, d), made)
		b.same("attempts asked for by another org", b.attempts("other", d), []revoke.Attempt{})
		b.same("attempts at another target", b.attempts(org, with(d, func(d *revoke.Delivery) { d.Target = "portal" })), []revoke.Attempt{})
	}
	b.same("nothing is owed any more", names(b.claim("canvas", 1, at.Add(24*time.Hour), at.Add(25*time.Hour))), [][]string{})
	third := b.owe(u.ID, "canvas", nil)
	owed := b.claim("canvas", 1, max(at, third.DueAt), at.Add(time.Hour))
	if err := b.store.Settle(b.deadline(), owed[0], revoke.Settlement{State: revoke.DeliveryParked, Attempt: revoke.Attempt{At: at, Error: "gone for ever"}}); err != nil {
		b.Fatalf("park: %v", err)
	}
	parked := b.deliveries(revoke.DeliveryQuery{State: revoke.DeliveryParked, Limit: 10})
	if len(parked) != 1 || parked[0].LastError != "gone for ever" || parked[0].Attempts != 1 {
		b.Errorf("parked deliveries: got %+v, want the third with its error", parked)
	}
	b.same("what is parked is not claimed", names(b.claim("canvas", 1, at.Add(24*time.Hour), at.Add(25*time.Hour))), [][]string{})
}

func (b *bench) attempts(org string, d revoke.Delivery) []revoke.Attempt {
	b.Helper()
	got, err := b.store.AttemptsOf(b.deadline(), org, d.Revocation, d.Target)
	if err != nil {
		b.Fatalf("attempts of %s: %v", d.Name(), err)
	}
	return got
}

func byOrd(rows []revoke.Delivery) []revoke.Delivery {
	slices.SortFunc(rows, func(a, b revoke.Delivery) int { return int(a.Ord - b.Ord) })
	return rows
}

// settleLost loses the lease of one of two deliveries: neither is recorded.
func settleLost(b *bench) {
	u, other := b.person(), b.person()
	b.owe(u.ID, "canvas", nil)
	b.owe(u.ID, "canvas", nil)
	b.owe(other.ID, "canvas", nil)
	at := b.now()
	owed := b.claim("canvas", 10, at, at.Add(time.Minute))
	before := b.deliveries(revoke.DeliveryQuery{Limit: 10})
	stale := owed[0]
	if len(stale.Items) != 2 {
		stale = owed[1]
	}
	for i := range stale.Items {
		some := stale
		some.Items = slices.Clone(stale.Items)
		some.Items[i].Delivery.Lease = b.id()
		for _, state := range []revoke.DeliveryState{revoke.DeliveryDone, revoke.DeliveryDue, revoke.DeliveryParked} {
			err := b.store.Settle(b.deadline(), some, revoke.Settlement{State: state, DueAt: at, Attempt: revoke.Attempt{At: at, Error: "x"}})
			if !errors.Is(err, revoke.ErrLeaseLost) {
				b.Errorf("settle two deliveries as %s, number %d under another lease: got %v, want %v", state, i, err, revoke.ErrLeaseLost)
			}
		}
	}
	b.same("deliveries after a lost lease", b.deliveries(revoke.DeliveryQuery{Limit: 10}), before)
}

func nextDue(b *bench) {
	next := func(what string, want revoke.Instant) {
		b.Helper()
		if got, err := b.store.NextDue(b.deadline(), "canvas"); err != nil || got != want {
			b.Errorf("next due %s: got %d (%v), want %d", what, got, err, want)
		}
	}
	at := b.now()
	next("when nothing is owed", 0)
	b.owe(b.person().ID, "portal", due(1, revoke.PrioritySingle))
	next("when another target is owed", 0)
	b.owe(b.person().ID, "canvas", due(at.Add(time.Hour), revoke.PrioritySingle))
	next("when one waits", at.Add(time.Hour))
	b.owe(b.person().ID, "canvas", due(at-7, revoke.PriorityMass))
	next("when another is late", at-7)
	owed := b.claim("canvas", 10, at, at.Add(time.Minute))
	next("when that is claimed: its lease", at.Add(time.Minute))
	if err := b.store.Settle(b.deadline(), owed[0], revoke.Settlement{State: revoke.DeliveryParked, Attempt: revoke.Attempt{At: at}}); err != nil {
		b.Fatalf("park: %v", err)
	}
	next("when that is parked", at.Add(time.Hour))
}

func retryDeliveries(b *bench) {
	at := b.now()
	u := b.person()
	parked := b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.State, d.DueAt = revoke.DeliveryParked, at.Add(time.Hour) })
	other := b.owe(b.person().ID, "portal", func(d *revoke.Delivery) { d.State, d.DueAt = revoke.DeliveryParked, at.Add(time.Hour) })
	waiting := b.owe(b.person().ID, "canvas", due(at.Add(time.Hour), revoke.PrioritySingle))
	b.owe(b.person().ID, "canvas", func(d *revoke.Delivery) { d.State = revoke.DeliveryDone })
	now := b.now()
	var orders []revoke.AuditEntry // what changes nothing leaves no line
	retry := func(what string, q revoke.DeliveryQuery, want int) {
		b.Helper()
		if want > 0 {
			orders = append(orders, order(1))
		}
		if n, err := b.store.Retry(b.deadline(), q, now, order(1)); err != nil || n != want {
			b.Errorf("retry %s: got %d (%v), want %d", what, n, err, want)
		}
	}
	retry("of another org", revoke.DeliveryQuery{Org: "other"}, 0)
	retry("of another person", revoke.DeliveryQuery{Org: org, User: b.id()}, 0)
	retry("parked ones of a target", revoke.DeliveryQuery{Org: org, Target: "canvas", State: revoke.DeliveryParked}, 1)
	b.same("claimed after that", names(b.claim("canvas", 10, now, now.Add(time.Minute))), [][]string{{parked.Name()}})
	retry("of a revocation under way", revoke.DeliveryQuery{Org: org, Revocation: parked.Revocation}, 0)
	retry("of one revocation", revoke.DeliveryQuery{Org: org, Revocation: other.Revocation, Target: "portal"}, 1)
	if audit, ok := b.audited(); ok {
		b.same("audit of what was retried", audit, orders)
	}
	b.same("claimed after that", names(b.claim("portal", 10, now, now.Add(time.Minute))), [][]string{{other.Name()}})
	retry("of all", revoke.DeliveryQuery{Org: org}, 1)
	b.same("claimed after that", names(b.claim("canvas", 10, now, now.Add(time.Minute))), [][]string{{waiting.Name()}})
	retry("of all again", revoke.DeliveryQuery{Org: org}, 0)
	first := map[string]revoke.Instant{parked.Name(): now, other.Name(): now, waiting.Name(): waiting.FirstAt}
	for _, d := range b.deliveries(revoke.DeliveryQuery{State: revoke.DeliveryClaimed, Limit: 10}) {
		if d.FirstAt != first[d.Name()] {
			b.Errorf("the ladder of %s begins at %d, want %d: what was parked climbs it anew", d.Name(), d.FirstAt, first[d.Name()])
		}
	}
}

func listDeliveries(b *bench) {
	u, other := b.person(), b.person()
	var all []revoke.Delivery
	var e revoke.Effects
	for i := range 20 {
		r := b.revocation([]revoke.ID{u.ID, other.ID}[i%2])
		e.Revocations = append(e.Revocations, r)
		for _, target := range []string{"portal", "canvas"} {
			d := b.delivery(r, target)
			d.Ord += revoke.Instant(i)
			if i%3 == 0 {
				d.State = revoke.DeliveryParked
			}
			all = append(all, d)
		}
	}
	foreign := with(b.revocation(u.ID), func(r *revoke.Revocation) { r.Org = "other" })
	e.Revocations = append(e.Revocations, foreign)
	e.Deliveries = append(slices.Clone(all), b.delivery(foreign, "canvas"))
	b.write(e)
	slices.SortFunc(all, byDelivery)
	cases := []struct {
		what string
		q    revoke.DeliveryQuery
		want func(revoke.Delivery) bool
	}{
		{"all", revoke.DeliveryQuery{}, func(revoke.Delivery) bool { return true }},
		{"of a target", revoke.DeliveryQuery{Target: "portal"}, func(d revoke.Delivery) bool { return d.Target == "portal" }},
		{"parked", revoke.DeliveryQuery{State: revoke.DeliveryParked}, func(d revoke.Delivery) bool { return d.State == revoke.DeliveryParked }},
		{"of a person", revoke.DeliveryQuery{User: u.ID}, func(d revoke.Delivery) bool { return d.User == u.ID }},
		{"of a revocation", revoke.DeliveryQuery{Revocation: all[4].Revocation}, func(d revoke.Delivery) bool { return d.Revocation == all[4].Revocation }},
		{"of a person at a target, due", revoke.DeliveryQuery{User: other.ID, Target: "canvas", State: revoke.DeliveryDue}, func(d revoke.Delivery) bool {
			return d.User == other.ID && d.Target == "canvas" && d.State == revoke.DeliveryDue
		}},
	}
	for _, c := range cases {
		want := slices.DeleteFunc(slices.Clone(all), func(d revoke.Delivery) bool { return !c.want(d) })
		for _, limit := range []int{1, 3, 100} {
			got := paged(b, limit, func(last *revoke.Delivery) ([]revoke.Delivery, error) {
				q := c.q
				q.Org, q.Limit = org, limit
				if last != nil {
					q.After = &revoke.DeliveryCursor{Revocation: last.Revocation, Target: last.Target}
				}
				return b.store.Deliveries(b.deadline(), q)
			})
			b.same(fmt.Sprintf("deliveries %s, %d at a time", c.what, limit), got, want)
		}
	}
}

// manyClaimers has 16 workers claim and settle at once, each delivery failing twice. Nobody is ever claimed by two, each
// person's deliveries go out in their order, and all are done in the end.
func manyClaimers(b *bench) {
	const people, each, workers = 20, 4, 16
	var e revoke.Effects
	for range people {
		u := b.person()
		for range each {
			r := b.revocation(u.ID)
			d := b.delivery(r, "canvas")
			d.Ord = revoke.Instant(len(e.Deliveries) + 1)
			e.Revocations, e.Deliveries = append(e.Revocations, r), append(e.Deliveries, d)
		}
	}
	b.write(e)
	at := b.now()
	until := at.Add(time.Hour)
	var mu sync.Mutex
	out := map[revoke.ID]bool{}
	b.allWell(workers, func(ctx context.Context, i int) error {
		for turn := 0; ; turn++ {
			owed, err := b.store.Claim(ctx, "canvas", 1+(i+turn)%3, at, until, revoke.NewID(at))
			if err != nil {
				return fmt.Errorf("claim: %w", err)
			}
			mu.Lock()
			for _, o := range owed {
				if out[o.User] {
					b.Errorf("two leases are out for %s", o.User)
				}
				out[o.User] = true
				if !slices.IsSortedFunc(o.Items, func(x, y revoke.OwedItem) int { return int(x.Delivery.Ord - y.Delivery.Ord) }) || len(o.Items) != each {
					b.Errorf("claimed for one person: %v, want all %d in their order", names([]revoke.Owed{o}), each)
				}
			}
			mu.Unlock()
			for _, o := range owed {
				s := revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: at, Receipt: &revoke.Receipt{Evidence: revoke.Accepted, At: at}}}
				if o.Items[0].Delivery.Attempts < 2 {
					s = revoke.Settlement{State: revoke.DeliveryDue, DueAt: at, Attempt: revoke.Attempt{At: at, Error: "try again"}}
				}
				mu.Lock()
				delete(out, o.User)
				mu.Unlock()
				if err := b.store.Settle(ctx, o, s); err != nil {
					return fmt.Errorf("settle: %w", err)
				}
			}
			if len(owed) > 0 {
				continue
			}
			if next, err := b.store.NextDue(ctx, "canvas"); err != nil || next == 0 {
				return err
			}
		}
	})
	got := b.deliveries(revoke.DeliveryQuery{Limit: 1000})
	for _, d := range got {
		if d.State != revoke.DeliveryDone || d.Attempts != 3 || d.Receipt == nil {
			b.Errorf("delivery %s after all of them: %s after %d attempts with receipt %v, want done after 3 with one", d.Name(), d.State, d.Attempts, d.Receipt)
		}
	}
	if len(got) != people*each {
		b.Errorf("deliveries: got %d, want %d", len(got), people*each)
	}
}

// claimWhileWriting decides on people while others claim for them: each delivery is claimed once, none is lost.
func claimWhileWriting(b *bench) {
	const writers, each = 8, 10
	var people []revoke.User
	for range 4 {
		people = append(people, b.person())
	}
	var mu sync.Mutex
	settled := map[string]int{}
	b.allWell(2*writers, func(ctx context.Context, i int) error {
		if i < writers {
			for n := range each {
				u := people[(i+n)%len(people)]
				err := b.store.Decide(ctx, revoke.Need{Org: org, Users: []revoke.ID{u.ID}}, func(f *revoke.Facts) (revoke.Effects, error) {
					r := with(b.revocation(u.ID), func(r *revoke.Revocation) { r.CreatedAt = f.Now })
					return revoke.Effects{Revocations: []revoke.Revocation{r}, Deliveries: []revoke.Delivery{b.delivery(r, "canvas")}}, nil
				})
				if err != nil {
					return fmt.Errorf("write: %w", err)
				}
			}
			return nil
		}
		for {
			now := b.now()
			owed, err := b.store.Claim(ctx, "canvas", 2, now, now.Add(time.Hour), revoke.NewID(now))
			if err != nil {
				return fmt.Errorf("claim: %w", err)
			}
			for _, o := range owed {
				if err := b.store.Settle(ctx, o, revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: now}}); err != nil {
					return fmt.Errorf("settle: %w", err)
				}
			}
			mu.Lock()
			for _, o := range owed {
				for _, item := range o.Items {
					settled[item.Delivery.Name()]++
				}
			}
			done := len(settled) == writers*each
			mu.Unlock()
			if done {
				return nil
			}
		}
	})
	for name, n := range settled {
		if n != 1 {
			b.Errorf("delivery %s was settled %d times, want once", name, n)
		}
	}
}
