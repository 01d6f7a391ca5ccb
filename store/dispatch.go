package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// complete adds to what is owed the revocations, the person's identifiers, and what sessions and devices are called.
func (s *Store) complete(ctx context.Context, o *revoke.Owed) error {
	var ids []revoke.ID
	for _, item := range o.Items {
		ids = append(ids, item.Delivery.Revocation)
	}
	found := map[revoke.ID]revoke.Revocation{}
	err := s.byIDs(ctx, revocationsTable, "id", o.Org, ids, func(row record) error {
		r := row.revocation()
		found[r.ID] = r
		return nil
	})
	if err != nil {
		return err
	}
	for i := range o.Items {
		item := &o.Items[i]
		item.Revocation = found[item.Delivery.Revocation]
		if item.Session, err = s.sessionName(ctx, &item.Revocation); err != nil {
			return err
		}
		if item.Device, err = s.deviceName(ctx, o.Org, item.Revocation.Scope.Device); err != nil {
			return err
		}
	}
	o.Identifiers, err = s.leading(ctx, o.Org, o.User)
	return err
}

// leading returns the identifiers that lead to anybody who is one person with user.
func (s *Store) leading(ctx context.Context, org string, user revoke.ID) (revoke.Subject, error) {
	if user.IsZero() {
		return nil, nil
	}
	members, err := s.members(ctx, org, user)
	if err != nil {
		return nil, err
	}
	var out revoke.Subject
	var released []revoke.Identifier
	err = s.byIDs(ctx, identifiersTable, "user_id", org, members, func(row record) error {
		if h := row.holding(); h.ReleasedAt == 0 {
			out = append(out, h.Identifier)
		} else {
			released = append(released, h.Identifier)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range released { // it leads here still when nobody carries it and nobody held it later
		holders, err := s.holders(ctx, id)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(holders, func(h revoke.ID) bool { return slices.Contains(members, h) }) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b revoke.Identifier) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Value, b.Value))
	})
	return slices.Compact(out), nil
}

// sessionName returns the application's id of the session that r ended by itself, registered or not.
func (s *Store) sessionName(ctx context.Context, r *revoke.Revocation) (name string, err error) {
	if r.Scope.Kind == revoke.ScopeSession {
		_, name, _ = strings.Cut(r.Scope.Key, "\n")
	}
	if r.Session.IsZero() {
		return name, nil
	}
	err = s.byIDs(ctx, sessionsTable, "id", r.Org, []revoke.ID{r.Session}, func(row record) error {
		session, err := row.session()
		name = session.Name()
		return err
	})
	return name, err
}

// deviceName returns a device's id as the application names it.
func (s *Store) deviceName(ctx context.Context, org string, device revoke.ID) (name string, err error) {
	if device.IsZero() {
		return "", nil
	}
	err = s.byIDs(ctx, deviceIdentifiersTable, "device_id", org, []revoke.ID{device}, func(row record) error {
		if id, _ := row.deviceIdentifier(); id.Namespace == revoke.NamespaceDeviceID {
			if name == "" || id.Value < name {
				name = id.Value
			}
		}
		return nil
	})
	return name, err
}

// freeLeases makes what is under a lease due again. The server's lock has just been taken, so whoever held the lease is gone,
// and a result that it still reports counts for nothing.
func (s *Store) freeLeases(ctx context.Context) error {
	err := s.alone(ctx, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.exec(ctx, s.db.text("UPDATE deliveries SET state = CASE WHEN halt = 'drop' THEN 'dropped' ELSE 'due' END, "+
			"halt = CASE WHEN halt = 'drop' THEN '' ELSE halt END, lease = '"+zeroID+"', lease_until = 0, ready_at = due_at "+
			"WHERE (state = 'claimed' OR state = 'due' AND halt = '') AND state = 'claimed'"))
		for _, text := range []string{
			"UPDATE readings SET state = 'due', lease = '" + zeroID + "', lease_until = 0, ready_at = due_at WHERE state = 'claimed'",
			"UPDATE errands SET lease_until = 0 WHERE lease_until <> 0",
		} {
			if err == nil {
				var more int64
				more, err = w.exec(ctx, s.db.text(text))
				n += more
			}
		}
		return n > 0, err
	})
	if err != nil {
		return s.failed("free the leases of a server that is gone", err)
	}
	return nil
}

// outcome is a settlement in the columns of a delivery.
type outcome struct {
	state   string
	dueAt   revoke.Instant // zero keeps it
	doneAt  revoke.Instant
	lastErr string
	receipt string
	attempt revoke.Attempt
}

// Settle records an attempt for every item of owed, if the lease is still theirs.
func (s *Store) Settle(ctx context.Context, owed revoke.Owed, settlement revoke.Settlement) error {
	a := settlement.Attempt
	o := outcome{state: string(settlement.State), lastErr: clean(a.Error), receipt: clean(receiptText(a.Receipt)), attempt: a}
	switch settlement.State {
	case revoke.DeliveryDue:
		o.dueAt = settlement.DueAt
	case revoke.DeliveryDone:
		o.doneAt = max(a.At, 1)
	case revoke.DeliveryParked, revoke.DeliveryClaimed, revoke.DeliveryDropped:
	}
	err := s.settle(ctx, durable, func(ctx context.Context, w *writer) (bool, error) {
		n, err := s.db.settle(ctx, w, owed, o)
		if err == nil && n != len(owed.Items) {
			err = revoke.ErrLeaseLost
		}
		if err == nil {
			err = s.ring(ctx, w, a.At, settlement.Alarms, settlement.Cleared)
		}
		return true, err
	})
	if err != nil {
		s.orphan(orphan{target: owed.Target, lease: owed.Items[0].Delivery.Lease, lane: lane{owed.Org, owed.User}}, err)
		return s.failed(fmt.Sprintf("settle %d deliveries to %s", len(owed.Items), owed.Target), err)
	}
	return nil
}

// NextDue returns when the target's next delivery is due or its next lease ends.
func (s *Store) NextDue(ctx context.Context, target string) (next revoke.Instant, err error) {
	err = s.read(ctx, "SELECT * FROM ("+nextReady(0)+") AS single UNION ALL SELECT * FROM ("+nextReady(1)+") AS mass", func(rows *sql.Rows) error {
		var at revoke.Instant
		if err := rows.Scan(&at); err != nil {
			return err
		}
		if next == 0 || at < next {
			next = at
		}
		return nil
	}, clean(target))
	if err != nil {
		return 0, fmt.Errorf("look for what is due: %w", err)
	}
	return next, nil
}

func nextReady(priority revoke.Priority) string {
	return "SELECT ready_at FROM deliveries WHERE target = $1 AND " + isOpen(priority) + " ORDER BY ready_at LIMIT 1"
}

// Retry makes parked and waiting deliveries due at once, but for those that a person keeps back.
func (s *Store) Retry(ctx context.Context, q revoke.DeliveryQuery, now revoke.Instant, audit revoke.AuditEntry) (int, error) {
	c := deliveriesAsked(q)
	at := c.arg(int64(now))
	text := "UPDATE deliveries SET state = 'due', due_at = " + at + ", ready_at = " + at +
		", first_at = CASE WHEN state = 'parked' THEN " + at + " ELSE first_at END WHERE " + c.text +
		" AND (state = 'parked' OR state = 'due' AND due_at > " + at + ") AND halt = ''"
	return s.ordered(ctx, "retry deliveries", audit, text, c.args...)
}

func errorIn(t *table, err error) error { return fmt.Errorf("table %s: %w", t.name, err) }
