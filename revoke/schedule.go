package revoke

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Schedule is an order for many that an admin gave for later: at every due day it is carried out as if it were given then.
type Schedule struct {
	Org       string
	Name      string
	Scope     ScopeKind // everyone, kind or app
	Key       string    // the kind or the app
	When      Recurrence
	Reason    string
	MadeBy    Actor
	CreatedAt Instant
	NextAt    Instant // zero: it does not run again
	LastAt    Instant // for which day it ran last, zero before that
	LastEvent ID      // what that run was received as
	SkippedAt Instant // the day that was left out last
}

// Recurrence says on which days a schedule runs: one of its three forms is set.
type Recurrence struct {
	Now       bool   `json:"now,omitempty"`
	EveryDays int    `json:"every_days,omitempty"`
	From      string `json:"from,omitempty"`   // the first day, such as 2027-01-01
	Yearly    string `json:"yearly,omitempty"` // such as 08-15; 02-29 is 02-28 in a year without it
}

// maxEveryDays is ten years: whoever wants it more rarely wants it on a date.
const maxEveryDays = 3660

// Check returns [Invalid] for a recurrence that names no day.
func (r Recurrence) Check() error {
	days := r.EveryDays != 0 || r.From != ""
	_, noDay := time.Parse(time.DateOnly, r.From)
	_, noDate := time.Parse(time.DateOnly, "2024-"+r.Yearly) // of a leap year, so that 29 February is a day
	forms := 0
	for _, set := range []bool{r.Now, days, r.Yearly != ""} {
		if set {
			forms++
		}
	}
	switch {
	case r.Yearly != "" && noDate != nil:
		return Invalid{"when.yearly", "is no day of a year", `write month and day, such as "08-15"`}
	case days && (r.EveryDays < 1 || r.EveryDays > maxEveryDays):
		return Invalid{"when.every_days", fmt.Sprintf("is not 1 to %d", maxEveryDays), "write a number of days, such as 30"}
	case days && noDay != nil:
		return Invalid{"when.from", "is no day", `write the first day, such as "2027-01-01"`}
	case forms != 1:
		return Invalid{"when", "must say one thing", `give {"now": true}, {"every_days": 30, "from": "2027-01-01"} or {"yearly": "08-15"}`}
	}
	return nil
}

// Next returns the first midnight in the zone after an instant on which the schedule runs; zero when there is none.
func (r Recurrence) Next(after Instant, zone *time.Location) Instant {
	local := after.Time().In(zone)
	switch {
	case r.EveryDays > 0:
		first, err := time.Parse(time.DateOnly, r.From)
		if err != nil {
			return 0
		}
		today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		turns := max(0, int(today.Sub(first)/(24*time.Hour))/r.EveryDays) // days of UTC are all 24 hours
		for {
			day := first.AddDate(0, 0, turns*r.EveryDays)
			if at := midnight(day, zone); at > after {
				return at
			}
			turns++
		}
	case r.Yearly != "":
		day, err := time.Parse("2006-01-02", "2024-"+r.Yearly)
		if err != nil {
			return 0
		}
		for year := local.Year(); ; year++ {
			on := time.Date(year, day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
			if on.Month() != day.Month() {
				on = on.AddDate(0, 0, -1) // 29 February
			}
			if at := midnight(on, zone); at > after {
				return at
			}
		}
	default:
		return 0
	}
}

// midnight returns when a day begins in the zone: the first of two midnights, and where the clock leaps over midnight the moment
// after the leap.
func midnight(day time.Time, zone *time.Location) Instant {
	first := time.Time{}
	for _, side := range []time.Duration{-36 * time.Hour, 36 * time.Hour} { // the offset before a change near this day, and after it
		_, offset := day.Add(side).In(zone).Zone()
		at := day.Add(-time.Duration(offset) * time.Second).In(zone)
		if y, m, d := at.Date(); y == day.Year() && m == day.Month() && d == day.Day() && at.Hour() == 0 && at.Minute() == 0 && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		_, offset := day.Add(-36 * time.Hour).In(zone).Zone()
		leap, _ := day.Add(-time.Duration(offset) * time.Second).In(zone).ZoneBounds()
		first = leap
	}
	return InstantOf(first)
}

// ScheduleQuery asks for schedules, by org and name; empty members match all.
type ScheduleQuery struct {
	Org   string
	Name  string
	After string  // only those with a later name: where a list goes on
	DueBy Instant // only those that are due by then, the longest waiting first
	Limit int
}

// Schedules is what is kept of what admins ordered for later.
type Schedules interface {
	// Schedules returns schedules.
	Schedules(ctx context.Context, q ScheduleQuery) ([]Schedule, error)
	// AddSchedule writes a new one; a name that is taken is [ErrConflict].
	AddSchedule(ctx context.Context, sch Schedule, audit AuditEntry) error
	// MoveSchedule writes when it runs next, ran last and was skipped, unless it was moved since it was read, and reports whether
	// it did.
	MoveSchedule(ctx context.Context, sch Schedule, from Instant, audit AuditEntry) (bool, error)
	// DropSchedule forgets one, and reports whether it was there.
	DropSchedule(ctx context.Context, org, name string, audit AuditEntry) (bool, error)
}

// scheduling is what a service knows of schedules. The zero value is ready.
type scheduling struct {
	zone atomic.Pointer[time.Location]
	jump atomic.Int64 // of the clock, of which no alarm could be raised yet
}

// SetZone says in which time zone days begin; UTC until then.
func (s *Service) SetZone(zone *time.Location) { s.days.zone.Store(zone) }

func (s *Service) zone() *time.Location {
	if zone := s.days.zone.Load(); zone != nil {
		return zone
	}
	return time.UTC
}

// maxScheduleTurn is for how many schedules one look acts.
const maxScheduleTurn = 64

// RunSchedules carries out what is due. [Service.Run] calls it every second. A day that passed while nobody ran is made up for
// once. However many servers do so, a day is carried out once: it is known as an event. Nothing runs while an alarm says that the clock
// jumped: days may have come that nobody has seen.
func (s *Service) RunSchedules(ctx context.Context) error {
	if jump := s.days.jump.Load(); jump != 0 {
		s.clockJumped(ctx, time.Duration(jump)) // it could not be told
		return nil
	}
	due, err := s.store.Schedules(ctx, ScheduleQuery{DueBy: s.store.Clock().Now(), Limit: maxScheduleTurn})
	if err != nil || len(due) == 0 {
		return err
	}
	paused, err := s.SchedulesPaused(ctx)
	if err != nil || paused {
		return err
	}
	var failed error
	for i := range due {
		if _, err := s.runSchedule(ctx, due[i]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("run schedule %s of org %s: %w", due[i].Name, due[i].Org, err))
		}
	}
	return failed
}

// SchedulesPaused reports whether schedules wait until a person has looked at the clock, and cleared the alarm about it.
func (s *Service) SchedulesPaused(ctx context.Context) (bool, error) {
	alarms, err := s.store.Alarms(ctx, AlarmQuery{Org: MainOrg, Kind: AlarmClock, Standing: true, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("ask whether the clock is trusted: %w", err)
	}
	return len(alarms) > 0, nil
}

// order is what a run says.
func (sch *Schedule) order() Event {
	sig := Signal{Kind: SessionsCleared, Command: true, Wide: sch.Scope, Reason: sch.Reason}
	switch sch.Scope {
	case ScopeKindOf:
		sig.OnlyKind = Kind(sch.Key)
	case ScopeApp:
		sig.OnlyApp = sch.Key
	case ScopeEveryone, ScopeUser, ScopeUserKind, ScopeUserApp, ScopeDevice, ScopeUserDevice, ScopeSession:
	}
	// The day belongs to the id, and so does the making: one that is made again under the name is another one.
	id := fmt.Sprintf("schedule:%s:%d:%d", sch.Name, sch.CreatedAt, sch.NextAt)
	return Event{Type: "schedule " + sch.Name, SenderID: id, Signals: []Signal{sig}}
}

func (sch *Schedule) source() Source {
	return Source{Name: AdminAuthority, Org: sch.Org, Authority: AdminAuthority, Admin: true}
}

func (s *Service) runSchedule(ctx context.Context, sch Schedule) (Outcome, error) {
	actor := Actor{"schedule", sch.Name}
	if s.brake.Load().Approvals > 1 { // who made it asks, and so is not the second person
		actor = sch.MadeBy
	}
	out, err := s.Receive(ctx, actor, sch.source(), sch.order())
	if err != nil {
		return Outcome{}, err
	}
	was := sch.NextAt
	sch.LastAt, sch.LastEvent = was, out[0].Event
	sch.NextAt = sch.When.Next(max(s.store.Clock().Now(), was), s.zone())
	line, _ := json.Marshal(map[string]any{ // plain values always encode
		"order": "run", "schedule": sch.Name, "event": sch.LastEvent, "due": was, "next": sch.NextAt, "actor": actor, "made_by": sch.MadeBy,
	})
	audit := AuditEntry{Org: sch.Org, At: s.store.Clock().Now(), Kind: "schedule", Entry: line, Person: []byte("null")}
	if _, err := s.store.MoveSchedule(ctx, sch, was, audit); err != nil {
		return out[0], fmt.Errorf("note the run: %w", err)
	}
	s.log.Info("schedule ran", "event_id", out[0].Event, "schedule", sch.Name, "org", sch.Org, "next_at", sch.NextAt)
	return out[0], nil
}

// AddSchedule makes a schedule. One for now runs before it returns, and its outcome is that run's.
func (s *Service) AddSchedule(ctx context.Context, sch Schedule, audit AuditEntry) (Schedule, Outcome, error) {
	if err := sch.When.Check(); err != nil {
		return sch, Outcome{}, err
	}
	sch.CreatedAt = s.store.Clock().Now()
	if sch.NextAt = sch.CreatedAt; !sch.When.Now {
		sch.NextAt = sch.When.Next(sch.CreatedAt, s.zone())
	}
	if err := s.store.AddSchedule(ctx, sch, audit); err != nil || !sch.When.Now {
		return sch, Outcome{}, err
	}
	out, err := s.runSchedule(ctx, sch)
	if err != nil {
		return sch, out, err
	}
	sch, err = s.Schedule(ctx, sch.Org, sch.Name)
	return sch, out, err
}

// Schedule returns one, or [ErrNotFound].
func (s *Service) Schedule(ctx context.Context, org, name string) (Schedule, error) {
	found, err := s.store.Schedules(ctx, ScheduleQuery{Org: org, Name: name, Limit: 1})
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("find schedule %s: %w", name, err)
	}
	return found[0], nil
}

// SkipSchedule leaves the next run out.
func (s *Service) SkipSchedule(ctx context.Context, org, name string, audit AuditEntry) (Schedule, error) {
	sch, err := s.Schedule(ctx, org, name)
	if err != nil {
		return sch, err
	}
	was := sch.NextAt
	if was == 0 {
		return sch, fmt.Errorf("schedule %s does not run again: %w", name, ErrConflict)
	}
	sch.SkippedAt, sch.NextAt = was, sch.When.Next(max(was, s.store.Clock().Now()), s.zone())
	moved, err := s.store.MoveSchedule(ctx, sch, was, audit)
	if err == nil && !moved {
		err = ErrConflict
	}
	if err != nil {
		return sch, fmt.Errorf("skip the next run of schedule %s: %w", name, err)
	}
	return sch, nil
}

// PlannedRuns is [Service.ComingRuns] of a schedule that is not made yet.
func (s *Service) PlannedRuns(ctx context.Context, sch Schedule) ([]ComingRun, error) {
	if sch.NextAt = s.store.Clock().Now(); !sch.When.Now {
		sch.NextAt = sch.When.Next(sch.NextAt, s.zone())
	}
	return s.ComingRuns(ctx, sch)
}

// Runs is of how many runs a schedule tells ahead.
const Runs = 5

// ComingRun is one that lies ahead.
type ComingRun struct {
	At     Instant
	Covers int // sessions that live now and still will then
}

// ComingRuns returns the next runs of a schedule and how many of the present sessions each would end, if those before were left out.
func (s *Service) ComingRuns(ctx context.Context, sch Schedule) ([]ComingRun, error) {
	var out []ComingRun
	for at := sch.NextAt; at != 0 && len(out) < Runs; at = sch.When.Next(at, s.zone()) {
		out = append(out, ComingRun{At: at})
	}
	if len(out) == 0 {
		return nil, nil
	}
	sig := sch.order().Signals[0]
	err := s.eachLive(ctx, sig.wideScope(sch.Org), func(session *Session) {
		for i := range out {
			if session.ExpiresAt > out[i].At {
				out[i].Covers++
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("count what schedule %s would end: %w", cmp.Or(sch.Name, "without a name"), err)
	}
	return out, nil
}
