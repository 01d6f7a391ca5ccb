package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"curfew/revoke"
)

// Events returns events, newest first.
func (s *Store) Events(ctx context.Context, q revoke.EventQuery) ([]revoke.Event, error) {
	var c clauses
	c.and("org = ", q.Org)
	if !q.ID.IsZero() {
		c.and("id = ", idText(q.ID))
	}
	if q.Source != "" {
		c.and("source = ", clean(q.Source))
	}
	switch q.State {
	case "":
	case revoke.EventHeld, revoke.EventUnknown, revoke.EventMalformed:
		// Written out, so that the index on the few of them serves it.
		c.text += " AND state IN ('held', 'unknown', 'malformed') AND state = '" + string(q.State) + "'"
	case revoke.EventReading:
		c.text += " AND state = 'reading' AND id IN (SELECT event_id FROM readings WHERE org = $1 AND state IN ('due', 'claimed'))"
	case revoke.EventParked:
		c.text += " AND state = 'parked' AND id IN (SELECT event_id FROM readings WHERE org = $1 AND state = 'parked')"
	case revoke.EventDecided, revoke.EventIgnored:
		c.and("state = ", string(q.State))
	default:
		return nil, nil
	}
	if q.Type != "" {
		c.and("type = ", clean(q.Type))
	}
	c.before(q.Before)
	c.text += " ORDER BY id DESC LIMIT " + c.arg(max(q.Limit, 0))
	var out []revoke.Event
	err := s.rowsOf(ctx, eventsTable, c.text, func(row record) error {
		e, err := row.event()
		out = append(out, e)
		return err
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return out, nil
}

// Revocations returns the revocations of users, newest first.
func (s *Store) Revocations(ctx context.Context, q revoke.RevocationQuery) ([]revoke.Revocation, error) {
	var out []revoke.Revocation
	users := slices.Clone(q.Users)
	slices.SortFunc(users, revoke.ID.Compare)
	for _, user := range slices.Compact(users) {
		var c clauses
		c.and("org = ", q.Org)
		c.and("user_id = ", idText(user))
		c.before(q.Before)
		c.text += " ORDER BY id DESC LIMIT " + c.arg(max(q.Limit, 0))
		err := s.rowsOf(ctx, revocationsTable, c.text, func(row record) error {
			out = append(out, row.revocation())
			return nil
		}, c.args...)
		if err != nil {
			return nil, fmt.Errorf("list revocations: %w", err)
		}
	}
	slices.SortFunc(out, func(a, b revoke.Revocation) int { return b.ID.Compare(a.ID) })
	return out[:min(len(out), max(q.Limit, 0))], nil
}

// maxUnknown is how many unknown types are listed for one source.
const maxUnknown = 100

// Heard returns what was heard from each of these sources, in their order, the types that came most often first.
func (s *Store) Heard(ctx context.Context, org string, sources []string) ([]revoke.SourceNews, error) {
	out := make([]revoke.SourceNews, len(sources))
	for i, source := range sources {
		out[i].Source = source
		err := s.read(ctx, "SELECT received_at FROM events WHERE org = $1 AND source = $2 ORDER BY id DESC LIMIT 1",
			func(rows *sql.Rows) error { return rows.Scan(&out[i].LastAt) }, org, clean(source))
		if err == nil {
			err = s.unknownTypes(ctx, org, &out[i])
		}
		if err != nil {
			return nil, fmt.Errorf("look for what source %s sent: %w", source, err)
		}
	}
	return out, nil
}

// unknownTypes counts in an index what nobody has taught us, and reads of each type only the newest event.
func (s *Store) unknownTypes(ctx context.Context, org string, news *revoke.SourceNews) error {
	err := s.read(ctx, "SELECT type, count(*) AS n FROM events WHERE org = $1 AND source = $2 AND state = 'unknown' GROUP BY type ORDER BY n DESC, type LIMIT $3",
		func(rows *sql.Rows) error {
			var u revoke.UnknownType
			err := rows.Scan(&u.Type, &u.Count)
			news.Unknown = append(news.Unknown, u)
			return err
		}, org, clean(news.Source), maxUnknown)
	for i := range news.Unknown {
		if err != nil {
			return err
		}
		u := &news.Unknown[i]
		err = s.read(ctx, "SELECT id, received_at FROM events WHERE org = $1 AND source = $2 AND state = 'unknown' AND type = $3 ORDER BY id DESC LIMIT 1",
			func(rows *sql.Rows) error { return rows.Scan((*storedID)(&u.Sample), &u.LastAt) }, org, clean(news.Source), u.Type)
	}
	return err
}
