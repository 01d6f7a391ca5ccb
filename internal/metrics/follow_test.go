package metrics_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

// TestLabelsFollowTheSettings: after a reading of the settings a new name is counted by itself, one that was taken out no
// longer, and nothing that was counted is lost.
func TestLabelsFollowTheSettings(t *testing.T) {
	t.Parallel()
	m := open(t, isReady)
	count := func() {
		for _, source := range []string{"okta", "entra"} {
			m.Received(source, revoke.Deactivated, revoke.EventDecided, time.Millisecond)
			m.Refused(source, "mismatch")
		}
		m.Attempted("canvas", "failed", time.Second)
		m.Attempted("moodle", "failed", time.Second)
	}
	count()
	wantLines(t, page(t, m), `curfew_attempts_total{outcome="failed",target="other"} 1`, `curfew_refused_total{source="other",why="mismatch"} 1`)
	m.Follow([]string{"entra", "ops"}, []string{"moodle"})
	wantLines(t, page(t, m), `curfew_attempts_total{outcome="failed",target="moodle"} 0`)
	count()
	text := page(t, m)
	wantLines(t, text,
		`curfew_signals_total{signal="deactivated",source="okta",state="decided"} 1`, `curfew_signals_total{signal="deactivated",source="entra",state="decided"} 1`,
		`curfew_signals_total{signal="deactivated",source="other",state="decided"} 2`,
		`curfew_refused_total{source="entra",why="mismatch"} 1`, `curfew_refused_total{source="other",why="mismatch"} 2`,
		`curfew_attempts_total{outcome="failed",target="canvas"} 1`, `curfew_attempts_total{outcome="failed",target="moodle"} 1`,
		`curfew_attempts_total{outcome="failed",target="other"} 2`)
	m.Refused("api", "unauthenticated")
	wantLines(t, page(t, m), `curfew_refused_total{source="api",why="unauthenticated"} 1`)
}

func TestLabelsFollowWhileOthersCount(t *testing.T) {
	t.Parallel()
	m := open(t, isReady)
	var parts sync.WaitGroup
	for range 4 {
		parts.Go(func() {
			for range 200 {
				m.Received("okta", revoke.Deactivated, revoke.EventDecided, time.Millisecond)
				m.Attempted("canvas", "failed", time.Second)
			}
		})
	}
	for range 100 {
		m.Follow([]string{"okta"}, []string{"canvas"})
	}
	parts.Wait()
	text := page(t, m)
	wantLines(t, text, `curfew_attempts_total{outcome="failed",target="canvas"} 800`)
	if strings.Contains(text, `source="other"`) {
		t.Error("a name that was never taken out was counted as other")
	}
}
