package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"curfew/revoke"
)

// serverLock says that no other server works on the database. It is given back by the operating system or the database
// when the process dies, however it dies.
type serverLock struct {
	lost  atomic.Bool
	check func(context.Context) error // nil when the lock cannot be lost
	take  func(context.Context) error
	free  func()
	doubt func(error)
}

// lockCheck is how often the lock is looked after. With a check's own time it stays well below the time for which a view
// may be trusted.
const lockCheck = 200 * time.Millisecond

// held returns [revoke.ErrUnavailable] while the lock is lost.
func (l *serverLock) held() error {
	if l.lost.Load() {
		return fmt.Errorf("%w: the lock of this server was lost and is not taken again yet", revoke.ErrUnavailable)
	}
	return nil
}

// watch looks after a lock that can be lost, until ctx ends. From the moment the loss is seen nothing is decided; once the
// lock is taken again, what another server may have written in between must be read, which doubt sees to.
func (l *serverLock) watch(ctx context.Context) {
	if l.check == nil {
		return
	}
	tick := time.NewTicker(lockCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !l.lost.Load() {
			if err := l.bounded(ctx, l.check); err != nil && ctx.Err() == nil {
				l.lost.Store(true)
				l.doubt(fmt.Errorf("the lock of this server was lost: %w", err))
			}
			continue
		}
		if err := l.bounded(ctx, l.take); err == nil {
			l.doubt(fmt.Errorf("the lock of this server was taken again after it had been lost"))
			l.lost.Store(false)
		}
	}
}

func (l *serverLock) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return do(ctx)
}

func (l *serverLock) release() {
	if l.free != nil {
		l.free()
	}
}
