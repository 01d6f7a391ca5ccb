package store

import (
	"context"
	"database/sql"
	"fmt"

	"curfew/revoke"
)

// Pause makes a target wait, or with at zero lets it go on. One that waits already waits since when it did.
func (s *Store) Pause(ctx context.Context, target string, at revoke.Instant, audit revoke.AuditEntry) error {
	text, args := "INSERT INTO paused (target, since) VALUES ($1, $2) ON CONFLICT (target) DO NOTHING", []any{clean(target), int64(at)}
	if at == 0 {
		text, args = "DELETE FROM paused WHERE target = $1", args[:1]
	}
	_, err := s.ordered(ctx, "pause target "+target, audit, text, args...)
	return err
}

// Paused returns the targets that wait, and since when.
func (s *Store) Paused(ctx context.Context) (map[string]revoke.Instant, error) {
	out := map[string]revoke.Instant{}
	err := s.read(ctx, "SELECT target, since FROM paused", func(rows *sql.Rows) error {
		var target string
		var since revoke.Instant
		err := rows.Scan(&target, &since)
		out[target] = since
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the targets that wait: %w", err)
	}
	return out, nil
}

// Halt keeps open deliveries back, lets them go on or drops them. What is under way is only marked: [Store.Settle] sees it.
func (s *Store) Halt(ctx context.Context, q revoke.DeliveryQuery, halt revoke.Halt, _ revoke.Instant, audit revoke.AuditEntry) (int, error) {
	c := deliveriesAsked(q)
	var text string
	switch halt {
	case revoke.HaltNone:
		text = "UPDATE deliveries SET halt = '' WHERE " + c.text + " AND halt <> ''"
	case revoke.HaltWait:
		text = "UPDATE deliveries SET halt = 'pause' WHERE " + c.text + " AND state IN ('due', 'claimed') AND halt <> 'pause'"
	case revoke.HaltDrop:
		text = "UPDATE deliveries SET halt = CASE WHEN state = 'claimed' THEN 'drop' ELSE '' END, " +
			"state = CASE WHEN state = 'claimed' THEN state ELSE 'dropped' END WHERE " + c.text +
			" AND (state IN ('due', 'parked') OR state = 'claimed' AND halt <> 'drop')"
	default:
		return 0, revoke.Invalid{Field: "halt", Problem: "is no order about deliveries", Fix: "pause them, drop them or let them go on"}
	}
	return s.ordered(ctx, "halt deliveries", audit, text, c.args...)
}

// ordered carries out one statement by a person's order, with its line in the audit log, and returns how many rows it changed.
// What changes nothing leaves no line.
func (s *Store) ordered(ctx context.Context, what string, audit revoke.AuditEntry, text string, args ...any) (changed int, err error) {
	err = s.settle(ctx, durable, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.exec(ctx, s.db.text(text), args...)
		if changed = int(n); err != nil || n == 0 {
			return false, err
		}
		var b batch
		b.add(auditTable, []record{auditRecord(audit)})
		return true, s.db.write(ctx, w, b)
	})
	if err != nil {
		return 0, s.failed(what, err)
	}
	return changed, nil
}
