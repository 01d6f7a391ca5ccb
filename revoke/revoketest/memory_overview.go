package revoketest

import (
	"context"
	"slices"

	"curfew/revoke"
)

// EventsWith returns those of these events that are there.
func (m *Memory) EventsWith(ctx context.Context, org string, ids []revoke.ID) (out []revoke.Event, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, ev := range t.events {
			if ev.Org == org && slices.Contains(ids, ev.ID) {
				out = append(out, copyEvent(ev))
			}
		}
	})
	slices.SortFunc(out, byID(func(e revoke.Event) revoke.ID { return e.ID }))
	return out, err
}

// DeliveriesOf returns what is owed and what was done for these revocations.
func (m *Memory) DeliveriesOf(ctx context.Context, org string, revocations []revoke.ID) (out []revoke.Delivery, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, d := range t.deliveries {
			if d.Org == org && slices.Contains(revocations, d.Revocation) {
				out = append(out, copyDelivery(d))
			}
		}
	})
	slices.SortFunc(out, byDelivery)
	return out, err
}

// LastDeliveries returns the deliveries of the newest revocations, newest first.
func (m *Memory) LastDeliveries(ctx context.Context, org string, limit int) (out []revoke.Delivery, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, d := range t.deliveries {
			if d.Org == org {
				out = append(out, copyDelivery(d))
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Delivery) int { return byDelivery(b, a) })
	return page(out, limit), err
}

// CountEvents counts the events between two ids.
func (m *Memory) CountEvents(ctx context.Context, org string, from, before revoke.ID) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, ev := range t.events {
			if ev.Org == org && ev.ID.Compare(from) >= 0 && older(ev.ID, before) {
				n++
			}
		}
	})
	return n, err
}

// CountUsers counts the users of an org.
func (m *Memory) CountUsers(ctx context.Context, org string) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, u := range t.users {
			if u.Org == org {
				n++
			}
		}
	})
	return n, err
}
