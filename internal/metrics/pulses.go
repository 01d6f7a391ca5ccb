package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/revoke"
)

var (
	heardAt = prometheus.NewDesc("curfew_source_heard_timestamp_seconds", "When a source was heard last, as looked at every minute.", []string{"source"}, nil)
	isState = prometheus.NewDesc("curfew_source_state", "1 for what a source is, 0 for what it is not.", []string{"source", "state"}, nil)
	delayed = prometheus.NewDesc("curfew_source_delay_seconds", "How late a source's last events came, the one in the middle; only of sources that state a time.", []string{"source"}, nil)
)

// pulses shows how the configured sources speak.
type pulses struct {
	of    func() map[string]revoke.Pulse
	names *atomic.Pointer[names]
}

// Describe names what Collect shows.
func (p *pulses) Describe(out chan<- *prometheus.Desc) {
	out <- heardAt
	out <- isState
	out <- delayed
}

// Collect shows the sources that the settings name, so that no series is there twice.
func (p *pulses) Collect(out chan<- prometheus.Metric) {
	if p.of == nil {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	known := p.names.Load().sources
	for name, pulse := range p.of() {
		source, ok := known[name]
		if !ok {
			continue
		}
		if pulse.LastAt != 0 {
			gauge(heardAt, float64(pulse.LastAt)/1e6, source)
		}
		for _, state := range revoke.PulseStates() {
			value := 0.
			if pulse.State() == state {
				value = 1
			}
			gauge(isState, value, source, string(state))
		}
		if pulse.Timed > 0 {
			gauge(delayed, pulse.Median.Seconds(), source)
		}
	}
}
