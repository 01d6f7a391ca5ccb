package store

import (
	"context"
	"database/sql"

	"curfew/revoke"
)

// What happens again before it was sent is one notice; after that the next one waits for its time.
var noticesTable = newTable(table{
	name: "notices", ids: words("user_id"), texts: words("org kind signal devices"), nums: words("first_at last_at count sent_at due_at attempts"),
	conflict: `ON CONFLICT (org, user_id, kind) DO UPDATE SET
		signal = CASE WHEN excluded.last_at >= notices.last_at THEN excluded.signal ELSE notices.signal END,
		devices = substr(notices.devices || excluded.devices, 1, 740),
		first_at = CASE WHEN notices.count > 0 THEN LEAST(notices.first_at, excluded.first_at) ELSE excluded.first_at END,
		due_at = CASE WHEN notices.count > 0 THEN LEAST(notices.due_at, excluded.due_at)
			WHEN notices.sent_at > 0 THEN GREATEST(excluded.due_at, notices.sent_at + 600000000) ELSE excluded.due_at END,
		last_at = GREATEST(notices.last_at, excluded.last_at), count = notices.count + excluded.count`,
})

func noticeRecord(n revoke.Notice) (r record) {
	r.id[0] = n.User
	r.text = [9]string{n.Org, string(n.Kind), string(n.Signal), n.DeviceText()}
	r.num = [8]int64{int64(n.FirstAt), int64(n.LastAt), int64(n.Count), int64(n.SentAt), int64(n.DueAt), int64(n.Attempts)}
	return r
}

func (r *record) notice() revoke.Notice {
	n := revoke.Notice{
		NoticeKey: revoke.NoticeKey{Org: r.text[0], User: r.id[0], Kind: revoke.NoticeKind(r.text[1])}, Signal: revoke.SignalKind(r.text[2]),
		FirstAt: revoke.Instant(r.num[0]), LastAt: revoke.Instant(r.num[1]), Count: int(r.num[2]), SentAt: revoke.Instant(r.num[3]),
		DueAt: revoke.Instant(r.num[4]), Attempts: int(r.num[5]),
	}
	n.ParseDevices(r.text[3])
	return n
}

// TakeNotices leases notices that are due: nobody else takes them until the instant.
func (s *Store) TakeNotices(ctx context.Context, now, until revoke.Instant, limit int) (out []revoke.Notice, err error) {
	due := 0 // most of the time nothing is, and no writer need be asked
	err = s.count(ctx, "SELECT count(*) FROM (SELECT 1 FROM notices WHERE count > 0 AND due_at <= $1 LIMIT 1) AS due", &due, int64(now))
	if err != nil || due == 0 {
		return nil, err
	}
	err = s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		out = nil
		err := w.query(ctx, s.db.text(`UPDATE notices SET due_at = $2, attempts = attempts + 1 WHERE count > 0 AND due_at <= $1 AND (org, user_id, kind) IN
			(SELECT org, user_id, kind FROM notices WHERE count > 0 AND due_at <= $1 ORDER BY due_at, org, user_id, kind LIMIT $3)
			RETURNING `+noticesTable.list), func(rows *sql.Rows) error {
			row, err := noticesTable.scan(rows)
			out = append(out, row.notice())
			return err
		}, int64(now), int64(until), max(limit, 0))
		return len(out) > 0, err
	})
	if err != nil {
		return nil, s.failed("take what people are to be told", err)
	}
	return out, nil
}

// SettleNotice writes what became of one that was taken: it was sent at an instant, or there was nothing to say (zero). What came on top
// meanwhile is still to be sent.
func (s *Store) SettleNotice(ctx context.Context, n revoke.Notice, sentAt revoke.Instant) error {
	_, err := s.run(ctx, "note that somebody was told", `UPDATE notices SET count = CASE WHEN count > $4 THEN count - $4 ELSE 0 END,
		devices = substr(devices, $5), sent_at = GREATEST(sent_at, $6), first_at = last_at, attempts = 0,
		due_at = CASE WHEN $6 > 0 THEN $6 + 600000000 ELSE last_at END WHERE org = $1 AND user_id = $2 AND kind = $3`,
		n.Org, idText(n.User), string(n.Kind), n.Count, len(n.DeviceText())+1, int64(sentAt))
	return err
}

// PutOffNotice lets one that could not be sent wait.
func (s *Store) PutOffNotice(ctx context.Context, n revoke.Notice, dueAt revoke.Instant) error {
	_, err := s.run(ctx, "put off what somebody is to be told", "UPDATE notices SET due_at = $4 WHERE org = $1 AND user_id = $2 AND kind = $3",
		n.Org, idText(n.User), string(n.Kind), int64(dueAt))
	return err
}

// DropNotices forgets what was sent before an instant, and says how many.
func (s *Store) DropNotices(ctx context.Context, before revoke.Instant) (int, error) {
	return s.run(ctx, "forget what people were told", `DELETE FROM notices WHERE (org, user_id, kind) IN
		(SELECT org, user_id, kind FROM notices WHERE count = 0 AND last_at < $1 ORDER BY last_at LIMIT $2)`, int64(before), keysAtOnce)
}
