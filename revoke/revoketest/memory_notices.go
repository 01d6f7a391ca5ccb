package revoketest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"curfew/revoke"
)

// TakeNotices leases notices that are due.
func (m *Memory) TakeNotices(ctx context.Context, now, until revoke.Instant, limit int) (out []revoke.Notice, err error) {
	err = m.read(ctx, func(t *tables) {
		due := slices.SortedFunc(maps.Values(t.notices), func(a, b revoke.Notice) int {
			return cmp.Or(cmp.Compare(a.DueAt, b.DueAt), strings.Compare(a.Org, b.Org), a.User.Compare(b.User), strings.Compare(string(a.Kind), string(b.Kind)))
		})
		due = slices.DeleteFunc(due, func(n revoke.Notice) bool { return n.Count == 0 || n.DueAt > now })
		for _, n := range page(due, limit) {
			n.DueAt, n.Attempts = until, n.Attempts+1
			t.notices[n.NoticeKey] = n
			out = append(out, n)
		}
	})
	return out, err
}

// SettleNotice writes what became of one that was taken.
func (m *Memory) SettleNotice(ctx context.Context, n revoke.Notice, sentAt revoke.Instant) error {
	return m.read(ctx, func(t *tables) {
		have, ok := t.notices[n.NoticeKey]
		if !ok {
			return
		}
		have.Count, have.Devices = max(have.Count-n.Count, 0), slices.Clone(have.Devices[min(len(n.Devices), len(have.Devices)):])
		have.SentAt, have.FirstAt, have.Attempts, have.DueAt = max(have.SentAt, sentAt), have.LastAt, 0, have.LastAt
		if sentAt > 0 {
			have.DueAt = sentAt.Add(revoke.NoticeEvery)
		}
		t.notices[n.NoticeKey] = have
	})
}

// PutOffNotice lets one that could not be sent wait.
func (m *Memory) PutOffNotice(ctx context.Context, n revoke.Notice, dueAt revoke.Instant) error {
	return m.read(ctx, func(t *tables) {
		if have, ok := t.notices[n.NoticeKey]; ok {
			have.DueAt = dueAt
			t.notices[n.NoticeKey] = have
		}
	})
}

// DropNotices forgets what was settled.
func (m *Memory) DropNotices(ctx context.Context, before revoke.Instant) (dropped int, err error) {
	err = m.read(ctx, func(t *tables) {
		maps.DeleteFunc(t.notices, func(_ revoke.NoticeKey, n revoke.Notice) bool {
			old := n.Count == 0 && n.LastAt < before
			if old {
				dropped++
			}
			return old
		})
	})
	return dropped, err
}
