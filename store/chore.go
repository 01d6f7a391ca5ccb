package store

import (
	"context"
	"fmt"
	"sync/atomic"

	"curfew/revoke"
)

// durability is what a power cut leaves of a transaction that was committed.
type durability bool

const (
	durable durability = true
	// lazy: it may be gone, with everything that was committed after it and was lazy too, and never one that was not. Leases, last
	// uses and idempotency keys are worth no flush: they are taken anew.
	lazy durability = false
)

// chore is work that decides nothing and waits for its turn: the dispatcher's, or people's orders about deliveries. It may be
// run more than once, so it has no effect but its result.
type chore struct {
	do    func(context.Context, *writer) (wrote bool, err error)
	taken atomic.Bool // by a worker, or by its caller who went away
	done  chan error
}

// choresAtOnce is how many chores share a transaction, or go before the next decision.
const choresAtOnce = 32

// settle runs a chore in a transaction, with whatever else waits where it must be durable.
func (s *Store) settle(ctx context.Context, keep durability, do func(context.Context, *writer) (bool, error)) error {
	if err := s.lock.held(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // a worker may be faster than the look at it below
		return err
	}
	c := &chore{do: do, done: make(chan error, 1)}
	open := s.queue.put(func() {
		if keep == durable {
			s.queue.chores = append(s.queue.chores, c)
		} else {
			s.queue.lazy = append(s.queue.lazy, c)
		}
	})
	if !open {
		return fmt.Errorf("%w: the store is closed", revoke.ErrUnavailable)
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if c.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-c.done // it is under way, and only its outcome is the truth
	}
}

// takeChores returns some of the chores, without those that nobody waits for any more.
func (q *queue) takeChores(from *[]*chore, n int) []*chore {
	q.Lock()
	defer q.Unlock()
	var out []*chore
	for _, c := range (*from)[:min(n, len(*from))] {
		if c.taken.CompareAndSwap(false, true) {
			out = append(out, c)
		}
	}
	*from = append([]*chore(nil), (*from)[min(n, len(*from)):]...)
	return out
}

// choreAll works off the chores until the queue is closed and has none, on a writer that decides nothing.
func (s *Store) choreAll() {
	for s.queue.fill((*queue).anyChore) {
		w := <-s.settling
		s.runGroup(w, nil, s.queue.takeChores(&s.queue.chores, choresAtOnce))
		s.lazily(w)
		s.settling <- w
	}
}

// workAll works off everything on the one writer there is: decisions first, and in their commit the chores that must be durable.
func (s *Store) workAll() {
	for s.queue.fill((*queue).any) {
		w := <-s.deciding
		s.runGroup(w, s.queue.take(), s.queue.takeChores(&s.queue.chores, choresAtOnce))
		s.lazily(w)
		s.deciding <- w
	}
}

// lazily does lazy chores, each in a transaction of its own that waits for no disk: one at least, and more until anything else
// is waiting.
func (s *Store) lazily(w *writer) {
	for range choresAtOnce {
		some := s.queue.takeChores(&s.queue.lazy, 1)
		for _, c := range some {
			c.done <- s.retrying(context.Background(), w, lazy, func(ctx context.Context) (bool, error) { return c.do(ctx, w) })
		}
		if len(some) == 0 || s.queue.hurry() {
			return
		}
	}
}

func (q *queue) hurry() bool {
	q.Lock()
	defer q.Unlock()
	return len(q.waiting)+len(q.chores) > 0
}
