package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"curfew/revoke"
	"curfew/store"
)

// making decides to make a user.
func making(id revoke.ID) revoke.Decision {
	return func(f *revoke.Facts) (revoke.Effects, error) {
		return revoke.Effects{Users: []revoke.User{{ID: id, Org: "main", CreatedAt: f.Now}}}, nil
	}
}

func known(t *testing.T, s *store.Store, id revoke.ID) bool {
	t.Helper()
	people, err := s.People(context.WithoutCancel(t.Context()), []revoke.ID{id})
	if err != nil {
		t.Fatalf("read user %s: %v", id, err)
	}
	return len(people) == 1
}

// hold keeps every writer inside a decision, so that whatever is decided meanwhile waits and becomes one group.
func hold(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	let := make(chan struct{})
	var held sync.WaitGroup
	for range s.Writers() {
		inside := make(chan struct{})
		held.Go(func() {
			err := s.Decide(t.Context(), revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) {
				close(inside)
				<-let
				return revoke.Effects{}, nil
			})
			if err != nil {
				t.Errorf("hold a writer: %v", err)
			}
		})
		<-inside
	}
	return func() { close(let); held.Wait() }
}

func TestOneBadDecisionFailsAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := open(t, quiet(url))
		now := s.Clock().Now()
		taken := revoke.Revocation{ID: revoke.NewID(now), Org: "main", Kind: revoke.RevocationEnd, CreatedAt: now}
		write := func(r revoke.Revocation) revoke.Decision {
			return func(*revoke.Facts) (revoke.Effects, error) {
				return revoke.Effects{Revocations: []revoke.Revocation{r}}, nil
			}
		}
		if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, write(taken)); err != nil {
			t.Fatal(err)
		}
		release := hold(t, s)
		errOwn := errors.New("the decision's own")
		var decided sync.WaitGroup
		good := make([]revoke.ID, 6)
		for i := range good {
			good[i] = revoke.NewID(now)
			decided.Go(func() {
				if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(good[i])); err != nil {
					t.Errorf("good decision %d: %v", i, err)
				}
			})
			decided.Go(func() {
				var err error
				switch i % 3 {
				case 0:
					err = s.Decide(t.Context(), revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) {
						return revoke.Effects{Users: []revoke.User{{ID: revoke.NewID(now), Org: "main"}}}, errOwn
					})
					if !errors.Is(err, errOwn) {
						t.Errorf("a decision that says no: got %v, want its own error", err)
					}
				case 1:
					err = s.Decide(t.Context(), revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) { panic("deliberate") })
				case 2: // the database refuses what it wrote
					err = s.Decide(t.Context(), revoke.Need{Org: "main"}, write(taken))
				}
				if err == nil || errors.Is(err, revoke.ErrUnknownCommit) {
					t.Errorf("bad decision %d: got %v, want a plain error", i, err)
				}
			})
		}
		s.WaitQueued(2 * len(good))
		release()
		decided.Wait()
		for i, id := range good {
			if !known(t, s, id) {
				t.Errorf("good decision %d was answered and is not there", i)
			}
		}
	})
}

func TestWaitingDecisionsShareATransaction(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		for _, c := range []struct{ largest, events, want int }{{0, 80, 64}, {10, 25, 10}, {1, 5, 1}} {
			cfg := quiet(url)
			cfg.LargestGroup = c.largest
			s, err := store.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			release := hold(t, s)
			var mutex sync.Mutex
			groups := map[*revoke.Facts]int{}
			var decided sync.WaitGroup
			for i := range c.events {
				need := revoke.Need{Org: "main", Events: []revoke.EventKey{{Org: "main", Authority: "okta", SenderID: fmt.Sprint("e", i)}}}
				decided.Go(func() {
					err := s.Decide(t.Context(), need, func(f *revoke.Facts) (revoke.Effects, error) {
						mutex.Lock()
						groups[f]++
						mutex.Unlock()
						return making(revoke.NewID(f.Now))(f)
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			s.WaitQueued(c.events)
			release()
			decided.Wait()
			largest, total := 0, 0
			for _, n := range groups {
				largest, total = max(largest, n), total+n
			}
			if largest != c.want || total != c.events {
				t.Errorf("largest group %d, %d events: got %v, want groups of at most %d", c.largest, c.events, groups, c.want)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWhoLeavesTheQueueIsNotDecided(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := open(t, quiet(url))
		release := hold(t, s)
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			gone <- s.Decide(ctx, revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) {
				t.Error("a decision was asked whose caller had left")
				return revoke.Effects{}, nil
			})
		}()
		s.WaitQueued(1)
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) || !errors.Is(err, revoke.ErrUnavailable) {
			t.Errorf("left the queue: got %v, want unavailable and canceled", err)
		}
		// One who leaves after the decision was taken up hears what became of it.
		ctx, leave = context.WithCancel(t.Context())
		id := revoke.NewID(s.Clock().Now())
		stayed := make(chan error, 1)
		go func() {
			stayed <- s.Decide(ctx, revoke.Need{Org: "main"}, func(f *revoke.Facts) (revoke.Effects, error) {
				leave()
				return making(id)(f)
			})
		}()
		s.WaitQueued(2)
		release()
		if err := <-stayed; err != nil {
			t.Errorf("left while it was decided: got %v, want the outcome", err)
		}
		if !known(t, s, id) {
			t.Error("the outcome was nil and nothing is there")
		}
	})
}

func TestClosedStoreDecidesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s, err := store.Open(t.Context(), quiet(url))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(revoke.NewID(1))); !errors.Is(err, revoke.ErrUnavailable) {
			t.Errorf("after closing: got %v, want unavailable", err)
		}
	})
}
