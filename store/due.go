package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// What happens by itself: the ends of timed blocks that nobody lifted, and the days of plans.
const (
	blocksDue = `SELECT b.org, b.user_id, b.until FROM blocks b JOIN users u ON u.org = b.org AND u.id = b.user_id
		WHERE b.until <> 0 AND b.lifted_at <= b.blocked_at AND b.until <= $1 AND b.class = 'timed' AND b.blocked_at >= u.lifted_over
		ORDER BY b.until LIMIT $2`
	plansDue = `SELECT org, user_id, effective_at FROM plans WHERE effective_at <> 0 AND carried_at = 0 AND effective_at <= $1
		ORDER BY effective_at LIMIT $2`
)

// Due returns people for whom something has to happen by itself by now, the longest waiting first. Who waits for two things is one.
func (s *Store) Due(ctx context.Context, now revoke.Instant, limit int) ([]revoke.Due, error) {
	type waiting struct {
		revoke.Due
		since revoke.Instant
	}
	var all []waiting
	for _, text := range []string{blocksDue, plansDue} {
		err := s.read(ctx, text, func(rows *sql.Rows) error {
			var w waiting
			err := rows.Scan(&w.Org, (*storedID)(&w.User), &w.since)
			all = append(all, w)
			return err
		}, int64(now), max(limit, 0))
		if err != nil {
			return nil, fmt.Errorf("look for what is due by itself: %w", err)
		}
	}
	slices.SortFunc(all, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.since, b.since), strings.Compare(a.Org, b.Org), a.User.Compare(b.User))
	})
	var out []revoke.Due
	seen := map[revoke.Due]bool{}
	for _, w := range all {
		if !seen[w.Due] && len(out) < limit {
			seen[w.Due] = true
			out = append(out, w.Due)
		}
	}
	return out, nil
}

// Spared returns the users who are break-glass people now, by id.
func (s *Store) Spared(ctx context.Context, org string) (out []revoke.User, err error) {
	err = s.rowsOf(ctx, usersTable, "org = $1 AND spared <> 0 AND spared > unspared_at ORDER BY id", func(row record) error {
		out = append(out, row.user())
		return nil
	}, org)
	if err != nil {
		return nil, fmt.Errorf("list break-glass people: %w", err)
	}
	return out, nil
}

// LeftBehind returns users on whom a block of the authority was set, for whom it has a plan that was not carried out, or about whom
// something of it is held, by id.
// It is asked when a source is retired, so that a walk through all blocks has no index to be kept for it.
func (s *Store) LeftBehind(ctx context.Context, org, authority string, after revoke.ID, limit int) ([]revoke.ID, error) {
	var out []revoke.ID
	for _, text := range []string{
		"SELECT DISTINCT user_id FROM blocks WHERE org = $1 AND user_id > $2 AND authority = $3 AND blocked_at <> 0 ORDER BY user_id LIMIT $4",
		"SELECT user_id FROM plans WHERE org = $1 AND user_id > $2 AND source = $3 AND effective_at <> 0 AND carried_at = 0 ORDER BY user_id LIMIT $4",
		"SELECT DISTINCT user_id FROM held WHERE org = $1 AND user_id > $2 AND authority = $3 AND decided_at = 0 ORDER BY user_id LIMIT $4",
	} {
		err := s.read(ctx, text, func(rows *sql.Rows) error {
			var id revoke.ID
			err := rows.Scan((*storedID)(&id))
			out = append(out, id)
			return err
		}, org, idText(after), clean(authority), max(limit, 0))
		if err != nil {
			return nil, fmt.Errorf("look for what authority %s left behind: %w", authority, err)
		}
	}
	slices.SortFunc(out, revoke.ID.Compare)
	out = slices.Compact(out)
	return out[:min(len(out), max(limit, 0))], nil
}
