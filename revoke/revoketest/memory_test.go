package revoketest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

func writeUser(t *testing.T, m *revoketest.Memory) error {
	t.Helper()
	return m.Decide(t.Context(), revoke.Need{Org: "main"}, func(f *revoke.Facts) (revoke.Effects, error) {
		return revoke.Effects{Users: []revoke.User{{ID: revoke.NewID(f.Now), Org: "main", CreatedAt: f.Now}}}, nil
	})
}

func TestMemoryFaults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		order func(*revoketest.Memory)
		want  error
		users int
	}{
		{"refused", func(m *revoketest.Memory) { m.RefuseNext(1) }, revoke.ErrUnavailable, 0},
		{"lost", func(m *revoketest.Memory) { m.LoseNext(1) }, revoke.ErrUnknownCommit, 0},
		{"in doubt", func(m *revoketest.Memory) { m.DoubtNext(1) }, revoke.ErrUnknownCommit, 1},
		{"down", func(m *revoketest.Memory) { m.SetDown(true) }, revoke.ErrUnavailable, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := revoketest.NewMemory()
			c.order(m)
			if err := writeUser(t, m); !errors.Is(err, c.want) {
				t.Errorf("decide with a store that is %s: got %v, want %v", c.name, err, c.want)
			}
			if got := len(m.AllUsers()); got != c.users {
				t.Errorf("users after a commit that is %s: got %d, want %d", c.name, got, c.users)
			}
			m.SetDown(false)
			if err := writeUser(t, m); err != nil {
				t.Errorf("the decision after: got %v, want none", err)
			}
		})
	}
}

func TestMemoryHold(t *testing.T) {
	t.Parallel()
	m := revoketest.NewMemory()
	reached, release := m.Hold()
	done := make(chan error, 1)
	go func() { done <- writeUser(t, m) }()
	<-reached
	if err := writeUser(t, m); err != nil {
		t.Fatalf("a neighbour of a held decision: got %v, want none", err)
	}
	if got := len(m.AllUsers()); got != 1 {
		t.Errorf("users while one decision is held: got %d, want 1", got)
	}
	release()
	release()
	if err := <-done; err != nil {
		t.Errorf("the held decision: got %v, want none", err)
	}

	reached, release = m.Hold()
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- m.Decide(ctx, revoke.Need{}, func(*revoke.Facts) (revoke.Effects, error) { return revoke.Effects{}, nil })
	}()
	<-reached
	cancel()
	if err := <-done; !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("a held decision whose caller left: got %v, want %v", err, revoke.ErrUnavailable)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	c := revoketest.NewClock(0)
	if got := c.Now(); got != revoketest.Start {
		t.Errorf("a new clock shows %s, want %s", got, revoketest.Start)
	}
	if got, want := revoketest.Start.String(), "2026-11-23T10:00:00Z"; got != want {
		t.Errorf("a new clock starts at %s, want %s", got, want)
	}
	c.Advance(time.Hour)
	c.Advance(-2 * time.Hour)
	c.MoveTo(revoketest.Start)
	if got, want := c.Now(), revoketest.Start.Add(time.Hour); got != want {
		t.Errorf("moved on an hour and back two, the clock shows %s, want %s", got, want)
	}
	if a, b := c.Next(), c.Next(); b <= a || c.Now() < b {
		t.Errorf("two instants in a row are %d and %d while the clock shows %d, want each later", a, b, c.Now())
	}
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	revoketest.RunStore(t, func(*testing.T) revoke.Store { return revoketest.NewMemory() })
}

func TestMemoryModel(t *testing.T) {
	t.Parallel()
	revoketest.RunModel(t, func(*testing.T) revoke.Store { return revoketest.NewMemory() })
}
