package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

// idler signs Sally in with an idle limit, as a policy would write it into her session.
func (o *office) idler(limit time.Duration) revoke.Session {
	o.t.Helper()
	s := o.signIn(revoke.Registration{Subject: by("idle@example.edu")})
	s.ID, s.Token, s.Idle = revoke.NewID(o.now()), revoke.HashToken(fmt.Sprintf("idle %d", o.n)), limit
	err := o.store.Decide(o.ctx, revoke.Need{Org: s.Org, Users: []revoke.ID{s.User}}, func(*revoke.Facts) (revoke.Effects, error) {
		return revoke.Effects{Sessions: []revoke.Session{s}}, nil
	})
	if err != nil {
		o.t.Fatalf("write a session: %v", err)
	}
	return s
}

func byToken(s revoke.Session) revoke.SessionRef {
	return revoke.SessionRef{Org: s.Org, Token: s.Token}
}

func (o *office) live(ref revoke.SessionRef) bool {
	o.t.Helper()
	a, err := o.s.Ask(o.ctx, ref)
	if err != nil {
		o.t.Fatalf("ask: %v", err)
	}
	return a.Live
}

// A session that nobody used for its limit and two batches is ended by a write, before the answer: it is dead for good, whatever
// last use comes to light afterwards.
func TestIdleSessionIsEnded(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.idler(15 * time.Minute)
	o.store.Moving().MoveTo(s.RegisteredAt.Add(16 * time.Minute))
	if a := o.ask(s); !a.Live {
		t.Fatalf("at its limit and two batches: %s", a.Sentence())
	}
	o.store.Moving().Advance(time.Microsecond)
	o.store.RefuseNext(1)
	if a, err := o.s.Ask(o.ctx, byToken(s)); !errors.Is(err, revoke.ErrUnavailable) {
		t.Fatalf("idle while the store refuses the write = %+v, %v; want ErrUnavailable", a, err)
	}
	if o.live(byToken(s)) {
		t.Fatal("a microsecond later it lives")
	}
	for _, row := range o.store.AllSessions() {
		if row.ID == s.ID && row.EndedAt == 0 {
			t.Error("the answer was given before the end was written")
		}
	}
	if got := o.owed()[revoke.RevocationEnd]; got != 1 {
		t.Errorf("%d ends are owed, want 1", got)
	}
	if err := o.store.Used(o.ctx, []revoke.Use{{Org: s.Org, Session: s.ID, At: o.now()}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if o.live(byToken(s)) {
			t.Error("it lives again after a use that was written late")
		}
		o.restart()
	}
}

// A use is asking by the token; looking at a session by its id is none.
func TestOnlyTheTokenIsAUse(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]bool{"by token": true, "by id": false} {
		o := newOffice(t)
		s := o.idler(15 * time.Minute)
		ref := revoke.SessionRef{Org: s.Org, ID: s.ID}
		if token {
			ref = byToken(s)
		}
		for i := range 12 {
			o.store.Moving().Advance(10 * time.Minute)
			if got := o.live(ref); got != (token || i == 0) {
				t.Fatalf("asked %s every ten minutes: after %d minutes live = %t", name, 10*(i+1), got)
			}
			if i%2 == 0 {
				o.restartKeeping()
			}
		}
	}
}

// restartKeeping is a stop in good order: uses are written.
func (o *office) restartKeeping() {
	o.t.Helper()
	if err := o.s.WriteUses(o.ctx); err != nil {
		o.t.Fatalf("write uses: %v", err)
	}
	o.restart()
}

// A crash loses what was used since the last writing: a session that was used less than its limit ago lives all the same, one
// that lay idle for two batches longer does not.
func TestCrashLosesAtMostTwoBatchesOfUse(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]bool{15 * time.Minute: true, 16*time.Minute + 30*time.Second: false} {
		o := newOffice(t)
		s := o.idler(15 * time.Minute)
		for range 60 { // used all the time, written every half minute
			o.store.Moving().Advance(29 * time.Second)
			if !o.live(byToken(s)) {
				t.Fatal("a session that is used all the time is dead")
			}
			if err := o.s.WriteUses(o.ctx); err != nil {
				t.Fatal(err)
			}
			o.store.Moving().Advance(time.Second)
		}
		o.store.Moving().Advance(28 * time.Second)
		o.live(byToken(s))
		last := o.now()
		o.restart() // nothing was written
		o.store.Moving().MoveTo(last.Add(after))
		if got := o.live(byToken(s)); got != want {
			t.Errorf("%s after its last use, which a crash lost: live = %t, want %t", after, got, want)
		}
	}
}

// A use that the store did not take is written later, and never put back by an older one.
func TestUsesAreWrittenAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.idler(time.Hour)
	used := func() revoke.Instant {
		t.Helper()
		row, err := o.store.FindSession(o.ctx, revoke.SessionRef{Org: s.Org, ID: s.ID})
		if err != nil {
			t.Fatal(err)
		}
		return row.UsedAt
	}
	o.store.Moving().Advance(time.Minute)
	o.live(byToken(s))
	first := o.now()
	if err := o.s.Load(o.ctx); err != nil { // it is remembered no more: its use waits by itself
		t.Fatal(err)
	}
	o.store.SetDown(true)
	if err := o.s.WriteUses(o.ctx); !errors.Is(err, revoke.ErrUnavailable) {
		t.Fatalf("writing without a store = %v", err)
	}
	o.store.SetDown(false)
	if got := used(); got != 0 {
		t.Fatalf("last use = %s before it was written", got)
	}
	if err := o.s.WriteUses(o.ctx); err != nil || used() != first {
		t.Errorf("written again: last use = %s, %v; want %s", used(), err, first)
	}
	seen := len(o.store.Changes())
	if err := o.s.WriteUses(o.ctx); err != nil || len(o.store.Changes()) != seen {
		t.Errorf("nothing to write: %v", err)
	}
}

// While sessions are asked about, uses written and the view read anew, all at the same time, no use is lost.
func TestNoUseIsLost(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var sessions []revoke.Session
	for range 8 {
		sessions = append(sessions, o.idler(24*time.Hour))
	}
	for range 30 {
		o.store.Moving().Advance(time.Second)
		var all sync.WaitGroup
		for _, s := range sessions {
			all.Go(func() {
				if a, err := o.s.Ask(o.ctx, byToken(s)); err != nil || !a.Live {
					t.Errorf("ask: %+v, %v", a, err)
				}
			})
		}
		for _, other := range []func(context.Context) error{o.s.WriteUses, o.s.Load, o.s.WriteUses} {
			all.Go(func() {
				if err := other(o.ctx); err != nil && !errors.Is(err, revoke.ErrNotFresh) {
					t.Errorf("beside it: %v", err)
				}
			})
		}
		all.Wait()
		if err := o.s.WriteUses(o.ctx); err != nil {
			t.Fatal(err)
		}
		for i, s := range sessions {
			row, err := o.store.FindSession(o.ctx, revoke.SessionRef{Org: s.Org, ID: s.ID})
			if err != nil || row.UsedAt < o.now() {
				t.Fatalf("session %d was used at %s, written is %s (%v)", i, o.now(), row.UsedAt, err)
			}
		}
	}
}
