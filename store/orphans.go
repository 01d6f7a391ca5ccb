package store

import (
	"context"
	"errors"
	"sync"

	"curfew/revoke"
)

// orphans are leases under which nobody works: the database went away between their commit and our hearing of it, or before
// a result was recorded. They are ended as soon as it answers again; nobody at a target waits for them to run out.
type orphans struct {
	sync.Mutex
	leases []orphan
}

// orphan is a lease, of one lane or of all that were claimed under it.
type orphan struct {
	target string
	lease  revoke.ID
	all    bool
	lane
}

// orphan remembers a lease that err left behind.
func (s *Store) orphan(o orphan, err error) {
	if !errors.Is(err, revoke.ErrUnknownCommit) && !errors.Is(err, revoke.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) && !s.db.gone(err) {
		return // it was lost, or stands and paces what would fail again and again
	}
	s.orphans.Lock()
	defer s.orphans.Unlock()
	s.orphans.leases = append(s.orphans.leases, o)
}

// endOrphans lets the leases of a target that nobody works under end now.
func (s *Store) endOrphans(ctx context.Context, target string, now revoke.Instant) error {
	var ours, others []orphan
	s.orphans.Lock()
	for _, o := range s.orphans.leases {
		if o.target == target {
			ours = append(ours, o)
		} else {
			others = append(others, o)
		}
	}
	s.orphans.leases = others
	s.orphans.Unlock()
	if len(ours) == 0 {
		return nil
	}
	err := s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		for _, o := range ours {
			text, args := "UPDATE deliveries SET lease_until = $1, ready_at = $1 WHERE target = $2 AND state = 'claimed' AND lease = $3", []any{int64(now), clean(target), idText(o.lease)}
			if !o.all {
				text, args = text+" AND org = $4 AND user_id = $5", append(args, o.org, idText(o.user))
			}
			if _, err := w.exec(ctx, s.db.text(text), args...); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		s.orphans.Lock()
		s.orphans.leases = append(s.orphans.leases, ours...)
		s.orphans.Unlock()
	}
	return err
}
