package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// deliveryView is a delivery as the API shows it.
type deliveryView struct {
	ID         string               `json:"id"`
	Revocation revoke.ID            `json:"revocation"`
	Target     string               `json:"target"`
	User       revoke.ID            `json:"user,omitzero"`
	State      revoke.DeliveryState `json:"state"`
	Halt       revoke.Halt          `json:"halt,omitempty"` // what becomes of it after the call that is under way
	DueAt      revoke.Instant       `json:"due_at,omitzero"`
	FirstAt    revoke.Instant       `json:"first_at,omitzero"`
	DoneAt     revoke.Instant       `json:"done_at,omitzero"`
	Attempts   int                  `json:"attempts"`
	LastError  string               `json:"last_error,omitempty"`
	Receipt    *revoke.Receipt      `json:"receipt,omitempty"`
}

// statePaused is how a delivery is shown that waits for its time and for a person's word.
const statePaused revoke.DeliveryState = "paused"

func viewDelivery(d *revoke.Delivery) deliveryView {
	view := deliveryView{
		d.Name(), d.Revocation, d.Target, d.User, d.State, d.Halt, d.DueAt, d.FirstAt, d.DoneAt, d.Attempts, d.LastError, d.Receipt,
	}
	switch {
	case d.State == revoke.DeliveryClaimed:
	case d.State == revoke.DeliveryDue && d.Halt == revoke.HaltWait:
		view.State, view.Halt = statePaused, ""
	default:
		view.Halt = ""
	}
	return view
}

func deliveryStates() []revoke.DeliveryState {
	return []revoke.DeliveryState{revoke.DeliveryDue, revoke.DeliveryClaimed, revoke.DeliveryDone, revoke.DeliveryParked, revoke.DeliveryDropped}
}

type deliveryCursor struct {
	Revocation revoke.ID `json:"r"`
	Target     string    `json:"t"`
}

// listDeliveries lists what is owed to targets and what was done, oldest first.
func (a *App) listDeliveries(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "state", "target", "user", "revocation", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	ask := revoke.DeliveryQuery{Org: t.voice.Org, Target: q["target"], State: revoke.DeliveryState(q["state"]), Limit: limit + 1}
	if ask.State != "" && !slices.Contains(deliveryStates(), ask.State) {
		return meaningless(fieldError{"state", "is not one we know: write " + orList(wordsOf(deliveryStates()))})
	}
	if ask.User, err = q.id("user"); err != nil {
		return err
	}
	if ask.Revocation, err = q.id("revocation"); err != nil {
		return err
	}
	var at deliveryCursor
	if more, err := q.cursor(&at); err != nil {
		return err
	} else if more {
		ask.After = &revoke.DeliveryCursor{Revocation: at.Revocation, Target: at.Target}
	}
	ctx, cancel := asking()
	defer cancel()
	rows, err := a.cfg.Store.Deliveries(ctx, ask)
	if err != nil {
		return fmt.Errorf("list deliveries: %w", err)
	}
	return paged(c, rows, limit, sure(viewDelivery), func(d *revoke.Delivery) any { return deliveryCursor{d.Revocation, d.Target} })
}

// retryDelivery makes one delivery due at once.
func (a *App) retryDelivery(c *fiber.Ctx, t *token) error {
	revocation, target, err := revoke.ParseDeliveryName(pathID(c))
	if err != nil {
		return errNotFound
	}
	q := revoke.DeliveryQuery{Org: t.voice.Org, Revocation: revocation, Target: target}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	n, err := a.retry(ctx, c, t, q)
	if err != nil {
		return err
	}
	d, err := a.delivery(ctx, q)
	switch {
	case err != nil:
		return err
	case n == 0 && (d.State == revoke.DeliveryDone || d.State == revoke.DeliveryDropped):
		return refused(revoke.ErrConflict, "this delivery is "+string(d.State)+"; there is nothing to retry")
	}
	return answer(c, fiber.StatusOK, viewDelivery(&d))
}

// delivery reads the one that q means.
func (a *App) delivery(ctx context.Context, q revoke.DeliveryQuery) (revoke.Delivery, error) {
	q.Limit = 1
	rows, err := a.cfg.Store.Deliveries(ctx, q)
	switch {
	case err != nil:
		return revoke.Delivery{}, fmt.Errorf("read delivery: %w", err)
	case len(rows) == 0:
		return revoke.Delivery{}, errNotFound
	}
	return rows[0], nil
}

// selection is the body of POST /v1/deliveries/retry: those that all given members fit.
type selection struct {
	State  string `json:"state" validate:"omitempty,oneof=due parked"`
	Target string `json:"target" validate:"max=512,plain"`
	User   string `json:"user" validate:"max=36"`
}

// retryDeliveries makes many deliveries due at once.
func (a *App) retryDeliveries(c *fiber.Ctx, t *token) error {
	var in selection
	if err := decode(c, &in); err != nil {
		return err
	}
	wrong := a.check(&in)
	q := revoke.DeliveryQuery{Org: t.voice.Org, Target: in.Target, State: revoke.DeliveryState(in.State)}
	if in.User != "" {
		var err error
		if q.User, err = revoke.ParseID(in.User); err != nil {
			wrong = append(wrong, fieldError{"user", "is not an id of ours: look it up at GET /v1/users"})
		}
	}
	if strings.Join([]string{in.State, in.Target, in.User}, "") == "" {
		wrong = append(wrong, fieldError{"state", `is missing, and so are target and user: give one, such as "state": "parked"`})
	}
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	n, err := a.retry(ctx, c, t, q)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, map[string]int{"retried": n})
}

// retry makes deliveries due at once, and wakes who makes them.
func (a *App) retry(ctx context.Context, c *fiber.Ctx, t *token, q revoke.DeliveryQuery) (int, error) {
	what := map[string]any{"order": "retry", "revocation": q.Revocation, "target": q.Target, "state": q.State, "user": q.User}
	entry, err := a.entry(c, t, "delivery", "", what)
	if err != nil {
		return 0, err
	}
	n, err := a.cfg.Store.Retry(ctx, q, a.cfg.Clock.Now(), entry)
	if err != nil {
		return 0, fmt.Errorf("retry deliveries: %w", err)
	}
	a.retried(n)
	return n, nil
}

func (a *App) retried(n int) {
	if n > 0 && a.cfg.Retried != nil {
		a.cfg.Retried()
	}
}
