package revoke

import (
	"testing"
	"time"
)

// F12: whoever sets the machine's clock, ours goes on and never back.
func TestSetClock(t *testing.T) {
	t.Parallel()
	var c ProcessClock
	var w wallWatch
	noon := InstantOf(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	before, passed := noon, time.Duration(0)
	for _, step := range []struct {
		what  string
		set   time.Duration // the wall, against true time
		after time.Duration
		want  time.Duration // what our clock has gone on
		jump  time.Duration
	}{
		{"the first reading", 0, 0, 0, 0},
		{"a second passes", 0, time.Second, time.Second, 0},
		{"half a millisecond of drift is none", 500 * time.Microsecond, time.Second, time.Second, 500 * time.Microsecond},
		{"an hour back", -time.Hour, time.Second, time.Second, -time.Hour - 500*time.Microsecond},
		{"and time goes on", -time.Hour, time.Minute, time.Minute, 0},
		{"put right again", 0, time.Second, time.Second, time.Hour},
		{"an hour ahead", time.Hour, time.Second, time.Hour + time.Second, time.Hour},
		{"put right again, which is an hour back", 0, time.Second, time.Second, -time.Hour},
		{"a year back", -365 * 24 * time.Hour, time.Second, time.Second, -365 * 24 * time.Hour},
	} {
		passed += step.after
		now := reading{noon.Add(passed + step.set), passed}
		ours := c.at(now)
		if got := ours.Sub(before); got != step.want {
			t.Errorf("%s: the clock went on by %s, want %s", step.what, got, step.want)
		}
		before = ours
		if got := w.jump(now); got != step.jump {
			t.Errorf("%s: a jump of %s was noticed, want %s", step.what, got, step.jump)
		}
	}
	c.Hold(before.Add(time.Hour)) // what a store had marked
	for _, after := range []time.Duration{0, time.Second} {
		passed += after
		if got, want := c.at(reading{noon.Add(passed), passed}), before.Add(time.Hour+after); got != want {
			t.Errorf("%s after a mark an hour ahead the clock reads %s, want %s", after, got, want)
		}
	}
}
