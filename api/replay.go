package api

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// replaying is the body of POST /v1/events/{id}/replay.
type replaying struct {
	DryRun bool `json:"dry_run"`
}

// replayView is what became of an event that was read again.
type replayView struct {
	DryRun bool `json:"dry_run"`
	eventView
}

// replayEvent reads the kept body of an event again, with what its source can read and its rules say today, and does what
// follows. A decided one is answered as it was decided.
func (a *App) replayEvent(c *fiber.Ctx, t *token) error {
	var in replaying
	if len(c.BodyRaw()) > 0 { // it may be left out
		if err := decode(c, &in); err != nil {
			return err
		}
	}
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	ev, err := a.cfg.Service.Event(ctx, t.voice.Org, id)
	if err != nil {
		return err
	}
	if ev.State == revoke.EventDecided {
		return answer(c, fiber.StatusOK, replayView{in.DryRun, viewEvent(&ev)})
	}
	src, again, err := a.reread(t, ev)
	if err != nil {
		return err
	}
	if in.DryRun && again.Read != "" {
		return a.foresee(c, t, src, ev, again)
	}
	if len(again.Signals) > 0 || again.Read != "" {
		out, err := a.cfg.Service.Replay(ctx, t.actor, src, ev, again, in.DryRun)
		if err != nil {
			return fmt.Errorf("replay event %s: %w", id, err)
		}
		if in.DryRun {
			ev.State, ev.Note, ev.Decided = out.State, again.Note, out.Decided
			view := viewEvent(&ev)
			undecided(view.Revocations)
			return answer(c, fiber.StatusOK, replayView{true, view})
		}
		if ev, err = a.cfg.Service.Event(ctx, t.voice.Org, id); err != nil {
			return err
		}
	}
	return answer(c, fiber.StatusOK, replayView{in.DryRun, viewEvent(&ev)})
}

// foreseenWithin outlasts a read at a sender's API and its preview.
const foreseenWithin = 20 * time.Second

// foresee makes the read that a replay of an event would wait for, and says what would follow. Where the API cannot be read now,
// the event would wait for it, and the note says why.
func (a *App) foresee(c *fiber.Ctx, t *token, src revoke.Source, ev, again revoke.Event) error {
	ctx, cancel := a.within(foreseenWithin, c, t)
	defer cancel()
	ev.Read = again.Read
	at, read, err := a.cfg.Read.Foresee(ctx, ev)
	if err != nil {
		ev.State, ev.Note = revoke.EventReading, "it would wait to be read: "+err.Error()
		return answer(c, fiber.StatusOK, replayView{true, viewEvent(&ev)})
	}
	out, err := a.cfg.Service.Foresee(ctx, t.actor, src, ev, at, read)
	if err != nil {
		return fmt.Errorf("preview event %s: %w", ev.ID, err)
	}
	ev.State, ev.Decided, ev.Note = out.State, out.Decided, read.Note
	if len(read.Signals) == 0 {
		ev.Note = strings.TrimPrefix(read.Note+"; it was read, and nothing follows", "; ")
	}
	view := viewEvent(&ev)
	undecided(view.Revocations)
	return answer(c, fiber.StatusOK, replayView{true, view})
}

var errNotReread = &problem{
	status: fiber.StatusConflict, word: "conflict", title: "Cannot be read again",
	detail: "Let the sender send it again: its source is not in the configuration any more, or what was kept of it says too little.",
}

// reread reads what was kept of an event once more, as its source would today.
func (a *App) reread(t *token, ev revoke.Event) (revoke.Source, revoke.Event, error) {
	src, err := a.sender(t, ev.Source)
	if err == nil {
		again, err := a.cfg.Read.Reread(ev)
		if errors.Is(err, revoke.ErrNotFound) {
			return src, again, errNotReread
		}
		return src, again, err
	}
	for i := range a.tokens {
		own := &a.tokens[i]
		if own.name != ev.Source || own.source.Org != ev.Org || own.scopes&scopeSCIM != 0 || len(ev.Body) == 0 {
			continue
		}
		var in news
		if decodeJSON(ev.Body, &in) != nil {
			continue
		}
		sig, wrong := a.readNews(&in, own)
		if len(wrong) > 0 || in.Session != "" {
			continue
		}
		ev.Signals = []revoke.Signal{sig}
		return own.voice, ev, nil
	}
	return revoke.Source{}, ev, errNotReread
}
