package api

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// blocking is the body of POST /v1/users/{id}/block.
type blocking struct {
	Reason string `json:"reason" validate:"required,max=1000,plain"`
	Until  string `json:"until" validate:"instant"`
}

// blockUser keeps a person out until an admin lifts it, or until a time.
func (a *App) blockUser(c *fiber.Ctx, t *token) error {
	var in blocking
	if err := decode(c, &in); err != nil {
		return err
	}
	wrong := a.check(&in)
	until := instant(in.Until)
	if until != 0 && until <= a.cfg.Clock.Now() {
		wrong = append(wrong, fieldError{"until", "is over already: " + exampleOf("until")})
	}
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	return a.actOnUser(c, t, revoke.Signal{Kind: revoke.SessionsCleared, Block: true, Until: until, Reason: in.Reason})
}

// liftUser takes back every block on a person, whoever set it. What it ended stays dead.
func (a *App) liftUser(c *fiber.Ctx, t *token) error {
	why, err := a.readMotive(c)
	if err != nil {
		return err
	}
	return a.actOnUser(c, t, revoke.Signal{Kind: revoke.Reactivated, Reason: why})
}

// actOnUser orders what sig says for the user of the path, and shows the user as it is then.
func (a *App) actOnUser(c *fiber.Ctx, t *token, sig revoke.Signal) error {
	ctx, cancel := a.committing(c, t)
	defer cancel()
	id, err := a.userOfPath(ctx, c, t)
	if err != nil {
		return err
	}
	sig.Subject, sig.Command = revoke.Subject{{Namespace: revoke.NamespaceCurfew, Value: id.String()}}, true
	ev := revoke.Event{Type: string(sig.Kind), SenderID: eventID(c), Body: bytes.Clone(c.BodyRaw()), Signals: []revoke.Signal{sig}}
	out, err := a.cfg.Service.Receive(ctx, t.actor, t.voice, ev)
	if err != nil {
		return err
	}
	heldHeader(c, &out[0])
	return a.answerPerson(ctx, c, t, id)
}

// userAgain shows the user of the path as it is now, to whoever asks again for the answer to an order.
func (a *App) userAgain(c *fiber.Ctx, t *token, _ string) error {
	ctx, cancel := asking()
	defer cancel()
	id, err := a.userOfPath(ctx, c, t)
	if err != nil {
		return err
	}
	return a.answerPerson(ctx, c, t, id)
}

// splitting is the body of POST /v1/users/{id}/split.
type splitting struct {
	With   string `json:"with" validate:"required,max=36,plain"`
	Reason string `json:"reason" validate:"required,max=1000,plain"`
}

// splitUser takes back that two users were joined as one person. Both sides are cut at that moment.
func (a *App) splitUser(c *fiber.Ctx, t *token) error {
	var in splitting
	if err := decode(c, &in); err != nil {
		return err
	}
	wrong := a.check(&in)
	with, bad := revoke.ParseID(in.With)
	if in.With != "" && bad != nil {
		wrong = append(wrong, fieldError{"with", "is not an id of ours: " + exampleOf("with")})
	}
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	id, err := a.userOfPath(ctx, c, t)
	if err != nil {
		return err
	}
	people, err := a.peopleOf(ctx, t, []revoke.ID{with})
	if err != nil {
		return err
	}
	if with == id || len(people) == 0 {
		return meaningless(fieldError{"with", "is not another user that we know: " + exampleOf("with")})
	}
	err = a.cfg.Service.Split(ctx, t.actor, t.voice, id, with, in.Reason)
	if errors.Is(err, revoke.ErrNotFound) {
		members, err := a.together([]revoke.ID{id})
		if err != nil {
			return err
		}
		if slices.Contains(members, with) {
			return refused(revoke.ErrConflict, "these two are one person through a third user, so there is no join between them: split from that one")
		}
		return refused(revoke.ErrConflict, "these two are not one person, so there is nothing to split")
	}
	if err != nil {
		return err
	}
	return a.answerPerson(ctx, c, t, id)
}

// userOfPath returns the id of the path when it is one of the token's org. The core would remember any other id as somebody
// nobody has seen yet.
func (a *App) userOfPath(ctx context.Context, c *fiber.Ctx, t *token) (revoke.ID, error) {
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return id, errNotFound
	}
	people, err := a.peopleOf(ctx, t, []revoke.ID{id})
	if err == nil && len(people) == 0 {
		err = errNotFound
	}
	return id, err
}
