package revoke_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

func TestNextRun(t *testing.T) {
	t.Parallel()
	every := func(n int, from string) revoke.Recurrence { return revoke.Recurrence{EveryDays: n, From: from} }
	for _, c := range []struct {
		name  string
		when  revoke.Recurrence
		zone  string
		after string
		want  []string
	}{
		{"midnight of winter and of summer", every(1, "2026-03-28"), "Europe/London", "2026-03-27T12:00:00Z", []string{"2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"}},
		{"and back", every(1, "2026-10-24"), "Europe/London", "2026-10-23T12:00:00Z", []string{"2026-10-23T23:00:00Z", "2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z"}},
		{"the clock leaps over midnight", every(1, "2018-11-03"), "America/Sao_Paulo", "2018-11-02T12:00:00Z", []string{"2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"the first of two midnights", every(1, "2024-11-03"), "America/Havana", "2024-11-02T12:00:00Z", []string{"2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"}},
		{"midnight comes twice", every(1, "2018-02-17"), "America/Sao_Paulo", "2018-02-16T12:00:00Z", []string{"2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"}},
		{"Cairo's summer begins at midnight", every(1, "2024-04-25"), "Africa/Cairo", "2024-04-24T12:00:00Z", []string{"2024-04-24T22:00:00Z", "2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z"}},
		{"a Friday that Samoa left out", every(1, "2011-12-29"), "Pacific/Apia", "2011-12-28T12:00:00Z", []string{"2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"}},
		{"counted from its day and not from now", every(30, "2027-01-01"), "UTC", "2027-02-01T00:00:00Z", []string{"2027-03-02T00:00:00Z", "2027-04-01T00:00:00Z"}},
		{"not before its day", every(30, "2027-01-01"), "UTC", "2026-11-23T10:00:00Z", []string{"2027-01-01T00:00:00Z", "2027-01-31T00:00:00Z"}},
		{"the moment itself is over", every(1, "2027-01-01"), "UTC", "2027-01-01T00:00:00Z", []string{"2027-01-02T00:00:00Z"}},
		{"every year", revoke.Recurrence{Yearly: "08-15"}, "Europe/London", "2026-08-14T23:00:00Z", []string{"2027-08-14T23:00:00Z", "2028-08-14T23:00:00Z"}},
		{"29 February", revoke.Recurrence{Yearly: "02-29"}, "UTC", "2026-03-01T00:00:00Z", []string{"2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"}},
		{"the year ends elsewhere first", revoke.Recurrence{Yearly: "01-01"}, "Pacific/Auckland", "2026-12-31T10:59:00Z", []string{"2026-12-31T11:00:00Z", "2027-12-31T11:00:00Z"}},
		{"now is once", revoke.Recurrence{Now: true}, "UTC", "2026-12-31T10:59:00Z", []string{"never"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			var at revoke.Instant
			if err := at.UnmarshalText([]byte(c.after)); err != nil {
				t.Fatal(err)
			}
			for i, want := range c.want {
				if at = c.when.Next(at, zone); at.String() != want {
					t.Fatalf("run %d of %+v after %s in %s: got %s, want %s", i+1, c.when, c.after, c.zone, at, want)
				}
			}
		})
	}
}

func TestRecurrenceNamesADay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		when revoke.Recurrence
		bad  string // the field, empty when it is right
	}{
		{revoke.Recurrence{Now: true}, ""},
		{revoke.Recurrence{EveryDays: 30, From: "2027-01-01"}, ""},
		{revoke.Recurrence{Yearly: "02-29"}, ""},
		{revoke.Recurrence{}, "when"},
		{revoke.Recurrence{Now: true, Yearly: "08-15"}, "when"},
		{revoke.Recurrence{EveryDays: 30, From: "2027-01-01", Yearly: "08-15"}, "when"},
		{revoke.Recurrence{Yearly: "02-30"}, "when.yearly"},
		{revoke.Recurrence{Yearly: "8-15"}, "when.yearly"},
		{revoke.Recurrence{EveryDays: 30}, "when.from"},
		{revoke.Recurrence{EveryDays: 30, From: "2027-02-29"}, "when.from"},
		{revoke.Recurrence{From: "2027-01-01"}, "when.every_days"},
		{revoke.Recurrence{EveryDays: -1, From: "2027-01-01"}, "when.every_days"},
		{revoke.Recurrence{EveryDays: 3661, From: "2027-01-01"}, "when.every_days"},
	} {
		err := c.when.Check()
		invalid, _ := errors.AsType[revoke.Invalid](err)
		if invalid.Field != c.bad || (err == nil) != (c.bad == "") {
			t.Errorf("check %+v: got %v, want a complaint about %q", c.when, err, c.bad)
		}
	}
}

// monthly is made by an admin of the office.
func (o *office) monthly(t *testing.T) revoke.Schedule {
	t.Helper()
	sch, _, err := o.s.AddSchedule(t.Context(), revoke.Schedule{
		Org: "main", Name: "monthly", Scope: revoke.ScopeKindOf, Key: string(revoke.Mobile), When: revoke.Recurrence{EveryDays: 30, From: "2026-12-01"}, Reason: "every month",
		MadeBy: revoke.Actor{Kind: "operator", Name: "ops"},
	}, revoke.AuditEntry{Org: "main", Kind: "schedule"})
	if err != nil {
		t.Fatal(err)
	}
	return sch
}

func (o *office) runs(t *testing.T, s *revoke.Service) int {
	t.Helper()
	if err := s.RunSchedules(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, ev := range o.store.AllEvents() {
		if ev.Type == "schedule monthly" {
			n++
		}
	}
	return n
}

func TestScheduleRunsOnceADay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	sch := o.monthly(t)
	if sch.NextAt.String() != "2026-12-01T00:00:00Z" {
		t.Fatalf("its first day is %s", sch.NextAt)
	}
	if n := o.runs(t, o.s); n != 0 {
		t.Fatalf("before its day it ran %d times", n)
	}
	o.store.Moving().MoveTo(sch.NextAt.Add(95 * 24 * time.Hour)) // four days of it passed while nobody ran
	other := again(t, o.store)
	var both sync.WaitGroup
	for _, s := range []*revoke.Service{o.s, other, o.s, other} {
		both.Go(func() {
			if err := s.RunSchedules(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if n := o.runs(t, o.s); n != 1 {
		t.Errorf("after four days that passed, at two servers: it ran %d times, want once", n)
	}
	sch, err := o.s.Schedule(t.Context(), "main", "monthly")
	if err != nil || sch.NextAt.String() != "2027-03-31T00:00:00Z" || sch.LastAt.String() != "2026-12-01T00:00:00Z" || sch.LastEvent.IsZero() {
		t.Errorf("afterwards: got %+v, %v", sch, err)
	}
	o.store.Moving().MoveTo(sch.NextAt)
	if n := o.runs(t, other); n != 2 {
		t.Errorf("on its next day: it ran %d times, want twice", n)
	}
}

// A server that dies between the run and its note leaves a day that is known already.
func TestScheduleThatWasNotNoted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	sch := o.monthly(t)
	o.store.Moving().MoveTo(sch.NextAt)
	if n := o.runs(t, o.s); n != 1 {
		t.Fatalf("it ran %d times", n)
	}
	ran, err := o.s.Schedule(t.Context(), "main", "monthly")
	if err != nil {
		t.Fatal(err)
	}
	back := sch
	if moved, err := o.store.MoveSchedule(t.Context(), back, ran.NextAt, revoke.AuditEntry{}); !moved || err != nil {
		t.Fatalf("take the note back: %v, %v", moved, err)
	}
	if n := o.runs(t, again(t, o.store)); n != 1 {
		t.Errorf("after a restart it ran %d times, want once", n)
	}
	if sch, err = o.s.Schedule(t.Context(), "main", "monthly"); err != nil || sch.NextAt != ran.NextAt || sch.LastEvent != ran.LastEvent {
		t.Errorf("afterwards: got %+v, %v, want %+v", sch, err, ran)
	}
}

func TestScheduleSkipsOneDay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	sch := o.monthly(t)
	first := sch.NextAt
	sch, err := o.s.SkipSchedule(t.Context(), "main", "monthly", revoke.AuditEntry{Org: "main", Kind: "schedule"})
	if err != nil || sch.SkippedAt != first || sch.NextAt != first.Add(30*24*time.Hour) {
		t.Fatalf("skipped: got %+v, %v", sch, err)
	}
	o.store.Moving().MoveTo(first)
	if n := o.runs(t, o.s); n != 0 {
		t.Errorf("on the day that was skipped it ran %d times", n)
	}
	o.store.Moving().MoveTo(sch.NextAt)
	if n := o.runs(t, o.s); n != 1 {
		t.Errorf("on the next day it ran %d times, want once", n)
	}
}

// Days may have come that nobody has seen: what the clock says is believed once a person has looked.
func TestSchedulesWaitAfterAJump(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	sch := o.monthly(t)
	key := revoke.AlarmKey{Org: revoke.MainOrg, Kind: revoke.AlarmClock, About: "clock"}
	if err := o.s.Raise(t.Context(), key, "the clock jumped"); err != nil {
		t.Fatal(err)
	}
	o.store.Moving().MoveTo(sch.NextAt)
	if n := o.runs(t, o.s); n != 0 {
		t.Errorf("while the alarm stands it ran %d times", n)
	}
	if paused, err := o.s.SchedulesPaused(t.Context()); !paused || err != nil {
		t.Errorf("paused: got %v, %v", paused, err)
	}
	if err := o.s.Clear(t.Context(), revoke.Actor{Kind: "operator", Name: "ops"}, key); err != nil {
		t.Fatal(err)
	}
	if n := o.runs(t, o.s); n != 1 {
		t.Errorf("after a person has looked it ran %d times, want once", n)
	}
}

// again is another server on the store.
func again(t *testing.T, store revoke.Store) *revoke.Service {
	t.Helper()
	s, err := revoke.New(revoke.Config{Store: store, Log: quiet})
	if err == nil {
		err = s.Load(context.WithoutCancel(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is told ahead is what a run ends: live now, not expired by then, of the scope, and not a break-glass person's.
func TestComingRunsCountWhatEnds(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	if err := o.s.BreakGlass(t.Context(), "main", []revoke.Subject{by("root@example.edu")}); err != nil {
		t.Fatal(err)
	}
	year := o.now().Add(365 * 24 * time.Hour)
	first, second := o.signIn(revoke.Registration{Kind: revoke.Mobile, ExpiresAt: year}), o.signIn(revoke.Registration{Kind: revoke.Mobile, ExpiresAt: year})
	o.signIn(revoke.Registration{Kind: revoke.Mobile, ExpiresAt: o.now().Add(time.Hour)})
	laptop := o.signIn(revoke.Registration{Kind: revoke.Browser, ExpiresAt: year})
	root := o.signIn(revoke.Registration{Kind: revoke.Mobile, ExpiresAt: year, Subject: by("root@example.edu")})
	sch := o.monthly(t)
	runs, err := o.s.ComingRuns(t.Context(), sch)
	if err != nil || len(runs) != revoke.Runs || runs[0] != (revoke.ComingRun{At: sch.NextAt, Covers: 2}) {
		t.Fatalf("told ahead: got %+v, %v, want five runs, of which the first ends 2", runs, err)
	}
	o.store.Moving().MoveTo(sch.NextAt)
	if n := o.runs(t, o.s); n != 1 {
		t.Fatalf("it ran %d times", n)
	}
	o.want(first, false, "after the run")
	o.want(second, false, "after the run")
	o.want(laptop, true, "a browser's")
	o.want(root, true, "a break-glass person's")
}
