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

// FindSession returns the one session that ref points at.
func (s *Store) FindSession(ctx context.Context, ref revoke.SessionRef) (revoke.Session, error) {
	found := map[revoke.ID]revoke.Session{}
	var last revoke.ID
	for _, by := range sessionsBy(ref) {
		err := s.usedSessions(ctx, by.where+" LIMIT 2", func(session revoke.Session) {
			last, found[session.ID] = session.ID, session
		}, by.args...)
		if err != nil {
			return revoke.Session{}, fmt.Errorf("find session: %w", err)
		}
	}
	switch len(found) {
	case 0:
		return revoke.Session{}, fmt.Errorf("find session: %w", revoke.ErrNotFound)
	case 1:
		return found[last], nil
	default:
		return revoke.Session{}, fmt.Errorf("find session: more than one answers to that: %w", revoke.ErrConflict)
	}
}

// usedSessions reads sessions with their last use.
func (s *Store) usedSessions(ctx context.Context, where string, each func(revoke.Session), args ...any) error {
	return s.read(ctx, "SELECT "+sessionsTable.list+
		", coalesce((SELECT used_at FROM session_uses u WHERE u.org = sessions.org AND u.session_id = sessions.id), 0) FROM sessions WHERE "+where,
		func(rows *sql.Rows) error {
			var used revoke.Instant
			row, err := sessionsTable.scan(rows, &used)
			if err != nil {
				return err
			}
			session, err := row.session()
			session.UsedAt = used
			each(session)
			return err
		}, args...)
}

// FindSessions returns the sessions that refs point at. Those that are looked up alike share a statement.
func (s *Store) FindSessions(ctx context.Context, refs []revoke.SessionRef) ([]revoke.Session, error) {
	type way struct{ org, app, column string }
	asked := map[way][]string{}
	for _, ref := range refs {
		for _, by := range []struct {
			column, value string
			has           bool
		}{
			{"id", idText(ref.ID), !ref.ID.IsZero()},
			{"client_id", clean(ref.ClientID), ref.ClientID != ""},
			{"token_hash", tokenText(ref.Token), !ref.Token.IsZero()},
			{"sid", clean(ref.SID), ref.SID != ""},
		} {
			if w := (way{ref.Org, clean(ref.App), by.column}); by.has {
				asked[w] = append(asked[w], by.value)
			}
		}
	}
	var out []revoke.Session
	seen := map[revoke.ID]bool{}
	for w, values := range asked {
		where, args := "org = ? AND ", []any{w.org}
		if w.column != "id" {
			where += w.column + " <> '' AND "
		}
		if w.app != "" {
			where, args = where+"app = ? AND ", append(args, w.app)
		}
		err := inLists(where+w.column+" IN (?)", args, values, func(where string, args ...any) error {
			return s.usedSessions(ctx, where, func(session revoke.Session) {
				if !seen[session.ID] {
					seen[session.ID] = true
					out = append(out, session)
				}
			}, args...)
		})
		if err != nil {
			return nil, fmt.Errorf("find %d sessions: %w", len(refs), err)
		}
	}
	return out, nil
}

// DevicesNamed returns the devices that carry one of the names, with all their names, by id.
func (s *Store) DevicesNamed(ctx context.Context, names []revoke.DeviceIdentifier) ([]revoke.Device, error) {
	found := map[revoke.ID]*revoke.Device{}
	byOrg := map[string][]revoke.ID{}
	for _, name := range names {
		err := s.rowsOf(ctx, deviceIdentifiersTable, "org = $1 AND namespace = $2 AND value = $3", func(row record) error {
			if _, id := row.deviceIdentifier(); found[id] == nil {
				found[id] = &revoke.Device{ID: id, Org: name.Org}
				byOrg[name.Org] = append(byOrg[name.Org], id)
			}
			return nil
		}, name.Org, clean(name.Namespace), clean(name.Value))
		if err != nil {
			return nil, fmt.Errorf("look up a device: %w", err)
		}
	}
	for org, ids := range byOrg {
		err := s.byIDs(ctx, devicesTable, "id", org, ids, func(row record) error {
			row.device(found[row.id[0]])
			return nil
		})
		if err == nil {
			err = s.byIDs(ctx, deviceIdentifiersTable, "device_id", org, ids, func(row record) error {
				name, id := row.deviceIdentifier()
				found[id].Identifiers = append(found[id].Identifiers, name)
				return nil
			})
		}
		if err != nil {
			return nil, fmt.Errorf("read %d devices: %w", len(ids), err)
		}
	}
	var out []revoke.Device
	for _, d := range found {
		slices.SortFunc(d.Identifiers, func(a, b revoke.DeviceIdentifier) int {
			return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Value, b.Value))
		})
		d.Identifiers = slices.Compact(d.Identifiers)
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b revoke.Device) int { return a.ID.Compare(b.ID) })
	return out, nil
}

// SessionsOf returns the sessions of users, newest birth first.
func (s *Store) SessionsOf(ctx context.Context, q revoke.SessionQuery) ([]revoke.Session, error) {
	users := q.Users
	if len(users) == 0 {
		users = []revoke.ID{{}} // everybody
	}
	var out []revoke.Session
	for _, user := range users {
		var c clauses
		c.and("org = ", q.Org)
		if !user.IsZero() {
			c.and("user_id = ", idText(user))
		}
		if q.App != "" {
			c.and("app = ", clean(q.App))
		}
		if q.After != nil {
			c.text += " AND (born_at, id) < (" + c.arg(int64(q.After.BornAt)) + ", " + c.arg(idText(q.After.ID)) + ")"
		}
		c.text += " ORDER BY born_at DESC, id DESC LIMIT " + c.arg(max(q.Limit, 0))
		err := s.usedSessions(ctx, c.text, func(session revoke.Session) { out = append(out, session) }, c.args...)
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
	}
	slices.SortFunc(out, func(a, b revoke.Session) int { return cmp.Or(cmp.Compare(b.BornAt, a.BornAt), b.ID.Compare(a.ID)) })
	return out[:min(len(out), max(q.Limit, 0))], nil
}

// Revocation returns one with its deliveries, by target.
func (s *Store) Revocation(ctx context.Context, org string, id revoke.ID) (r revoke.Revocation, owed []revoke.Delivery, err error) {
	found := false
	err = s.rowsOf(ctx, revocationsTable, "org = $1 AND id = $2", func(row record) error {
		r, found = row.revocation(), true
		return nil
	}, org, idText(id))
	if err == nil && !found {
		err = revoke.ErrNotFound
	}
	if err != nil {
		return revoke.Revocation{}, nil, fmt.Errorf("find revocation %s: %w", id, err)
	}
	owed, err = s.deliveriesWhere(ctx, "org = $1 AND revocation_id = $2 ORDER BY target", org, idText(id))
	return r, owed, err
}

// Deliveries returns deliveries, oldest first.
func (s *Store) Deliveries(ctx context.Context, q revoke.DeliveryQuery) ([]revoke.Delivery, error) {
	c := deliveriesAsked(q)
	if q.After != nil {
		c.text += " AND (revocation_id, target) > (" + c.arg(idText(q.After.Revocation)) + ", " + c.arg(clean(q.After.Target)) + ")"
	}
	c.text += " ORDER BY revocation_id, target LIMIT " + c.arg(max(q.Limit, 0))
	return s.deliveriesWhere(ctx, c.text, c.args...)
}

// deliveriesAsked are the conditions of a query, but for its cursor.
func deliveriesAsked(q revoke.DeliveryQuery) (c clauses) {
	c.and("org = ", q.Org)
	if q.Target != "" {
		c.and("target = ", clean(q.Target))
	}
	if q.State != "" {
		// Written out, so that the index on the parked ones serves it.
		c.text += " AND state = " + stateText(q.State)
	}
	if !q.User.IsZero() {
		// A person's revocations are few and indexed, and theirs are the person's deliveries.
		user := c.arg(idText(q.User))
		c.text += " AND user_id = " + user + " AND revocation_id IN (SELECT id FROM revocations WHERE org = $1 AND user_id = " + user + ")"
	}
	if !q.Revocation.IsZero() {
		c.and("revocation_id = ", idText(q.Revocation))
	}
	return c
}

// stateText is a state as a literal. The set is closed, and whatever else is asked for matches nothing.
func stateText(state revoke.DeliveryState) string {
	switch state {
	case revoke.DeliveryDue, revoke.DeliveryClaimed, revoke.DeliveryDone, revoke.DeliveryParked, revoke.DeliveryDropped:
		return "'" + string(state) + "'"
	default:
		return "''"
	}
}

func (s *Store) deliveriesWhere(ctx context.Context, where string, args ...any) ([]revoke.Delivery, error) {
	var out []revoke.Delivery
	err := s.rowsOf(ctx, deliveriesTable, where, func(row record) error {
		d, err := row.delivery()
		out = append(out, d)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return out, nil
}
