package targets

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// TestSignatureVector is computed apart from us (with Python's hmac) from the standard's text.
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	keys, err := signingKeys(revoke.NewSecret("whsec_Y3VyZmV3LXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := signatures(keys, "msg_1", time.Unix(1795430000, 0), []byte(`{"type":"user.deleted","data":{"id":"u-1"}}`))
	if want := "v1,y5rpdOdl+bKr6zkN9PKFRPDxu+HxO0QfByER0hYjWxM="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// TestPaceNeverGrantsMoreThanItsRate: in no window of any length do more calls happen than the bucket holds and the
// rate fills in meanwhile, and one that is refused or given back takes nothing.
func TestPaceNeverGrantsMoreThanItsRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := &pace{rate: Rate{rapid.IntRange(1, 50).Draw(t, "calls"), rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "per")}}
		now := revoke.Instant(1_795_428_000_000_000)
		var at []revoke.Instant
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			wait, ok := p.take(now)
			switch {
			case ok && rapid.Float64Range(0, 1).Draw(t, "gives back") < 0.1:
				p.giveBack()
			case ok:
				at = append(at, now.Add(wait))
			case wait <= waitForTurn:
				t.Fatalf("refused a call that had to wait only %v", wait)
			}
		}
		for i := range at {
			for j := i; j < len(at); j++ {
				window := at[j].Sub(at[i])
				if most := p.rate.Calls + int(window/p.step()) + 1; j-i+1 > most {
					t.Fatalf("%d calls in %v at %v", j-i+1, window, p.rate)
				}
			}
		}
	})
}

// TestTurnsAreWaitedFor: forty calls at 20/s are over after a second, since the bucket holds twenty of them.
func TestTurnsAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &revoke.ProcessClock{}
		l := &Line{name: "target portal", clock: clock, pace: pace{rate: Rate{20, time.Second}}}
		start := clock.Now()
		for range 40 {
			if err := l.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := clock.Now().Sub(start); took != time.Second {
			t.Errorf("forty calls took %v, want 1s", took)
		}
	})
}
