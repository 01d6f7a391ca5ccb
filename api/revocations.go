package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// order is the body of POST /v1/revocations.
type order struct {
	Scope   string          `json:"scope" validate:"required,oneof=user device session kind app group everyone"`
	Subject json.RawMessage `json:"subject"`
	Device  *device         `json:"device"`
	Session string          `json:"session" validate:"max=512,plain"`
	Kind    string          `json:"kind" validate:"omitempty,oneof=browser mobile desktop api device"`
	App     string          `json:"app" validate:"max=200,plain"`
	Group   string          `json:"group" validate:"max=512,plain"`
	Reason  string          `json:"reason" validate:"required,max=1000,plain"`
	Block   bool            `json:"block"`
	Until   json.RawMessage `json:"until"`
	DryRun  json.RawMessage `json:"dry_run"`
	Confirm json.RawMessage `json:"confirm"`
}

// revocation carries out an order to end sessions.
func (a *App) revocation(c *fiber.Ctx, t *token) error {
	var in order
	if err := decode(c, &in); err != nil {
		return err
	}
	if t.scopes&scopeRevoke != 0 { // which is not bound to an app, whatever other scopes the token has
		unbound := *t
		unbound.app, t = "", &unbound
	}
	app, err := t.allows(in.App)
	if err != nil {
		return err
	}
	if !t.admin() && (in.Block || in.Scope == "everyone" || in.Scope == "kind" || in.Scope == "app" || in.Scope == "group") {
		return errOnlyAdmin
	}
	sig, wrong := a.readOrder(&in, t)
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	signals := []revoke.Signal{sig}
	switch in.Scope {
	case "session":
		ref, err := a.sessionRef(ctx, t, in.Session, app)
		if err != nil {
			return err
		}
		signals[0].Session = ref
	case "user":
		signals[0].OnlyApp = app
	case "device":
		if app != "" { // no cutoff is that narrow: its sessions are ended one by one
			if signals, err = a.onDevice(ctx, t, sig, app); err != nil {
				return err
			}
		}
	}
	if len(signals) == 0 {
		return a.nothingThere(c, &in)
	}
	ev := revoke.Event{Type: string(revoke.SessionsCleared), Body: bytes.Clone(c.BodyRaw()), Signals: signals}
	out, err := a.cfg.Service.Receive(ctx, t.actor, t.voice, ev)
	if err != nil {
		return err
	}
	return a.answerOrder(c, &in, &out[0])
}

var errOnlyAdmin = &problem{
	status: fiber.StatusForbidden, word: "scope", title: "Not within this token's scope",
	detail: "Only a token with the scope admin blocks people or ends the sessions of many; this one ends those of one user, one device or one session.",
}

// readOrder checks an order and makes it a signal, as far as nothing must be looked up.
func (a *App) readOrder(in *order, t *token) (revoke.Signal, []fieldError) {
	wrong := a.check(in)
	add := func(field, detail string) { wrong = append(wrong, fieldError{field, detail}) }
	sig := revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: in.Block, Reason: in.Reason, Counting: in.Scope != "everyone"}
	switch in.Scope {
	case "kind", "app", "group":
		add("scope", "\""+in.Scope+"\" is not built in this version: end the sessions of a user, a device, a session or everyone")
	case "user":
		if len(in.Subject) == 0 {
			add("subject", "is missing: "+exampleOf("subject"))
		}
	case "device":
		if in.Device == nil {
			add("device", "is missing: "+exampleOf("device"))
		}
		if len(in.Subject) == 0 && t.app != "" {
			add("subject", "is missing: this token ends a person's sessions of its app on a device, so name the person too")
		}
	case "session":
		if in.Session == "" {
			add("session", "is missing: "+exampleOf("session"))
		}
	case "everyone":
		sig.Wide = revoke.ScopeEveryone
	}
	for _, lacking := range []struct {
		member string
		sent   json.RawMessage
	}{{"until", in.Until}, {"dry_run", in.DryRun}, {"confirm", in.Confirm}} {
		if len(lacking.sent) > 0 && !bytes.Equal(lacking.sent, []byte("null")) {
			add(lacking.member, "is not built in this version: leave it out")
		}
	}
	if in.Block && in.Scope != "user" && in.Scope != "" {
		add("block", "goes with scope user alone: leave it out, or name the user")
	}
	for member, use := range map[string]struct{ given, fits bool }{
		"subject": {len(in.Subject) > 0, in.Scope == "user" || in.Scope == "device"},
		"device":  {in.Device != nil, in.Scope == "device"},
		"session": {in.Session != "", in.Scope == "session"},
		"kind":    {in.Kind != "", in.Scope == "user" && !in.Block || in.Scope == "kind"},
		"app":     {in.App != "", in.Scope != "everyone" && !in.Block},
		"group":   {in.Group != "", in.Scope == "group"},
	} {
		if use.given && !use.fits && in.Scope != "" {
			add(member, "does not go with this order: leave it out")
		}
	}
	if in.Kind != "" && t.app != "" {
		add("kind", "cannot be combined with this token's app: leave it out")
	} else if in.Kind != "" && in.App != "" {
		add("kind", "cannot be combined with app: leave one of them out")
	}
	sig.OnlyKind = revoke.Kind(in.Kind)
	if len(in.Subject) > 0 {
		who, bad := subject(in.Subject, t)
		sig.Subject, wrong = who, append(wrong, bad...)
	}
	if in.Device != nil {
		if sig.Device = in.Device.identifiers(); len(sig.Device) == 0 {
			add("device", "names none: "+exampleOf("device"))
		}
	}
	return sig, wrong
}

// sessionRef points at the session that a body names. One that an application has not registered yet is pointed at by
// its own id, so that it is dead when it comes.
func (a *App) sessionRef(ctx context.Context, t *token, name, app string) (revoke.SessionRef, error) {
	s, err := a.findSession(ctx, t, name, app)
	if err == nil {
		return revoke.SessionRef{Org: s.Org, ID: s.ID}, nil
	}
	if app == "" {
		app = t.app
	}
	if errors.Is(err, revoke.ErrNotFound) && app != "" {
		return revoke.SessionRef{Org: t.voice.Org, App: app, ClientID: name}, nil
	}
	return revoke.SessionRef{}, err
}

// onDevice turns the order for a person's device into orders for the sessions of one app there.
func (a *App) onDevice(ctx context.Context, t *token, sig revoke.Signal, app string) ([]revoke.Signal, error) {
	var users []revoke.ID
	for _, id := range sig.Subject.In(t.voice.Org) {
		found, err := a.cfg.Store.Holders(ctx, []revoke.Identifier{id})
		if own, bad := revoke.ParseID(id.Value); id.Namespace == revoke.NamespaceCurfew && bad == nil {
			found, err = []revoke.ID{own}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("find whose device it is: %w", err)
		}
		users = append(users, found...)
	}
	users, err := a.together(users)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	sessions, err := a.cfg.Store.SessionsOf(ctx, revoke.SessionQuery{Org: t.voice.Org, Users: users, App: app, Limit: maxLimit})
	if err != nil {
		return nil, fmt.Errorf("list the sessions on the device: %w", err)
	}
	var out []revoke.Signal
	for i := range sessions {
		for _, name := range sig.Device {
			name.Org = t.voice.Org
			if sessions[i].Device == revoke.DeviceID(name) && sessions[i].EndedAt == 0 {
				one := sig
				one.Subject, one.Device, one.Session = nil, nil, revoke.SessionRef{Org: t.voice.Org, ID: sessions[i].ID}
				out = append(out, one)
				break
			}
		}
	}
	return out, nil
}

// orderView is the answer to an order.
type orderView struct {
	ID          revoke.ID        `json:"id"`
	Event       revoke.ID        `json:"event,omitzero"`
	Scope       string           `json:"scope"`
	At          revoke.Instant   `json:"at"`
	Covers      *int             `json:"covers"` // null where it was not counted
	Known       bool             `json:"known"`
	User        revoke.ID        `json:"user,omitzero"`
	Blocked     bool             `json:"blocked,omitempty"`
	Reason      string           `json:"reason"`
	Revocations []revocationItem `json:"revocations"`
}

func (a *App) answerOrder(c *fiber.Ctx, in *order, o *revoke.Outcome) error {
	if o.State == revoke.EventHeld {
		c.Set("Curfew-Held", o.Event.String())
		return answer(c, fiber.StatusAccepted, map[string]any{"held": o.Event, "scope": in.Scope, "reason": in.Reason})
	}
	seen := viewOutcome(c, o)
	view := orderView{
		Event: o.Event, Scope: in.Scope, At: a.cfg.Clock.Now(), Known: o.Known || in.Scope == "everyone", User: o.User,
		Reason: in.Reason, Revocations: seen.Revocations,
	}
	if in.Scope != "everyone" {
		view.Covers = &o.Covers
	}
	if len(o.Revocations) > 0 {
		view.ID, view.At = o.Revocations[0].ID, o.Revocations[0].At
	}
	for _, r := range o.Revocations {
		view.Blocked = view.Blocked || r.Blocked
		view.Known = view.Known || !r.Session.IsZero()
	}
	return answer(c, fiber.StatusCreated, view)
}

// nothingThere answers an order for a device on which the app has no session.
func (a *App) nothingThere(c *fiber.Ctx, in *order) error {
	none := 0
	return answer(c, fiber.StatusCreated, orderView{Scope: in.Scope, At: a.cfg.Clock.Now(), Covers: &none, Reason: in.Reason, Revocations: []revocationItem{}})
}
