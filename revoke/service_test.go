package revoke_test

import (
	"context"
	"errors"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

var (
	oktaSource = revoke.Source{Name: "okta", Org: "main", Authority: "okta", IDs: "okta", Learns: true}
	portalApp  = revoke.Source{Name: "portal", Org: "main", Authority: "portal", IDs: "portal"}
	operator   = revoke.Source{Name: "ops", Org: "main", Authority: revoke.AdminAuthority, IDs: revoke.NamespaceCurfew, Admin: true}
	someone    = revoke.Actor{Kind: "source", Name: "test"}
)

func by(email string) revoke.Subject {
	var s revoke.Subject
	s.Add(revoke.NamespaceEmail, email)
	return s
}

// serving is a service that has read its view, over a store in memory.
func serving(t *testing.T) (*revoke.Service, *revoketest.Memory) {
	t.Helper()
	store := revoketest.NewMemory()
	return restart(t, store), store
}

func restart(t *testing.T, store revoke.Store) *revoke.Service {
	t.Helper()
	s, err := revoke.New(revoke.Config{Store: store, Targets: []revoke.TargetName{{Name: "portal", Org: "main"}}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func login(t *testing.T, s *revoke.Service, token string) revoke.SessionRef {
	t.Helper()
	hash := revoke.HashToken(token)
	_, err := s.Register(t.Context(), portalApp, revoke.Registration{Subject: by("sally@example.edu"), App: "portal", Kind: revoke.Mobile, Token: hash})
	if err != nil {
		t.Fatal(err)
	}
	return revoke.SessionRef{Org: "main", Token: hash}
}

func wantLive(t *testing.T, s *revoke.Service, ref revoke.SessionRef, want bool, when string) {
	t.Helper()
	a, err := s.Ask(t.Context(), ref)
	if err != nil || a.Live != want {
		t.Fatalf("%s: live = %v (%s), %v; want %v", when, a.Live, a.Sentence(), err, want)
	}
}

func signal(t *testing.T, s *revoke.Service, src revoke.Source, sig revoke.Signal) {
	t.Helper()
	if _, err := s.Receive(t.Context(), someone, src, revoke.Event{Signals: []revoke.Signal{sig}}); err != nil {
		t.Fatal(err)
	}
}

func TestAskBeforeAndAfter(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	phone, pad := login(t, s, "phone-token-0001"), login(t, s, "pad-token-000001")
	a, err := s.Ask(t.Context(), phone)
	if err != nil || !a.Live || a.Email != "sally@example.edu" {
		t.Fatalf("Ask = %+v, %v", a, err)
	}
	signal(t, s, portalApp, revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{ID: a.Session.ID}, Command: true})
	wantLive(t, s, phone, false, "ended by itself, though it was remembered")
	wantLive(t, s, pad, true, "the other")
	signal(t, s, oktaSource, revoke.Signal{Kind: revoke.Suspended, Subject: by("sally@example.edu")})
	wantLive(t, s, pad, false, "suspended")
	if _, err := s.Ask(t.Context(), revoke.SessionRef{Org: "main", Token: revoke.HashToken("unknown")}); !errors.Is(err, revoke.ErrNotFound) {
		t.Errorf("an unknown token = %v, want ErrNotFound", err)
	}
	again := restart(t, store)
	wantLive(t, again, phone, false, "ended, after a restart")
	wantLive(t, again, pad, false, "suspended, after a restart")
}

// Promise 2: when a commit's outcome is unknown nothing is answered until the view was read again; and what was
// written all the same holds.
func TestUnknownCommit(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]bool{"written": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, store := serving(t)
			phone := login(t, s, "phone-token-0001")
			wantLive(t, s, phone, true, "before")
			if written {
				store.DoubtNext(1)
			} else {
				store.LoseNext(1)
			}
			ev := revoke.Event{SenderID: "ev-1", Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: by("sally@example.edu")}}}
			if _, err := s.Receive(t.Context(), someone, oktaSource, ev); !errors.Is(err, revoke.ErrUnknownCommit) {
				t.Fatalf("Receive = %v, want ErrUnknownCommit", err)
			}
			if _, err := s.Ask(t.Context(), phone); !errors.Is(err, revoke.ErrNotFresh) {
				t.Fatalf("Ask in doubt = %v, want ErrNotFresh", err)
			}
			if err := s.Ready(); !errors.Is(err, revoke.ErrNotFresh) {
				t.Errorf("Ready in doubt = %v, want ErrNotFresh", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			for s.Ready() != nil {
				if ctx.Err() != nil {
					t.Fatal("the view was not read again")
				}
			}
			wantLive(t, s, phone, !written, "after the view was read again")
			if _, err := s.Receive(t.Context(), someone, oktaSource, ev); err != nil {
				t.Fatal(err)
			}
			wantLive(t, s, phone, false, "after the sender's retry")
			if n := len(store.AllDeliveries()); n != 1 {
				t.Errorf("%d deliveries of one logical event, want 1", n)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStoreDownIsSaid(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	phone := login(t, s, "phone-token-0001")
	wantLive(t, s, phone, true, "before")
	store.SetDown(true)
	_, err := s.Receive(t.Context(), someone, oktaSource, revoke.Event{Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: by("sally@example.edu")}}})
	if !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("Receive = %v, want ErrUnavailable", err)
	}
	wantLive(t, s, phone, true, "nothing was acknowledged, so nothing changed")
	if _, err := s.Ask(t.Context(), revoke.SessionRef{Org: "main", Token: revoke.HashToken("not seen before")}); !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("a session that must be looked up = %v, want ErrUnavailable", err)
	}
	store.SetDown(false)
}

func TestServiceKnowsNothingBeforeItHasRead(t *testing.T) {
	t.Parallel()
	s, err := revoke.New(revoke.Config{Store: revoketest.NewMemory(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ask(t.Context(), revoke.SessionRef{Org: "main", Token: revoke.HashToken("any")}); !errors.Is(err, revoke.ErrNotFresh) {
		t.Errorf("Ask = %v, want ErrNotFresh", err)
	}
	if _, err := revoke.New(revoke.Config{}); err == nil {
		t.Error("a service without a store was made")
	}
}

// A person joined while a reading of the view was under way is in the view that comes out of it.
func TestCommitDuringAReadingIsInIt(t *testing.T) {
	t.Parallel()
	store := revoketest.NewMemory()
	slow := &slowView{Memory: store, reached: make(chan struct{}), open: make(chan struct{})}
	s, err := revoke.New(revoke.Config{Store: slow, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	loaded := make(chan error, 1)
	go func() { loaded <- s.Load(context.Background()) }()
	<-slow.reached
	phone := login(t, s, "phone-token-0001")
	signal(t, s, oktaSource, revoke.Signal{Kind: revoke.Suspended, Subject: by("sally@example.edu")})
	close(slow.open)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	wantLive(t, s, phone, false, "suspended while the view was being read")
}

// slowView has read the view already when it is held up, so that what is committed then is not in what it read.
type slowView struct {
	*revoketest.Memory
	reached, open chan struct{}
}

func (v *slowView) LoadView(ctx context.Context, apply func(...revoke.Change)) error {
	var all []revoke.Change
	if err := v.Memory.LoadView(ctx, func(c ...revoke.Change) { all = append(all, c...) }); err != nil {
		return err
	}
	close(v.reached)
	<-v.open
	apply(all...)
	return nil
}

func TestLiveDoesNotAllocate(t *testing.T) {
	s := revoke.Session{ID: revoke.NewID(1), Org: "main", App: "portal", User: revoke.NewID(2), Kind: revoke.Mobile, Device: revoke.NewID(3), BornAt: 10, ExpiresAt: 1 << 60}
	other := revoke.NewID(4)
	v := revoke.NewView()
	join := revoke.NewJoin(s.User, other, 5, revoke.ID{})
	v.Apply(
		revoke.Change{Join: &join},
		revoke.Change{Cutoff: &revoke.Cutoff{Scope: revoke.Scope{Org: "main", Kind: revoke.ScopeUser, User: other}, At: 9}},
		revoke.Change{Cutoff: &revoke.Cutoff{Scope: revoke.Scope{Org: "main", Kind: revoke.ScopeEveryone}, SparedAt: 8}},
		revoke.Change{Cutoff: &revoke.Cutoff{Scope: revoke.DeviceScope("main", s.Device), At: 7}},
		revoke.Change{Block: &revoke.Block{BlockKey: revoke.BlockKey{User: other, Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: 3, LiftedAt: 4}},
	)
	if n := testing.AllocsPerRun(1000, func() {
		if !revoke.Live(&s, v, 20).Live {
			t.Fatal("not live")
		}
	}); n != 0 {
		t.Errorf("Live allocates %v times", n)
	}
}
