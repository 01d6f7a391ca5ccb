package revoketest

import (
	"context"
	"errors"
	"fmt"

	"curfew/revoke"
)

// readsContract is about what waits to be read at a sender, what was known there, and what is done for a source again and again.
func readsContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"reads: claim, settle, answer": readsTakeTheirCourse, "reads: one lease about one thing": oneReadsAtATime, "reads: a lease in the facts": leaseInFacts,
		"reads: parked": parkedReads, "reads: owed once more": readsOwedAgain, "notes of sources": sourceNotes, "errands": errandsTakeTurns, "errands: one at a time": oneErrandAtATime,
	}
}

// waiting writes an event that waits to be read.
func (b *bench) waiting(source, about string, at revoke.Instant) revoke.Reading {
	b.Helper()
	id := b.id()
	ev := revoke.Event{ID: id, Org: org, Source: source, Authority: source, SenderID: id.String(), Type: "updated", State: revoke.EventReading, ReceivedAt: at, Note: "verified", Body: []byte(`{"id":1}`)}
	r := revoke.Reading{Event: id, Org: org, Source: source, About: about, State: revoke.ReadingDue, DueAt: at, FirstAt: at}
	b.write(revoke.Effects{Events: []revoke.Event{ev}, Readings: []revoke.Reading{r}})
	return r
}

func (b *bench) claimReads(n int, now, until revoke.Instant, lease revoke.ID) []revoke.OwedRead {
	b.Helper()
	owed, err := b.store.ClaimReads(b.deadline(), org, "graph", n, now, until, lease)
	if err != nil {
		b.Fatalf("claim reads: %v", err)
	}
	return owed
}

func (b *bench) nextRead() revoke.Instant {
	b.Helper()
	next, err := b.store.NextRead(b.deadline(), org, "graph")
	if err != nil {
		b.Fatal(err)
	}
	return next
}

func readsTakeTheirCourse(b *bench) {
	sally, tom, again := b.waiting("graph", "users/sally", 100), b.waiting("graph", "users/tom", 50), b.waiting("graph", "users/sally", 900)
	b.waiting("other", "users/sally", 10)
	if next := b.nextRead(); next != 50 {
		b.Errorf("the next read is due at %d, want 50", next)
	}
	if owed := b.claimReads(10, 49, 500, b.id()); len(owed) != 0 {
		b.Errorf("before anything is due: got %+v", owed)
	}
	lease := b.id()
	owed := b.claimReads(10, 100, 500, lease)
	for _, r := range []*revoke.Reading{&sally, &tom, &again} {
		r.State, r.Lease, r.LeaseUntil = revoke.ReadingClaimed, lease, 500
	}
	if len(owed) != 2 {
		b.Fatalf("claimed: got %+v, want two reads", owed)
	}
	b.same("the one that waits longest comes first", owed[0].Readings, []revoke.Reading{tom})
	b.same("all that one read answers, oldest first", owed[1].Readings, []revoke.Reading{sally, again})
	if owed[1].About != "users/sally" || owed[1].Lease != lease || len(owed[1].Events) != 2 || owed[1].Events[0].ID != sally.Event || string(owed[1].Events[0].Body) != `{"id":1}` {
		b.Errorf("a read without its events: %+v", owed[1])
	}
	if next := b.nextRead(); next != 500 {
		b.Errorf("all are leased: the next is due at %d, want 500", next)
	}
	settle := revoke.ReadSettlement{State: revoke.ReadingDue, DueAt: 700, Error: "it answered 500", At: 200}
	if err := b.store.SettleRead(b.deadline(), owed[1], settle); err != nil {
		b.Fatal(err)
	}
	if err := b.store.SettleRead(b.deadline(), owed[1], settle); !errors.Is(err, revoke.ErrLeaseLost) {
		b.Errorf("settled twice: got %v, want ErrLeaseLost", err)
	}
	if next := b.nextRead(); next != 500 {
		b.Errorf("the next is due at %d, want 500", next)
	}
	third := b.claimReads(1, 700, 900, b.id())
	if len(third) != 1 || third[0].About != "users/tom" {
		b.Fatalf("a lease that ended: got %+v", third)
	}
	third = b.claimReads(1, 700, 900, b.id())
	if len(third) != 1 || third[0].Readings[0].Attempts != 1 || third[0].Readings[0].LastError != "it answered 500" || third[0].Readings[0].FirstAt != 100 {
		b.Fatalf("after a failure: got %+v", third)
	}
	var done []revoke.Event
	for _, ev := range owed[1].Events {
		ev.State = revoke.EventDecided
		done = append(done, ev)
	}
	b.write(revoke.Effects{Events: done, Read: []revoke.ID{sally.Event, again.Event}})
	unread, err := b.store.Unread(b.deadline(), org, []string{"graph", "nobody"})
	if err != nil {
		b.Fatal(err)
	}
	b.same("what waits", unread, []revoke.Unread{{Source: "graph", Waiting: 1, OldestAt: 50}, {Source: "nobody"}})
	events, err := b.store.Events(b.deadline(), revoke.EventQuery{Org: org, State: revoke.EventReading, Source: "graph", Limit: 10})
	if err != nil || len(events) != 1 || events[0].ID != tom.Event {
		b.Errorf("events that wait to be read: got %+v, %v", events, err)
	}
}

func oneReadsAtATime(b *bench) {
	for i := range 30 {
		b.waiting("graph", fmt.Sprint("users/", i%3), 1)
	}
	claimed := make([][]revoke.OwedRead, 12)
	b.allWell(len(claimed), func(ctx context.Context, i int) (err error) {
		claimed[i], err = b.store.ClaimReads(ctx, org, "graph", 10, 10, 1000, b.id())
		return err
	})
	seen := map[string]int{}
	for _, owed := range claimed {
		for _, o := range owed {
			seen[o.About] += len(o.Readings)
		}
	}
	b.same("each is leased once", seen, map[string]int{"users/0": 10, "users/1": 10, "users/2": 10})
	b.waiting("graph", "users/0", 1)
	if owed := b.claimReads(10, 10, 1000, b.id()); len(owed) != 0 {
		b.Errorf("somebody reads about it: got %+v", owed)
	}
}

func leaseInFacts(b *bench) {
	r := b.waiting("graph", "users/sally", 1)
	lease := b.id()
	b.claimReads(1, 10, 1000, lease)
	seen := b.facts(revoke.Need{Readings: []revoke.ID{r.Event, b.id()}})
	r.State, r.Lease, r.LeaseUntil = revoke.ReadingClaimed, lease, 1000
	b.same("the facts", seen.Readings, map[revoke.ID]revoke.Reading{r.Event: r})
}

func parkedReads(b *bench) {
	r := b.waiting("graph", "users/sally", 1)
	owed := b.claimReads(1, 10, 1000, b.id())
	raised := alarm(revoke.AlarmParked, "graph", "reads are parked", 10)
	if err := b.store.SettleRead(b.deadline(), owed[0], revoke.ReadSettlement{State: revoke.ReadingParked, DueAt: 9, Error: "it answered 404", At: 10, Alarms: []revoke.Alarm{raised}}); err != nil {
		b.Fatal(err)
	}
	if next := b.nextRead(); next != 0 || len(b.claimReads(1, 1<<50, 1<<51, b.id())) > 0 {
		b.Errorf("what is parked is due at %d, want never", next)
	}
	events, err := b.store.Events(b.deadline(), revoke.EventQuery{Org: org, State: revoke.EventParked, Limit: 10})
	if err != nil || len(events) != 1 || events[0].ID != r.Event || events[0].Note != "verified; it could not be read: it answered 404" {
		b.Errorf("parked events: got %+v, %v", events, err)
	}
	unread, err := b.store.Unread(b.deadline(), org, []string{"graph"})
	if err != nil {
		b.Fatal(err)
	}
	b.same("what waits", unread, []revoke.Unread{{Source: "graph", Parked: 1, ParkedAt: 9}})
	b.same("its alarm", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{raised})
}

func readsOwedAgain(b *bench) {
	r := b.waiting("graph", "users/sally", 1)
	before := b.claimReads(1, 10, 1000, b.id())
	r.DueAt, r.FirstAt = 20, 20
	b.write(revoke.Effects{Readings: []revoke.Reading{r}})
	if err := b.store.SettleRead(b.deadline(), before[0], revoke.ReadSettlement{State: revoke.ReadingDue}); !errors.Is(err, revoke.ErrLeaseLost) {
		b.Errorf("under the lease from before: got %v, want ErrLeaseLost", err)
	}
	if owed := b.claimReads(1, 20, 1000, b.id()); len(owed) != 1 || owed[0].Readings[0].FirstAt != 20 || owed[0].Readings[0].Attempts != 0 {
		b.Errorf("owed once more: got %+v", owed)
	}
}

func sourceNotes(b *bench) {
	note := func(text string, at revoke.Instant) {
		b.write(revoke.Effects{Notes: []revoke.SourceNote{{Org: org, Source: "graph", About: "users/sally", Text: text, At: at}}})
	}
	known := func() string {
		b.Helper()
		b.waiting("graph", "users/sally", 1)
		owed := b.claimReads(1, 10, 1000, b.id())
		for _, r := range owed[0].Readings {
			b.write(revoke.Effects{Read: []revoke.ID{r.Event}})
		}
		if text, err := b.store.Known(b.deadline(), org, "graph", "users/sally"); err != nil || text != owed[0].Known {
			b.Errorf("known is %q, %v; want %q, as the read was given", text, err, owed[0].Known)
		}
		return owed[0].Known
	}
	if got := known(); got != "" {
		b.Errorf("nothing was noted: got %q", got)
	}
	note(`{"password":1}`, 100)
	note(`{"password":2}`, 100)
	if got := known(); got != `{"password":2}` {
		b.Errorf("got %q, want the later of two of one moment", got)
	}
	note(`{"password":0}`, 99)
	if got := known(); got != `{"password":2}` {
		b.Errorf("got %q: an older read took its place", got)
	}
	b.write(revoke.Effects{Notes: []revoke.SourceNote{{Org: org, Source: "other", About: "users/sally", Text: "x", At: 500}}})
	if got := known(); got != `{"password":2}` {
		b.Errorf("got %q: another source's", got)
	}
}

func errandsTakeTurns(b *bench) {
	key := revoke.ErrandKey{Org: org, Source: "okta-log", Name: revoke.ErrandPoll}
	take := func(now revoke.Instant) (revoke.Errand, bool) {
		b.Helper()
		e, taken, err := b.store.TakeErrand(b.deadline(), key, now, now+100, b.id())
		if err != nil {
			b.Fatal(err)
		}
		return e, taken
	}
	e, taken := take(10)
	if !taken || e.Kept != "" || e.LeaseUntil != 110 {
		b.Fatalf("the first turn: got %+v, %v", e, taken)
	}
	if _, again := take(20); again {
		b.Error("taken while somebody is at it")
	}
	e.Kept, e.LeaseUntil = "cursor-1", 200
	if err := b.store.KeepErrand(b.deadline(), e, nil, nil); err != nil {
		b.Fatal(err)
	}
	if _, again := take(150); again {
		b.Error("taken while the lease that was made longer is out")
	}
	late, taken := take(200)
	if !taken || late.Kept != "cursor-1" {
		b.Fatalf("after the lease: got %+v, %v", late, taken)
	}
	e.Kept = "stale"
	if err := b.store.KeepErrand(b.deadline(), e, nil, nil); !errors.Is(err, revoke.ErrLeaseLost) {
		b.Errorf("kept under a lost lease: %v, want ErrLeaseLost", err)
	}
	raised := alarm(revoke.AlarmUpkeep, "okta-log", "polls fail", 300)
	late.NextAt, late.FailedAt, late.Failures, late.LastError, late.ExpiresAt, late.Health, late.LeaseUntil = 400, 300, 3, "it answered 500", 900, "slow", 0
	if err := b.store.KeepErrand(b.deadline(), late, []revoke.Alarm{raised}, nil); err != nil {
		b.Fatal(err)
	}
	b.same("its alarm", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{raised})
	if waiting, again := take(399); again || waiting.NextAt != 400 {
		b.Errorf("before its time: got %+v, %v", waiting, again)
	}
	all, err := b.store.Errands(b.deadline(), org, []string{"nobody", "okta-log"})
	if err != nil {
		b.Fatal(err)
	}
	b.same("the errands", all, []revoke.Errand{late})
	late, _ = take(400)
	late.DoneAt, late.LeaseUntil = 410, 0
	if err := b.store.KeepErrand(b.deadline(), late, nil, []revoke.AlarmKey{raised.AlarmKey}); err != nil {
		b.Fatal(err)
	}
	if standing := b.alarms(revoke.AlarmQuery{Standing: true}); len(standing) != 0 {
		b.Errorf("cleared: %+v stands", standing)
	}
}

func oneErrandAtATime(b *bench) {
	taken := make([]bool, 20)
	b.allWell(len(taken), func(ctx context.Context, i int) (err error) {
		_, taken[i], err = b.store.TakeErrand(ctx, revoke.ErrandKey{Org: org, Source: "graph", Name: revoke.ErrandUpkeep}, 10, 1000, b.id())
		return err
	})
	n := 0
	for _, t := range taken {
		if t {
			n++
		}
	}
	if n != 1 {
		b.Errorf("%d of 20 took it at once, want one", n)
	}
}
