package targets_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/targets"
)

// TestThrottledTargetIsLeftAlone: what one call was asked to wait holds for the others, or they would all run into it.
func TestThrottledTargetIsLeftAlone(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	clock := revoketest.NewClock(0)
	target := open(t, settings(url), targets.Deps{Clock: clock})
	for _, c := range []struct {
		after time.Duration
		wait  time.Duration
		calls int32
	}{{0, 20 * time.Second, 1}, {5 * time.Second, 15 * time.Second, 1}, {15 * time.Second, 20 * time.Second, 2}} {
		clock.Advance(c.after)
		_, err := target.Revoke(t.Context(), owed(blocked()))
		if wait := revoke.AskedToWait(err); wait != c.wait || calls.Load() != c.calls {
			t.Errorf("%v later: asked to wait %v after %d calls, want %v after %d (%v)", c.after, wait, calls.Load(), c.wait, c.calls, err)
		}
	}
}

// TestRateIsSharedAndLateTurnsAreHandedBack: a worker does not sit on a turn that comes in twelve seconds.
func TestRateIsSharedAndLateTurnsAreHandedBack(t *testing.T) {
	t.Parallel()
	app := newApplication(t, appSecret)
	app.anyTime = true
	s := settings(serve(t, app))
	s.Rate = targets.Rate{Calls: 5, Per: time.Minute}
	clock := revoketest.NewClock(0)
	target := open(t, s, targets.Deps{Clock: clock})
	for i := range 5 {
		if _, err := target.Revoke(t.Context(), owed(blocked())); err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
	_, err := target.Revoke(t.Context(), owed(blocked()))
	if wait := revoke.AskedToWait(err); wait != 12*time.Second || len(app.came()) != 5 {
		t.Errorf("asked to wait %v after %d calls, want 12s after 5 (%v)", wait, len(app.came()), err)
	}
	clock.Advance(12 * time.Second)
	if _, err := target.Revoke(t.Context(), owed(blocked())); err != nil {
		t.Errorf("a turn later: %v", err)
	}
}

func TestNoMoreCallsAtOnceThanConfigured(t *testing.T) {
	t.Parallel()
	var under, most atomic.Int32
	inside, release := make(chan struct{}, 20), make(chan struct{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		inside <- struct{}{}
		<-release
		under.Add(-1)
	}))
	s := settings(url)
	s.Concurrency = 3
	target := open(t, s, targets.Deps{})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := target.Revoke(t.Context(), owed(blocked())); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-inside
	}
	close(release)
	all.Wait()
	if got := most.Load(); got != 3 {
		t.Errorf("%d calls at once, want 3", got)
	}
}

// TestClosedIdleConnectionCostsNoAttempt: an application, or what stands before it, closes a connection just when it is
// used again. The message goes over another one at once instead of waiting on the ladder.
func TestClosedIdleConnectionCostsNoAttempt(t *testing.T) {
	t.Parallel()
	app := newApplication(t, appSecret)
	var used sync.Map
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again := used.LoadOrStore(r.RemoteAddr, true); again {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
			return
		}
		app.ServeHTTP(w, r)
	}))
	target := open(t, settings(url), targets.Deps{})
	for range 3 {
		if _, err := target.Revoke(t.Context(), owed(blocked())); err != nil {
			t.Error(err)
		}
	}
	if n := len(app.came()); n != 3 {
		t.Errorf("%d messages taken, want 3", n)
	}
}

func TestBusyTargetEndsByTheDeadline(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}), make(chan struct{})
	url := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside <- struct{}{}; <-release }))
	s := settings(url)
	s.Concurrency = 1
	target := open(t, s, targets.Deps{})
	var first sync.WaitGroup
	first.Go(func() { _, _ = target.Revoke(t.Context(), owed(blocked())) })
	<-inside
	ctx, cancel := contextOf(t, 50*time.Millisecond)
	defer cancel()
	_, err := target.Revoke(ctx, owed(blocked()))
	if err == nil || !strings.Contains(err.Error(), "no call was made") || revoke.IsPermanent(err) {
		t.Errorf("error %v", err)
	}
	close(release)
	first.Wait()
}
