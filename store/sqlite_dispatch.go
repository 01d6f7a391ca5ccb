package store

import (
	"context"
	"database/sql"

	"curfew/revoke"
)

// The one writer keeps two workers from one lane: what is asked here still stands when the rows are taken. A lane is found
// through its person's revocations, which are few: an index of its own would be written with every delivery.
const (
	sqliteLane = ` org = ?2 AND target = ?1 AND user_id = ?3
		AND revocation_id IN (SELECT id FROM revocations WHERE org = ?2 AND user_id = ?3) AND `
	sqliteLease = `UPDATE deliveries SET state = 'claimed', lease = ?4, lease_until = ?5, ready_at = ?5
		WHERE` + sqliteLane + `state IN ('due', 'claimed') AND halt = ''
		AND NOT EXISTS (SELECT 1 FROM deliveries WHERE` + sqliteLane + `state = 'claimed' AND lease_until > ?6)
		AND EXISTS (SELECT 1 FROM deliveries WHERE` + sqliteLane + `state IN ('due', 'claimed') AND halt = '' AND ready_at <= ?6)
		AND NOT EXISTS (SELECT 1 FROM paused WHERE target = ?1) RETURNING `
	sqliteSettle = `UPDATE deliveries SET state = CASE WHEN halt = 'drop' AND ?5 <> 'done' THEN 'dropped' ELSE ?5 END,
		halt = CASE WHEN halt = 'pause' AND ?5 = 'due' THEN halt ELSE '' END, due_at = CASE WHEN ?6 = 0 THEN due_at ELSE ?6 END, ready_at = ?6, done_at = ?7,
		attempts = attempts + 1, lease = '` + zeroID + `', lease_until = 0, last_error = ?8, receipt = ?9
		WHERE org = ?1 AND revocation_id = ?2 AND target = ?3 AND state = 'claimed' AND lease = ?4 RETURNING attempts`
)

func (sqliteDB) claim(ctx context.Context, w *writer, c claim, lanes []lane) ([]record, error) {
	var out []record
	for _, l := range lanes {
		err := w.query(ctx, sqliteLease+deliveriesTable.list, collect(deliveriesTable, &out),
			clean(c.target), l.org, idText(l.user), idText(c.lease), int64(c.until), int64(c.now))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d sqliteDB) settle(ctx context.Context, w *writer, owed revoke.Owed, o outcome) (int, error) {
	settled := 0
	for _, item := range owed.Items {
		a, changed := o.attempt, false
		a.Revocation, a.Target = item.Delivery.Revocation, owed.Target
		err := w.query(ctx, sqliteSettle, func(rows *sql.Rows) error {
			changed = true
			return rows.Scan(&a.Number)
		}, owed.Org, idText(a.Revocation), clean(a.Target), idText(item.Delivery.Lease), o.state, int64(o.dueAt), int64(o.doneAt), o.lastErr, o.receipt)
		if err != nil {
			return 0, err
		}
		if !changed {
			return settled, nil
		}
		settled++
		r := attemptRecord(owed.Org, a)
		if _, err := w.exec(ctx, d.text(attemptsTable.insert), attemptsTable.args(&r)...); err != nil {
			return 0, errorIn(attemptsTable, err)
		}
	}
	return settled, nil
}
