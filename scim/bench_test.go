package scim_test

import "testing"

// BenchmarkPatch is what the door costs around the decision: a deactivation and a reactivation by turns, store in memory.
func BenchmarkPatch(b *testing.B) {
	c := newBundle(b)
	id := c.sally()
	off, on := patch(op("replace", "active", false)), patch(op("replace", "active", true))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		body := off
		if i%2 == 1 {
			body = on
		}
		c.store.Moving().Advance(1e6)
		if got := c.do("PATCH", users+"/"+id, body); got.StatusCode != 200 {
			b.Fatalf("answered %d %s", got.StatusCode, got.text)
		}
	}
}
