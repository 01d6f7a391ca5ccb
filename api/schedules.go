package api

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// scheduleOrder is the body of POST /v1/schedules.
type scheduleOrder struct {
	Name   string            `json:"name" validate:"required,max=64,plain"`
	Scope  string            `json:"scope" validate:"required,oneof=everyone kind app"`
	Kind   string            `json:"kind" validate:"omitempty,oneof=browser mobile desktop api device"`
	App    string            `json:"app" validate:"max=200,plain"`
	When   revoke.Recurrence `json:"when"`
	Reason string            `json:"reason" validate:"required,max=1000,plain"`
	DryRun bool              `json:"dry_run"`
}

// scheduleView is what an admin ordered for later.
type scheduleView struct {
	Name      string            `json:"name"`
	Scope     revoke.ScopeKind  `json:"scope"`
	Kind      string            `json:"kind,omitempty"`
	App       string            `json:"app,omitempty"`
	When      revoke.Recurrence `json:"when"`
	Reason    string            `json:"reason"`
	MadeBy    actorView         `json:"made_by"`
	CreatedAt revoke.Instant    `json:"created_at,omitzero"`
	NextAt    revoke.Instant    `json:"next_at,omitzero"`
	LastAt    revoke.Instant    `json:"last_at,omitzero"`
	LastEvent revoke.ID         `json:"last_event,omitzero"`
	SkippedAt revoke.Instant    `json:"skipped_at,omitzero"`
	Paused    bool              `json:"paused"` // nothing runs until a person has looked at the clock
	DryRun    bool              `json:"dry_run,omitempty"`
	Held      revoke.ID         `json:"held,omitzero"`
	Runs      []runView         `json:"runs,omitempty"`
}

type runView struct {
	At     revoke.Instant `json:"at"`
	Covers int            `json:"covers"`
}

func viewSchedule(sch *revoke.Schedule, paused bool) scheduleView {
	view := scheduleView{
		Name: sch.Name, Scope: sch.Scope, When: sch.When, Reason: sch.Reason, MadeBy: actorView{sch.MadeBy.Kind, sch.MadeBy.Name}, CreatedAt: sch.CreatedAt,
		NextAt: sch.NextAt, LastAt: sch.LastAt, LastEvent: sch.LastEvent, SkippedAt: sch.SkippedAt, Paused: paused,
	}
	if sch.Scope == revoke.ScopeApp {
		view.App = sch.Key
	} else {
		view.Kind = sch.Key
	}
	return view
}

// scheduleName is what can stand in a path as it is.
var scheduleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (a *App) readSchedule(in *scheduleOrder, t *token) (revoke.Schedule, []fieldError) {
	wrong := a.check(in)
	add := func(field, detail string) { wrong = append(wrong, fieldError{field, detail}) }
	if in.Name != "" && !scheduleName.MatchString(in.Name) {
		add("name", "is no name of a schedule: write letters, digits, dots, dashes and underscores, such as summer-break")
	}
	sch := revoke.Schedule{Org: t.voice.Org, Name: in.Name, Scope: revoke.ScopeKind(in.Scope), When: in.When, Reason: in.Reason, MadeBy: t.actor}
	switch in.Scope {
	case "kind":
		if sch.Key = in.Kind; in.Kind == "" {
			add("kind", "is missing: "+exampleOf("kind"))
		}
	case "app":
		if sch.Key = in.App; in.App == "" {
			add("app", "is missing: name the application whose sessions end")
		}
	}
	if in.Kind != "" && sch.Scope != revoke.ScopeKindOf {
		add("kind", "does not go with this scope: leave it out")
	}
	if in.App != "" && sch.Scope != revoke.ScopeApp {
		add("app", "does not go with this scope: leave it out")
	}
	if err := in.When.Check(); err != nil {
		invalid, _ := errors.AsType[revoke.Invalid](err)
		wrong = append(wrong, fieldErrorOf(invalid))
	}
	return sch, wrong
}

// addSchedule orders for later, or with dry_run says what that would end.
func (a *App) addSchedule(c *fiber.Ctx, t *token) error {
	var in scheduleOrder
	if err := decode(c, &in); err != nil {
		return err
	}
	sch, wrong := a.readSchedule(&in, t)
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	ctx, cancel := a.within(countTimeout, c, t)
	defer cancel()
	if in.DryRun {
		view := viewSchedule(&sch, false)
		view.DryRun = true
		runs, err := a.cfg.Service.PlannedRuns(ctx, sch)
		if err != nil {
			return err
		}
		view.Runs = viewRuns(runs)
		return answer(c, fiber.StatusOK, view)
	}
	entry, err := a.entry(c, t, "schedule", in.Reason, map[string]any{"order": "add", "schedule": in.Name, "scope": in.Scope, "key": sch.Key, "when": in.When})
	if err != nil {
		return err
	}
	sch, out, err := a.cfg.Service.AddSchedule(ctx, sch, entry)
	switch {
	case errors.Is(err, revoke.ErrConflict):
		return refused(err, "a schedule of that name is there already; remove it first, or take another name")
	case err != nil:
		return err
	}
	view := viewSchedule(&sch, false)
	if view.Held = out.Held; !out.Held.IsZero() {
		c.Set("Curfew-Held", out.Held.String())
	}
	return answer(c, fiber.StatusCreated, view)
}

func viewRuns(runs []revoke.ComingRun) []runView {
	out := make([]runView, len(runs))
	for i, r := range runs {
		out[i] = runView(r)
	}
	return out
}

func (a *App) listSchedules(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	ask := revoke.ScheduleQuery{Org: t.voice.Org, Limit: limit + 1}
	if _, err := q.cursor(&ask.After); err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	rows, err := a.cfg.Store.Schedules(ctx, ask)
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	paused, err := a.cfg.Service.SchedulesPaused(ctx)
	if err != nil {
		return err
	}
	return paged(c, rows, limit, sure(func(sch *revoke.Schedule) scheduleView { return viewSchedule(sch, paused) }), func(sch *revoke.Schedule) any { return sch.Name })
}

// oneSchedule shows a schedule with its next runs and how many sessions each would end.
func (a *App) oneSchedule(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	ctx, cancel := a.within(countTimeout, c, t)
	defer cancel()
	sch, err := a.cfg.Service.Schedule(ctx, t.voice.Org, pathText(c, "name"))
	if err != nil {
		return err
	}
	paused, err := a.cfg.Service.SchedulesPaused(ctx)
	if err != nil {
		return err
	}
	runs, err := a.cfg.Service.ComingRuns(ctx, sch)
	if err != nil {
		return err
	}
	view := viewSchedule(&sch, paused)
	view.Runs = viewRuns(runs)
	return answer(c, fiber.StatusOK, view)
}

func (a *App) dropSchedule(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	name := pathText(c, "name")
	ctx, cancel := a.committing(c, t)
	defer cancel()
	entry, err := a.entry(c, t, "schedule", "", map[string]any{"order": "remove", "schedule": name})
	if err != nil {
		return err
	}
	sch, err := a.cfg.Service.Schedule(ctx, t.voice.Org, name)
	if err != nil {
		return err
	}
	if _, err := a.cfg.Store.DropSchedule(ctx, t.voice.Org, name, entry); err != nil {
		return fmt.Errorf("remove schedule %s: %w", name, err)
	}
	sch.NextAt = 0
	return answer(c, fiber.StatusOK, viewSchedule(&sch, false))
}

// skipSchedule leaves the next run out.
func (a *App) skipSchedule(c *fiber.Ctx, t *token) error {
	why, err := a.readMotive(c)
	if err != nil {
		return err
	}
	name := pathText(c, "name")
	ctx, cancel := a.committing(c, t)
	defer cancel()
	entry, err := a.entry(c, t, "schedule", why, map[string]any{"order": "skip", "schedule": name})
	if err != nil {
		return err
	}
	sch, err := a.cfg.Service.SkipSchedule(ctx, t.voice.Org, name, entry)
	switch {
	case errors.Is(err, revoke.ErrConflict):
		return refused(err, "it does not run again, or ran just now; look at it again")
	case err != nil:
		return err
	}
	return answer(c, fiber.StatusOK, viewSchedule(&sch, false))
}
