package store

import (
	"context"
	"fmt"

	"curfew/revoke"
)

var schedulesTable = newTable(table{
	name: "schedules", ids: words("last_event"), texts: words("org name scope key recurrence reason actor_kind actor_name"),
	nums: words("created_at next_at last_at skipped_at"),
})

func (r *record) schedule() (revoke.Schedule, error) {
	v := revoke.Schedule{
		Org: r.text[0], Name: r.text[1], Scope: revoke.ScopeKind(r.text[2]), Key: r.text[3], Reason: r.text[5],
		MadeBy: revoke.Actor{Kind: r.text[6], Name: r.text[7]}, LastEvent: r.id[0], CreatedAt: revoke.Instant(r.num[0]),
		NextAt: revoke.Instant(r.num[1]), LastAt: revoke.Instant(r.num[2]), SkippedAt: revoke.Instant(r.num[3]),
	}
	return v, fromJSON(r.text[4], &v.When)
}

// Schedules returns schedules by org and name, or those that are due, the longest waiting first.
func (s *Store) Schedules(ctx context.Context, q revoke.ScheduleQuery) (out []revoke.Schedule, err error) {
	var c clauses
	if q.Org != "" {
		c.and("org = ", q.Org)
	}
	if q.Name != "" {
		c.and("name = ", clean(q.Name))
	}
	if q.After != "" {
		c.and("name > ", clean(q.After))
	}
	order := " ORDER BY org, name LIMIT "
	if q.DueBy != 0 {
		c.and("next_at > 0 AND next_at <= ", int64(q.DueBy))
		order = " ORDER BY next_at, org, name LIMIT "
	}
	if c.text == "" {
		c.text = "created_at >= 0"
	}
	c.text += order + c.arg(max(q.Limit, 0))
	err = s.rowsOf(ctx, schedulesTable, c.text, func(row record) error {
		sch, err := row.schedule()
		out = append(out, sch)
		return err
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return out, nil
}

// AddSchedule writes a new one.
func (s *Store) AddSchedule(ctx context.Context, v revoke.Schedule, audit revoke.AuditEntry) error {
	n, err := s.ordered(ctx, "add schedule "+v.Name, audit,
		"INSERT INTO schedules ("+schedulesTable.list+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (org, name) DO NOTHING",
		idText(v.LastEvent), v.Org, clean(v.Name), string(v.Scope), clean(v.Key), toJSON(v.When), clean(v.Reason), v.MadeBy.Kind, clean(v.MadeBy.Name),
		int64(v.CreatedAt), int64(v.NextAt), int64(v.LastAt), int64(v.SkippedAt))
	if err == nil && n == 0 {
		return fmt.Errorf("add schedule %s: the name is taken: %w", v.Name, revoke.ErrConflict)
	}
	return err
}

// MoveSchedule writes when it runs next, ran last and was skipped, unless it was moved since it was read.
func (s *Store) MoveSchedule(ctx context.Context, v revoke.Schedule, from revoke.Instant, audit revoke.AuditEntry) (bool, error) {
	n, err := s.ordered(ctx, "move schedule "+v.Name, audit,
		"UPDATE schedules SET next_at = $4, last_at = $5, last_event = $6, skipped_at = $7 WHERE org = $1 AND name = $2 AND next_at = $3 AND created_at = $8",
		v.Org, clean(v.Name), int64(from), int64(v.NextAt), int64(v.LastAt), idText(v.LastEvent), int64(v.SkippedAt), int64(v.CreatedAt))
	return n > 0, err
}

// DropSchedule forgets one.
func (s *Store) DropSchedule(ctx context.Context, org, name string, audit revoke.AuditEntry) (bool, error) {
	n, err := s.ordered(ctx, "drop schedule "+name, audit, "DELETE FROM schedules WHERE org = $1 AND name = $2", org, clean(name))
	return n > 0, err
}
