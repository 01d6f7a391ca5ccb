// Package metrics counts what a server does, for Prometheus, behind [revoke.Observer].
//
// Every label is a closed set: the configured names of sources and targets, and words of the core and of the doors. Whatever
// else is said to the observer is counted as "other", so that no sender can make the number of series grow, and no address,
// user or secret becomes a label.
package metrics

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"curfew/revoke"
)

// Config names everything that Metrics depend on.
type Config struct {
	Sources []string                       // configured names, of tokens too; others are counted as "other"
	Targets []string                       // configured names; others are counted as "other"
	Ready   func() error                   // nil when questions would be answered; called at each reading, so it must be cheap
	Pulses  func() map[string]revoke.Pulse // how sources speak, by name; nil knows of none. Called at each reading, so it must be cheap
	Version string                         // of the program
	Commit  string                         // it was built from; may be empty
}

// Metrics is a [revoke.Observer] and the page that shows what it counted. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	names    atomic.Pointer[names]
	signals  words
	states   words
	outcomes words
	whys     words

	received   *prometheus.CounterVec
	receiving  *prometheus.HistogramVec
	refused    *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	attempting *prometheus.HistogramVec
	alarms     *prometheus.CounterVec
}

// names are the labels that the settings choose.
type names struct {
	sources words
	callers words // sources, and the doors that refuse whom they cannot name
	targets words
}

var _ revoke.Observer = (*Metrics)(nil)

// readers is how many may read the page at once: it is made anew for each, and may be open to strangers.
const readers = 4

// New checks cfg and makes the metrics. Nothing is shared with another Metrics.
func New(cfg Config) (*Metrics, error) {
	if cfg.Ready == nil {
		return nil, errors.New("metrics.New: Ready is needed")
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		signals:  wordsOf(revoke.SignalKinds()), states: wordsOf(states), outcomes: wordsOf(outcomes), whys: wordsOf(whys),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "curfew_signals_total", Help: "Signals committed, by what became of their event.",
		}, []string{"source", "signal", "state"}),
		receiving: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "curfew_signal_seconds", Help: "Seconds from a signal's arrival at the core until its decision is durable.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"source"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "curfew_refused_total", Help: "Requests refused, by the class of the refusal.",
		}, []string{"source", "why"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "curfew_attempts_total", Help: "Calls of targets, by how they ended.",
		}, []string{"target", "outcome"}),
		attempting: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "curfew_attempt_seconds", Help: "Seconds that a call of a target took.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"target"}),
	}
	m.alarms = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "curfew_alarms_total", Help: "Alarms raised; /v1/alarms lists those that stand.",
	}, []string{"kind"})
	for _, kind := range revoke.AlarmKinds() {
		m.alarms.WithLabelValues(string(kind)) // a rate needs the 0 before the first
	}
	ready := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "curfew_ready", Help: "1 when questions about sessions are answered, 0 when they are refused.",
	}, func() float64 {
		if cfg.Ready() != nil {
			return 0
		}
		return 1
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "curfew_build_info", Help: "Always 1; its labels say which program runs.",
		ConstLabels: prometheus.Labels{"version": cfg.Version, "commit": cfg.Commit, "go": runtime.Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{
		m.received, m.receiving, m.refused, m.attempts, m.attempting, m.alarms, ready, build, &pulses{of: cfg.Pulses, names: &m.names},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	m.Follow(cfg.Sources, cfg.Targets)
	return m, nil
}

// Follow lets sources and targets of these names be counted from now on, and others as "other". What was counted before
// stays on the page.
func (m *Metrics) Follow(sources, targets []string) {
	n := &names{sources: wordsOf(sources), callers: wordsOf(sources, doors), targets: wordsOf(targets)}
	for _, target := range n.targets { // a rate needs the 0 before the first failure
		for _, outcome := range m.outcomes {
			m.attempts.WithLabelValues(target, outcome)
		}
	}
	m.names.Store(n)
}

// Received counts a committed signal.
func (m *Metrics) Received(source string, signal revoke.SignalKind, state revoke.EventState, took time.Duration) {
	source = m.names.Load().sources.known(source)
	m.received.WithLabelValues(source, m.signals.known(string(signal)), m.states.known(string(state))).Inc()
	m.receiving.WithLabelValues(source).Observe(max(took, 0).Seconds())
}

// Refused counts a refused request.
func (m *Metrics) Refused(source, why string) {
	m.refused.WithLabelValues(m.names.Load().callers.known(source), m.whys.known(why)).Inc()
}

// Attempted counts a call of a target.
func (m *Metrics) Attempted(target, outcome string, took time.Duration) {
	target = m.names.Load().targets.known(target)
	m.attempts.WithLabelValues(target, m.outcomes.known(outcome)).Inc()
	m.attempting.WithLabelValues(target).Observe(max(took, 0).Seconds())
}

// Alarmed counts an alarm.
func (m *Metrics) Alarmed(kind revoke.AlarmKind) { m.alarms.WithLabelValues(string(kind)).Inc() }

// Registry is what the page is made of.
func (m *Metrics) Registry() prometheus.Gatherer { return m.registry }

// Handler shows everything in Prometheus' text format. It asks nobody who they are.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: readers})
}

// words are a label's values.
type words map[string]string

const other = "other"

// wordsOf reads a label's values, each written with hyphens for blanks.
func wordsOf[T ~string](sets ...[]T) words {
	w := words{}
	for _, set := range sets {
		for _, word := range set {
			w[string(word)] = strings.ReplaceAll(string(word), " ", "-")
		}
	}
	return w
}

// known returns the label of a word, "other" of one outside the set.
func (w words) known(word string) string {
	if label, ok := w[word]; ok {
		return label
	}
	return other
}
