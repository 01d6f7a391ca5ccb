package revoketest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// queueContract is about deliveries: claimed with a lease, in order, settled once.
func queueContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"claim in order": claimOrder, "what is claimed": claimContent, "a waiting delivery is not overtaken": claimTogether,
		"leases end": leaseEnds, "settle": settleDelivery, "settle what was lost": settleLost, "next due": nextDue, "retry": retryDeliveries,
		"list deliveries": listDeliveries, "many claimers": manyClaimers, "a claim beside its writing": claimWhileWriting,
	}
}

// owe writes a revocation of a user with a delivery to target and returns the delivery. change may be nil.
func (b *bench) owe(user revoke.ID, target string, change func(*revoke.Delivery)) revoke.Delivery {
	b.Helper()
	r := b.revocation(user)
	d := b.delivery(r, target)
	if change != nil {
		change(&d)
	}
	b.write(revoke.Effects{Revocations: []revoke.Revocation{r}, Deliveries: []revoke.Delivery{d}})
	return d
}

func (b *bench) claim(target string, n int, now, until revoke.Instant) []revoke.Owed {
	b.Helper()
	owed, err := b.store.Claim(b.deadline(), target, n, now, until, b.id())
	if err != nil {
		b.Fatalf("claim for %d people at %s: %v", n, target, err)
	}
	return owed
}

func names(owed []revoke.Owed) (out [][]string) {
	for _, o := range owed {
		var of []string
		for _, item := range o.Items {
			of = append(of, item.Delivery.Name())
		}
		out = append(out, of)
	}
	return out
}

func due(at revoke.Instant, priority revoke.Priority) func(*revoke.Delivery) {
	return func(d *revoke.Delivery) { d.DueAt, d.Priority = at, priority }
}

func claimOrder(b *bench) {
	at := b.now()
	p := make([]revoke.User, 6)
	for i := range p {
		p[i] = b.person()
	}
	mass := b.owe(p[0].ID, "canvas", due(at-100, revoke.PriorityMass))
	late := b.owe(p[1].ID, "canvas", due(at-10, revoke.PrioritySingle))
	early := b.owe(p[2].ID, "canvas", due(at-20, revoke.PrioritySingle))
	b.owe(p[3].ID, "canvas", due(at+1, revoke.PrioritySingle))
	now := b.owe(p[4].ID, "canvas", due(at, revoke.PrioritySingle))
	b.owe(p[5].ID, "portal", due(at-30, revoke.PrioritySingle))
	everyone := b.owe(revoke.ID{}, "canvas", due(at-200, revoke.PriorityMass))
	until := at.Add(time.Minute)
	b.same("nobody asked for", names(b.claim("canvas", 0, at, until)), [][]string{})
	b.same("the first one", names(b.claim("canvas", 1, at, until)), [][]string{{early.Name()}})
	b.same("the rest, single people first, each by when it was due", names(b.claim("canvas", 100, at, until)), [][]string{{late.Name()}, {now.Name()}, {everyone.Name()}, {mass.Name()}})
	b.same("nothing more", names(b.claim("canvas", 100, at, until)), [][]string{})
	b.same("a target nobody owes", names(b.claim("okta", 100, at, until)), [][]string{})
}

func claimContent(b *bench) {
	at, until := b.now(), b.now().Add(time.Minute)
	sally, sue, bob := b.person(email("sally@example.edu")), b.person(email("sue@example.edu")), b.person()
	b.write(revoke.Effects{
		Joins: []revoke.Join{revoke.NewJoin(sally.ID, sue.ID, 10, b.id())},
		Holdings: []revoke.Holding{
			{Identifier: email("recycled@example.edu"), User: sally.ID, HeldFrom: 1, ReleasedAt: 2},
			{Identifier: email("recycled@example.edu"), User: bob.ID, HeldFrom: 3},
			{Identifier: email("last@example.edu"), User: sue.ID, HeldFrom: 1, ReleasedAt: 2},
		},
	})
	s := with(b.session(sally.ID, 10), func(s *revoke.Session) { s.ClientID = "s-1" })
	phone := revoke.DeviceIdentifier{Org: org, Namespace: revoke.NamespaceDeviceID, Value: "phone-1"}
	device := revoke.Device{ID: b.id(), Org: org, Identifiers: []revoke.DeviceIdentifier{{Org: org, Namespace: "serial", Value: "C02"}, phone}}
	b.write(revoke.Effects{Sessions: []revoke.Session{s}, Devices: []revoke.Device{device}})
	revocations := []revoke.Revocation{
		b.revocation(sally.ID),
		with(b.revocation(sally.ID), func(r *revoke.Revocation) { r.Session, r.Scope.Kind = s.ID, revoke.ScopeSession }),
		with(b.revocation(sally.ID), func(r *revoke.Revocation) { r.Scope.Kind, r.Scope.Device = revoke.ScopeUserDevice, device.ID }),
	}
	var want []revoke.OwedItem
	var e revoke.Effects
	for i, r := range revocations {
		d := b.delivery(r, "canvas")
		d.Ord = at + revoke.Instant(i)
		e.Revocations, e.Deliveries = append(e.Revocations, r), append(e.Deliveries, d)
		want = append(want, revoke.OwedItem{Delivery: d, Revocation: r, Session: []string{"", "s-1", ""}[i], Device: []string{"", "", "phone-1"}[i]})
	}
	slices.Reverse(e.Deliveries)
	b.write(e)
	lease := b.id()
	got, err := b.store.Claim(b.deadline(), "canvas", 10, b.now(), until, lease)
	if err != nil || len(got) != 1 {
		b.Fatalf("claim three deliveries of one person: got %d owed (%v), want 1", len(got), err)
	}
	for i := range want {
		want[i].Delivery.State, want[i].Delivery.Lease, want[i].Delivery.LeaseUntil = revoke.DeliveryClaimed, lease, until
	}
	slices.SortFunc(got[0].Identifiers, func(a, b revoke.Identifier) int { return strings.Compare(a.Value, b.Value) })
	b.same("what is claimed", got[0], revoke.Owed{
		Target: "canvas", Org: org, User: sally.ID, Items: want,
		Identifiers: revoke.Subject{email("last@example.edu"), email("sally@example.edu"), email("sue@example.edu")},
	})
}

// claimTogether has one delivery of a person wait on the ladder while a later one is due: both go out, in their order.
func claimTogether(b *bench) {
	at := b.now()
	u, alone := b.person(), b.person()
	ord := func(n revoke.Instant, due revoke.Instant) func(*revoke.Delivery) {
		return func(d *revoke.Delivery) { d.Ord, d.DueAt = n, due }
	}
	third := b.owe(u.ID, "canvas", ord(3, at))
	first := b.owe(u.ID, "canvas", ord(1, at.Add(time.Hour)))
	second := b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.Ord, d.DueAt, d.Priority = 2, at, revoke.PriorityMass })
	b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.Ord, d.State = 4, revoke.DeliveryDone })
	b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.Ord, d.State = 5, revoke.DeliveryParked })
	b.owe(alone.ID, "canvas", ord(1, at.Add(time.Hour)))
	b.same("all that is open of one person", names(b.claim("canvas", 10, at, at.Add(time.Minute))), [][]string{{first.Name(), second.Name(), third.Name()}})
	fresh := b.owe(u.ID, "canvas", ord(6, at))
	b.same("another one while the lease is out", names(b.claim("canvas", 10, at, at.Add(time.Minute))), [][]string{})
	b.same("all four when it ends", names(b.claim("canvas", 10, at.Add(time.Minute), at.Add(time.Hour))), [][]string{{first.Name(), second.Name(), third.Name(), fresh.Name()}})
}

func leaseEnds(b *bench) {
	at := b.now()
	d := b.owe(b.person().ID, "canvas", nil)
	at = max(at, d.DueAt)
	until := at.Add(time.Minute)
	lost := b.claim("canvas", 1, at, until)
	b.same("one instant before the lease ends", names(b.claim("canvas", 1, until-1, until.Add(time.Minute))), [][]string{})
	taken := b.claim("canvas", 1, until, until.Add(time.Minute))
	b.same("when the lease ends", names(taken), [][]string{{d.Name()}})
	if lost[0].Items[0].Delivery.Lease == taken[0].Items[0].Delivery.Lease {
		b.Error("two claims have one lease")
	}
	s := revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: until}}
	if err := b.store.Settle(b.deadline(), lost[0], s); !errors.Is(err, revoke.ErrLeaseLost) {
		b.Errorf("settle under a lease that was taken over: got %v, want %v", err, revoke.ErrLeaseLost)
	}
	if err := b.store.Settle(b.deadline(), taken[0], s); err != nil {
		b.Errorf("settle under the lease that counts: %v", err)
	}
	if err := b.store.Settle(b.deadline(), taken[0], s); !errors.Is(err, revoke.ErrLeaseLost) {
		b.Errorf("settle a second time: got %v, want %v", err, revoke.ErrLeaseLost)
	}
	if got := b.deliveries(revoke.DeliveryQuery{Limit: 10})[0]; got.Attempts != 1 || got.State != revoke.DeliveryDone {
		b.Errorf("delivery settled once under a lease that counts: got %d attempts and state %s, want 1 and done", got.Attempts, got.State)
	}
}
