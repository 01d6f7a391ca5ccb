package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/revoke"
)

// pager is a receiver of alarms that keeps when it was told of what.
type pager struct {
	mu     sync.Mutex
	clock  revoke.Clock
	took   []string
	tries  []revoke.Instant
	answer func(try int) error
	hang   bool
}

func (p *pager) Tell(ctx context.Context, a revoke.Alarm) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries = append(p.tries, p.clock.Now())
	if p.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.answer != nil {
		if err := p.answer(len(p.tries)); err != nil {
			return err
		}
	}
	p.took = append(p.took, fmt.Sprintf("%s %s x%d", a.Kind, a.About, a.Count))
	return nil
}

func (p *pager) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.took)
}

// tried says when it was told of anything, taken or not.
func (p *pager) tried() []revoke.Instant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tries)
}

// telling runs a teller for pagers in a synctest bubble until stop.
func telling(t *testing.T, o *office, pagers map[string]*pager) (stop func()) {
	t.Helper()
	clock := bubbleClock{o.store}
	receivers := map[string]revoke.Receiver{}
	for name, p := range pagers {
		p.clock = clock
		receivers[name] = p
	}
	teller, err := revoke.NewTeller(revoke.TellerConfig{Notes: o.store, Clock: clock, Receivers: receivers, Woken: o.s.Alarms(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- teller.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func (o *office) raise(about string) {
	o.t.Helper()
	bubbleClock{o.store}.Now()
	if err := o.s.Raise(o.ctx, revoke.AlarmKey{Org: "main", Kind: revoke.AlarmHeld, About: about}, "look at it"); err != nil {
		o.t.Fatalf("raise: %v", err)
	}
}

func TestAlarmIsToldOnceAndAgainHourly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := newOffice(t), &pager{}
		stop := telling(t, o, map[string]*pager{"phone": p})
		defer stop()
		o.raise("hr")
		synctest.Wait()
		if got := p.got(); !slices.Equal(got, []string{"held hr x1"}) {
			t.Fatalf("told %v at once", got)
		}
		for range 30 { // it keeps being raised
			pass(time.Minute)
			o.raise("hr")
		}
		pass(29 * time.Minute)
		if got := p.got(); len(got) != 1 {
			t.Errorf("within the hour it was told %v", got)
		}
		pass(2 * time.Minute)
		if got := p.got(); !slices.Equal(got, []string{"held hr x1", "held hr x31"}) {
			t.Errorf("after an hour it was told %v", got)
		}
		pass(24 * time.Hour)
		if got := p.got(); len(got) != 2 {
			t.Errorf("what is not raised any more was told %v", got)
		}
		stop()
		stop = telling(t, o, map[string]*pager{"phone": p})
		pass(time.Hour)
		o.raise("okta")
		pass(time.Minute)
		stop()
		if got := p.got(); !slices.Equal(got[2:], []string{"held okta x1"}) {
			t.Errorf("after a restart it was told %v", got)
		}
	})
}

// What a receiver does not take it is sent again on the ladder, also over a stop, while the others were told once.
func TestAlarmIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		good, bad := &pager{}, &pager{answer: func(int) error { return errors.New("not now") }}
		both := map[string]*pager{"good": good, "bad": bad}
		stop := telling(t, o, both)
		o.raise("hr")
		for range 60 { // it keeps being raised
			pass(10 * time.Second)
			o.raise("hr")
		}
		synctest.Wait()
		if got := good.got(); len(got) != 1 {
			t.Errorf("beside one that takes nothing the other was told %v", got)
		}
		// 0, then after at least 1, 2, 5, 10, 30, 60, 120 and 300 seconds; a look every five seconds or at what is raised.
		tries := bad.tried()
		if n := len(tries); n < 7 || n > 9 {
			t.Errorf("in ten minutes it was tried %d times", n)
		}
		for i := 2; i < len(tries); i++ {
			if tries[i].Sub(tries[i-1]) < tries[i-1].Sub(tries[i-2])-5*time.Second {
				t.Errorf("tries do not grow apart: %v", tries)
			}
		}
		pass(3 * time.Hour) // nobody raises it any more
		if got := good.got(); len(got) != 2 {
			t.Errorf("hours later the good one was told %v, want once more of what was raised since", got)
		}
		stop()
		bad.answer = nil
		stop = telling(t, o, both)
		defer stop()
		pass(time.Minute)
		if got := bad.got(); len(got) != 1 {
			t.Errorf("after a restart the one that had taken nothing was told %v", got)
		}
	})
}

// A receiver that hangs, or asks to wait, holds up nobody else, and is left alone for as long as it asked.
func TestAlarmReceiverThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		good, slow, busy := &pager{}, &pager{hang: true}, &pager{answer: func(try int) error {
			if try == 1 {
				return revoke.RetryAfter(errors.New("too much"), 10*time.Minute)
			}
			return nil
		}}
		stop := telling(t, o, map[string]*pager{"good": good, "slow": slow, "busy": busy})
		defer stop()
		for i := range 5 {
			o.raise(fmt.Sprintf("source %d", i))
		}
		synctest.Wait()
		if got := good.got(); len(got) == 0 {
			t.Errorf("beside one that hangs the other was told nothing")
		}
		pass(30 * time.Second)
		if got := good.got(); len(got) != 5 {
			t.Errorf("after half a minute the good one was told %v", got)
		}
		for i := range 5 {
			o.raise(fmt.Sprintf("later source %d", i))
		}
		pass(20 * time.Second)
		if got := good.got(); len(got) != 10 {
			t.Errorf("twenty seconds after more was raised the good one was told %v", got)
		}
		pass(9 * time.Minute)
		if got := busy.got(); len(got) != 9 {
			t.Errorf("the busy one was told %v, want all but what it asked to wait with", got)
		}
		pass(2 * time.Minute)
		if got := busy.got(); len(got) != 10 {
			t.Errorf("after what it had asked for the busy one was told %v", got)
		}
	})
}

func TestClearedAlarmIsNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := newOffice(t), &pager{answer: func(try int) error {
			if try == 1 {
				return errors.New("not now")
			}
			return nil
		}}
		stop := telling(t, o, map[string]*pager{"phone": p})
		defer stop()
		o.raise("hr")
		synctest.Wait()
		if err := o.s.Clear(t.Context(), someone, revoke.AlarmKey{Org: "main", Kind: revoke.AlarmHeld, About: "hr"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if got := p.got(); len(got) != 0 {
			t.Errorf("told %v after it was cleared", got)
		}
		o.raise("hr")
		pass(time.Minute)
		if got := p.got(); !slices.Equal(got, []string{"held hr x1"}) {
			t.Errorf("raised anew it was told %v, want a new one", got)
		}
	})
}
