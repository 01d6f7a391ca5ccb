package revoke_test

import (
	"testing"
	"time"

	"curfew/revoke"
)

const week = 7 * 24 * time.Hour

// monday is the beginning of a Monday, in the middle of an hour's row.
var monday = revoke.InstantOf(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC))

// heardOf is what is kept of a source that spoke at these times since monday.
func heardOf(at []time.Duration) *revoke.Heard {
	h := &revoke.Heard{Source: "s"}
	for _, d := range at {
		next := revoke.NewHearing("main", "s", monday.Add(d))
		if n := len(h.Hours); n > 0 && h.Hours[n-1].Hour == next.Hour {
			h.Hours[n-1] = h.Hours[n-1].Join(next)
		} else {
			h.Hours = append(h.Hours, next)
		}
	}
	return h
}

// speaks returns the times from one to another, every so often, of which keep says yes.
func speaks(from, to, every time.Duration, keep func(time.Duration) bool) []time.Duration {
	var out []time.Duration
	for at := from; at < to; at += every {
		if keep(at) {
			out = append(out, at)
		}
	}
	return out
}

func TestTheUsualGap(t *testing.T) {
	t.Parallel()
	always := func(time.Duration) bool { return true }
	working := func(at time.Duration) bool {
		return at%week < 5*24*time.Hour && at%(24*time.Hour) >= 8*time.Hour && at%(24*time.Hour) < 18*time.Hour
	}
	without := func(keep func(time.Duration) bool, from, to time.Duration) func(time.Duration) bool {
		return func(at time.Duration) bool { return keep(at) && (at < from || at >= to) }
	}
	bursts := func(every time.Duration) func(time.Duration) bool {
		return func(at time.Duration) bool { return at%every < 10*time.Minute }
	}
	const d = 24 * time.Hour
	for name, c := range map[string]struct {
		at            []time.Duration
		usual, silent time.Duration
	}{
		"never heard":                    {nil, 0, 0},
		"heard once":                     {[]time.Duration{0}, 0, 0},
		"a burst of one day":             {speaks(0, 3*time.Hour, time.Minute, always), 0, 0},
		"every 40 minutes, 3 days":       {speaks(0, 3*d, 40*time.Minute, always), 40 * time.Minute, 4 * d},
		"every 40 minutes, 4 weeks":      {speaks(0, 4*week, 40*time.Minute, always), 40 * time.Minute, 80 * time.Minute},
		"and one bad weekend":            {speaks(0, 4*week, 40*time.Minute, without(always, 12*d, 14*d)), 40 * time.Minute, 80 * time.Minute},
		"and two":                        {speaks(0, 4*week, 40*time.Minute, without(without(always, 12*d, 14*d), 19*d, 21*d)), 40 * time.Minute, 80 * time.Minute},
		"and a burst":                    {speaks(0, 4*week, time.Minute, func(at time.Duration) bool { return at%(40*time.Minute) == 0 || at > 9*d && at < 9*d+3*time.Hour }), 40 * time.Minute, 80 * time.Minute},
		"every minute, an outage of 2 d": {speaks(0, 4*week, time.Minute, without(always, 10*d, 12*d)), 15 * time.Minute, 30 * time.Minute},
		"working days, 1 week":           {speaks(0, week, 10*time.Minute, working), 14*time.Hour + 10*time.Minute, 4 * d},
		"and one weekend too":            {speaks(0, 2*week+10*time.Hour, 10*time.Minute, func(at time.Duration) bool { return working(at) || working(at-2*d) && at < week }), 14*time.Hour + 10*time.Minute, 4 * d},
		"working days, 3 weeks":          {speaks(0, 3*week+10*time.Hour, 10*time.Minute, working), 62*time.Hour + 10*time.Minute, 124*time.Hour + 20*time.Minute},
		"working days, 8 weeks":          {speaks(0, 8*week, 10*time.Minute, working), 62*time.Hour + 10*time.Minute, 124*time.Hour + 20*time.Minute},
		"and a free week":                {speaks(0, 8*week, 10*time.Minute, without(working, 5*week, 6*week)), 62*time.Hour + 10*time.Minute, 124*time.Hour + 20*time.Minute},
		"bursts every 8 hours":           {speaks(0, 4*week, time.Minute, bursts(8*time.Hour)), 8*time.Hour - 9*time.Minute, 16*time.Hour - 18*time.Minute},
		"a burst every 13 days":          {speaks(0, 27*d, time.Minute, bursts(13*d)), 13*d - 9*time.Minute, 26*d - 18*time.Minute},
		"what was longer ago than weeks": {append(speaks(0, 3*d, time.Hour, always), speaks(2*week, 7*week, 40*time.Minute, always)...), 40 * time.Minute, 80 * time.Minute},
	} {
		p := heardOf(c.at).Pulse()
		if p.UsualGap != c.usual || p.SilentAfter != c.silent {
			t.Errorf("%s: got usually %s, silent after %s, want %s and %s", name, p.UsualGap, p.SilentAfter, c.usual, c.silent)
		}
	}
}

// TestNoFalseSilence replays sources that are as always, hour by hour from their first word on: at no time are they silent.
func TestNoFalseSilence(t *testing.T) {
	t.Parallel()
	const d = 24 * time.Hour
	for name, keep := range map[string]func(at time.Duration) bool{
		"always":       func(time.Duration) bool { return true },
		"working days": func(at time.Duration) bool { return at%week < 5*d && at%d >= 8*time.Hour && at%d < 18*time.Hour },
		"six days":     func(at time.Duration) bool { return at%week < 6*d && at%d >= 6*time.Hour && at%d < 13*time.Hour },
		"once a day":   func(at time.Duration) bool { return at%d == 12*time.Hour },
		"once a week":  func(at time.Duration) bool { return at%week == 10*time.Hour },
	} {
		for start := range 7 { // on each day of the week
			var at []time.Duration
			for _, each := range speaks(0, 10*week, 40*time.Minute, func(at time.Duration) bool { return keep(at + time.Duration(start)*d) }) {
				if n := len(at); n > 0 && (each-at[n-1] > time.Hour || n%50 == 0) {
					h := heardOf(at)
					if p := h.Pulse(); p.SilentAfter > 0 && each-at[len(at)-1] > p.SilentAfter {
						t.Fatalf("%s, begun on day %d: called silent between %s and %s: %+v", name, start, at[len(at)-1], each, p)
					}
				}
				if at = append(at, each); len(at) > 2500 {
					at = at[len(at)-2000:]
				}
			}
		}
	}
}

func TestHowLateEventsCome(t *testing.T) {
	t.Parallel()
	h := revoke.Heard{Delays: []time.Duration{9 * time.Second, 2 * time.Second, time.Hour, 3 * time.Second}}
	if p := h.Pulse(); p.Timed != 4 || p.Median != 3*time.Second || p.Worst != time.Hour {
		t.Errorf("four events: got %+v, want 3 s in the middle and an hour", p)
	}
	if p := (&revoke.Heard{}).Pulse(); p.Timed != 0 || p.State() != revoke.PulseNever {
		t.Errorf("nothing heard: got %+v, %s", p, p.State())
	}
}
