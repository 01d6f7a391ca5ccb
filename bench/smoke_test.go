package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the processes that a run starts of itself.
func TestMain(m *testing.M) {
	serveMode()
	os.Exit(m.Run())
}

// TestEveryLineIsMeasured runs everything on small tables: figures that mean nothing, from the very code that measures.
// It is not parallel: what others allocate meanwhile would be counted.
func TestEveryLineIsMeasured(t *testing.T) {
	var out, log bytes.Buffer
	b := bench{
		users: 2000, sessions: 4000, targets: 5, clients: 4, rounds: 1, slice: 50 * time.Millisecond, resources: 150, members: 40, rows: 1500, events: 1600, page: 10, storm: 300,
		databases: []string{"sqlite", "postgres"}, out: &out, log: &log,
	}
	if err := b.run(t.Context()); err != nil {
		t.Fatalf("run: %v\n%s%s", err, &log, &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2+2*42 {
		t.Errorf("a run on both databases prints %d lines, want 86:\n%s", len(lines), &out)
	}
	for _, line := range lines[2:] {
		if !strings.Contains(line, "2,000 users, 4,000 sessions") && !strings.Contains(line, "150 users over SCIM") || !strings.Contains(line, "client") || !strings.Contains(line, "goal: at ") {
			t.Errorf("a line does not state its conditions: %s", line)
		}
	}
	if want := "Live, allocations for each question: 0.00 (goal: at most 0.00, met)"; !strings.HasPrefix(lines[0], want) {
		t.Errorf("first line: got %s, want %s", lines[0], want)
	}
}
