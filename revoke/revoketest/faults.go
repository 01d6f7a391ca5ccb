package revoketest

import (
	"context"
	"fmt"
	"sync"

	"curfew/revoke"
)

// faults is what a test has ordered to go wrong. Its own lock lets a test give orders while a decision is held.
type faults struct {
	mu                    sync.Mutex
	refuse, lose, unknown int
	down                  bool
	gate                  *gate
}

type gate struct {
	reached, open chan struct{}
	once          sync.Once
}

// RefuseNext makes the next n decisions fail with [revoke.ErrUnavailable], nothing done.
func (m *Memory) RefuseNext(n int) { m.faults.set(func(f *faults) { f.refuse = n }) }

// LoseNext makes the next n commits end with [revoke.ErrUnknownCommit], nothing written.
func (m *Memory) LoseNext(n int) { m.faults.set(func(f *faults) { f.lose = n }) }

// DoubtNext makes the next n commits end with [revoke.ErrUnknownCommit], everything written.
func (m *Memory) DoubtNext(n int) { m.faults.set(func(f *faults) { f.unknown = n }) }

// SetDown takes the whole store away, or brings it back: every call fails with [revoke.ErrUnavailable].
func (m *Memory) SetDown(down bool) { m.faults.set(func(f *faults) { f.down = down }) }

// Hold keeps the next decision waiting before it starts. reached is closed when one waits; release lets it go on and may
// be called more than once. Other decisions pass.
func (m *Memory) Hold() (reached <-chan struct{}, release func()) {
	g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	m.faults.set(func(f *faults) { f.gate = g })
	return g.reached, func() { g.once.Do(func() { close(g.open) }) }
}

func (f *faults) set(change func(*faults)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// wait passes the gate, if one stands.
func (m *Memory) wait(ctx context.Context) error {
	if err := m.answers(ctx); err != nil {
		return err
	}
	m.faults.mu.Lock()
	g := m.faults.gate
	m.faults.gate = nil
	m.faults.mu.Unlock()
	if g == nil {
		return nil
	}
	close(g.reached)
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", revoke.ErrUnavailable, ctx.Err())
	}
}

// answers reports whether the store answers at all.
func (m *Memory) answers(ctx context.Context) error {
	m.faults.mu.Lock()
	defer m.faults.mu.Unlock()
	if m.faults.down {
		return fmt.Errorf("memory is down: %w", revoke.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", revoke.ErrUnavailable, err)
	}
	return nil
}

func (f *faults) takeRefusal() bool { return f.take(&f.refuse) }
func (f *faults) takeLoss() bool    { return f.take(&f.lose) }
func (f *faults) takeDoubt() bool   { return f.take(&f.unknown) }

func (f *faults) take(n *int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *n == 0 {
		return false
	}
	*n--
	return true
}
