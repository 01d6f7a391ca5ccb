package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"curfew/revoke"
)

// waiting is a decision in the queue.
type waiting struct {
	need   revoke.Need
	decide revoke.Decision
	taken  atomic.Bool // by a group, or by its caller who went away
	done   chan error
	err    error // the decision's own
}

// queue holds decisions and chores while the groups before them commit: whatever came in the meantime is the next group, and
// nobody waits for company.
type queue struct {
	sync.Mutex
	filled  *sync.Cond
	waiting []*waiting
	chores  []*chore // that must be durable
	lazy    []*chore
	largest int // events in a group
	closed  bool
}

func newQueue(largest int) *queue {
	q := &queue{largest: largest}
	q.filled = sync.NewCond(&q.Mutex)
	return q
}

// put adds something with add, unless the queue is closed.
func (q *queue) put(add func()) bool {
	q.Lock()
	defer q.Unlock()
	if q.closed {
		return false
	}
	add()
	q.filled.Broadcast() // those who decide and those who do chores wait for different things
	return true
}

// fill waits until some reports that there is something to do. It reports false once the queue is closed and nothing is left.
func (q *queue) fill(some func(*queue) bool) bool {
	q.Lock()
	defer q.Unlock()
	for !some(q) && !q.closed {
		q.filled.Wait()
	}
	return some(q)
}

func (q *queue) anyDecision() bool { return len(q.waiting) > 0 }

func (q *queue) anyChore() bool { return len(q.chores)+len(q.lazy) > 0 }

func (q *queue) any() bool { return q.anyDecision() || q.anyChore() }

// registrationsPerEvent: what carries no event, such as a registration, is that much smaller.
const registrationsPerEvent = 4

// take returns the next group, leaving out whom nobody waits for any more.
func (q *queue) take() []*waiting {
	q.Lock()
	defer q.Unlock()
	var group []*waiting
	size, n := 0, 0
	for _, w := range q.waiting {
		weight := max(1, len(w.need.Events)*registrationsPerEvent, len(w.need.Sessions)/2, len(w.need.Identifiers)/4)
		if q.largest == 1 {
			weight = registrationsPerEvent
		}
		if size += weight; size > q.largest*registrationsPerEvent && n > 0 {
			break
		}
		n++
		if w.taken.CompareAndSwap(false, true) {
			group = append(group, w)
		}
	}
	q.waiting = append([]*waiting(nil), q.waiting[n:]...)
	return group
}

func (q *queue) close() {
	q.Lock()
	defer q.Unlock()
	q.closed = true
	q.filled.Broadcast()
}

// Decide carries out a decision, in one transaction with whatever else waits.
func (s *Store) Decide(ctx context.Context, need revoke.Need, decide revoke.Decision) error {
	if err := s.lock.held(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // a worker may be faster than the look at it below
		return fmt.Errorf("decide: %w: the caller has left: %w", revoke.ErrUnavailable, err)
	}
	w := &waiting{need: need, decide: decide, done: make(chan error, 1)}
	if !s.queue.put(func() { s.queue.waiting = append(s.queue.waiting, w) }) {
		return fmt.Errorf("decide: %w: the store is closed", revoke.ErrUnavailable)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if w.taken.CompareAndSwap(false, true) {
			return fmt.Errorf("decide: %w: nobody took it up in time: %w", revoke.ErrUnavailable, ctx.Err())
		}
		return <-w.done // it is under way, and only its outcome is the truth
	}
}

// decideAll works off the decisions until the queue is closed and has none.
func (s *Store) decideAll() {
	for s.queue.fill((*queue).anyDecision) {
		w := <-s.deciding
		s.runGroup(w, s.queue.take(), nil)
		s.deciding <- w
	}
}

// runGroup decides and commits a group, with chores that must be durable too, each member by itself when the whole fails, and
// answers everybody.
func (s *Store) runGroup(w *writer, group []*waiting, chores []*chore) {
	if len(group)+len(chores) == 0 {
		return
	}
	ctx := context.Background() // no caller's end may end it; a silent database is given up by its connection
	err := s.retrying(ctx, w, durable, func(ctx context.Context) (wrote bool, err error) {
		if len(group) > 0 {
			if wrote, err = s.decideGroup(ctx, w, group); err != nil {
				return false, err
			}
		}
		for _, c := range chores {
			did, err := c.do(ctx, w)
			if err != nil {
				return false, err
			}
			wrote = wrote || did
		}
		return wrote, nil
	})
	switch {
	case err == nil:
		if len(group) > 0 {
			s.decided.Store(true)
		}
		for _, m := range group {
			m.done <- m.err
		}
		for _, c := range chores {
			c.done <- nil
		}
	case len(group)+len(chores) > 1 && !errors.Is(err, revoke.ErrUnknownCommit) && !errors.Is(err, revoke.ErrUnavailable) && !s.db.gone(err):
		for i := range group {
			s.runGroup(w, group[i:i+1], nil)
		}
		for i := range chores {
			s.runGroup(w, nil, chores[i:i+1])
		}
	default:
		for _, m := range group {
			m.done <- s.failed("decide", err)
		}
		for _, c := range chores {
			c.done <- err
		}
	}
}

// failed tells what the caller can do about err.
func (s *Store) failed(what string, err error) error {
	if errors.Is(err, revoke.ErrUnknownCommit) || errors.Is(err, revoke.ErrUnavailable) || errors.Is(err, revoke.ErrLeaseLost) || s.db.duplicate(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, revoke.ErrUnavailable, err)
}

// decideGroup is one transaction: lock and read what all members need, let each decide in the order in which they came
// and see what those before it decided, and write all of it at once.
func (s *Store) decideGroup(ctx context.Context, w *writer, group []*waiting) (bool, error) {
	need := unite(group)
	need.now = s.clock.Now()
	facts, now, err := s.db.gather(ctx, w, need)
	if err != nil {
		return false, fmt.Errorf("read: %w", err)
	}
	if err := s.lockReadings(ctx, w, group, facts); err != nil {
		return false, fmt.Errorf("read: %w", err)
	}
	if err := s.lockHeld(ctx, w, group, facts); err != nil {
		return false, fmt.Errorf("read: %w", err)
	}
	var all []made
	for _, m := range group {
		facts.Now = s.clock.Next(now)
		var effects revoke.Effects
		effects, m.err = s.ask(m.decide, facts)
		s.clock.Hold(facts.Now)
		if m.err != nil {
			continue
		}
		facts.Apply(effects)
		all = append(all, made{m.need.Org, facts.Now, effects})
	}
	b, err := assemble(all)
	if err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	if len(b) == 0 {
		return false, nil
	}
	if err := s.db.write(ctx, w, b); err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	return true, nil
}

// ask calls a decision. One that panics fails alone: its neighbours' callers must not pay for it.
func (s *Store) ask(decide revoke.Decision, facts *revoke.Facts) (effects revoke.Effects, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a decision panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("a decision panicked; the log holds the stack")
		}
	}()
	return decide(facts)
}
