package api

import (
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// alarmView is what a person must look at.
type alarmView struct {
	ID        revoke.ID        `json:"id"`
	Kind      revoke.AlarmKind `json:"kind"`
	About     string           `json:"about"` // the source, the target, or the user
	Text      string           `json:"text"`
	RaisedAt  revoke.Instant   `json:"raised_at"`
	LastAt    revoke.Instant   `json:"last_at"`
	Count     int              `json:"count"`
	ToldAt    revoke.Instant   `json:"told_at,omitzero"`
	ClearedAt revoke.Instant   `json:"cleared_at,omitzero"` // absent while it stands
}

func viewAlarm(a *revoke.Alarm) alarmView {
	return alarmView{a.ID, a.Kind, a.About, a.Text, a.RaisedAt, a.LastAt, a.Count, a.ToldAt, a.ClearedAt}
}

// listAlarms lists the alarms that stand, or all there ever were, newest first.
func (a *App) listAlarms(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "all", "kind", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	all, err := q.yes("all")
	if err != nil {
		return err
	}
	ask := revoke.AlarmQuery{Org: t.voice.Org, Kind: revoke.AlarmKind(q["kind"]), Standing: !all, Limit: limit + 1}
	if ask.Kind != "" && !slices.Contains(revoke.AlarmKinds(), ask.Kind) {
		return meaningless(fieldError{"kind", "is not one we know: write " + orList(wordsOf(revoke.AlarmKinds()))})
	}
	if _, err := q.cursor(&ask.Before); err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	rows, err := a.cfg.Store.Alarms(ctx, ask)
	if err != nil {
		return fmt.Errorf("list alarms: %w", err)
	}
	return paged(c, rows, limit, sure(viewAlarm), func(a *revoke.Alarm) any { return a.ID })
}

// clearAlarm takes an alarm back that somebody has looked at. Clearing it again is the same answer.
func (a *App) clearAlarm(c *fiber.Ctx, t *token) error {
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	ask := revoke.AlarmQuery{Org: t.voice.Org, ID: id, Limit: 1}
	rows, err := a.cfg.Store.Alarms(ctx, ask)
	if err == nil && len(rows) > 0 && rows[0].ClearedAt == 0 {
		if err := a.cfg.Service.Clear(ctx, t.actor, rows[0].AlarmKey); err != nil {
			return fmt.Errorf("clear alarm %s: %w", id, err)
		}
		rows, err = a.cfg.Store.Alarms(ctx, ask)
	}
	switch {
	case err != nil:
		return fmt.Errorf("read alarm %s: %w", id, err)
	case len(rows) == 0:
		return errNotFound
	}
	return answer(c, fiber.StatusOK, viewAlarm(&rows[0]))
}
