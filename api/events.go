package api

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// eventView is an event with what was decided.
type eventView struct {
	ID          revoke.ID         `json:"id"`
	Source      string            `json:"source"`
	Authority   string            `json:"authority"`
	SenderID    string            `json:"sender_id,omitempty"` // the sender's id for it
	Type        string            `json:"type"`                // the sender's word for what happened
	ReceivedAt  revoke.Instant    `json:"received_at"`
	OccurredAt  revoke.Instant    `json:"occurred_at,omitzero"` // as sent
	State       revoke.EventState `json:"state"`
	Note        string            `json:"note,omitempty"` // why it has that state; which key verified it
	Known       bool              `json:"known"`
	User        revoke.ID         `json:"user,omitzero"`
	Covers      int               `json:"covers,omitempty"` // live sessions that ended, where they were counted
	Revocations []decisionView    `json:"revocations"`
	Conflicts   []nameView        `json:"conflicts,omitempty"` // weaker identifiers that led to other people and cut nobody
}

// eventDetail is an event with its body, as it was kept.
type eventDetail struct {
	eventView
	Body json.RawMessage `json:"body"` // null where nothing was kept
}

// decisionView is a revocation in short.
type decisionView struct {
	ID      revoke.ID             `json:"id,omitzero"` // absent where it was not decided
	Kind    revoke.RevocationKind `json:"kind"`
	Signal  revoke.SignalKind     `json:"signal"`
	Scope   revoke.ScopeKind      `json:"scope"`
	User    revoke.ID             `json:"user,omitzero"`
	At      revoke.Instant        `json:"at,omitzero"`
	Blocked bool                  `json:"blocked"`
}

// nameView is an identifier.
type nameView struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

func viewEvent(e *revoke.Event) eventView {
	view := eventView{
		ID: e.ID, Source: e.Source, Authority: e.Authority, SenderID: e.SenderID, Type: e.Type, ReceivedAt: e.ReceivedAt, OccurredAt: e.OccurredAt,
		State: e.State, Note: e.Note, Known: e.Decided.Known, User: e.Decided.User, Covers: e.Decided.Covers, Revocations: []decisionView{},
	}
	for _, r := range e.Decided.Revocations {
		view.Revocations = append(view.Revocations, decisionView{r.ID, r.Kind, r.Signal, r.Scope.Kind, r.Scope.User, r.At, r.Blocked})
	}
	for _, id := range e.Decided.Conflicts {
		view.Conflicts = append(view.Conflicts, nameView{id.Namespace, id.Value})
	}
	return view
}

func eventStates() []revoke.EventState {
	return []revoke.EventState{revoke.EventDecided, revoke.EventIgnored, revoke.EventUnknown, revoke.EventMalformed, revoke.EventHeld, revoke.EventReading, revoke.EventParked}
}

// listEvents lists what was received, newest first.
func (a *App) listEvents(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "source", "state", "type", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	ask := revoke.EventQuery{Org: t.voice.Org, Source: q["source"], State: revoke.EventState(q["state"]), Type: q["type"], Limit: limit + 1}
	if ask.State != "" && !slices.Contains(eventStates(), ask.State) {
		return meaningless(fieldError{"state", "is not one we know: write " + orList(wordsOf(eventStates()))})
	}
	if _, err := q.cursor(&ask.Before); err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	rows, err := a.cfg.Store.Events(ctx, ask)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	return paged(c, rows, limit, sure(viewEvent), func(e *revoke.Event) any { return e.ID })
}

// oneEvent shows an event with its body.
func (a *App) oneEvent(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := asking()
	defer cancel()
	rows, err := a.cfg.Store.Events(ctx, revoke.EventQuery{Org: t.voice.Org, ID: id, Limit: 1})
	switch {
	case err != nil:
		return fmt.Errorf("read event %s: %w", id, err)
	case len(rows) == 0:
		return errNotFound
	}
	shown := eventDetail{viewEvent(&rows[0]), rows[0].Body}
	if t.signIn != nil && !t.signIn.Has(revoke.RoleOperator) { // viewers, auditors and approvers see everything but what was sent
		shown.Body = nil
	}
	return answer(c, fiber.StatusOK, shown)
}

// undecided takes the ids from decisions that nobody has made.
func undecided(views []decisionView) {
	for i := range views {
		views[i].ID = revoke.ID{}
	}
}
