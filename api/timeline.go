package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// momentView is one thing that happened to a person. What says which members are there.
type momentView struct {
	At         revoke.Instant     `json:"at"`
	What       moment             `json:"what"`
	User       revoke.ID          `json:"user"`                 // to which of those who are one person
	Session    *momentSession     `json:"session,omitempty"`    // of session-began
	Decision   *momentDecision    `json:"revocation,omitempty"` // of ended, blocked and lifted
	Identifier *nameView          `json:"identifier,omitempty"` // of identifier-gained and identifier-released
	With       revoke.ID          `json:"with,omitzero"`        // of joined and split: the other user
	Plan       *momentPlan        `json:"plan,omitempty"`       // of planned and plan-withdrawn
	Authority  string             `json:"authority,omitempty"`  // who said so; absent where somebody merely used an identifier
	Event      revoke.ID          `json:"event,omitzero"`       // what it followed from
	order      momentOrder        // its place among those of one instant
	session    *revoke.Session    // where the sessions go on
	decision   *revoke.Revocation // where the revocations go on
}

// moment says what happened. The set is closed.
type moment string

const (
	sessionBegan       moment = "session-began"
	sessionsEnded      moment = "ended"
	personBlocked      moment = "blocked"
	personLifted       moment = "lifted"
	identifierGained   moment = "identifier-gained"
	identifierReleased moment = "identifier-released"
	usersJoined        moment = "joined"
	usersSplit         moment = "split"
	leavePlanned       moment = "planned"
	planWithdrawn      moment = "plan-withdrawn"
)

type momentSession struct {
	ID           string         `json:"id"`
	CurfewID     revoke.ID      `json:"curfew_id"`
	App          string         `json:"app"`
	Kind         revoke.Kind    `json:"kind"`
	Device       *deviceView    `json:"device,omitempty"`
	RegisteredAt revoke.Instant `json:"registered_at"`
	ExpiresAt    revoke.Instant `json:"expires_at"`
}

type momentDecision struct {
	ID      revoke.ID         `json:"id"`
	Signal  revoke.SignalKind `json:"signal"`
	Scope   revoke.ScopeKind  `json:"scope"`
	Session revoke.ID         `json:"session,omitzero"`
	Cutoff  revoke.Instant    `json:"cutoff,omitzero"` // what was born by then is over
	Blocked bool              `json:"blocked"`         // a block stood after it
	Reason  string            `json:"reason"`
	Actor   actorView         `json:"actor"`
	Said    *saidView         `json:"said,omitempty"` // what it followed from, where that is kept
	Told    []deliveryView    `json:"deliveries"`     // what targets made of it
}

type momentPlan struct {
	EffectiveAt revoke.Instant `json:"effective_at,omitzero"` // absent when it was withdrawn
	CarriedAt   revoke.Instant `json:"carried_at,omitzero"`
}

// momentOrder orders what happened at one instant, so that a page ends between two moments whatever came before it.
type momentOrder struct {
	stream int
	key    string
}

const (
	ofHistory = iota
	ofRevocations
	ofSessions
)

// timelineCursor is the last moment shown, and where the two long lists go on.
type timelineCursor struct {
	At         revoke.Instant `json:"a"`
	Stream     int            `json:"o"`
	Key        string         `json:"k,omitempty"`
	Revocation revoke.ID      `json:"r,omitzero"`
	BornAt     int64          `json:"b,omitempty"`
	Session    revoke.ID      `json:"s,omitzero"`
}

// timeline lists what happened to a person, newest first. Sessions stand where they began.
func (a *App) timeline(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	var from timelineCursor
	more, err := q.cursor(&from)
	if err != nil {
		return err
	}
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := asking()
	defer cancel()
	members, err := a.together([]revoke.ID{id})
	if err != nil {
		return err
	}
	people, err := a.peopleOf(ctx, t, members)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(people, func(p revoke.Person) bool { return p.User.ID == id }) {
		return errNotFound
	}
	moments := history(people)
	if more {
		moments = slices.DeleteFunc(moments, func(m momentView) bool { return !from.before(&m) })
	}
	revoked, err := a.momentsRevoked(ctx, t, members, from, more, limit+1)
	if err != nil {
		return err
	}
	began, err := a.momentsBegan(ctx, t, members, from, more, limit+1)
	if err != nil {
		return err
	}
	moments = append(append(moments, revoked...), began...)
	slices.SortStableFunc(moments, func(x, y momentView) int {
		return cmp.Or(cmp.Compare(y.At, x.At), cmp.Compare(x.order.stream, y.order.stream), strings.Compare(x.order.key, y.order.key))
	})
	moments = moments[:min(len(moments), limit+1)]
	for i := range moments[:min(len(moments), limit)] {
		if s := moments[i].session; s != nil {
			from.BornAt, from.Session = int64(s.BornAt), s.ID
		}
		if r := moments[i].decision; r != nil {
			from.Revocation = r.ID
		}
	}
	return paged(c, moments, limit, sure(func(m *momentView) *momentView { return m }), func(m *momentView) any {
		from.At, from.Stream, from.Key = m.At, m.order.stream, m.order.key
		return from
	})
}

// before reports whether a moment comes behind the cursor.
func (from *timelineCursor) before(m *momentView) bool {
	switch {
	case m.At != from.At:
		return m.At < from.At
	case m.order.stream != from.Stream:
		return m.order.stream > from.Stream
	}
	return m.order.key > from.Key
}

// momentsRevoked reads the revocations behind the cursor.
func (a *App) momentsRevoked(ctx context.Context, t *token, users []revoke.ID, from timelineCursor, more bool, n int) ([]momentView, error) {
	ask := revoke.RevocationQuery{Org: t.voice.Org, Users: users, Before: from.Revocation, Limit: n}
	if more && ask.Before.IsZero() {
		ask.Before = firstID(from.At + 1) // of what was decided since the first page none is shown
	}
	rows, err := a.cfg.Store.Revocations(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("list the revocations of a user: %w", err)
	}
	told, err := a.tell(ctx, t.voice.Org, rows)
	if err != nil {
		return nil, err
	}
	out := make([]momentView, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		what := sessionsEnded
		switch r.Kind {
		case revoke.RevocationBlock:
			what = personBlocked
		case revoke.RevocationLift:
			what = personLifted
		case revoke.RevocationEnd:
		}
		out = append(out, momentView{
			At: r.CreatedAt, What: what, User: r.Scope.User, Event: r.Event, order: momentOrder{stream: ofRevocations}, decision: r,
			Decision: &momentDecision{r.ID, r.Signal, r.Scope.Kind, r.Session, r.At, r.Blocked, r.Reason, actorView{r.Actor.Kind, r.Actor.Name}, told.said[r.Event], append([]deliveryView{}, told.owed[r.ID]...)},
		})
	}
	return out, nil
}

// firstID sorts before every id that is made at the instant.
func firstID(at revoke.Instant) revoke.ID {
	id := revoke.NewID(at)
	clear(id[8:])
	return id
}

// momentsBegan reads the sessions behind the cursor.
func (a *App) momentsBegan(ctx context.Context, t *token, users []revoke.ID, from timelineCursor, more bool, n int) ([]momentView, error) {
	ask := revoke.SessionQuery{Org: t.voice.Org, Users: users, Limit: n}
	switch {
	case !from.Session.IsZero():
		ask.After = &revoke.SessionCursor{BornAt: revoke.Instant(from.BornAt), ID: from.Session}
	case more:
		ask.After = &revoke.SessionCursor{BornAt: from.At + 1}
	}
	rows, err := a.cfg.Store.SessionsOf(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("list the sessions of a user: %w", err)
	}
	out := make([]momentView, 0, len(rows))
	for i := range rows {
		s := &rows[i]
		out = append(out, momentView{
			At: s.BornAt, What: sessionBegan, User: s.User, order: momentOrder{stream: ofSessions}, session: s,
			Session: &momentSession{s.Name(), s.ID, s.App, s.Kind, viewDevice(s), s.RegisteredAt, s.ExpiresAt},
		})
	}
	return out, nil
}

// history is what hangs on people themselves: what they were known by, with whom they were one person, what was announced.
func history(people []revoke.Person) []momentView {
	var out []momentView
	add := func(m momentView, key string) {
		if m.At != 0 {
			sum := sha256.Sum256([]byte(string(m.What) + " " + key)) // a cursor stands in logs, where no name belongs
			m.order.key = hex.EncodeToString(sum[:8])
			out = append(out, m)
		}
	}
	joined := map[[2]revoke.ID]bool{}
	for _, p := range people {
		for _, h := range p.Holdings {
			m := momentView{At: h.HeldFrom, What: identifierGained, User: h.User, Identifier: &nameView{h.Namespace, h.Value}, Authority: h.Authority, Event: h.Event}
			key := h.Namespace + " " + h.Value + " " + h.User.String()
			add(m, key)
			m.At, m.What, m.Event = h.ReleasedAt, identifierReleased, revoke.ID{}
			add(m, key)
		}
		for _, j := range p.Joins {
			if joined[[2]revoke.ID{j.A, j.B}] { // it hangs on both
				continue
			}
			joined[[2]revoke.ID{j.A, j.B}] = true
			m := momentView{At: j.At, What: usersJoined, User: j.A, With: j.B, Event: j.Event}
			if p.User.ID == j.B {
				m.User, m.With = j.B, j.A
			}
			add(m, j.A.String()+j.B.String())
			m.At, m.What, m.Event = j.SplitAt, usersSplit, revoke.ID{}
			add(m, j.A.String()+j.B.String())
		}
		for _, plan := range p.Plans {
			m := momentView{At: plan.SaidAt, What: leavePlanned, User: plan.User, Authority: plan.Authority, Event: plan.Event, Plan: &momentPlan{plan.EffectiveAt, plan.CarriedAt}}
			if plan.EffectiveAt == 0 {
				m.What = planWithdrawn
			}
			add(m, plan.Authority+" "+plan.User.String())
		}
	}
	return out
}
