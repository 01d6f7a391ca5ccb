package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// orderView is the answer to an order, or to the preview of one.
type orderView struct {
	ID          *revoke.ID        `json:"id,omitempty"` // absent in a preview, empty where nothing was there to end
	Event       revoke.ID         `json:"event,omitzero"`
	DryRun      bool              `json:"dry_run,omitempty"`
	State       revoke.EventState `json:"state,omitempty"` // held, in the preview of an order that would wait for a person
	Scope       string            `json:"scope"`
	At          revoke.Instant    `json:"at"`
	Covers      *int              `json:"covers"` // null where it was never counted
	Known       bool              `json:"known"`
	User        revoke.ID         `json:"user,omitzero"`
	Blocked     bool              `json:"blocked,omitempty"`
	Until       revoke.Instant    `json:"until,omitzero"` // the end of the block
	Reason      string            `json:"reason"`
	Revocations []revocationItem  `json:"revocations"`
}

func (a *App) viewOrder(in *order, o *revoke.Outcome) orderView {
	view := orderView{
		Scope: in.Scope, At: a.cfg.Clock.Now(), Covers: &o.Covers, Known: o.Known || in.wide() || o.Covers > 0,
		User: o.User, Reason: in.Reason, Revocations: revocationItems(o),
	}
	if len(o.Revocations) > 0 {
		view.At = o.Revocations[0].At
	}
	for _, r := range o.Revocations {
		view.Blocked = view.Blocked || r.Blocked
		view.Known = view.Known || !r.Session.IsZero()
	}
	if view.Blocked {
		view.Until = instant(in.Until)
	}
	return view
}

func (a *App) answerOrder(c *fiber.Ctx, t *token, in *order, o *revoke.Outcome) error {
	if !o.Held.IsZero() {
		c.Set("Curfew-Held", o.Held.String())
		return answer(c, fiber.StatusAccepted, map[string]any{"held": o.Event, "scope": in.Scope, "reason": in.Reason})
	}
	view := a.viewOrder(in, o)
	view.ID, view.Event = &revoke.ID{}, o.Event
	if len(o.Revocations) > 0 {
		view.ID = &o.Revocations[0].ID
	}
	if in.wide() {
		view.Covers = a.counts.last(in.wideScope(t))
	}
	return answer(c, fiber.StatusCreated, view)
}

// countTimeout is how long a preview may take, which looks at every session that it counts.
const countTimeout = 50 * time.Second

// preview asks what an order would do, and refuses one whose confirm is another number than it covers.
func (a *App) preview(t *token, in *order, ev revoke.Event) (*revoke.Outcome, error) {
	var out revoke.Outcome
	if len(ev.Signals) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
		defer cancel()
		var err error
		if out, err = a.cfg.Service.Preview(ctx, t.actor, t.voice, ev); err != nil {
			return nil, err
		}
	}
	if out.Duplicate { // it was carried out under the same Idempotency-Key, and what it covered is over
		return &out, nil
	}
	if err := a.countDevices(&out); err != nil {
		return nil, err
	}
	if in.wide() {
		a.counts.keep(in.wideScope(t), out.Covers)
	}
	if in.Confirm != nil && *in.Confirm != out.Covers {
		return nil, refused(revoke.ErrConflict, fmt.Sprintf(
			"nothing was done: the number of live sessions that this ends is %d now, and confirm says %d; send confirm %d if that is meant", out.Covers, *in.Confirm, out.Covers))
	}
	return &out, nil
}

// countDevices corrects what an outcome covers where it ends everybody's sessions on a device: the core counts only those of
// the person that an order names.
func (a *App) countDevices(o *revoke.Outcome) error {
	ctx, cancel := asking()
	defer cancel()
	for _, r := range o.Revocations {
		if r.Scope.Kind != revoke.ScopeDevice {
			continue
		}
		o.Covers = 0
		var there []revoke.Session // judged afterwards: judging may write, and the store is being read
		err := a.cfg.Store.EachSession(ctx, r.Scope, a.cfg.Clock.Now(), func(s *revoke.Session) { there = append(there, *s) })
		for i := 0; i < len(there) && err == nil; i++ {
			var verdict revoke.Verdict
			if verdict, err = a.cfg.Service.Judge(ctx, &there[i]); verdict.Live {
				o.Covers++
			}
		}
		if err != nil {
			return fmt.Errorf("count the sessions on device %s: %w", r.Scope.Device, err)
		}
	}
	return nil
}

// answerPreview says what an order would do. The ids that a preview makes name nothing, so they are left out.
func (a *App) answerPreview(c *fiber.Ctx, in *order, o *revoke.Outcome) error {
	view := a.viewOrder(in, o)
	view.DryRun = true
	if !view.Known {
		view.User = revoke.ID{}
	}
	if o.State == revoke.EventHeld {
		view.State = o.State
	}
	for i := range view.Revocations {
		view.Revocations[i].ID = revoke.ID{}
	}
	return answer(c, fiber.StatusOK, view)
}

func (in *order) wideScope(t *token) revoke.Scope {
	scope := revoke.Scope{Org: t.voice.Org, Kind: revoke.ScopeKind(in.Scope)}
	if scope.Key = in.Kind; scope.Kind == revoke.ScopeApp {
		scope.Key = in.App
	}
	return scope
}

// maxCounts is of how many scopes the last preview's count is kept.
const maxCounts = 1000

// counts keeps what the last preview of a scope of many people covered, which is what an order for it shows. The zero value
// is ready. It is safe for concurrent use.
type counts struct {
	mu     sync.Mutex
	counts map[revoke.Scope]int
}

func (k *counts) keep(scope revoke.Scope, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.counts[scope]; !known && len(k.counts) >= maxCounts {
		k.counts = nil // an app's name is whatever an admin writes; losing the counts costs a null in an answer
	}
	if k.counts == nil {
		k.counts = map[revoke.Scope]int{}
	}
	k.counts[scope] = n
}

// last returns nil for a scope that was not counted.
func (k *counts) last(scope revoke.Scope) *int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, ok := k.counts[scope]; ok {
		return &n
	}
	return nil
}
