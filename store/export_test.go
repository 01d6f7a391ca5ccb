package store

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"

	"curfew/revoke"
)

// Journal returns the whole change log and the whole audit log, which the contract looks at.
func (s *Store) Journal(ctx context.Context) ([]revoke.Change, []revoke.AuditEntry, error) {
	var changes []revoke.Change
	err := s.read(ctx, "SELECT seq, at, kind, entry FROM changes ORDER BY seq", func(rows *sql.Rows) error {
		var seq int64
		var at revoke.Instant
		var kind, entry string
		if err := rows.Scan(&seq, &at, &kind, &entry); err != nil {
			return err
		}
		var c revoke.Change
		if err := fromJSON(entry, &c); err != nil {
			return err
		}
		if c.At != at || changeKind(c) != kind {
			return fmt.Errorf("change %d says at %s and kind %s beside an entry of %s and %s", seq, at, kind, c.At, changeKind(c))
		}
		c.Seq = seq
		changes = append(changes, c)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var entries []revoke.AuditEntry
	err = s.read(ctx, "SELECT seq, org, at, kind, entry, person FROM audit ORDER BY seq", func(rows *sql.Rows) error {
		var a revoke.AuditEntry
		err := rows.Scan(&a.Seq, &a.Org, &a.At, &a.Kind, &a.Entry, &a.Person)
		entries = append(entries, a)
		return err
	})
	return changes, entries, err
}

// Writers is how many groups are decided at once.
func (s *Store) Writers() int { return cap(s.deciding) }

// WaitQueued waits until n decisions wait, those included whose callers have left.
func (s *Store) WaitQueued(n int) {
	for {
		s.queue.Lock()
		waiting := len(s.queue.waiting)
		s.queue.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}

// HoldSettlers keeps everything but decisions from committing.
func (s *Store) HoldSettlers() (release func()) {
	var held []*writer
	for range cap(s.settling) {
		held = append(held, <-s.settling)
	}
	return func() {
		for _, w := range held {
			s.settling <- w
		}
	}
}
