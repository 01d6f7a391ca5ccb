package store

import (
	"context"
	"fmt"

	"curfew/revoke"
)

// One that stands is joined: it keeps its id and when it was raised, and takes the newest words.
var alarmsTable = newTable(table{
	name: "alarms", ids: words("id"), texts: words("org kind about text"), nums: words("raised_at last_at count told_at cleared_at"),
	conflict: `ON CONFLICT (org, kind, about) WHERE cleared_at = 0 DO UPDATE SET
		text = CASE WHEN excluded.last_at >= alarms.last_at THEN excluded.text ELSE alarms.text END, count = alarms.count + excluded.count,
		last_at = GREATEST(alarms.last_at, excluded.last_at), told_at = GREATEST(alarms.told_at, excluded.told_at)`,
})

func alarmRecord(a revoke.Alarm) (r record) {
	r.id[0] = a.ID
	r.text = [9]string{a.Org, string(a.Kind), a.About, a.Text}
	r.num = [8]int64{int64(a.RaisedAt), int64(a.LastAt), int64(a.Count), int64(a.ToldAt), int64(a.ClearedAt)}
	return r
}

func (r *record) alarm() revoke.Alarm {
	return revoke.Alarm{
		ID: r.id[0], AlarmKey: revoke.AlarmKey{Org: r.text[0], Kind: revoke.AlarmKind(r.text[1]), About: r.text[2]}, Text: r.text[3],
		RaisedAt: revoke.Instant(r.num[0]), LastAt: revoke.Instant(r.num[1]), Count: int(r.num[2]),
		ToldAt: revoke.Instant(r.num[3]), ClearedAt: revoke.Instant(r.num[4]),
	}
}

// What is cleared may be raised again by the same batch, so it is written in a statement before the rest.
var clearedTable = newTable(table{
	name: "cleared_alarms", texts: words("org kind about"), nums: words("cleared_at"), first: true,
	postgres: `UPDATE alarms SET cleared_at = GREATEST(alarms.last_at, k.cleared_at) FROM ROWS
		WHERE alarms.org = k.org AND alarms.kind = k.kind AND alarms.about = k.about AND alarms.cleared_at = 0`,
	sqlite: `UPDATE alarms SET cleared_at = GREATEST(last_at, $4) WHERE org = $1 AND kind = $2 AND about = $3 AND cleared_at = 0`,
})

func clearedRecord(key revoke.AlarmKey, at revoke.Instant) (r record) {
	r.text = [9]string{key.Org, string(key.Kind), key.About}
	r.num[0] = int64(max(at, 1))
	return r
}

// Alarms returns alarms, newest first.
func (s *Store) Alarms(ctx context.Context, q revoke.AlarmQuery) ([]revoke.Alarm, error) {
	var c clauses
	c.and("org = ", q.Org)
	if !q.ID.IsZero() {
		c.and("id = ", idText(q.ID))
	}
	if q.Kind != "" {
		c.and("kind = ", string(q.Kind))
	}
	if q.Standing {
		c.text += " AND cleared_at = 0"
	}
	c.before(q.Before)
	return s.alarmsWhere(ctx, c.text+" ORDER BY id DESC LIMIT "+c.arg(max(q.Limit, 0)), c.args...)
}

func (s *Store) alarmsWhere(ctx context.Context, where string, args ...any) (out []revoke.Alarm, err error) {
	err = s.rowsOf(ctx, alarmsTable, where, func(row record) error {
		out = append(out, row.alarm())
		return nil
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list alarms: %w", err)
	}
	return out, nil
}

// Untold returns alarms that stand and of which the receivers were not told since they were raised last, oldest first.
func (s *Store) Untold(ctx context.Context, again revoke.Instant, limit int) ([]revoke.Alarm, error) {
	return s.alarmsWhere(ctx, "cleared_at = 0 AND (told_at = 0 OR told_at < last_at) AND (told_at = 0 OR told_at < $1) ORDER BY id LIMIT $2",
		int64(again), max(limit, 0))
}

// Told notes that the receivers of alarms were told.
func (s *Store) Told(ctx context.Context, org string, alarm revoke.ID, at revoke.Instant) error {
	_, err := s.run(ctx, "note that an alarm was told", "UPDATE alarms SET told_at = GREATEST(told_at, $3) WHERE org = $1 AND id = $2",
		org, idText(alarm), int64(at))
	return err
}

// run carries one statement out, whose effect a power cut may take back, and returns how many rows it changed.
func (s *Store) run(ctx context.Context, what, text string, args ...any) (changed int, err error) {
	err = s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.exec(ctx, s.db.text(text), args...)
		changed = int(n)
		return n > 0, err
	})
	if err != nil {
		return 0, s.failed(what, err)
	}
	return changed, nil
}

// before asks only for what has a smaller id, where a list that goes down by id goes on.
func (c *clauses) before(id revoke.ID) {
	if !id.IsZero() {
		c.and("id < ", idText(id))
	}
}
