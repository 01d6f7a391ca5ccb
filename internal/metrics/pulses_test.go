package metrics_test

import (
	"strings"
	"testing"
	"time"

	"curfew/internal/metrics"
	"curfew/revoke"
)

func TestThePageShowsHowSourcesSpeak(t *testing.T) {
	t.Parallel()
	m, err := metrics.New(metrics.Config{
		Sources: []string{"okta", "entra", "hr"}, Ready: isReady,
		Pulses: func() map[string]revoke.Pulse {
			return map[string]revoke.Pulse{
				"okta": {LastAt: 1_500_000, SilentSince: 1_500_000, Timed: 3, Median: 2 * time.Second}, "entra": {LastAt: 2_000_000, UsualGap: time.Hour},
				"hr": {}, "gone": {LastAt: 3_000_000},
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	text := page(t, m)
	wantLines(t, text,
		`curfew_source_heard_timestamp_seconds{source="okta"} 1.5`, `curfew_source_heard_timestamp_seconds{source="entra"} 2`,
		`curfew_source_state{source="okta",state="silent"} 1`, `curfew_source_state{source="okta",state="usual"} 0`,
		`curfew_source_state{source="entra",state="usual"} 1`, `curfew_source_state{source="hr",state="never"} 1`,
		`curfew_source_delay_seconds{source="okta"} 2`)
	if strings.Contains(text, "gone") || strings.Contains(text, `delay_seconds{source="entra"}`) || strings.Contains(text, `timestamp_seconds{source="hr"}`) {
		t.Errorf("the page shows what it must not:\n%s", ours(text))
	}
}
