package revoketest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"curfew/revoke"
)

// Inbox receives events as [revoke.Service] does, as far as a sender can tell: it keeps each once, by its key, and it can be
// down, fail half-way or hang. It decides nothing. It is safe for concurrent use.
type Inbox struct {
	mu     sync.Mutex
	clock  *Clock
	events []revoke.Event
	seen   map[revoke.EventKey]revoke.Outcome
	left   int   // events that are still taken before it fails
	fault  error // nil while it works
	stall  chan struct{}
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox {
	return &Inbox{clock: NewClock(0), seen: map[revoke.EventKey]revoke.Outcome{}}
}

// Fail lets it take so many more new events and then fail with why, until it is called with nil.
func (i *Inbox) Fail(after int, why error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left, i.fault = after, why
}

// Stall makes it hang until release is called.
func (i *Inbox) Stall() (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	stall := make(chan struct{})
	i.stall = stall
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.stall = nil
		close(stall)
	}
}

// Events returns what it keeps, in the order of arrival.
func (i *Inbox) Events() []revoke.Event {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

// Receive keeps events in their order, each by itself.
func (i *Inbox) Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error) {
	i.mu.Lock()
	stall := i.stall
	i.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-ctx.Done():
			return nil, fmt.Errorf("receive: %w", ctx.Err())
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if (actor != revoke.Actor{Kind: "source", Name: src.Name}) {
		return nil, fmt.Errorf("the actor is %v, not source %s", actor, src.Name)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []revoke.Outcome
	for _, e := range events {
		if e.Org != src.Org || e.Source != src.Name || e.Authority != src.Authority {
			return out, fmt.Errorf("event of %s/%s/%s came from %s/%s/%s", e.Org, e.Source, e.Authority, src.Org, src.Name, src.Authority)
		}
		if prior, ok := i.seen[e.Key()]; ok && e.SenderID != "" {
			prior.Duplicate = true
			out = append(out, prior)
			continue
		}
		if i.fault != nil {
			if i.left <= 0 {
				return out, i.fault
			}
			i.left--
		}
		e.ReceivedAt = i.clock.Next()
		e.ID = revoke.NewID(e.ReceivedAt)
		if e.State == "" {
			e.State = revoke.EventDecided
		}
		o := revoke.Outcome{Event: e.ID, State: e.State}
		if e.State == revoke.EventHeld {
			o.Held = e.ID
		}
		i.events, i.seen[e.Key()] = append(i.events, e), o
		out = append(out, o)
	}
	return out, nil
}

// Refusals is a [revoke.Observer] that counts what was refused.
type Refusals struct {
	revoke.Unobserved
	mu  sync.Mutex
	why map[string][]string
}

// Refused counts.
func (r *Refusals) Refused(source, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == nil {
		r.why = map[string][]string{}
	}
	r.why[source] = append(r.why[source], why)
}

// Count returns how many requests to a source were refused.
func (r *Refusals) Count(source string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.why[source])
}

// Whys returns the classes of what a source was refused for, in order.
func (r *Refusals) Whys(source string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.why[source])
}
