package revoketest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

type scheduleKey struct{ org, name string }

// Schedules returns schedules by org and name, or those that are due, the longest waiting first.
func (m *Memory) Schedules(ctx context.Context, q revoke.ScheduleQuery) (out []revoke.Schedule, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, sch := range t.schedules {
			if (q.Org == "" || sch.Org == q.Org) && (q.Name == "" || sch.Name == q.Name) && sch.Name > q.After &&
				(q.DueBy == 0 || sch.NextAt != 0 && sch.NextAt <= q.DueBy) {
				out = append(out, sch)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Schedule) int {
		byName := cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.Name, b.Name))
		if q.DueBy != 0 {
			return cmp.Or(cmp.Compare(a.NextAt, b.NextAt), byName)
		}
		return byName
	})
	return page(out, q.Limit), err
}

// AddSchedule writes a new one.
func (m *Memory) AddSchedule(ctx context.Context, sch revoke.Schedule, audit revoke.AuditEntry) error {
	taken := false
	err := m.read(ctx, func(t *tables) {
		key := scheduleKey{sch.Org, sch.Name}
		if _, taken = t.schedules[key]; !taken {
			t.schedules[key] = sch
			t.log(audit)
		}
	})
	if err == nil && taken {
		return fmt.Errorf("add schedule %s: %w", sch.Name, revoke.ErrConflict)
	}
	return err
}

// MoveSchedule writes when it runs next, ran last and was skipped, unless it was moved since it was read.
func (m *Memory) MoveSchedule(ctx context.Context, sch revoke.Schedule, from revoke.Instant, audit revoke.AuditEntry) (moved bool, err error) {
	err = m.read(ctx, func(t *tables) {
		key := scheduleKey{sch.Org, sch.Name}
		have, there := t.schedules[key]
		if moved = there && have.NextAt == from && have.CreatedAt == sch.CreatedAt; moved {
			have.NextAt, have.LastAt, have.LastEvent, have.SkippedAt = sch.NextAt, sch.LastAt, sch.LastEvent, sch.SkippedAt
			t.schedules[key] = have
			t.log(audit)
		}
	})
	return moved, err
}

// DropSchedule forgets one.
func (m *Memory) DropSchedule(ctx context.Context, org, name string, audit revoke.AuditEntry) (dropped bool, err error) {
	err = m.read(ctx, func(t *tables) {
		key := scheduleKey{org, name}
		if _, dropped = t.schedules[key]; dropped {
			delete(t.schedules, key)
			t.log(audit)
		}
	})
	return dropped, err
}
