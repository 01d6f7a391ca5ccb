package revoketest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// pair is one person at one target; no user is everyone.
type pair struct {
	org  string
	user revoke.ID
}

// Claim leases everything that is open for up to n people of whom something is due: a block that waits must not be
// overtaken by its lift. Whoever is under a live lease is left alone.
func (m *Memory) Claim(ctx context.Context, target string, n int, now, until revoke.Instant, lease revoke.ID) (out []revoke.Owed, err error) {
	err = m.read(ctx, func(t *tables) {
		if _, paused := t.paused[target]; paused {
			return
		}
		open := map[pair][]revoke.Delivery{}
		for key, d := range t.deliveries {
			if d.Target == target && d.Halt != revoke.HaltNone && d.State == revoke.DeliveryClaimed && d.LeaseUntil <= now {
				d.State, d.Lease, d.LeaseUntil = revoke.DeliveryDue, revoke.ID{}, 0
				if d.Halt == revoke.HaltDrop {
					d.State, d.Halt = revoke.DeliveryDropped, revoke.HaltNone
				}
				t.deliveries[key] = d
			}
			if d.Target == target && (d.State == revoke.DeliveryDue && d.Halt == revoke.HaltNone || d.State == revoke.DeliveryClaimed) {
				open[pair{d.Org, d.User}] = append(open[pair{d.Org, d.User}], d)
			}
		}
		var ready [][]revoke.Delivery
		for _, owed := range open {
			if dueBy(owed, now) != 0 {
				slices.SortFunc(owed, func(a, b revoke.Delivery) int { return cmp.Compare(a.Ord, b.Ord) })
				ready = append(ready, owed)
			}
		}
		slices.SortFunc(ready, func(a, b []revoke.Delivery) int {
			return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(dueBy(a, now), dueBy(b, now)), cmp.Compare(a[0].Ord, b[0].Ord))
		})
		for _, owed := range page(ready, n) {
			out = append(out, t.lease(target, owed, until, lease))
		}
	})
	return out, err
}

// dueBy returns since when something is due of the open deliveries of one person, zero when nothing is or a lease is out.
func dueBy(owed []revoke.Delivery, now revoke.Instant) revoke.Instant {
	var first revoke.Instant
	for _, d := range owed {
		at := d.DueAt
		if d.State == revoke.DeliveryClaimed {
			if d.LeaseUntil > now {
				return 0
			}
			at = d.LeaseUntil
		}
		if at <= now && (first == 0 || at < first) {
			first = max(at, 1)
		}
	}
	return first
}

func urgency(owed []revoke.Delivery) revoke.Priority {
	return slices.MinFunc(owed, func(a, b revoke.Delivery) int { return cmp.Compare(a.Priority, b.Priority) }).Priority
}

func (t *tables) lease(target string, owed []revoke.Delivery, until revoke.Instant, lease revoke.ID) revoke.Owed {
	out := revoke.Owed{Target: target, Org: owed[0].Org, User: owed[0].User, Identifiers: t.leading(owed[0].User)}
	for _, d := range owed { // none of them is halted: those are due, or under a lease that keeps the person from being claimed
		d.State, d.Lease, d.LeaseUntil = revoke.DeliveryClaimed, lease, until
		t.deliveries[deliveryKey{d.Revocation, target}] = d
		r := t.revocations[d.Revocation]
		out.Items = append(out.Items, revoke.OwedItem{
			Delivery: copyDelivery(d), Revocation: r, Session: t.sessionName(r), Device: t.deviceName(r.Scope.Device),
		})
	}
	return out
}

// leading returns the identifiers that lead to anybody who is one person with user.
func (t *tables) leading(user revoke.ID) revoke.Subject {
	var out revoke.Subject
	if user.IsZero() {
		return out
	}
	members := []revoke.ID{user}
	for i := 0; i < len(members); i++ {
		for _, j := range t.joins {
			if j.At <= j.SplitAt || j.A != members[i] && j.B != members[i] {
				continue
			}
			for _, other := range []revoke.ID{j.A, j.B} {
				if !slices.Contains(members, other) {
					members = append(members, other)
				}
			}
		}
	}
	for _, h := range t.holdings {
		if slices.Contains(members, h.User) && slices.Contains(t.holders(h.Identifier), h.User) && !slices.Contains(out, h.Identifier) {
			out = append(out, h.Identifier)
		}
	}
	slices.SortFunc(out, func(a, b revoke.Identifier) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Value, b.Value))
	})
	return out
}

// sessionName returns the application's id of the session that r ended by itself, registered or not.
func (t *tables) sessionName(r revoke.Revocation) string {
	if s, ok := t.sessions[r.Session]; ok {
		return s.Name()
	}
	if r.Scope.Kind == revoke.ScopeSession {
		_, clientID, _ := strings.Cut(r.Scope.Key, "\n")
		return clientID
	}
	return ""
}

// deviceName returns a device's id as the application names it.
func (t *tables) deviceName(device revoke.ID) string {
	for _, id := range t.devices[device].Identifiers {
		if id.Namespace == revoke.NamespaceDeviceID {
			return id.Value
		}
	}
	return ""
}

// Settle records an attempt for every item of owed, if the lease is still theirs.
func (m *Memory) Settle(ctx context.Context, owed revoke.Owed, s revoke.Settlement) error {
	lost := false
	err := m.read(ctx, func(t *tables) {
		for _, item := range owed.Items {
			d := t.deliveries[deliveryKey{item.Delivery.Revocation, owed.Target}]
			lost = lost || d.State != revoke.DeliveryClaimed || d.Lease != item.Delivery.Lease
		}
		if lost {
			return
		}
		for _, item := range owed.Items {
			key := deliveryKey{item.Delivery.Revocation, owed.Target}
			d := t.deliveries[key]
			a := s.Attempt
			a.Revocation, a.Target, a.Number = d.Revocation, d.Target, d.Attempts+1
			t.attempts = append(t.attempts, a)
			d.State, d.Attempts, d.Lease, d.LeaseUntil = s.State, a.Number, revoke.ID{}, 0
			if d.Halt == revoke.HaltDrop && d.State != revoke.DeliveryDone {
				d.State = revoke.DeliveryDropped
			}
			if d.State != revoke.DeliveryDue {
				d.Halt = revoke.HaltNone
			}
			d.LastError, d.Receipt = a.Error, a.Receipt
			switch s.State {
			case revoke.DeliveryDue:
				d.DueAt = s.DueAt
			case revoke.DeliveryDone:
				d.DoneAt = max(a.At, 1)
			case revoke.DeliveryParked, revoke.DeliveryClaimed, revoke.DeliveryDropped:
			}
			t.deliveries[key] = copyDelivery(d)
		}
		t.ring(s.Cleared, s.Alarms, s.Attempt.At)
	})
	if err == nil && lost {
		return fmt.Errorf("settle %d deliveries to %s: %w", len(owed.Items), owed.Target, revoke.ErrLeaseLost)
	}
	return err
}

// NextDue returns when the target's next delivery is due or its next lease ends.
func (m *Memory) NextDue(ctx context.Context, target string) (next revoke.Instant, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, d := range t.deliveries {
			if d.Target != target || d.State == revoke.DeliveryDue && d.Halt != revoke.HaltNone {
				continue
			}
			var at revoke.Instant
			switch d.State {
			case revoke.DeliveryDue:
				at = d.DueAt
			case revoke.DeliveryClaimed:
				at = d.LeaseUntil
			case revoke.DeliveryDone, revoke.DeliveryParked, revoke.DeliveryDropped:
				continue
			}
			if next == 0 || at < next {
				next = at
			}
		}
	})
	return next, err
}

// Retry makes parked and waiting deliveries due at once, but for those that a person keeps back.
func (m *Memory) Retry(ctx context.Context, q revoke.DeliveryQuery, now revoke.Instant, audit revoke.AuditEntry) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		for key, d := range t.deliveries {
			if asked(q, d) && d.Halt == revoke.HaltNone && (d.State == revoke.DeliveryParked || d.State == revoke.DeliveryDue && d.DueAt > now) {
				if d.State == revoke.DeliveryParked {
					d.FirstAt = now
				}
				d.State, d.DueAt = revoke.DeliveryDue, now
				t.deliveries[key] = d
				n++
			}
		}
		if n > 0 {
			t.log(audit)
		}
	})
	return n, err
}
