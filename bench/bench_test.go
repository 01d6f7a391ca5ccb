package main

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// onEach measures on both databases, over people and sessions that are there.
func onEach(b *testing.B, work func(b *testing.B, d *database, s *revoke.Service)) {
	b.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			run := bench{users: 5000, sessions: 5000, targets: 5, out: io.Discard, log: io.Discard}
			d, err := openDatabase(b.Context(), name, b.TempDir(), run.users)
			if err != nil {
				b.Fatal(err)
			}
			defer d.stop()
			if err := run.fill(b.Context(), d); err != nil {
				b.Fatal(err)
			}
			s, err := run.open(b.Context(), d, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.store.Close() }()
			work(b, d, s.service)
		})
	}
}

// BenchmarkReceive decides on deactivations, one after the other.
func BenchmarkReceive(b *testing.B) {
	onEach(b, func(b *testing.B, d *database, s *revoke.Service) {
		b.Helper()
		actor := revoke.Actor{Kind: "source", Name: directory.Name}
		for b.Loop() {
			e := deactivation(d.crowd.pick())
			e.SenderID = fmt.Sprintf("bench-%d", d.events.Add(1))
			if _, err := s.Receive(b.Context(), actor, directory, e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRegisterMany registers a thousand sessions of people whom the store knows.
func BenchmarkRegisterMany(b *testing.B) {
	portal := revoke.Source{Name: "portal", Org: org, Type: "token", Authority: "portal"}
	onEach(b, func(b *testing.B, d *database, s *revoke.Service) {
		b.Helper()
		for b.Loop() {
			rs := make([]revoke.Registration, asked)
			for i := range rs {
				n := d.events.Add(1)
				rs[i] = revoke.Registration{App: "portal", Kind: revoke.Mobile, ClientID: fmt.Sprintf("app-session-%d", n), Token: revoke.HashToken(fmt.Sprintf("token-%d", n))}
				rs[i].Subject.Add(revoke.NamespaceEmail, address(d.spared.pick()))
			}
			done, err := s.RegisterMany(b.Context(), portal, rs)
			if err != nil {
				b.Fatal(err)
			}
			for i := range done {
				if !done[i].Created {
					b.Fatalf("registration %d: %v", i, done[i].Err)
				}
			}
		}
	})
}

// BenchmarkBulk writes a thousand rows as a bare bulk insert does, which is what an import is measured by.
func BenchmarkBulk(b *testing.B) {
	onEach(b, func(b *testing.B, d *database, _ *revoke.Service) {
		b.Helper()
		db, err := sql.Open(d.driver, d.storeDSN)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		for b.Loop() {
			if err := d.writeRows(b.Context(), db, d.bulkStatement()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestDocumentationNamesWhatIsMeasured holds docs/benchmarks.md to what there is to name with -only.
func TestDocumentationNamesWhatIsMeasured(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"live"}
	for _, t := range (&bench{}).tables() {
		for _, m := range t.measurements {
			names = append(names, m.name)
		}
	}
	if got := strings.Count(string(page), "\n| `"); got != len(names) {
		t.Errorf("docs/benchmarks.md has %d rows, and %d things are measured", got, len(names))
	}
	for _, name := range names {
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("docs/benchmarks.md has no row of %s", name)
		}
	}
}
