package store

import (
	"context"
	"database/sql"
	"fmt"

	"curfew/revoke"
)

func (s *Store) count(ctx context.Context, text string, into *int, args ...any) error {
	return s.read(ctx, text, func(rows *sql.Rows) error { return rows.Scan(into) }, args...)
}

// changesAtOnce is how many changes of a view being read are handed over together.
const changesAtOnce = 512

// LoadView calls apply with every cutoff, block, join and admin's lift there is. While the server's lock is lost it is
// [revoke.ErrUnavailable], as what it read could be out of date when it is used.
func (s *Store) LoadView(ctx context.Context, apply func(...revoke.Change)) error {
	if err := s.lock.held(); err != nil {
		return err
	}
	at := s.clock.Now()
	var some []revoke.Change
	add := func(e revoke.Effects) {
		if some = append(some, e.Changes(at)...); len(some) >= changesAtOnce {
			apply(some...)
			some = nil
		}
	}
	err := s.rowsOf(ctx, policiesTable, "set_at <> 0", func(r record) error {
		p, err := r.policy()
		add(revoke.Effects{Policies: []revoke.Policy{p}})
		return err
	})
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	for _, part := range []struct {
		table *table
		where string
		each  func(*record)
	}{
		{usersTable, "spared <> 0 OR lifted_over <> 0", func(r *record) { add(revoke.Effects{Users: []revoke.User{r.user()}}) }},
		{joinsTable, "at <> 0 OR split_at <> 0", func(r *record) { add(revoke.Effects{Joins: []revoke.Join{r.join()}}) }},
		{blocksTable, "blocked_at <> 0 OR lifted_at <> 0", func(r *record) { add(revoke.Effects{Blocks: []revoke.Block{r.block()}}) }},
		{cutoffsTable, "at <> 0 OR spared_at <> 0", func(r *record) { add(revoke.Effects{Cutoffs: []revoke.Cutoff{r.cutoff()}}) }},
		{limitsTable, "at <> 0", func(r *record) { add(revoke.Effects{Limits: []revoke.Limit{r.limit()}}) }},
	} {
		if err := s.rowsOf(ctx, part.table, part.where, func(r record) error { part.each(&r); return nil }); err != nil {
			return fmt.Errorf("read %s: %w", part.table.name, err)
		}
	}
	apply(some...)
	return s.lock.held()
}
