package scim

import (
	"net/http"
	"sync"

	"curfew/revoke"
)

const (
	defaultRate = 2000 // a second and source: Entra asks for 25, so this only stops a loop
	burst       = 5    // seconds' worth of requests that may come at once
)

// throttle keeps one source from taking all there is. Deactivations and deletions never ask it. It is safe for concurrent use.
type throttle struct {
	clock revoke.Clock
	rate  int

	mu      sync.Mutex
	buckets map[string]*bucket // by source; the configuration bounds how many there are
}

type bucket struct {
	left float64
	at   revoke.Instant
}

func newThrottle(clock revoke.Clock, rate int) *throttle {
	if rate == 0 {
		rate = defaultRate
	}
	return &throttle{clock: clock, rate: rate, buckets: map[string]*bucket{}}
}

// allows takes one request from the source's share.
func (t *throttle) allows(source string) bool {
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	most := float64(t.rate * burst)
	b, ok := t.buckets[source]
	if !ok {
		b = &bucket{left: most, at: now}
		t.buckets[source] = b
	}
	if now > b.at {
		b.left = min(most, b.left+now.Sub(b.at).Seconds()*float64(t.rate))
		b.at = now
	}
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func throttled() refusal {
	return refusal{status: http.StatusTooManyRequests, retryAfter: 1, detail: "Too many requests from this source. Wait a second and go on."}
}
