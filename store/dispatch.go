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

// claim is what a worker asks for.
type claim struct {
	target     string
	n          int
	now, until revoke.Instant
	lease      revoke.ID
}

// lane is one person at a target, whose deliveries go one after the other; with no user it is everyone's.
type lane struct {
	org  string
	user revoke.ID
}

// Claim leases everything that is open for up to n people of whom something is due, single people first.
func (s *Store) Claim(ctx context.Context, target string, n int, now, until revoke.Instant, lease revoke.ID) ([]revoke.Owed, error) {
	if err := s.endOrphans(ctx, target, now); err != nil {
		return nil, s.failed("end leases that nobody works under", err)
	}
	var owed []revoke.Owed
	err := s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		rows, wrote, err := s.claimLanes(ctx, w, claim{target, n, now, until, lease})
		if err != nil {
			return false, err
		}
		owed, err = inLanes(target, rows)
		return wrote || len(rows) > 0, err
	})
	if err != nil {
		s.orphan(orphan{target: target, lease: lease, all: true}, err)
		return nil, s.failed("claim deliveries", err)
	}
	for i := range owed {
		if err := s.complete(ctx, &owed[i]); err != nil {
			s.orphan(orphan{target: target, lease: lease, all: true}, err)
			return nil, fmt.Errorf("claim deliveries: %w", err)
		}
	}
	return owed, nil
}

const readyPage = `SELECT org, user_id, ready_at, revocation_id, halt FROM deliveries
	WHERE target = $1 AND priority = $2 AND (state = 'claimed' OR state = 'due' AND halt = '') AND ready_at <= $3 AND (ready_at, revocation_id) > ($4, $5)
	ORDER BY ready_at, revocation_id LIMIT $6`

// A lease that ended without a result, of a delivery that was to wait or to be dropped after it.
const haltedLease = `UPDATE deliveries SET state = CASE WHEN halt = 'drop' THEN 'dropped' ELSE 'due' END,
	halt = CASE WHEN halt = 'drop' THEN '' ELSE halt END, lease = '` + zeroID + `', lease_until = 0, ready_at = due_at
	WHERE org = $1 AND revocation_id = $2 AND target = $3 AND state = 'claimed' AND halt <> '' AND lease_until <= $4`

// claimLanes walks what is ready in its order until enough people are leased. It also reports whether it wrote anything else.
func (s *Store) claimLanes(ctx context.Context, w *writer, c claim) (out []record, wrote bool, err error) {
	if paused, err := s.pausedAt(ctx, w, c.target); paused || err != nil {
		return nil, false, err
	}
	type halted struct {
		lane
		revocation revoke.ID
	}
	seen, leased := map[lane]bool{}, 0
	for _, priority := range []revoke.Priority{revoke.PrioritySingle, revoke.PriorityMass} {
		var after struct {
			ready      int64
			revocation revoke.ID
		}
		for leased < c.n {
			var page []lane
			var ended []halted
			size, n := min(4*(c.n-leased), 1000), 0
			err := w.query(ctx, s.db.text(readyPage), func(rows *sql.Rows) error {
				var l lane
				var halt revoke.Halt
				n++
				if err := rows.Scan(&l.org, &l.user, &after.ready, &after.revocation, &halt); err != nil {
					return err
				}
				if halt != revoke.HaltNone {
					ended = append(ended, halted{l, after.revocation})
				} else if !seen[l] && len(page) < c.n-leased {
					seen[l] = true
					page = append(page, l)
				}
				return nil
			}, clean(c.target), int64(priority), int64(c.now), after.ready, idText(after.revocation), size)
			if err != nil {
				return nil, false, err
			}
			for _, h := range ended {
				_, err := w.exec(ctx, s.db.text(haltedLease), h.org, idText(h.revocation), clean(c.target), int64(c.now))
				if err != nil {
					return nil, false, err
				}
				wrote = true
			}
			rows, err := s.db.claim(ctx, w, c, page)
			if err != nil {
				return nil, false, err
			}
			got := map[lane]bool{}
			for _, r := range rows {
				got[lane{r.text[0], r.id[1]}] = true
			}
			leased += len(got)
			out = append(out, rows...)
			if n < size {
				break
			}
		}
	}
	return out, wrote, nil
}

// inLanes turns leased rows into what each person is owed, in order, people in the order in which they were leased.
func inLanes(target string, rows []record) ([]revoke.Owed, error) {
	var owed []revoke.Owed
	at := map[lane]int{}
	for _, r := range rows {
		d, err := r.delivery()
		if err != nil {
			return nil, err
		}
		l := lane{d.Org, d.User}
		if _, ok := at[l]; !ok {
			at[l] = len(owed)
			owed = append(owed, revoke.Owed{Target: target, Org: d.Org, User: d.User})
		}
		o := &owed[at[l]]
		o.Items = append(o.Items, revoke.OwedItem{Delivery: d})
	}
	for i := range owed {
		slices.SortFunc(owed[i].Items, func(a, b revoke.OwedItem) int {
			return cmp.Or(cmp.Compare(a.Delivery.Ord, b.Delivery.Ord), a.Delivery.Revocation.Compare(b.Delivery.Revocation))
		})
	}
	return owed, nil
}

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
	var b batch
	b.add(clearedTable, records(settlement.Cleared, func(key revoke.AlarmKey) record { return clearedRecord(key, a.At) }))
	b.add(alarmsTable, records(revoke.Merge(revoke.Effects{Alarms: settlement.Alarms}).Alarms, alarmRecord))
	err := s.settle(ctx, durable, func(ctx context.Context, w *writer) (bool, error) {
		n, err := s.db.settle(ctx, w, owed, o)
		if err == nil && n != len(owed.Items) {
			err = revoke.ErrLeaseLost
		}
		if err == nil && len(b) > 0 {
			err = s.db.write(ctx, w, b)
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
	for _, priority := range []revoke.Priority{revoke.PrioritySingle, revoke.PriorityMass} {
		err = s.read(ctx, `SELECT ready_at FROM deliveries WHERE target = $1 AND priority = $2 AND (state = 'claimed' OR state = 'due' AND halt = '')
			ORDER BY ready_at LIMIT 1`, func(rows *sql.Rows) error {
			var at revoke.Instant
			if err := rows.Scan(&at); err != nil {
				return err
			}
			if next == 0 || at < next {
				next = at
			}
			return nil
		}, clean(target), int64(priority))
		if err != nil {
			return 0, fmt.Errorf("look for what is due: %w", err)
		}
	}
	return next, nil
}

// Retry makes parked and waiting deliveries due at once, but for those that a person keeps back.
func (s *Store) Retry(ctx context.Context, q revoke.DeliveryQuery, now revoke.Instant) (changed int, err error) {
	c := deliveriesAsked(q)
	at := c.arg(int64(now))
	text := "UPDATE deliveries SET state = 'due', due_at = " + at + ", ready_at = " + at +
		", first_at = CASE WHEN state = 'parked' THEN " + at + " ELSE first_at END WHERE " + c.text +
		" AND (state = 'parked' OR state = 'due' AND due_at > " + at + ") AND halt = ''"
	return s.run(ctx, durable, "retry deliveries", text, c.args...)
}

func errorIn(t *table, err error) error { return fmt.Errorf("table %s: %w", t.name, err) }
