package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// System is a configured system in which we revoke.
type System struct {
	Name, Type, Org string
	Target          revoke.Target // nil: this build lacks its type
}

// targetView is a system in which we revoke, and how it goes there.
type targetView struct {
	Name        string           `json:"name"`
	Type        string           `json:"type"`
	Org         string           `json:"org"`
	Built       bool             `json:"built"`
	Paused      *revoke.Instant  `json:"paused"`   // since when it waits by a person's order; null when it does not
	Coverage    *revoke.Coverage `json:"coverage"` // null where this build lacks its type
	Due         int              `json:"due"`
	Claimed     int              `json:"claimed"`
	Parked      int              `json:"parked"`
	Oldest      revoke.Instant   `json:"oldest,omitzero"`       // since when the oldest of those due or claimed is owed
	LastSuccess revoke.Instant   `json:"last_success,omitzero"` // since this server's start
	LastError   *targetError     `json:"last_error"`            // since this server's start; null when there was none
	Refused     bool             `json:"refused"`               // our credential is refused there
}

type targetError struct {
	At    revoke.Instant `json:"at"`
	Error string         `json:"error"`
}

// systemsOf returns the systems of an org, by name.
func (a *App) systemsOf(org string) []System {
	out := slices.DeleteFunc(slices.Clone(a.cfg.Systems), func(s System) bool { return s.Org != org })
	slices.SortFunc(out, func(x, y System) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// viewTargets shows systems of an org, in their order.
func (a *App) viewTargets(ctx context.Context, org string, systems []System) (map[string]targetView, error) {
	names := make([]string, len(systems))
	for i, s := range systems {
		names[i] = s.Name
	}
	waiting, err := a.cfg.Store.Backlogs(ctx, org, names)
	if err != nil {
		return nil, fmt.Errorf("read what waits at targets: %w", err)
	}
	paused, err := a.cfg.Store.Paused(ctx)
	if err != nil {
		return nil, fmt.Errorf("read which targets are paused: %w", err)
	}
	var states map[string]revoke.TargetState
	if a.cfg.States != nil {
		states = a.cfg.States()
	}
	out := map[string]targetView{}
	for _, s := range systems {
		view := targetView{Name: s.Name, Type: s.Type, Org: s.Org}
		if s.Target != nil {
			covers := s.Target.Covers()
			view.Built, view.Coverage = true, &covers
		}
		if at, ok := paused[s.Name]; ok {
			view.Paused = &at
		}
		if at := slices.IndexFunc(waiting, func(b revoke.Backlog) bool { return b.Target == s.Name }); at >= 0 {
			b := waiting[at]
			view.Due, view.Claimed, view.Parked, view.Oldest = b.Due, b.Claimed, b.Parked, b.OldestAt
		}
		state := states[s.Name]
		view.LastSuccess, view.Refused = state.SuccessAt, state.Refused
		if state.FailedAt != 0 {
			view.LastError = &targetError{state.FailedAt, state.Error}
		}
		out[s.Name] = view
	}
	return out, nil
}

// listTargets lists the systems in which we revoke, by name, and how it goes there.
func (a *App) listTargets(c *fiber.Ctx, t *token) error {
	page, limit, err := named(c, a.systemsOf(t.voice.Org), func(s *System) string { return s.Name })
	if err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	views, err := a.viewTargets(ctx, t.voice.Org, page)
	if err != nil {
		return err
	}
	return paged(c, page, limit, sure(func(s *System) targetView { return views[s.Name] }), func(s *System) any { return s.Name })
}

// system returns the configured system of the path, in the token's org.
func (a *App) system(c *fiber.Ctx, t *token) (System, error) {
	for _, s := range a.systemsOf(t.voice.Org) {
		if s.Name == pathText(c, "name") {
			return s, nil
		}
	}
	return System{}, errNotFound
}

// pauseTarget makes a target wait, or lets it go on. What is owed to it is kept.
func (a *App) pauseTarget(order string) func(*fiber.Ctx, *token) error {
	return func(c *fiber.Ctx, t *token) error {
		s, err := a.system(c, t)
		if err != nil {
			return err
		}
		why, err := a.readMotive(c)
		if err != nil {
			return err
		}
		entry, err := a.entry(c, t, "target", why, map[string]any{"order": order, "target": s.Name})
		if err != nil {
			return err
		}
		ctx, cancel := a.committing(c, t)
		defer cancel()
		var since revoke.Instant
		if order == "pause" {
			since = entry.At
		}
		if err := a.cfg.Store.Pause(ctx, s.Name, since, entry); err != nil {
			return fmt.Errorf("%s target %s: %w", order, s.Name, err)
		}
		if since == 0 {
			a.retried(1)
		}
		views, err := a.viewTargets(ctx, t.voice.Org, []System{s})
		if err != nil {
			return err
		}
		return answer(c, fiber.StatusOK, views[s.Name])
	}
}

// checkView is what came of probing a target.
type checkView struct {
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"` // what is wrong, in words
	TookMS int64  `json:"took_ms"`
}

// checkTimeout is how long a target may take to answer a probe.
const checkTimeout = 15 * time.Second

// checkTarget probes our credential and rights at a target. It changes nothing there.
func (a *App) checkTarget(c *fiber.Ctx, t *token) error {
	s, err := a.system(c, t)
	if err != nil {
		return err
	}
	if s.Target == nil {
		return answer(c, fiber.StatusOK, checkView{Target: s.Name, Error: "this version lacks the type " + s.Type})
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	start := a.cfg.Clock.Now()
	err = s.Target.Check(ctx)
	view := checkView{Target: s.Name, OK: err == nil, TookMS: a.cfg.Clock.Now().Sub(start).Milliseconds()}
	if err != nil {
		view.Error = err.Error()
	}
	return answer(c, fiber.StatusOK, view)
}
