package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// EventsWith returns those of these events that are there.
func (s *Store) EventsWith(ctx context.Context, org string, ids []revoke.ID) ([]revoke.Event, error) {
	var out []revoke.Event
	err := s.byIDs(ctx, eventsTable, "id", org, distinct(ids), func(row record) error {
		e, err := row.event()
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %d events: %w", len(ids), err)
	}
	slices.SortFunc(out, func(a, b revoke.Event) int { return a.ID.Compare(b.ID) })
	return out, nil
}

// DeliveriesOf returns what is owed and what was done for these revocations.
func (s *Store) DeliveriesOf(ctx context.Context, org string, revocations []revoke.ID) ([]revoke.Delivery, error) {
	var out []revoke.Delivery
	err := s.byIDs(ctx, deliveriesTable, "revocation_id", org, distinct(revocations), func(row record) error {
		d, err := row.delivery()
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the deliveries of %d revocations: %w", len(revocations), err)
	}
	slices.SortFunc(out, func(a, b revoke.Delivery) int {
		return cmp.Or(a.Revocation.Compare(b.Revocation), strings.Compare(a.Target, b.Target))
	})
	return out, nil
}

// distinct returns ids in their order, each once.
func distinct(ids []revoke.ID) []revoke.ID {
	out := slices.Clone(ids)
	slices.SortFunc(out, revoke.ID.Compare)
	return slices.Compact(out)
}

// LastDeliveries returns the deliveries of the newest revocations, newest first.
func (s *Store) LastDeliveries(ctx context.Context, org string, limit int) ([]revoke.Delivery, error) {
	return s.deliveriesWhere(ctx, "org = $1 ORDER BY revocation_id DESC, target DESC LIMIT $2", org, max(limit, 0))
}

// CountEvents counts the events between two ids.
func (s *Store) CountEvents(ctx context.Context, org string, from, before revoke.ID) (int, error) {
	var c clauses
	c.and("org = ", org)
	if !from.IsZero() {
		c.and("id >= ", idText(from))
	}
	if !before.IsZero() {
		c.and("id < ", idText(before))
	}
	return s.countRows(ctx, "events", c)
}

// CountUsers counts the users of an org.
func (s *Store) CountUsers(ctx context.Context, org string) (int, error) {
	var c clauses
	c.and("org = ", org)
	return s.countRows(ctx, "users", c)
}

func (s *Store) countRows(ctx context.Context, table string, c clauses) (n int, err error) {
	if err = s.count(ctx, "SELECT count(*) FROM "+table+" WHERE "+c.text, &n, c.args...); err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	return n, nil
}
