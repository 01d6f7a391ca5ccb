package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ratio, goal float64
		atLeast     bool
		want        string
	}{
		{2.5, 3, false, "x: 2.50 (goal: at most 3.00, met) [here]"},
		{3, 3, false, "x: 3.00 (goal: at most 3.00, met) [here]"},
		{3.2, 3, false, "x: 3.20 (goal: at most 3.00, MISSED) [here]"},
		{0.81, 0.8, true, "x: 0.81 (goal: at least 0.80, met) [here]"},
		{0.8, 0.8, true, "x: 0.80 (goal: at least 0.80, met) [here]"},
		{0.7, 0.8, true, "x: 0.70 (goal: at least 0.80, MISSED) [here]"},
	} {
		got := verdict{what: "x", ratio: c.ratio, goal: c.goal, atLeast: c.atLeast, where: []string{"here"}}.String()
		if got != c.want {
			t.Errorf("%v against %v: got %s, want %s", c.ratio, c.goal, got, c.want)
		}
	}
}

func TestRatioIsTheMedianOfNeighbours(t *testing.T) {
	t.Parallel()
	// The machine was ten times slower in the second round: the ratio there is still 2.
	if got := ratio([]float64{200, 20, 220}, []float64{100, 10, 100}); got != 2 {
		t.Errorf("ratio: got %v, want 2", got)
	}
	if got := ratio([]float64{1, 3}, []float64{1, 1}); got != 2 {
		t.Errorf("ratio of two rounds: got %v, want 2", got)
	}
}

func TestCrowdMeetsEverybodyOnce(t *testing.T) {
	t.Parallel()
	const users = 200_000
	c, met := crowd{users: users}, map[int]bool{}
	for range users {
		met[c.pick()] = true
	}
	if len(met) != users {
		t.Errorf("a round through %d people met %d", users, len(met))
	}
}

func TestPeopleAreWhatTheLinesSay(t *testing.T) {
	t.Parallel()
	b := bench{users: 7, sessions: 17}
	all := b.people(0, 7, revoke.InstantOf(time.Now()))
	if len(all.Users) != 7 || len(all.Sessions) != 17 || len(all.Holdings) != 28 {
		t.Errorf("people: got %d users, %d sessions, %d identifiers, want 7, 17, 28", len(all.Users), len(all.Sessions), len(all.Holdings))
	}
	if got, want := fmt.Sprint(person(3)[0]), "00u00000000000000003"; !strings.Contains(got, want) {
		t.Errorf("person(3): got %s, want one with %s", got, want)
	}
}

// BenchmarkLive is the one rule, and beside it what it is measured by.
func BenchmarkLive(b *testing.B) {
	now := revoke.InstantOf(time.Now())
	v, ids := happened(now)
	sessions := statelessSessions(ids, now)
	b.Run("thousand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for i := range sessions {
				revoke.Live(&sessions[i], v, now)
			}
		}
	})
	cutoffs := make(map[revoke.ID]revoke.Instant, len(ids))
	for _, id := range ids {
		cutoffs[id] = 1
	}
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		var newest revoke.Instant
		for b.Loop() {
			for i := range sessions {
				newest = max(newest, cutoffs[sessions[i].User])
			}
		}
	})
}
