package revoketest

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
)

// noticesContract is about what people are to be told.
func noticesContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"notices: one a person and kind": noticesAreJoined, "notices: one lease": noticesAreTakenOnce, "notices: told and forgotten": noticesAreForgotten,
	}
}

func (b *bench) notice(n revoke.Notice) {
	b.Helper()
	b.write(revoke.Effects{Notices: []revoke.Notice{n}})
}

func (b *bench) takeNotices(now, until revoke.Instant, limit int) []revoke.Notice {
	b.Helper()
	got, err := b.store.TakeNotices(b.deadline(), now, until, limit)
	if err != nil {
		b.Fatalf("take notices: %v", err)
	}
	slices.SortFunc(got, func(x, y revoke.Notice) int { return strings.Compare(string(x.Kind), string(y.Kind)) })
	return got
}

func (b *bench) wantNotices(what string, got []revoke.Notice, want ...revoke.Notice) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const second = revoke.Instant(1_000_000)

func noticesAreJoined(b *bench) {
	sally := b.id()
	key := revoke.NoticeKey{Org: org, User: sally, Kind: revoke.NoticeNewDevice}
	phone, tablet := b.id(), b.id()
	b.notice(revoke.Notice{NoticeKey: key, Devices: []revoke.ID{phone}, FirstAt: 10 * second, LastAt: 10 * second, DueAt: 10 * second, Count: 1})
	b.notice(revoke.Notice{NoticeKey: key, Devices: []revoke.ID{tablet}, Signal: revoke.Suspended, FirstAt: 20 * second, LastAt: 20 * second, DueAt: 20 * second, Count: 1})
	taken := b.takeNotices(20*second, 90*second, 10)
	both := revoke.Notice{
		NoticeKey: key, Devices: []revoke.ID{phone, tablet}, Signal: revoke.Suspended, FirstAt: 10 * second, LastAt: 20 * second, DueAt: 90 * second, Count: 2, Attempts: 1,
	}
	b.wantNotices("twice before it was sent", taken, both)
	laptop := b.id()
	b.notice(revoke.Notice{NoticeKey: key, Devices: []revoke.ID{laptop}, FirstAt: 30 * second, LastAt: 30 * second, DueAt: 30 * second, Count: 1})
	if err := b.store.SettleNotice(b.deadline(), taken[0], 40*second); err != nil {
		b.Fatal(err)
	}
	b.wantNotices("within ten minutes of the last one", b.takeNotices(40*second+revoke.Instant(revoke.NoticeEvery.Microseconds())-1, 900*second, 10))
	left := b.takeNotices(40*second+revoke.Instant(revoke.NoticeEvery.Microseconds()), 900*second, 10)
	b.wantNotices("what came on top while it was sent", left, revoke.Notice{
		NoticeKey: key, Devices: []revoke.ID{laptop}, FirstAt: 30 * second, LastAt: 30 * second, SentAt: 40 * second, DueAt: 900 * second, Count: 1, Attempts: 1,
	})
	if err := b.store.SettleNotice(b.deadline(), left[0], 0); err != nil { // there was nothing to say
		b.Fatal(err)
	}
	b.notice(revoke.Notice{NoticeKey: key, Devices: []revoke.ID{phone}, FirstAt: 50 * second, LastAt: 50 * second, DueAt: 50 * second, Count: 1})
	b.wantNotices("after one was sent", b.takeNotices(600*second, 900*second, 10))
	b.wantNotices("ten minutes after it was sent", b.takeNotices(640*second, 900*second, 10), revoke.Notice{
		NoticeKey: key, Devices: []revoke.ID{phone}, FirstAt: 50 * second, LastAt: 50 * second, SentAt: 40 * second, DueAt: 900 * second, Count: 1, Attempts: 1,
	})
}

func noticesAreTakenOnce(b *bench) {
	sally, tom := b.id(), b.id()
	out := revoke.Notice{NoticeKey: revoke.NoticeKey{Org: org, User: sally, Kind: revoke.NoticeSignedOut}, Signal: revoke.Suspended, FirstAt: second, LastAt: second, DueAt: second, Count: 1}
	later := revoke.Notice{NoticeKey: revoke.NoticeKey{Org: "other", User: tom, Kind: revoke.NoticeOwnSignOut}, Signal: revoke.SessionsCleared, FirstAt: 2 * second, LastAt: 2 * second, DueAt: 2 * second, Count: 1}
	b.notice(out)
	b.notice(later)
	b.wantNotices("before it is due", b.takeNotices(second-1, 9*second, 10))
	first := b.takeNotices(3*second, 9*second, 1)
	out.DueAt, out.Attempts = 9*second, 1
	b.wantNotices("the first alone", first, out)
	later.DueAt, later.Attempts = 9*second, 1
	b.wantNotices("the rest", b.takeNotices(3*second, 9*second, 10), later)
	b.wantNotices("while they are out", b.takeNotices(9*second-1, 20*second, 10))
	if err := b.store.PutOffNotice(b.deadline(), later, 30*second); err != nil {
		b.Fatal(err)
	}
	out.DueAt, out.Attempts = 20*second, 2
	b.wantNotices("after the lease", b.takeNotices(9*second, 20*second, 10), out)
}

func noticesAreForgotten(b *bench) {
	owed := revoke.Notice{NoticeKey: revoke.NoticeKey{Org: org, User: b.id(), Kind: revoke.NoticeSignedOut}, FirstAt: second, LastAt: second, DueAt: second, Count: 1}
	told := owed
	told.User = b.id()
	b.notice(owed)
	b.notice(told)
	if err := b.store.SettleNotice(b.deadline(), told, 2*second); err != nil {
		b.Fatal(err)
	}
	if n, err := b.store.DropNotices(b.deadline(), second); err != nil || n != 0 {
		b.Errorf("forgot %d (%v), want none: it is not that old", n, err)
	}
	if n, err := b.store.DropNotices(b.deadline(), second+1); err != nil || n != 1 {
		b.Errorf("forgot %d (%v), want the one that was told", n, err)
	}
	owed.DueAt, owed.Attempts = 9*second, 1
	b.wantNotices("what is still owed", b.takeNotices(second, 9*second, 10), owed)
}
