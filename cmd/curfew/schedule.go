package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

type scheduleCommand struct {
	List   scheduleListCommand   `cmd:"" help:"List what is ordered for later."`
	Show   scheduleShowCommand   `cmd:"" help:"Show one with its next five runs and how many sessions each would end."`
	Add    scheduleAddCommand    `cmd:"" help:"Order for later, every so many days or once a year."`
	Skip   scheduleSkipCommand   `cmd:"" help:"Leave the next run out."`
	Remove scheduleRemoveCommand `cmd:"" help:"Remove one; what it ended stays ended."`
}

// schedule is what the server says of one.
type schedule struct {
	Name, Scope, Kind, App, Reason, Held string
	When                                 recurrence
	NextAt                               string `json:"next_at"`
	LastAt                               string `json:"last_at"`
	Paused                               bool
	DryRun                               bool `json:"dry_run"`
	Runs                                 []struct {
		At     string
		Covers int
	}
}

type recurrence struct {
	Now       bool   `json:"now,omitempty"`
	EveryDays int    `json:"every_days,omitempty"`
	From      string `json:"from,omitempty"`
	Yearly    string `json:"yearly,omitempty"`
}

func (r recurrence) String() string {
	switch {
	case r.Now:
		return "now"
	case r.Yearly != "":
		return "yearly on " + r.Yearly
	default:
		return "every " + number(r.EveryDays, "day") + " from " + r.From
	}
}

func scheduleHead() []string {
	return []string{"SCHEDULE", "ENDS", "WHEN", "NEXT RUN", "LAST RUN", "REASON"}
}

func (s *schedule) row() []string {
	next := s.NextAt
	if s.Paused && next != "" {
		next += " (paused)"
	}
	ends := s.Scope
	if s.Kind+s.App != "" {
		ends += " " + s.Kind + s.App
	}
	return []string{s.Name, ends, s.When.String(), next, s.LastAt, s.Reason}
}

// showSchedule prints one, with what lies ahead.
func (sh *shell) showSchedule(raw json.RawMessage) error {
	return answered(sh, raw, func(s *schedule) error {
		if err := sh.table(scheduleHead(), s.row()); err != nil {
			return err
		}
		for _, run := range s.Runs {
			if _, err := fmt.Fprintf(sh.out, "%s  would end %s\n", run.At, number(run.Covers, "session")); err != nil {
				return fmt.Errorf("print: %w", err)
			}
		}
		if s.Paused {
			sh.note("the clock has jumped: nothing runs until the alarm about it is cleared")
		}
		if s.Held != "" {
			return exitError{exitRefused, fmt.Errorf("held as %s until a person approves it; nothing has ended yet", s.Held)}
		}
		return nil
	})
}

type scheduleListCommand struct {
	Limit int `default:"100" help:"At most so many; 0 for all."`
}

// Help shows an example.
func (scheduleListCommand) Help() string { return "  curfew schedule list" }

// Run lists schedules.
func (c scheduleListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/schedules", url.Values{}, c.Limit)
	if err != nil {
		return err
	}
	return answeredList(sh, raw, scheduleHead(), (*schedule).row)
}

type scheduleShowCommand struct {
	Name string `arg:"" help:"A schedule."`
}

// Help shows an example.
func (scheduleShowCommand) Help() string { return "  curfew schedule show summer" }

// Run shows one schedule.
func (c scheduleShowCommand) Run(ctx context.Context, sh *shell) error {
	return sh.schedule(ctx, http.MethodGet, c.Name, nil)
}

func (sh *shell) schedule(ctx context.Context, method, name string, body any) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	path := "/v1/schedules"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, method, path, nil, body, &raw); err != nil {
		return err
	}
	return sh.showSchedule(raw)
}

type scheduleAddCommand struct {
	Name      string `arg:"" help:"What it is called."`
	Everyone  bool   `xor:"whose" help:"All sessions of everybody."`
	Kind      string `xor:"whose" values:"kinds" help:"All sessions of this kind (${kinds})."`
	App       string `xor:"whose" help:"All sessions in this application."`
	EveryDays int    `xor:"when" placeholder:"N" help:"Every so many days, from the day --from on."`
	From      string `placeholder:"DATE" help:"With --every-days: its first day, such as 2027-01-01."`
	Yearly    string `xor:"when" placeholder:"MM-DD" help:"Every year on this day, such as 08-15."`
	Reason    string `required:"" help:"Why, in words for the audit log."`
	DryRun    bool   `help:"Say when it would run and how many sessions each run would end, and keep nothing."`
}

// Help shows an example.
func (scheduleAddCommand) Help() string {
	return `It runs at midnight in the time zone of the server's configuration; break-glass people are spared. 29 February is 28 February in other
years. What is to end now is ordered with curfew revoke.

  curfew schedule add phones --kind mobile --every-days 60 --from 2027-01-01 --reason "phones sign in anew every 60 days"
  curfew schedule add summer --everyone --yearly 08-15 --reason "a new school year" --dry-run`
}

// Run makes a schedule.
func (c scheduleAddCommand) Run(ctx context.Context, sh *shell) error {
	scope := ""
	for _, s := range []struct {
		scope string
		named bool
	}{{"everyone", c.Everyone}, {"kind", c.Kind != ""}, {"app", c.App != ""}} {
		if s.named {
			scope = s.scope
		}
	}
	switch {
	case scope == "":
		return usage("say whose sessions end: --everyone, --kind or --app")
	case c.EveryDays == 0 && c.Yearly == "":
		return usage("say when: --every-days %s --from 2027-01-01, or --yearly 08-15", strconv.Itoa(30))
	case (c.EveryDays != 0) != (c.From != ""):
		return usage("--every-days and --from go together: every so many days, from a day on")
	}
	if err := needReason(c.Reason); err != nil {
		return err
	}
	return sh.schedule(ctx, http.MethodPost, "", map[string]any{
		"name": c.Name, "scope": scope, "kind": c.Kind, "app": c.App, "reason": c.Reason, "dry_run": c.DryRun,
		"when": recurrence{EveryDays: c.EveryDays, From: c.From, Yearly: c.Yearly},
	})
}

type scheduleSkipCommand struct {
	Name   string `arg:"" help:"A schedule."`
	Reason string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (scheduleSkipCommand) Help() string {
	return `  curfew schedule skip phones --reason "exams are on that day"`
}

// Run leaves the next run out.
func (c scheduleSkipCommand) Run(ctx context.Context, sh *shell) error {
	raw, err := sh.order(ctx, "/v1/schedules/"+url.PathEscape(c.Name)+"/skip", c.Reason, nil)
	if err != nil {
		return err
	}
	return sh.showSchedule(raw)
}

type scheduleRemoveCommand struct {
	Name string `arg:"" help:"A schedule."`
}

// Help shows an example.
func (scheduleRemoveCommand) Help() string { return "  curfew schedule remove phones" }

// Run removes one.
func (c scheduleRemoveCommand) Run(ctx context.Context, sh *shell) error {
	return sh.schedule(ctx, http.MethodDelete, c.Name, nil)
}
