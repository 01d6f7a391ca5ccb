package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// revocationView is a revocation with all that a sentence about it takes: who did what to whom, when and why, and what
// every target made of it.
type revocationView struct {
	ID          revoke.ID             `json:"id"`
	Event       revoke.ID             `json:"event"`
	Sentence    string                `json:"sentence"`
	Said        *saidView             `json:"said,omitempty"` // the event, where it is kept
	Kind        revoke.RevocationKind `json:"kind"`
	Signal      revoke.SignalKind     `json:"signal"`
	Scope       revoke.ScopeKind      `json:"scope"`
	User        revoke.ID             `json:"user,omitzero"`
	Device      revoke.ID             `json:"device,omitzero"`
	Session     revoke.ID             `json:"session,omitzero"`      // ours; absent for one that nobody had registered
	App         string                `json:"app,omitempty"`         // of the scopes app, user_app and session
	AppSession  string                `json:"app_session,omitempty"` // the application's own id of the session
	SessionKind string                `json:"session_kind,omitempty"`
	At          revoke.Instant        `json:"at,omitzero"`
	Blocked     bool                  `json:"blocked"`
	Reason      string                `json:"reason"`
	Actor       actorView             `json:"actor"`
	CreatedAt   revoke.Instant        `json:"created_at"`
	Progress    progress              `json:"progress"`
	Deliveries  []deliveryDetail      `json:"deliveries"`
}

type actorView struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// deliveryDetail is a delivery with every call that was made for it in the place of their number.
type deliveryDetail struct {
	deliveryView
	Attempts []attemptView `json:"attempts"`
}

type attemptView struct {
	Number  int             `json:"number"`
	At      revoke.Instant  `json:"at"`
	TookMS  int64           `json:"took_ms"`
	Error   string          `json:"error,omitempty"`
	Receipt *revoke.Receipt `json:"receipt,omitempty"`
}

// oneRevocation shows a revocation and what became of it at every target.
func (a *App) oneRevocation(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := asking()
	defer cancel()
	view, err := a.viewRevocation(ctx, t.voice.Org, id)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, view)
}

// viewRevocation reads a revocation of an org; another's is [revoke.ErrNotFound].
func (a *App) viewRevocation(ctx context.Context, org string, id revoke.ID) (*revocationView, error) {
	r, owed, err := a.cfg.Store.Revocation(ctx, org, id)
	if err != nil {
		return nil, fmt.Errorf("read revocation %s: %w", id, err)
	}
	view := &revocationView{
		ID: r.ID, Event: r.Event, Kind: r.Kind, Signal: r.Signal, Scope: r.Scope.Kind, User: r.Scope.User, Device: r.Scope.Device, Session: r.Session,
		At: r.At, Blocked: r.Blocked, Reason: r.Reason, Actor: actorView{r.Actor.Kind, r.Actor.Name}, CreatedAt: r.CreatedAt, Deliveries: []deliveryDetail{},
	}
	switch r.Scope.Kind {
	case revoke.ScopeKindOf, revoke.ScopeUserKind:
		view.SessionKind = r.Scope.Key
	case revoke.ScopeApp, revoke.ScopeUserApp:
		view.App = r.Scope.Key
	case revoke.ScopeSession:
		view.App, view.AppSession, _ = strings.Cut(r.Scope.Key, "\n") // as revoke.SessionKey writes it
	case revoke.ScopeEveryone, revoke.ScopeUser, revoke.ScopeDevice, revoke.ScopeUserDevice:
	}
	for i := range owed {
		view.Progress.count(&owed[i])
		detail, err := a.detail(ctx, &owed[i])
		if err != nil {
			return nil, err
		}
		view.Deliveries = append(view.Deliveries, detail)
	}
	events, err := a.cfg.Store.EventsWith(ctx, org, []revoke.ID{r.Event})
	if err != nil {
		return nil, fmt.Errorf("read what revocation %s followed from: %w", id, err)
	}
	if len(events) > 0 {
		view.Said = viewSaid(&events[0])
	}
	who, err := a.nameOf(ctx, r.Scope.User)
	if err != nil {
		return nil, fmt.Errorf("read whom revocation %s is about: %w", id, err)
	}
	view.Sentence = explained(view, who)
	return view, nil
}

func (a *App) detail(ctx context.Context, d *revoke.Delivery) (deliveryDetail, error) {
	attempts, err := a.cfg.Store.AttemptsOf(ctx, d.Org, d.Revocation, d.Target)
	if err != nil {
		return deliveryDetail{}, fmt.Errorf("read the attempts of delivery %s: %w", d.Name(), err)
	}
	detail := deliveryDetail{deliveryView: viewDelivery(d), Attempts: []attemptView{}}
	for _, try := range attempts {
		detail.Attempts = append(detail.Attempts, attemptView{try.Number, try.At, try.Took.Milliseconds(), try.Error, try.Receipt})
	}
	return detail, nil
}

// oneDelivery shows a delivery with every call that was made for it.
func (a *App) oneDelivery(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	revocation, target, err := revoke.ParseDeliveryName(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := asking()
	defer cancel()
	d, err := a.delivery(ctx, revoke.DeliveryQuery{Org: t.voice.Org, Revocation: revocation, Target: target})
	if err != nil {
		return err
	}
	detail, err := a.detail(ctx, &d)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, detail)
}
