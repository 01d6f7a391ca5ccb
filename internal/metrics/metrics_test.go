package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"curfew/internal/metrics"
	"curfew/revoke"
	"curfew/revoke/revoketest"
)

func open(t *testing.T, ready func() error) *metrics.Metrics {
	t.Helper()
	m, err := metrics.New(metrics.Config{
		Sources: []string{"okta", "ops"}, Targets: []string{"canvas"}, Ready: ready, Version: "v1.2.3", Commit: "abc",
	})
	if err != nil {
		t.Fatalf("make metrics: %v", err)
	}
	return m
}

func isReady() error { return nil }

func page(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("page answers %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the page lacks %q; it has\n%s", line, ours(text))
		}
	}
}

func ours(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "curfew_") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// system is a target that says so once it was called.
type system struct{ called chan struct{} }

func (s system) Revoke(context.Context, revoke.Owed) (revoke.Receipt, error) {
	defer func() { s.called <- struct{}{} }()
	return revoke.Receipt{Evidence: revoke.NothingThere}, nil
}

func (system) Covers() revoke.Coverage { return revoke.Coverage{} }

func (system) Check(context.Context) error { return nil }

func TestThePageShowsWhatTheCoreDid(t *testing.T) {
	t.Parallel()
	store, log := revoketest.NewMemory(), slog.New(slog.DiscardHandler)
	var service *revoke.Service
	m := open(t, func() error { return service.Ready() })
	service, err := revoke.New(revoke.Config{
		Store: store, Log: log, Observer: m, Targets: []revoke.TargetName{{Name: "canvas", Org: "main"}},
	})
	if err != nil {
		t.Fatalf("make the core: %v", err)
	}
	wantLines(t, page(t, m), "curfew_ready 0", `curfew_attempts_total{outcome="nothing-there",target="canvas"} 0`)
	if err := service.Load(t.Context()); err != nil {
		t.Fatalf("read the view: %v", err)
	}
	src := revoke.Source{Name: "okta", Org: "main", Type: "okta", Authority: "okta", IDs: "okta", Learns: true}
	var subject revoke.Subject
	subject.Add("email", "maya@example.edu")
	event := func(id string, signals ...revoke.SignalKind) revoke.Event {
		e := revoke.Event{Org: "main", Source: "okta", Authority: "okta", SenderID: id, Type: "test"}
		for _, kind := range signals {
			e.Signals = append(e.Signals, revoke.Signal{Kind: kind, Subject: subject})
		}
		return e
	}
	outcomes, err := service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "okta"}, src,
		event("1", revoke.Deactivated), event("2", revoke.RiskRaised))
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	wantLines(t, page(t, m), "curfew_ready 1",
		fmt.Sprintf(`curfew_signals_total{signal="deactivated",source="okta",state=%q} 1`, outcomes[0].State),
		fmt.Sprintf(`curfew_signals_total{signal="risk-raised",source="okta",state=%q} 1`, outcomes[1].State),
		`curfew_signal_seconds_count{source="okta"} 2`,
		fmt.Sprintf(`curfew_build_info{commit="abc",go=%q,version="v1.2.3"} 1`, runtime.Version()))

	called := make(chan struct{}, 1)
	dispatcher, err := revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: store, Clock: store.Clock(), Targets: map[string]revoke.Target{"canvas": system{called}},
		Owed: service.Owed(), Observer: m, Log: log,
	})
	if err != nil {
		t.Fatalf("make the dispatcher: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- dispatcher.Run(ctx) }()
	select {
	case <-called:
	case <-time.After(30 * time.Second):
		t.Error("the target was not called")
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatalf("dispatch: %v", err)
	}
	text := page(t, m)
	wantLines(t, text, `curfew_attempts_total{outcome="nothing-there",target="canvas"} 1`, `curfew_attempt_seconds_count{target="canvas"} 1`)
	if strings.Contains(text, "maya") {
		t.Errorf("the page names a person:\n%s", ours(text))
	}
	for _, each := range []string{"go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(text, "\n"+each) {
			t.Errorf("the page lacks %s", each)
		}
	}
}

// SECURITY.md T22: what comes from outside makes no series.
func TestNobodyMakesTheLabelsGrow(t *testing.T) {
	t.Parallel()
	m := open(t, isReady)
	hostile := func(n int) string { return fmt.Sprintf("maya+%d@example.edu\"} 1\n\xff", n) }
	attack := func(from, to int) {
		for n := from; n < to; n++ {
			word := hostile(n)
			for _, source := range []string{word, "okta"} {
				m.Received(source, revoke.SignalKind(word), revoke.EventState(word), -time.Second)
				m.Received(source, revoke.Deactivated, revoke.EventDecided, time.Hour)
				m.Refused(source, word)
				m.Refused(source, "mismatch")
			}
			m.Attempted(word, "failed", time.Second)
			m.Attempted("canvas", word, time.Second)
		}
	}
	attack(0, 1)
	before := strings.Count(page(t, m), "\ncurfew_")
	attack(1, 1000)
	text := page(t, m)
	if after := strings.Count(text, "\ncurfew_"); after != before {
		t.Errorf("1,000 hostile callers make %d series of %d", after, before)
	}
	if strings.Contains(text, "maya") {
		t.Errorf("the page repeats what a sender said:\n%s", ours(text))
	}
	wantLines(t, text, `curfew_signals_total{signal="other",source="other",state="other"} 1000`,
		`curfew_refused_total{source="other",why="other"} 1000`, `curfew_refused_total{source="okta",why="mismatch"} 1000`,
		`curfew_attempts_total{outcome="failed",target="other"} 1000`, `curfew_attempts_total{outcome="other",target="canvas"} 1000`)
}

func TestEveryWordOfTheDoorsIsKnown(t *testing.T) {
	t.Parallel()
	m := open(t, isReady)
	for _, why := range []string{
		"unauthenticated", "scope", "missing", "malformed", "mismatch", "transport-only", "too-large", "timeout", "cut-off", "media-type", "invalid",
		"invalidFilter", "invalidPath", "invalidSyntax", "invalidValue", "mutability", "noTarget", "tooMany", "uniqueness",
	} {
		m.Refused("ops", why)
		wantLines(t, page(t, m), fmt.Sprintf(`curfew_refused_total{source="ops",why=%q} 1`, why))
	}
	for _, status := range []int{400, 401, 404, 405, 409, 413, 415, 429, 500, 501, 503} { // as scim says them
		why := strings.ToLower(http.StatusText(status))
		m.Refused("okta", why)
		wantLines(t, page(t, m), fmt.Sprintf(`curfew_refused_total{source="okta",why=%q} 1`, strings.ReplaceAll(why, " ", "-")))
	}
	for _, door := range []string{"api", "verify"} {
		m.Refused(door, "unauthenticated")
		wantLines(t, page(t, m), fmt.Sprintf(`curfew_refused_total{source=%q,why="unauthenticated"} 1`, door))
	}
	m.Received("api", revoke.Deactivated, revoke.EventDecided, 0) // a door is no source of signals
	wantLines(t, page(t, m), `curfew_signals_total{signal="deactivated",source="other",state="decided"} 1`)
}

func TestPrometheusFindsNothingToMend(t *testing.T) {
	t.Parallel()
	m := open(t, func() error { return errors.New("not yet") })
	m.Received("okta", revoke.Deactivated, revoke.EventDecided, time.Millisecond)
	m.Refused("okta", "mismatch")
	m.Attempted("canvas", "failed", time.Second)
	problems, err := testutil.GatherAndLint(m.Registry())
	if err != nil {
		t.Fatalf("lint: %v", err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestNewNeedsToKnowReadiness(t *testing.T) {
	t.Parallel()
	if _, err := metrics.New(metrics.Config{}); err == nil {
		t.Error("metrics without Ready are made; want an error")
	}
}
