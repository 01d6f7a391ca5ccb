package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"hash/fnv"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"curfew/revoke"
)

// postgresDB is PostgreSQL: several writers that lock what they decide about.
type postgresDB struct{}

func (postgresDB) begin(ctx context.Context, w *writer, keep durability) error {
	text := "BEGIN"
	if keep == lazy { // the log is written in order: the next flush brings what came before it to the disk
		text = "BEGIN; SET LOCAL synchronous_commit = off"
	}
	_, err := w.conn.ExecContext(ctx, text)
	return err
}

func (postgresDB) commit(ctx context.Context, w *writer) error {
	_, err := w.conn.ExecContext(ctx, "COMMIT")
	return err
}

// fold does nothing: the server keeps its files.
func (postgresDB) fold(context.Context, *writer) error { return nil }

func (postgresDB) text(s string) string { return s }

// classes of errors after which the server may or may not have finished what it was told.
var severed = []pqerror.Class{
	pqerror.ClassConnectionException, pqerror.ClassOperatorIntervention, pqerror.ClassSystemError, pqerror.ClassInternalError,
}

func (d postgresDB) refused(err error) bool {
	e := pq.As(err)
	return e != nil && !slices.Contains(severed, e.Code.Class())
}

func (postgresDB) gone(err error) bool {
	if e := pq.As(err); e != nil {
		class := e.Code.Class()
		return class == pqerror.ClassConnectionException || strings.HasPrefix(string(e.Code), "57P")
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (d postgresDB) again(err error) bool {
	e := pq.As(err)
	return e != nil && e.Code.Class() == pqerror.ClassTransactionRollback || d.duplicate(err) || d.gone(err)
}

func (postgresDB) duplicate(err error) bool { return pq.As(err, pqerror.UniqueViolation) != nil }

// write runs everything as parts of one statement: a round trip costs as much as the work. Its text depends only on which
// tables are written, and is prepared once for each.
func (d postgresDB) write(ctx context.Context, w *writer, b batch) error {
	if len(b) > 1 && b[0].table.first {
		if err := d.write(ctx, w, b[:1]); err != nil {
			return err
		}
		b = b[1:]
	}
	var shape strings.Builder
	var args []any
	for _, part := range b {
		shape.WriteString(part.table.name + " ")
		args = append(args, part.table.arrays(part.rows)...)
	}
	_, err := w.exec(ctx, w.text(shape.String(), 0, func() string { return together(b) }), args...)
	return err
}

// together is one statement of which every part writes a table.
func together(b batch) string {
	var text strings.Builder
	n := 0
	for i, part := range b {
		statement := part.table.statement(n)
		n += len(part.table.ids) + len(part.table.texts) + len(part.table.nums)
		switch {
		case i == len(b)-1:
			text.WriteString(" " + statement)
		case i == 0:
			text.WriteString("WITH w0 AS (" + statement + ")")
		default:
			text.WriteString(", w" + strconv.Itoa(i) + " AS (" + statement + ")")
		}
	}
	return text.String()
}

// claim takes lanes under a lock each: SKIP LOCKED alone lets two workers take different deliveries of one lane.
func (postgresDB) claim(ctx context.Context, w *writer, c claim, lanes []lane) ([]record, error) {
	if len(lanes) == 0 {
		return nil, nil
	}
	free, err := lockLanes(ctx, w, c.target, lanes)
	if err != nil || len(free) == 0 {
		return nil, err
	}
	var out []record
	err = w.query(ctx, postgresLease+deliveriesTable.listOf("d"), collect(deliveriesTable, &out),
		textArray(free, func(l lane) string { return l.org }), idArray(free, func(l lane) revoke.ID { return l.user }),
		clean(c.target), int64(c.now), idText(c.lease), int64(c.until))
	if err != nil {
		return nil, err
	}
	at := map[lane]int{}
	for i, l := range free {
		at[l] = i
	}
	slices.SortStableFunc(out, func(a, b record) int { return at[lane{a.text[0], a.id[1]}] - at[lane{b.text[0], b.id[1]}] })
	return out, nil
}

// lockLanes returns those of the lanes that no other claim is looking at.
func lockLanes(ctx context.Context, w *writer, target string, lanes []lane) ([]lane, error) {
	keys := make([]int64, len(lanes))
	for i, l := range lanes {
		h := fnv.New64a()
		_, _ = h.Write([]byte("lane\xff" + target + "\xff" + l.org + "\xff"))
		_, _ = h.Write(l.user[:])
		keys[i] = int64(h.Sum64()) //nolint:gosec // a lock is any 64 bits
	}
	var free []lane
	err := w.query(ctx, "SELECT n FROM unnest($1::bigint[]) WITH ORDINALITY AS k (key, n) WHERE pg_try_advisory_xact_lock(k.key)",
		func(rows *sql.Rows) error {
			var n int
			if err := rows.Scan(&n); err != nil {
				return err
			}
			free = append(free, lanes[n-1])
			return nil
		}, numArray(keys, func(k int64) int64 { return k }))
	return free, err
}

// A lane is found through its person's revocations, which are few: an index of its own would be written with every delivery.
// The statement comes after the locks, so that it sees every lease that another claim committed before it let its lock go.
const (
	postgresLease = `WITH open AS MATERIALIZED (
			SELECT d.org, d.revocation_id, d.user_id, d.ready_at, d.halt, d.state = 'claimed' AND d.lease_until > $4::bigint AS leased
			FROM unnest($1::text[], $2::uuid[]) AS k (org, user_id)
			JOIN revocations r ON r.org = k.org AND r.user_id = k.user_id
			JOIN deliveries d ON d.org = r.org AND d.revocation_id = r.id AND d.target = $3::text
			WHERE d.user_id = k.user_id AND d.state IN ('due', 'claimed')),
		free AS (SELECT org, user_id FROM open WHERE NOT EXISTS (SELECT 1 FROM paused WHERE target = $3::text)
			GROUP BY org, user_id HAVING bool_or(ready_at <= $4::bigint AND halt = '') AND NOT bool_or(leased))
		UPDATE deliveries d SET state = 'claimed', lease = $5::uuid, lease_until = $6::bigint, ready_at = $6::bigint
		FROM free JOIN open ON open.org = free.org AND open.user_id = free.user_id
		WHERE d.org = open.org AND d.revocation_id = open.revocation_id AND d.target = $3::text AND d.state IN ('due', 'claimed') AND d.halt = ''
		RETURNING `
	postgresSettle = `WITH settled AS (
			UPDATE deliveries d SET state = CASE WHEN d.halt = 'drop' AND $5::text <> 'done' THEN 'dropped' ELSE $5::text END,
				halt = CASE WHEN d.halt = 'pause' AND $5::text = 'due' THEN d.halt ELSE '' END, due_at = CASE WHEN $6::bigint = 0 THEN d.due_at ELSE $6::bigint END, ready_at = $6::bigint, done_at = $7::bigint,
				attempts = d.attempts + 1, lease = '` + zeroID + `', lease_until = 0, last_error = $8::text, receipt = $9::text
			FROM unnest($2::uuid[], $4::uuid[]) AS k (revocation_id, lease)
			WHERE d.org = $1::text AND d.revocation_id = k.revocation_id AND d.target = $3::text AND d.state = 'claimed' AND d.lease = k.lease
			RETURNING d.org, d.revocation_id, d.target, d.attempts)
		INSERT INTO attempts (org, revocation_id, target, number, at, took, error, receipt)
		SELECT org, revocation_id, target, attempts, $10::bigint, $11::bigint, $8::text, $9::text FROM settled`
)

func (postgresDB) settle(ctx context.Context, w *writer, owed revoke.Owed, o outcome) (int, error) {
	n, err := w.exec(ctx, postgresSettle, owed.Org,
		idArray(owed.Items, func(i revoke.OwedItem) revoke.ID { return i.Delivery.Revocation }), clean(owed.Target),
		idArray(owed.Items, func(i revoke.OwedItem) revoke.ID { return i.Delivery.Lease }), o.state, int64(o.dueAt), int64(o.doneAt),
		o.lastErr, o.receipt, int64(o.attempt.At), o.attempt.Took.Microseconds())
	return int(n), err
}

// postgresMemberships looks each resource up by itself: see each.
var postgresMemberships = "SELECT " + membersTable.list + " FROM (SELECT DISTINCT id FROM unnest($2::uuid[]) AS n (id)) n" +
	each("members", "k.org = $1 AND k.resource_id = n.id") + " ORDER BY group_id, resource_id LIMIT $3"

func (postgresDB) memberships(resources []revoke.ID) (text string, list any) {
	return postgresMemberships, idArray(resources, func(id revoke.ID) revoke.ID { return id })
}
