package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// faulty is a store whose n-th decision or settlement fails in one of three ways.
type faulty struct {
	*revoketest.Memory
	fail  int // which call fails, counted from 1
	how   func(*revoketest.Memory)
	calls int
}

func (f *faulty) Decide(ctx context.Context, need revoke.Need, decide revoke.Decision) error {
	if f.calls++; f.calls == f.fail {
		f.how(f.Memory)
	}
	return f.Memory.Decide(ctx, need, decide)
}

// A story with a sender that tries again until it is acknowledged, and a server that starts anew when a commit's outcome
// is unknown, ends the same wherever the store failed: everybody who must be out is out, each logical event made one
// revocation, and every delivery was carried.
func TestAFailureAtEachStoreCall(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*revoketest.Memory){
		"refused":                    func(m *revoketest.Memory) { m.RefuseNext(1) },
		"outcome unknown, lost":      func(m *revoketest.Memory) { m.LoseNext(1) },
		"outcome unknown, committed": func(m *revoketest.Memory) { m.DoubtNext(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for fail := 1; ; fail++ {
				var calls int
				synctest.Test(t, func(t *testing.T) { calls = storyWithAFailure(t, fail, how) })
				if calls < fail {
					if fail < 7 {
						t.Fatalf("the story decides %d times only", calls)
					}
					return
				}
			}
		})
	}
}

func storyWithAFailure(t *testing.T, fail int, how func(*revoketest.Memory)) int {
	t.Helper()
	store := &faulty{Memory: revoketest.NewMemory(), fail: fail, how: how}
	s := restart(t, store)
	again := func(what string, try func() error) {
		t.Helper()
		for range 3 {
			err := try()
			if err == nil {
				return
			}
			if !errors.Is(err, revoke.ErrUnavailable) && !errors.Is(err, revoke.ErrUnknownCommit) {
				t.Fatalf("failing call %d: %s: %v", fail, what, err)
			}
			if s.Ready() != nil {
				s = restart(t, store) // as after a crash
			}
		}
		t.Fatalf("failing call %d: %s is never acknowledged", fail, what)
	}
	event := func(id string, src revoke.Source, sig revoke.Signal) {
		t.Helper()
		sig.Subject = by("sally@example.edu")
		again(id, func() error {
			_, err := s.Receive(t.Context(), someone, src, revoke.Event{SenderID: id, Signals: []revoke.Signal{sig}})
			return err
		})
	}
	enter := func(id string) {
		t.Helper()
		again("register "+id, func() error {
			_, err := s.Register(t.Context(), portalApp, revoke.Registration{
				Subject: by("sally@example.edu"), App: "portal", Kind: revoke.Mobile, ClientID: id, Token: revoke.HashToken(id),
			})
			return err
		})
	}
	ref := func(id string) revoke.SessionRef {
		return revoke.SessionRef{Org: "main", Token: revoke.HashToken(id)}
	}

	enter("phone")
	event("suspended", oktaSource, revoke.Signal{Kind: revoke.Suspended})
	wantLive(t, s, ref("phone"), false, fmt.Sprintf("failing call %d: suspended", fail))
	event("reactivated", oktaSource, revoke.Signal{Kind: revoke.Reactivated})
	enter("pad")
	event("reset", oktaSource, revoke.Signal{Kind: revoke.CredentialCompromised})
	enter("laptop")
	again("end the laptop's session", func() error {
		_, err := s.Receive(t.Context(), someone, portalApp, revoke.Event{SenderID: "end", Signals: []revoke.Signal{{Kind: revoke.SessionsCleared, Session: ref("laptop"), Command: true}}})
		return err
	})
	enter("desk")
	for id, live := range map[string]bool{"phone": false, "pad": false, "laptop": false, "desk": true} {
		wantLive(t, s, ref(id), live, fmt.Sprintf("failing call %d: %s", fail, id))
		wantLive(t, restart(t, store), ref(id), live, fmt.Sprintf("failing call %d: %s after a restart", fail, id))
	}
	if n := len(store.AllDeliveries()); n != 4 {
		t.Fatalf("failing call %d: %d deliveries, want one for each of the 4 events", fail, n)
	}
	carry(t, store.Memory)
	for _, d := range store.AllDeliveries() {
		if d.State != revoke.DeliveryDone {
			t.Errorf("failing call %d: delivery %s is %s, want done", fail, d.Name(), d.State)
		}
	}
	return store.calls
}

// carry lets a dispatcher run until all is delivered.
func carry(t *testing.T, store *revoketest.Memory) {
	t.Helper()
	d, err := revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: store, Clock: bubbleClock{store}, Targets: map[string]revoke.Target{"portal": &system{}}, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	pass(time.Minute)
	synctest.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
