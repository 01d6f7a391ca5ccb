package store

import (
	"context"
	"database/sql"
	"fmt"

	"curfew/revoke"
)

var errandsTable = newTable(table{
	name: "errands", ids: words("lease"), texts: words("org source name kept last_error health"),
	nums: words("next_at done_at failed_at failures expires_at lease_until"),
})

func (r *record) errand() revoke.Errand {
	return revoke.Errand{
		ErrandKey: revoke.ErrandKey{Org: r.text[0], Source: r.text[1], Name: revoke.ErrandName(r.text[2])}, Lease: r.id[0],
		Kept: r.text[3], LastError: r.text[4], Health: r.text[5],
		NextAt: revoke.Instant(r.num[0]), DoneAt: revoke.Instant(r.num[1]), FailedAt: revoke.Instant(r.num[2]), Failures: int(r.num[3]),
		ExpiresAt: revoke.Instant(r.num[4]), LeaseUntil: revoke.Instant(r.num[5]),
	}
}

// TakeErrand leases an errand that is due and that nobody is at.
func (s *Store) TakeErrand(ctx context.Context, key revoke.ErrandKey, now, until revoke.Instant, lease revoke.ID) (e revoke.Errand, taken bool, err error) {
	scan := func(rows *sql.Rows) error {
		row, err := errandsTable.scan(rows)
		e = row.errand()
		return err
	}
	name := []any{key.Org, clean(key.Source), string(key.Name)}
	e = revoke.Errand{ErrandKey: key}
	err = s.read(ctx, "SELECT "+errandsTable.list+" FROM errands WHERE org = $1 AND source = $2 AND name = $3", scan, name...)
	if err != nil || e.NextAt > now || e.LeaseUntil > now {
		return e, false, err
	}
	err = s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		taken = false
		_, err := w.exec(ctx, s.db.text("INSERT INTO errands ("+errandsTable.list+") VALUES ('"+zeroID+`', $1, $2, $3, '', '', '', 0, 0, 0, 0, 0, 0)
			ON CONFLICT (org, source, name) DO NOTHING`), name...)
		if err != nil {
			return false, err
		}
		err = w.query(ctx, s.db.text(`UPDATE errands SET lease = $4, lease_until = $5 WHERE org = $1 AND source = $2 AND name = $3
			AND next_at <= $6 AND lease_until <= $6 RETURNING `+errandsTable.list), func(rows *sql.Rows) error {
			taken = true
			return scan(rows)
		}, append(name, idText(lease), int64(until), int64(now))...)
		return true, err
	})
	if err != nil {
		return revoke.Errand{}, false, s.failed("take the "+string(key.Name)+" of "+key.Source, err)
	}
	return e, taken, nil
}

// KeepErrand writes an errand whole, if the lease in it is still its own.
func (s *Store) KeepErrand(ctx context.Context, e revoke.Errand, raised []revoke.Alarm, cleared []revoke.AlarmKey) error {
	err := s.settle(ctx, durable, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.exec(ctx, s.db.text(`UPDATE errands SET kept = $5, last_error = $6, health = $7, next_at = $8, done_at = $9, failed_at = $10, failures = $11,
			expires_at = $12, lease_until = $13 WHERE org = $1 AND source = $2 AND name = $3 AND lease = $4`),
			e.Org, clean(e.Source), string(e.Name), idText(e.Lease), clean(e.Kept), clean(e.LastError), clean(e.Health),
			int64(e.NextAt), int64(e.DoneAt), int64(e.FailedAt), e.Failures, int64(e.ExpiresAt), int64(e.LeaseUntil))
		if err == nil && n == 0 {
			err = revoke.ErrLeaseLost
		}
		if err == nil {
			err = s.ring(ctx, w, max(e.DoneAt, e.FailedAt), raised, cleared)
		}
		return true, err
	})
	if err != nil {
		return s.failed("keep the "+string(e.Name)+" of "+e.Source, err)
	}
	return nil
}

// Errands returns the errands of these sources, by source and name.
func (s *Store) Errands(ctx context.Context, org string, sources []string) (out []revoke.Errand, err error) {
	for _, source := range sources {
		err = s.rowsOf(ctx, errandsTable, "org = $1 AND source = $2 ORDER BY name", func(row record) error {
			out = append(out, row.errand())
			return nil
		}, org, clean(source))
		if err != nil {
			return nil, fmt.Errorf("list what is done for %s: %w", source, err)
		}
	}
	return out, nil
}
