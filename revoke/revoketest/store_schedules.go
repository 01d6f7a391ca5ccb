package revoketest

import (
	"context"
	"errors"

	"curfew/revoke"
)

// schedulesContract is about what admins ordered for later.
func schedulesContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"schedules: kept": schedulesKept, "schedules: due": schedulesDue, "schedules: moved once": schedulesMovedOnce,
	}
}

func (b *bench) schedules(q revoke.ScheduleQuery) []revoke.Schedule {
	b.Helper()
	out, err := b.store.Schedules(b.deadline(), q)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func ordered() revoke.AuditEntry {
	return revoke.AuditEntry{Org: org, At: 1, Kind: "schedule", Entry: []byte(`{}`), Person: []byte(`{}`)}
}

func (b *bench) scheduled(name string, next revoke.Instant) revoke.Schedule {
	b.Helper()
	sch := revoke.Schedule{
		Org: org, Name: name, Scope: revoke.ScopeKindOf, Key: "mobile", When: revoke.Recurrence{EveryDays: 30, From: "2027-01-01"}, Reason: "every month",
		MadeBy: revoke.Actor{Kind: "operator", Name: "ops"}, CreatedAt: 5, NextAt: next,
	}
	if err := b.store.AddSchedule(b.deadline(), sch, ordered()); err != nil {
		b.Fatal(err)
	}
	return sch
}

func schedulesKept(b *bench) {
	summer, autumn := b.scheduled("summer", 100), b.scheduled("autumn", 50)
	if err := b.store.AddSchedule(b.deadline(), summer, ordered()); !errors.Is(err, revoke.ErrConflict) {
		b.Errorf("a name twice: got %v, want ErrConflict", err)
	}
	b.same("all, by name", b.schedules(revoke.ScheduleQuery{Org: org, Limit: 10}), []revoke.Schedule{autumn, summer})
	b.same("another org's", b.schedules(revoke.ScheduleQuery{Org: "other", Limit: 10}), []revoke.Schedule(nil))
	b.same("one", b.schedules(revoke.ScheduleQuery{Org: org, Name: "summer", Limit: 1}), []revoke.Schedule{summer})
	b.same("after one", b.schedules(revoke.ScheduleQuery{Org: org, After: "autumn", Limit: 1}), []revoke.Schedule{summer})
	for _, want := range []bool{true, false} {
		if got, err := b.store.DropSchedule(b.deadline(), org, "summer", ordered()); got != want || err != nil {
			b.Errorf("drop: got %v, %v, want %v", got, err, want)
		}
	}
	b.same("what is left", b.schedules(revoke.ScheduleQuery{Org: org, Limit: 10}), []revoke.Schedule{autumn})
}

func schedulesDue(b *bench) {
	late, never, soon := b.scheduled("late", 100), b.scheduled("never", 0), b.scheduled("soon", 50)
	b.same("before any is", b.schedules(revoke.ScheduleQuery{DueBy: 49, Limit: 10}), []revoke.Schedule(nil))
	b.same("the longest waiting first", b.schedules(revoke.ScheduleQuery{DueBy: 100, Limit: 10}), []revoke.Schedule{soon, late})
	b.same("all the same", b.schedules(revoke.ScheduleQuery{Org: org, Name: "never", Limit: 1}), []revoke.Schedule{never})
}

func schedulesMovedOnce(b *bench) {
	sch := b.scheduled("summer", 100)
	moves := make([]bool, 12)
	b.allWell(len(moves), func(ctx context.Context, i int) (err error) {
		next := sch
		next.NextAt, next.LastAt, next.LastEvent, next.SkippedAt = 200, 100, b.id(), 7
		moves[i], err = b.store.MoveSchedule(ctx, next, 100, ordered())
		return err
	})
	n := 0
	for _, moved := range moves {
		if moved {
			n++
		}
	}
	have := b.schedules(revoke.ScheduleQuery{Org: org, Limit: 10})
	if n != 1 || len(have) != 1 || have[0].NextAt != 200 || have[0].LastAt != 100 || have[0].LastEvent.IsZero() || have[0].SkippedAt != 7 {
		b.Errorf("moved %d times, want once: got %+v", n, have)
	}
	again := have[0]
	again.CreatedAt++
	if moved, err := b.store.MoveSchedule(b.deadline(), again, 200, ordered()); moved || err != nil {
		b.Errorf("one that was made again under the name: got %v, %v, want false", moved, err)
	}
}
