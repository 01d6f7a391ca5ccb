package revoketest

import (
	"sync"
	"time"

	"curfew/revoke"
)

// Start is when a new [Clock] stands: a Monday morning, far from the ends of days and years.
const Start revoke.Instant = 1_795_428_000_000_000 // 2026-11-23T10:00:00Z

// Clock is a [revoke.Clock] that stands still until a test moves it. Like the real ones it never goes back. It is safe for
// concurrent use.
type Clock struct {
	mu  sync.Mutex
	now revoke.Instant
}

// NewClock returns a clock that shows at, or [Start] when at is zero.
func NewClock(at revoke.Instant) *Clock {
	if at == 0 {
		at = Start
	}
	return &Clock{now: at}
}

// Now returns where the clock stands.
func (c *Clock) Now() revoke.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Next moves the clock on by one microsecond and returns where it stands then, so that no two decisions share an instant.
func (c *Clock) Next() revoke.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	return c.now
}

// Advance moves the clock on and returns where it stands then. A negative d moves nothing: no clock of ours goes back.
func (c *Clock) Advance(d time.Duration) revoke.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > 0 {
		c.now = c.now.Add(d)
	}
	return c.now
}

// MoveTo moves the clock on to at, unless it is there already.
func (c *Clock) MoveTo(at revoke.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, at)
}
