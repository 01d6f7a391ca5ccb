package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"curfew/revoke"
)

// The last use only moves forward.
var usesTable = newTable(table{
	name: "session_uses", ids: words("session_id"), texts: words("org"), nums: words("used_at"),
	conflict: `ON CONFLICT (org, session_id) DO UPDATE SET used_at = GREATEST(session_uses.used_at, excluded.used_at)`,
})

func useRecord(u revoke.Use) (r record) {
	r.id[0], r.text[0], r.num[0] = u.Session, u.Org, int64(u.At)
	return r
}

// usesAtOnce is how many uses one transaction writes, so that decisions do not wait long for it.
const usesAtOnce = 1000

// Used moves the last use of sessions forward. They are written in the order of their keys, so that no two writers wait for each other.
func (s *Store) Used(ctx context.Context, uses []revoke.Use) error {
	sorted := slices.Clone(uses)
	slices.SortFunc(sorted, func(a, b revoke.Use) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), a.Session.Compare(b.Session), cmp.Compare(b.At, a.At))
	})
	sorted = slices.CompactFunc(sorted, func(a, b revoke.Use) bool { return a.Org == b.Org && a.Session == b.Session }) // the latest stays
	for some := range slices.Chunk(sorted, usesAtOnce) {
		var b batch
		b.add(usesTable, records(some, useRecord))
		err := s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) { return true, s.db.write(ctx, w, b) })
		if err != nil {
			return s.failed(fmt.Sprintf("note the use of %d sessions", len(some)), err)
		}
	}
	return nil
}

// TakeKey writes the key unless one is there that was taken after the instant, which it returns.
func (s *Store) TakeKey(ctx context.Context, k revoke.Key, after revoke.Instant) (have revoke.Key, taken bool, err error) {
	hash := hex.EncodeToString(k.Request[:])
	err = s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.exec(ctx, s.db.text(`INSERT INTO idempotency (org, source, key, request_hash, status, answer, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (org, source, key) DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status, answer = excluded.answer,
			at = excluded.at WHERE idempotency.at <= $8`), k.Org, clean(k.Source), clean(k.Name), hash, k.Status, clean(k.Answer), int64(k.At), int64(after))
		if taken = n > 0; taken || err != nil {
			have = k
			return taken, err
		}
		have = revoke.Key{Org: k.Org, Source: k.Source, Name: k.Name}
		return false, w.query(ctx, s.db.text("SELECT request_hash, status, answer, at FROM idempotency WHERE org = $1 AND source = $2 AND key = $3"),
			func(rows *sql.Rows) error {
				if err := rows.Scan(&hash, &have.Status, &have.Answer, &have.At); err != nil {
					return err
				}
				if n, err := hex.Decode(have.Request[:], []byte(hash)); err != nil || n != len(have.Request) {
					return fmt.Errorf("the key holds a hash of %d bytes", n)
				}
				return nil
			}, k.Org, clean(k.Source), clean(k.Name))
	})
	if err != nil {
		return revoke.Key{}, false, s.failed("take an idempotency key", err)
	}
	return have, taken, nil
}

// AnswerKey writes the answer beside the key, unless somebody else has taken it since.
func (s *Store) AnswerKey(ctx context.Context, k revoke.Key) error {
	_, err := s.run(ctx, "keep the answer to an idempotency key",
		"UPDATE idempotency SET status = $4, answer = $5 WHERE org = $1 AND source = $2 AND key = $3 AND at = $6",
		k.Org, clean(k.Source), clean(k.Name), k.Status, clean(k.Answer), int64(k.At))
	return err
}

// keysAtOnce is how many keys are forgotten at a time.
const keysAtOnce = 2000

// DropKeys forgets keys that were taken before an instant, and says how many.
func (s *Store) DropKeys(ctx context.Context, before revoke.Instant) (int, error) {
	return s.run(ctx, "forget idempotency keys", `DELETE FROM idempotency WHERE (org, source, key) IN
		(SELECT org, source, key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2)`, int64(before), keysAtOnce)
}
