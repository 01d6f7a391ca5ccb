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
	Until   string          `json:"until" validate:"instant"`
	DryRun  bool            `json:"dry_run"`
	Confirm *int            `json:"confirm"`
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
	if a.cfg.Approvals > 1 && in.wide() && !in.DryRun && in.Confirm == nil {
		return meaningless(fieldError{"confirm", "is missing: an order for many takes two people here, so write the number that a dry_run answered as covers"})
	}
	signals, err := a.orderSignals(t, &in, sig, app)
	if err != nil {
		return err
	}
	ev := revoke.Event{Type: string(revoke.SessionsCleared), SenderID: eventID(c), Body: bytes.Clone(c.BodyRaw()), Signals: signals}
	var seen *revoke.Outcome
	everybodys := in.Scope == "device" && t.voice.Devices
	if in.DryRun || in.Confirm != nil || everybodys {
		if seen, err = a.preview(t, &in, ev); err != nil {
			return err
		}
	}
	if in.DryRun {
		return a.answerPreview(c, &in, seen)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	out := []revoke.Outcome{{}}
	if len(signals) > 0 {
		if out, err = a.cfg.Service.Receive(ctx, t.actor, t.voice, ev); err != nil {
			return err
		}
	}
	if everybodys {
		out[0].Covers = seen.Covers
	}
	return a.answerOrder(c, t, &in, &out[0])
}

var errOnlyAdmin = &problem{
	status: fiber.StatusForbidden, word: "scope", title: "Not within this token's scope",
	detail: "Only a token with the scope admin blocks people or ends the sessions of many; this one ends those of one user, one device or one session.",
}

// readOrder checks an order and makes it a signal, as far as nothing must be looked up.
func (a *App) readOrder(in *order, t *token) (revoke.Signal, []fieldError) {
	wrong := a.check(in)
	add := func(field, detail string) { wrong = append(wrong, fieldError{field, detail}) }
	sig := revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: in.Block, Reason: in.Reason, Counting: !in.wide(), Until: instant(in.Until)}
	switch in.Scope {
	case "group":
		add("scope", `"group" is not built in this version: write "user", "device", "session", "kind", "app" or "everyone"`)
	case "kind":
		if sig.Wide = revoke.ScopeKindOf; in.Kind == "" {
			add("kind", "is missing: "+exampleOf("kind"))
		}
	case "app":
		if sig.Wide, sig.OnlyApp = revoke.ScopeApp, in.App; in.App == "" {
			add("app", "is missing: name the application whose sessions end")
		}
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
	switch {
	case in.Until == "":
	case !in.Block:
		add("until", "goes with block alone: it is when the block ends")
	case sig.Until != 0 && sig.Until <= a.cfg.Clock.Now():
		add("until", "is over already: "+exampleOf("until"))
	}
	if in.Confirm != nil && *in.Confirm < 0 {
		add("confirm", "is below zero: write the number that a dry_run answered as covers")
	}
	if in.Block && in.Scope != "user" && in.Scope != "" {
		add("block", "goes with scope user alone: leave it out, or name the user")
	}
	for member, use := range map[string]struct{ given, fits bool }{
		"subject": {len(in.Subject) > 0, in.Scope == "user" || in.Scope == "device"},
		"device":  {in.Device != nil, in.Scope == "device"},
		"session": {in.Session != "", in.Scope == "session"},
		"kind":    {in.Kind != "", in.Scope == "user" && !in.Block || in.Scope == "kind"},
		"app":     {in.App != "", in.Scope != "everyone" && in.Scope != "kind" && !in.Block},
		"group":   {in.Group != "", in.Scope == "group"},
	} {
		if use.given && !use.fits && in.Scope != "" {
			add(member, "does not go with this order: leave it out")
		}
	}
	if in.Kind != "" && t.app != "" {
		add("kind", "cannot be combined with this token's app: leave it out")
	} else if in.Kind != "" && in.App != "" && in.Scope == "user" {
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

// wide reports whether the order is about nobody in particular. The core does not count what such an order covers unless
// it is previewed.
func (in *order) wide() bool {
	return in.Scope == "everyone" || in.Scope == "kind" || in.Scope == "app"
}

// orderSignals looks up what an order names, and returns what the core is to be told: nothing, where there is nothing to
// end.
func (a *App) orderSignals(t *token, in *order, sig revoke.Signal, app string) ([]revoke.Signal, error) {
	ctx, cancel := asking()
	defer cancel()
	switch in.Scope {
	case "session":
		ref, err := a.sessionRef(ctx, t, in.Session, app)
		if err != nil {
			return nil, err
		}
		sig.Session = ref
	case "user":
		sig.OnlyApp = app
	case "device":
		if app != "" { // no cutoff is that narrow: its sessions are ended one by one
			return a.onDevice(ctx, t, sig, app)
		}
	}
	return []revoke.Signal{sig}, nil
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
