package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// system is a target that keeps what it was told, and answers as a test wants.
type system struct {
	mu     sync.Mutex
	told   []revoke.Owed
	answer func(call int, owed revoke.Owed) (revoke.Receipt, error)
	block  chan struct{} // a call waits for it when it is not nil
}

func (s *system) Covers() revoke.Coverage     { return revoke.Coverage{WebSessions: true} }
func (s *system) Check(context.Context) error { return nil }

func (s *system) Revoke(ctx context.Context, owed revoke.Owed) (revoke.Receipt, error) {
	s.mu.Lock()
	s.told = append(s.told, owed)
	call := len(s.told)
	s.mu.Unlock()
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return revoke.Receipt{}, ctx.Err()
		}
	}
	if s.answer != nil {
		return s.answer(call, owed)
	}
	return revoke.Receipt{Evidence: revoke.Accepted, Status: 204}, nil
}

func (s *system) calls() []revoke.Owed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

// owing is a service over a store in memory, with the named targets and a dispatcher that runs until the test ends. It must
// be called in a synctest bubble: the store's clock is the bubble's.
type owing struct {
	store   *revoketest.Memory
	service *revoke.Service
	stop    func()
}

var quiet = slog.New(slog.DiscardHandler)

func dispatching(t *testing.T, targets map[string]revoke.Target) *owing {
	t.Helper()
	store := revoketest.NewMemory()
	var names []revoke.TargetName
	for name := range targets {
		names = append(names, revoke.TargetName{Name: name, Org: "main"})
	}
	service, err := revoke.New(revoke.Config{Store: store, Targets: names, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: store, Clock: bubbleClock{store}, Targets: targets, Owed: service.Owed(), Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	o := &owing{store: store, service: service}
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(o.stop)
	return o
}

// bubbleClock moves the store's clock with the bubble's time, which begins in the year 2000.
type bubbleClock struct{ store *revoketest.Memory }

const bubbleBegins = revoke.Instant(946_684_800_000_000)

func (c bubbleClock) Now() revoke.Instant {
	var bubble revoke.ProcessClock
	c.store.Moving().MoveTo(revoketest.Start + bubble.Now() - bubbleBegins)
	return c.store.Clock().Now()
}

// pass lets the bubble's time go by.
func pass(d time.Duration) { <-time.After(d) }

func (o *owing) suspend(t *testing.T, who string) {
	t.Helper()
	bubbleClock{o.store}.Now()
	var s revoke.Subject
	s.Add(revoke.NamespaceEmail, who)
	src := revoke.Source{Name: "okta", Org: "main", Authority: "okta", IDs: "okta", Learns: true}
	if _, err := o.service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "okta"}, src, revoke.Event{Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: s}}}); err != nil {
		t.Fatal(err)
	}
}

func (o *owing) states() map[revoke.DeliveryState]int {
	n := map[revoke.DeliveryState]int{}
	for _, d := range o.store.AllDeliveries() {
		n[d.State]++
	}
	return n
}

func TestDispatcherDelivers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		portal := &system{}
		o := dispatching(t, map[string]revoke.Target{"portal": portal})
		for i := range 30 {
			o.suspend(t, fmt.Sprintf("p%d@example.edu", i))
		}
		synctest.Wait()
		if n := o.states(); n[revoke.DeliveryDone] != 30 {
			t.Fatalf("states = %v, want 30 done", n)
		}
		for _, d := range o.store.AllDeliveries() {
			if d.Receipt == nil || d.Receipt.Evidence != revoke.Accepted || d.Attempts != 1 {
				t.Errorf("delivery %s = %+v, want one attempt and its receipt", d.Name(), d)
			}
		}
	})
}

func TestDispatcherClimbsTheLadderThenParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var clock revoke.ProcessClock
		begin := clock.Now()
		var at []time.Duration
		portal := &system{answer: func(int, revoke.Owed) (revoke.Receipt, error) {
			at = append(at, clock.Now().Sub(begin))
			return revoke.Receipt{}, errors.New("portal answered 500")
		}}
		o := dispatching(t, map[string]revoke.Target{"portal": portal})
		o.suspend(t, "sally@example.edu")
		pass(8 * 24 * time.Hour)
		synctest.Wait()
		var gaps []time.Duration
		for i := 1; i < len(at) && i < 12; i++ {
			gaps = append(gaps, (at[i] - at[i-1]).Round(time.Second))
		}
		want := []time.Duration{
			time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
			2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
		}
		if !slices.Equal(gaps, want) {
			t.Errorf("tries follow each other after %v, want %v", gaps, want)
		}
		d := o.store.AllDeliveries()[0]
		if d.State != revoke.DeliveryParked || d.LastError != "portal answered 500" {
			t.Errorf("after 7 days the delivery is %s (%s), want parked with what the target said", d.State, d.LastError)
		}
		if last := at[len(at)-1]; last < 7*24*time.Hour || last > 7*24*time.Hour+2*time.Hour {
			t.Errorf("the last try was after %s, want 7 days", last)
		}
		if n := len(o.store.Attempts()); n != len(at) {
			t.Errorf("%d attempts on record, %d were made", n, len(at))
		}
	})
}

func TestDispatcherFatesOfErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		err   error
		state revoke.DeliveryState
		after time.Duration // when the second call came, zero for never within an hour
	}{
		{"plain", errors.New("reset"), revoke.DeliveryDone, time.Second},
		{"asked to wait", revoke.RetryAfter(errors.New("429"), 7*time.Minute), revoke.DeliveryDone, 7 * time.Minute},
		{"asked to wait ten years", revoke.RetryAfter(errors.New("429"), 87600*time.Hour), revoke.DeliveryDue, 0},
		{"permanent", revoke.Permanent(errors.New("400")), revoke.DeliveryParked, 0},
		{"credential refused", revoke.RefusedCredential{Err: errors.New("401")}, revoke.DeliveryDone, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var clock revoke.ProcessClock
				begin := clock.Now()
				var second time.Duration
				portal := &system{answer: func(call int, _ revoke.Owed) (revoke.Receipt, error) {
					if call == 1 {
						return revoke.Receipt{}, c.err
					}
					second = clock.Now().Sub(begin)
					return revoke.Receipt{Evidence: revoke.Confirmed}, nil
				}}
				o := dispatching(t, map[string]revoke.Target{"portal": portal})
				o.suspend(t, "sally@example.edu")
				pass(time.Hour)
				synctest.Wait()
				if d := o.store.AllDeliveries()[0]; d.State != c.state || second.Round(time.Second) != c.after {
					t.Errorf("%s: second call after %s, delivery %s; want %s, %s", c.name, second, d.State, c.after, c.state)
				}
			})
		})
	}
}

func TestRefusedCredentialNeverParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var refused atomic.Bool
		refused.Store(true)
		portal := &system{answer: func(int, revoke.Owed) (revoke.Receipt, error) {
			if refused.Load() {
				return revoke.Receipt{}, revoke.RefusedCredential{Err: errors.New("401")}
			}
			return revoke.Receipt{Evidence: revoke.Confirmed}, nil
		}}
		o := dispatching(t, map[string]revoke.Target{"portal": portal})
		o.suspend(t, "sally@example.edu")
		pass(8 * 24 * time.Hour)
		if n := o.states(); n[revoke.DeliveryDue] != 1 {
			t.Fatalf("after 8 days of a refused credential: %v, want one due", n)
		}
		refused.Store(false)
		pass(10 * time.Minute)
		synctest.Wait()
		if n := o.states(); n[revoke.DeliveryDone] != 1 {
			t.Errorf("ten minutes after it was repaired: %v, want done", n)
		}
	})
}

// One person's open deliveries are answered by one call, in order; a sick target slows no other.
func TestDispatcherKeepsOrderAndIsolation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sick, well := &system{block: make(chan struct{})}, &system{}
		o := dispatching(t, map[string]revoke.Target{"sick": sick, "well": well})
		o.suspend(t, "sally@example.edu")
		synctest.Wait()
		o.suspend(t, "sally@example.edu")
		o.suspend(t, "sally@example.edu")
		synctest.Wait()
		if n := len(sick.calls()); n != 1 {
			t.Fatalf("%d calls for one person under way at once, want 1", n)
		}
		if n := len(well.calls()); n < 1 {
			t.Fatal("the well target waits for the sick one")
		}
		close(sick.block)
		synctest.Wait()
		pass(time.Minute)
		synctest.Wait()
		calls := sick.calls()
		if len(calls) != 2 || len(calls[1].Items) != 2 || calls[1].Items[0].Delivery.Ord >= calls[1].Items[1].Delivery.Ord {
			t.Fatalf("calls = %+v, want the first alone, then the two that came meanwhile in order", calls)
		}
		if n := o.states(); n[revoke.DeliveryDone] != 6 {
			t.Errorf("states = %v, want 6 done", n)
		}
	})
}

func TestDispatcherBoundsEachCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := &system{block: make(chan struct{})}
		o := dispatching(t, map[string]revoke.Target{"hang": hang})
		o.suspend(t, "sally@example.edu")
		pass(11 * time.Second)
		synctest.Wait()
		if d := o.store.AllDeliveries()[0]; d.Attempts != 1 || d.LastError == "" {
			t.Errorf("11 s into a hanging call: %+v, want one failed attempt", d)
		}
		close(hang.block)
	})
}

func TestDispatcherSurvivesAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		portal := &system{answer: func(call int, _ revoke.Owed) (revoke.Receipt, error) {
			if call == 1 {
				panic("secret-in-a-panic")
			}
			return revoke.Receipt{Evidence: revoke.Accepted}, nil
		}}
		o := dispatching(t, map[string]revoke.Target{"portal": portal})
		o.suspend(t, "sally@example.edu")
		pass(2 * time.Second)
		synctest.Wait()
		if n := o.states(); n[revoke.DeliveryDone] != 1 {
			t.Errorf("states = %v, want done at the second try", n)
		}
	})
}

// A dispatcher that dies with a lease out loses nothing: when the lease has ended another takes over.
func TestLeaseOfTheDeadEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		portal := &system{}
		o := dispatching(t, map[string]revoke.Target{})
		service, err := revoke.New(revoke.Config{Store: o.store, Targets: []revoke.TargetName{{Name: "portal", Org: "main"}}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		o.service = service
		if err := service.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.suspend(t, "sally@example.edu")
		now := bubbleClock{o.store}.Now()
		dead, err := o.store.Claim(t.Context(), "portal", 1, now, now.Add(time.Minute), revoke.NewID(now))
		if err != nil || len(dead) != 1 {
			t.Fatalf("Claim = %v, %v", dead, err)
		}
		d, err := revoke.NewDispatcher(revoke.DispatcherConfig{Queue: o.store, Clock: bubbleClock{o.store}, Targets: map[string]revoke.Target{"portal": portal}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		pass(30 * time.Second)
		synctest.Wait()
		if n := len(portal.calls()); n != 0 {
			t.Errorf("%d calls while the lease stands, want none", n)
		}
		pass(time.Minute)
		synctest.Wait()
		if n := o.states(); n[revoke.DeliveryDone] != 1 {
			t.Errorf("after the lease ended: %v, want done", n)
		}
		if err := o.store.Settle(t.Context(), dead[0], revoke.Settlement{State: revoke.DeliveryParked}); !errors.Is(err, revoke.ErrLeaseLost) {
			t.Errorf("the dead one's result = %v, want ErrLeaseLost", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
