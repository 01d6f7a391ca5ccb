package api

import (
	"context"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// progress is how many deliveries stand where.
type progress struct {
	Due     int `json:"due"`
	Paused  int `json:"paused"` // kept back by a person's order
	Claimed int `json:"claimed"`
	Done    int `json:"done"`
	Parked  int `json:"parked"`
	Dropped int `json:"dropped"`
}

func (p *progress) count(d *revoke.Delivery) {
	switch {
	case d.State == revoke.DeliveryDue && d.Halt == revoke.HaltWait:
		p.Paused++
	case d.State == revoke.DeliveryDue:
		p.Due++
	case d.State == revoke.DeliveryClaimed:
		p.Claimed++
	case d.State == revoke.DeliveryDone:
		p.Done++
	case d.State == revoke.DeliveryParked:
		p.Parked++
	case d.State == revoke.DeliveryDropped:
		p.Dropped++
	}
}

// dropDelivery gives a delivery up: the target is not told, or not told again.
func (a *App) dropDelivery(c *fiber.Ctx, t *token) error {
	revocation, target, err := revoke.ParseDeliveryName(pathID(c))
	if err != nil {
		return errNotFound
	}
	why, err := a.readMotive(c)
	if err != nil {
		return err
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	q := revoke.DeliveryQuery{Org: t.voice.Org, Revocation: revocation, Target: target}
	if _, err := a.halt(ctx, c, t, q, revoke.HaltDrop, why, map[string]any{"order": "drop", "revocation": revocation, "target": target}); err != nil {
		return err
	}
	d, err := a.delivery(ctx, q)
	switch {
	case err != nil:
		return err
	case d.State == revoke.DeliveryDone:
		return refused(revoke.ErrConflict, "this delivery is done; there is nothing to drop")
	}
	return answer(c, fiber.StatusOK, viewDelivery(&d))
}

// haltRevocation keeps back, lets go on or drops what is still owed to targets of a revocation. Its cutoff stays.
func (a *App) haltRevocation(order string, halt revoke.Halt) func(*fiber.Ctx, *token) error {
	return func(c *fiber.Ctx, t *token) error {
		id, err := revoke.ParseID(pathID(c))
		if err != nil {
			return errNotFound
		}
		why, err := a.readMotive(c)
		if err != nil {
			return err
		}
		ctx, cancel := a.committing(c, t)
		defer cancel()
		if _, _, err := a.cfg.Store.Revocation(ctx, t.voice.Org, id); err != nil {
			return fmt.Errorf("read revocation %s: %w", id, err)
		}
		q := revoke.DeliveryQuery{Org: t.voice.Org, Revocation: id}
		changed, err := a.halt(ctx, c, t, q, halt, why, map[string]any{"order": order, "revocation": id})
		if err != nil {
			return err
		}
		if halt == revoke.HaltNone {
			a.retried(changed)
		}
		view, err := a.viewRevocation(ctx, t.voice.Org, id)
		if err != nil {
			return err
		}
		return answer(c, fiber.StatusOK, view)
	}
}

func (a *App) halt(ctx context.Context, c *fiber.Ctx, t *token, q revoke.DeliveryQuery, halt revoke.Halt, why string, what map[string]any) (int, error) {
	entry, err := a.entry(c, t, "delivery", why, what)
	if err != nil {
		return 0, err
	}
	n, err := a.cfg.Store.Halt(ctx, q, halt, entry.At, entry)
	if err != nil {
		return 0, fmt.Errorf("halt deliveries: %w", err)
	}
	return n, nil
}
