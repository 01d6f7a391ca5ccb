package revoke_test

import (
	"errors"
	"testing"
	"time"

	"curfew/revoke"
)

func TestTimedBlock(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	phone := login(t, s, "phone-token-0001")
	block := func(until revoke.Instant) {
		t.Helper()
		signal(t, s, operator, revoke.Signal{Kind: revoke.SessionsCleared, Subject: by("sally@example.edu"), Command: true, Block: true, Until: until})
	}
	blocked := func(s *revoke.Service, want bool, when string) {
		t.Helper()
		_, err := s.Register(t.Context(), portalApp, revoke.Registration{Subject: by("sally@example.edu"), App: "portal", Kind: revoke.Mobile})
		if errors.Is(err, revoke.ErrBlocked) != want || err != nil && !want {
			t.Errorf("%s: registration = %v, want blocked %v", when, err, want)
		}
	}
	end := func(s *revoke.Service) {
		t.Helper()
		if err := s.EndDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	clock := store.Moving()
	block(clock.Now().Add(time.Hour))
	wantLive(t, s, phone, false, "blocked for an hour")
	clock.Advance(time.Minute)
	end(s)
	blocked(s, true, "a minute later")
	block(clock.Now().Add(2 * time.Hour)) // a newer one takes its place, end included
	clock.Advance(90 * time.Minute)
	end(s)
	blocked(s, true, "after the first one's end")
	clock.Advance(time.Hour)
	again := restart(t, store) // it stands until it is lifted, also over a stop
	blocked(again, true, "before anybody lifted it")
	end(again)
	end(again)
	blocked(again, false, "after its end")
	wantLive(t, again, phone, false, "after its end")
	lifts := 0
	for _, d := range store.AllDeliveries() {
		if r, _, err := store.Revocation(t.Context(), "main", d.Revocation); err == nil && r.Kind == revoke.RevocationLift {
			lifts++
		}
	}
	if lifts != 1 {
		t.Errorf("%d lifts were delivered, want 1", lifts)
	}

	block(clock.Now().Add(time.Hour))
	signal(t, again, operator, revoke.Signal{Kind: revoke.SessionsCleared, Subject: by("sally@example.edu"), Command: true, Block: true})
	if err := again.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Hour)
	end(again)
	blocked(again, true, "the admin's block without an end stands by itself")
}
