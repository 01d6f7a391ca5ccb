package targets

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// Line is the one way from a target to its system. All workers share it, so that rate, concurrency and what the system
// asked us to wait hold for the target and not for each of them. It is safe for concurrent use.
type Line struct {
	name   string // "target portal", as errors say it
	client *http.Client
	clock  revoke.Clock
	slots  chan struct{}
	pace   pace
	held   atomic.Int64 // the instant until which the system asked everybody to wait
}

const (
	usualCalls = 8
	// holdAll bounds how long one throttled call keeps the others of the target back; its own delivery waits as long as it
	// was asked to. A person who presses "try again" meets the system again after a minute at most.
	holdAll = time.Minute
)

// Line returns the way to a target's system.
func (d Deps) Line(c Common) *Line {
	calls := c.Concurrency
	if calls < 1 || calls > mostCalls { // not said, or wrong, which Open reports
		calls = usualCalls
	}
	return &Line{
		name: "target " + d.Name, client: d.Clients.Configured(), clock: d.Clock,
		slots: make(chan struct{}, calls), pace: pace{rate: c.Rate},
	}
}

// Do makes one call when slot and rate allow and reads at most limit bytes of the answer's body. Errors are sentences that
// name the target, an [outbound.Failure] below where the call was made; [revoke.RetryAfter] where it was not made
// because its turn comes late. What the status means is for [Line.Fate] to say.
func (l *Line) Do(ctx context.Context, r *http.Request, limit int) (outbound.Answer, error) {
	if ctx.Err() != nil { // a select would choose by chance between a free slot and the end
		return outbound.Answer{}, fmt.Errorf("%s: no call was made, its time was over before: %w", l.name, ctx.Err())
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return outbound.Answer{}, fmt.Errorf("%s: no call was made, %d others are under way and answered too slowly: %w", l.name, cap(l.slots), ctx.Err())
	}
	if wait := revoke.Instant(l.held.Load()).Sub(l.clock.Now()); wait > 0 {
		return outbound.Answer{}, revoke.RetryAfter(fmt.Errorf("%s asked for a pause in its last answer; no call was made", l.name), wait)
	}
	if err := l.turn(ctx); err != nil {
		return outbound.Answer{}, err
	}
	a, err := outbound.Do(l.client, r.WithContext(ctx), limit)
	if err != nil {
		return a, fmt.Errorf("%s %w", l.name, err)
	}
	return a, nil
}

// turn waits until the rate allows a call. A turn that comes late is not waited for: the delivery comes back for it, and the
// worker is free for others until then.
func (l *Line) turn(ctx context.Context) error {
	wait, ok := l.pace.take(l.clock.Now())
	if !ok {
		return revoke.RetryAfter(fmt.Errorf("%s: its rate of %s is used up; no call was made", l.name, l.pace.rate), wait)
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		l.pace.giveBack()
		return fmt.Errorf("%s: no call was made while it waited for its turn: %w", l.name, ctx.Err())
	}
}

// hold keeps every call back until the system bears one again.
func (l *Line) hold(wait time.Duration) {
	until := int64(l.clock.Now().Add(min(wait, holdAll)))
	for {
		have := l.held.Load()
		if until <= have || l.held.CompareAndSwap(have, until) {
			return
		}
	}
}

// pace is a bucket that holds what the rate allows in one unit of time and fills evenly. It keeps one instant: when the
// bucket is full again (the generic cell rate algorithm).
type pace struct {
	rate Rate
	mu   sync.Mutex
	full revoke.Instant
}

// waitForTurn is the longest wait for a call that take grants.
const waitForTurn = 2 * time.Second

// take takes one call out of the bucket and returns how long to wait for it. When that is longer than waitForTurn nothing
// is taken, and ok is false.
func (p *pace) take(now revoke.Instant) (wait time.Duration, ok bool) {
	if p.rate.IsZero() {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	full := max(p.full, now).Add(p.step())
	if wait = full.Sub(now) - p.rate.Per; wait > waitForTurn {
		return wait, false
	}
	p.full = full
	return max(wait, 0), true
}

// giveBack returns a call that was taken and not made.
func (p *pace) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = p.full.Add(-p.step())
}

func (p *pace) step() time.Duration { return p.rate.Per / time.Duration(p.rate.Calls) }
