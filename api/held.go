package api

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// heldView is what waits for a person, or waited.
type heldView struct {
	ID        revoke.ID           `json:"id"` // of its event
	Source    string              `json:"source"`
	Cause     revoke.HeldCause    `json:"cause"`
	Why       string              `json:"why"`
	AskedBy   string              `json:"asked_by"` // who never approves it
	User      revoke.ID           `json:"user,omitzero"`
	Name      string              `json:"name,omitempty"` // what people call the user
	Signals   []revoke.SignalKind `json:"signals"`
	Scope     string              `json:"scope,omitempty"` // of an order for many
	Reason    string              `json:"reason,omitempty"`
	HeldAt    revoke.Instant      `json:"held_at"`
	ByItself  bool                `json:"by_itself"` // carried out after brake.wait
	Verdict   revoke.HeldVerdict  `json:"verdict,omitempty"`
	DecidedAt revoke.Instant      `json:"decided_at,omitzero"` // absent while it waits
	DecidedBy string              `json:"decided_by,omitempty"`
	Because   string              `json:"because,omitempty"` // the reason of the verdict
}

func viewHeld(h *revoke.Held) heldView {
	view := heldView{
		ID: h.ID, Source: h.Source, Cause: h.Cause, Why: h.Why, AskedBy: h.Actor.Name, User: h.User, HeldAt: h.HeldAt, ByItself: h.ByItself,
		Verdict: h.Verdict, DecidedAt: h.DecidedAt, DecidedBy: h.DecidedBy, Because: h.Reason, Signals: []revoke.SignalKind{},
	}
	for _, said := range h.Said.Signals {
		view.Signals = append(view.Signals, said.Signal.Kind)
		view.Scope, view.Reason = string(said.Signal.Wide), said.Signal.Reason
	}
	return view
}

// heldHeader names what of an outcome waits for a person.
func heldHeader(c *fiber.Ctx, o *revoke.Outcome) {
	if !o.Held.IsZero() {
		c.Set("Curfew-Held", o.Held.String())
	}
}

// listHeld lists what waits for a person, or all that ever did, newest first.
func (a *App) listHeld(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "all", "source", "user", "limit", "cursor")
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
	ask := revoke.HeldQuery{Org: t.voice.Org, Source: q["source"], Waiting: !all, Limit: limit + 1}
	if text := q["user"]; text != "" {
		if ask.User, err = revoke.ParseID(text); err != nil {
			return meaningless(fieldError{"user", "is no user's id"})
		}
	}
	if _, err := q.cursor(&ask.Before); err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	rows, err := a.cfg.Service.Held(ctx, ask)
	if err != nil {
		return fmt.Errorf("list what is held: %w", err)
	}
	var about []revoke.ID
	for _, h := range rows {
		if !h.User.IsZero() {
			about = append(about, h.User)
		}
	}
	people, err := a.peopleOf(ctx, t, about)
	if err != nil {
		return err
	}
	names := make(map[revoke.ID]string, len(people))
	for i := range people {
		names[people[i].User.ID] = called(&people[i])
	}
	return paged(c, rows, limit, sure(func(h *revoke.Held) heldView {
		view := viewHeld(h)
		view.Name = names[h.User]
		return view
	}), func(h *revoke.Held) any { return h.ID })
}

// heldOrder is the body of a verdict.
type heldOrder struct {
	Source string   `json:"source" validate:"max=200,plain"`
	IDs    []string `json:"ids" validate:"max=1000,dive,max=64"`
	Reason string   `json:"reason" validate:"max=1000,plain"`
}

// heldPerTurn is how many of a source are decided about at a time.
const heldPerTurn = 1000

// decideHeld approves or rejects one that the path names, some, or all of a source. It takes a person: whoever holds a token may be
// the one whose flood is held.
func (a *App) decideHeld(verdict revoke.HeldVerdict) func(*fiber.Ctx, *token) error {
	return func(c *fiber.Ctx, t *token) error {
		if t.signIn == nil || !t.signIn.Has(revoke.RoleApprover) {
			return errNoApprover
		}
		var in heldOrder
		if err := decode(c, &in); err != nil {
			return err
		}
		wrong := a.check(&in)
		one := c.Params("id")
		if one != "" {
			if in.Source != "" || len(in.IDs) > 0 {
				wrong = append(wrong, fieldError{"ids", "is named by the path already: leave it out, and source too"})
			}
			in.IDs = []string{pathID(c)}
		} else if (in.Source == "") == (len(in.IDs) == 0) {
			wrong = append(wrong, fieldError{"ids", "or source is missing: name some by ids, or all of one source, not both"})
		}
		var ids []revoke.ID
		for i, text := range in.IDs {
			id, err := revoke.ParseID(text)
			if err != nil && one != "" {
				return errNotFound
			}
			if err != nil {
				wrong = append(wrong, fieldError{fmt.Sprintf("ids.%d", i), "is no id of what is held"})
			}
			ids = append(ids, id)
		}
		if len(wrong) > 0 {
			return meaningless(wrong...)
		}
		n, err := a.judgeHeld(c, t, verdict, ids, &in)
		if errors.Is(err, revoke.ErrOwnRequest) {
			return errOwnRequest
		}
		if err != nil {
			return err
		}
		return answer(c, fiber.StatusOK, map[string]any{"verdict": verdict, "decided": n})
	}
}

func (a *App) judgeHeld(c *fiber.Ctx, t *token, verdict revoke.HeldVerdict, ids []revoke.ID, in *heldOrder) (int, error) {
	ctx, cancel := a.committing(c, t)
	defer cancel()
	judge := a.cfg.Service.Approve
	if verdict == revoke.HeldRejected {
		judge = a.cfg.Service.Reject
	}
	if in.Source == "" {
		return judge(ctx, *t.signIn, ids, in.Reason)
	}
	done := 0
	for {
		rows, err := a.cfg.Service.Held(ctx, revoke.HeldQuery{Org: t.voice.Org, Source: in.Source, Waiting: true, Limit: heldPerTurn})
		if err != nil || len(rows) == 0 {
			return done, err
		}
		ids = ids[:0]
		for _, row := range slices.Backward(rows) { // in the order in which they came
			ids = append(ids, row.ID)
		}
		n, err := judge(ctx, *t.signIn, ids, in.Reason)
		if done += n; err != nil {
			return done, err
		}
	}
}

var errNoApprover = &problem{
	status: fiber.StatusForbidden, word: "scope", title: "Takes a person who signed in",
	detail: "What is held is approved and rejected by a signed-in person with the role approver, at /console/held; no bearer token can. curfew link --role approver lets one in on the server.",
}

var errOwnRequest = &problem{
	status: fiber.StatusForbidden, word: "held", title: "Takes another person",
	detail: "Who asked for something never approves it: another approver has to.",
}
