package main

import (
	"fmt"
	"testing"

	"curfew/revoke"
)

// BenchmarkReceiveBatch is a batch as a directory sends it in a storm.
func BenchmarkReceiveBatch(b *testing.B) {
	onEach(b, func(b *testing.B, d *database, s *revoke.Service) {
		b.Helper()
		events := make([]revoke.Event, stormBatch)
		for b.Loop() {
			for i := range events {
				n := d.crowd.pick()
				events[i] = deactivation(n)
				events[i].SenderID = fmt.Sprintf("batch-%d", d.events.Add(1))
			}
			if _, err := s.Receive(b.Context(), revoke.Actor{Kind: "source", Name: directory.Name}, directory, events...); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(stormBatch*b.N)/b.Elapsed().Seconds(), "events/s")
	})
}
