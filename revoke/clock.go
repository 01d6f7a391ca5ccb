package revoke

import (
	"strings"
	"sync/atomic"
	"time"
)

// Instant is a moment in microseconds since 1970-01-01T00:00:00Z. Zero means never. It is the only form in which
// the core and both databases hold time; RFC 3339 exists only at the edges.
type Instant int64

// Ahead is how far a sender's clock may run ahead of ours. A time beyond it counts as no time (DESIGN section 3).
const Ahead = 5 * time.Minute

// InstantOf converts t, cutting what is finer than a microsecond. The zero time is never.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMicro())
}

// Time returns i in UTC, the zero time for never.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// Add returns i moved by d, cut to whole microseconds.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Microseconds()) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Microsecond }

// String returns i as RFC 3339 in UTC, "never" for zero.
func (i Instant) String() string {
	if i == 0 {
		return "never"
	}
	return i.Time().Format("2006-01-02T15:04:05.999999Z07:00")
}

// MarshalText writes RFC 3339; never is the empty string, so that JSON members are best tagged omitzero.
func (i Instant) MarshalText() ([]byte, error) {
	if i == 0 {
		return nil, nil
	}
	return []byte(i.String()), nil
}

// UnmarshalText reads RFC 3339 with any offset; the empty string is never.
func (i *Instant) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*i = 0
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(string(text)))
	if err != nil {
		return Invalid{Problem: "is not a time", Fix: `write RFC 3339 such as "2026-11-23T10:00:00Z"`}
	}
	*i = InstantOf(t)
	return nil
}

// wholeSecond returns the last microsecond of i's second when i has no fraction, else i: a sender that writes whole
// seconds means somewhere in that second, and at the end of it every session of that second is covered.
func (i Instant) wholeSecond() Instant {
	if i != 0 && i%1e6 == 0 {
		return i + 1e6 - 1
	}
	return i
}

// Clock is the only one who knows the time. It never goes back.
type Clock interface {
	// Now returns the present instant. It is cheap and safe for concurrent use.
	Now() Instant
}

// ProcessClock is a Clock over the machine's. It follows that forward, and goes on with the time that passes where that is set back, or
// is behind what this clock has given or was told of. The zero value is ready. It is safe for concurrent use.
type ProcessClock struct {
	mark atomic.Int64
	base atomic.Pointer[reading] // what the clock read when it last had to catch up
}

// reading is one of the machine's clock: the time of day, which can be set, and the time that passed since the process began.
type reading struct {
	wall   Instant
	passed time.Duration
}

var began = time.Now()

func read() reading {
	now := time.Now()
	return reading{InstantOf(now), now.Sub(began)} // Sub is by the monotonic clock
}

// MachineClock is the machine's own clock, wherever it is set: for what others judge by theirs. It can go back.
type MachineClock struct{}

// Now returns what the machine's clock reads.
func (MachineClock) Now() Instant { return read().wall }

// Deadline returns the machine's time d from now, for what ends by that and by no other clock.
func Deadline(d time.Duration) time.Time { return time.Now().Add(d) }

// catchUp is by how much the machine's clock must run ahead of ours before we follow it: readings differ by less all the time.
const catchUp = time.Millisecond

// Now returns the machine's time, or the later one that it gave or was told of and what has passed since.
func (c *ProcessClock) Now() Instant { return c.at(read()) }

func (c *ProcessClock) at(now reading) Instant {
	base := c.base.Load()
	if base == nil {
		first := now // a copy, so that only what is kept is allocated
		c.base.CompareAndSwap(nil, &first)
		base = c.base.Load()
	}
	ours := base.wall.Add(now.passed - base.passed)
	mark := Instant(c.mark.Load())
	if known := max(now.wall, mark); known.Sub(ours) > catchUp {
		ahead := reading{known, now.passed}
		if c.base.CompareAndSwap(base, &ahead) {
			ours = known
		}
	}
	return max(ours, mark)
}

// Next returns an instant later than any that Next gave before, at or after base and [ProcessClock.Now]. Decisions are
// numbered by it, so that two of one transaction still have an order.
func (c *ProcessClock) Next(base Instant) Instant {
	base = max(base, c.Now())
	for {
		mark := c.mark.Load()
		next := max(int64(base), mark+1)
		if c.mark.CompareAndSwap(mark, next) {
			return Instant(next)
		}
	}
}

// Hold keeps the clock from ever reading earlier than at. A store calls it with the marks it finds when it opens.
func (c *ProcessClock) Hold(at Instant) {
	for {
		mark := c.mark.Load()
		if int64(at) <= mark || c.mark.CompareAndSwap(mark, int64(at)) {
			return
		}
	}
}

// wallWatch notices when the machine's clock is set: it then runs apart from the time that passes. The zero value is ready.
type wallWatch struct{ last reading }

// jump returns by how much the clock was set since the reading before.
func (w *wallWatch) jump(now reading) time.Duration {
	last := w.last
	w.last = now
	if last.wall == 0 {
		return 0
	}
	return now.wall.Sub(last.wall) - (now.passed - last.passed)
}
