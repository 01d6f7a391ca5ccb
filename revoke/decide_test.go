package revoke

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Each row of DESIGN section 3's table: what happens to a session born before the event, to one born between the event
// and its arrival, and to a login afterwards.
func TestDecisionTable(t *testing.T) {
	t.Parallel()
	type fate struct{ before, between, login bool }
	var (
		blocks  = fate{false, false, false}
		event   = fate{false, true, true}
		receipt = fate{false, false, true}
		nothing = fate{true, true, true}
	)
	for kind, want := range map[SignalKind]fate{
		Deactivated: blocks, Suspended: blocks, Deleted: blocks, Terminated: blocks,
		Reactivated: nothing, CredentialChanged: event, CredentialCompromised: receipt, RiskHigh: receipt, SessionsCleared: event,
		DeviceLost: receipt, DeviceNoncompliant: receipt, DeviceUnenrolled: receipt,
		Locked: nothing, Unlocked: nothing, IdentifierChanged: nothing, RiskRaised: nothing, AccessChanged: nothing,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.register(Registration{Subject: sally()})
			w.tick(time.Minute)
			happened := w.f.Now
			w.tick(time.Minute)
			between := w.register(Registration{Subject: sally()})
			w.tick(time.Minute)
			w.send(okta, Signal{Kind: kind, Subject: oktaSally(), OccurredAt: happened})
			login, err := w.tryRegister(Registration{Subject: sally()})
			got := fate{w.live(before), w.live(between), err == nil && w.live(login)}
			if got != want {
				t.Errorf("%s: before, between, login live = %v, want %v (login: %v)", kind, got, want, err)
			}
			if !want.login && !errors.Is(err, ErrBlocked) {
				t.Errorf("%s: login = %v, want ErrBlocked", kind, err)
			}
		})
	}
}

func TestEverySignalKindHasARule(t *testing.T) {
	t.Parallel()
	if len(SignalKinds()) != 17 {
		t.Fatalf("%d kinds of signal, DESIGN section 3 names 17", len(SignalKinds()))
	}
	for _, kind := range SignalKinds() {
		if r := DefaultRule(kind); r.Block != Keep && r.Class == "" {
			t.Errorf("the rule for %s turns a block of no class", kind)
		}
	}
}

func TestDuplicateIsAnsweredAsTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register(Registration{Subject: sally()})
	ev := Event{SenderID: "ev-1", Signals: []Signal{{Kind: CredentialCompromised, Subject: oktaSally()}}}
	first := w.receive(okta, ev)
	login := w.register(Registration{Subject: sally()})
	second := w.receive(okta, ev)
	if !second.Duplicate || second.Event != first.Event || len(second.Revocations) != 1 || second.Revocations[0].ID != first.Revocations[0].ID {
		t.Errorf("duplicate = %+v, want the answer to the first, %+v", second, first)
	}
	w.wantLive(login, true, "a login after an event that came twice")
	if n := len(w.all.Revocations); n != 1 {
		t.Errorf("one logical event made %d revocations, want 1", n)
	}
}

func TestLiftNeverRevives(t *testing.T) {
	t.Parallel()
	for _, lifter := range []Source{okta, admin} {
		w := newWorld(t)
		s := w.register(Registration{Subject: sally()})
		w.send(okta, Signal{Kind: Deactivated, Subject: oktaSally(), OccurredAt: w.f.Now.Add(-time.Hour)})
		w.wantLive(s, false, "while blocked")
		w.send(lifter, Signal{Kind: Reactivated, Subject: oktaSally()})
		w.wantLive(s, false, "after a lift by "+lifter.Name)
		w.wantLive(w.register(Registration{Subject: sally()}), true, "a new login after a lift by "+lifter.Name)
	}
}

func TestOnlyItsAuthorityOrAnAdminLifts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register(Registration{Subject: sally()})
	w.send(okta, Signal{Kind: Suspended, Subject: oktaSally()})
	w.send(admin, Signal{Kind: SessionsCleared, Subject: sally(), Block: true, Command: true})
	w.send(entra, Signal{Kind: Reactivated, Subject: subject("entra", "e-1", NamespaceEmail, "sally@example.edu")})
	if b, ok := w.f.blocked(w.f.holdings[sally().In("main")[0]][0].User); !ok {
		t.Fatalf("entra lifted what it had not blocked: %+v", b)
	}
	w.send(okta, Signal{Kind: Reactivated, Subject: oktaSally()})
	if _, err := w.tryRegister(Registration{Subject: sally()}); !errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), AdminAuthority) {
		t.Errorf("login while the admin's block stands = %v, want ErrBlocked naming the admin", err)
	}
	w.send(admin, Signal{Kind: Reactivated, Subject: sally()})
	w.register(Registration{Subject: sally()})
}

func TestAdminsLiftIsOverAuthoritiesNotHeardOfYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.register(Registration{Subject: sally()})
	old := w.f.Now.Add(time.Microsecond)
	w.tick(time.Hour)
	w.send(admin, Signal{Kind: Reactivated, Subject: sally()})
	w.send(hr, Signal{Kind: Terminated, Subject: sally(), OccurredAt: old})
	w.wantLive(s, false, "the late event still cuts at its own time")
	w.wantLive(w.register(Registration{Subject: sally()}), true, "but its block is over already")
}

func TestOrderOfOneAuthorityIsTheSenders(t *testing.T) {
	t.Parallel()
	at := dawn.Add(-time.Hour)
	for _, late := range []struct {
		name       string
		first, sec Signal
		blocked    bool
	}{
		{"reactivated (t1) after deactivated (t2)", Signal{Kind: Deactivated, OccurredAt: at + 2}, Signal{Kind: Reactivated, OccurredAt: at + 1}, true},
		{"deactivated (t1) after reactivated (t2)", Signal{Kind: Reactivated, OccurredAt: at + 2}, Signal{Kind: Deactivated, OccurredAt: at + 1}, false},
		{"both at the same instant", Signal{Kind: Reactivated, OccurredAt: at + 1}, Signal{Kind: Deactivated, OccurredAt: at + 1}, true},
		{"a time in 2099 counts as none", Signal{Kind: Deactivated, OccurredAt: at * 2}, Signal{Kind: Reactivated}, false},
	} {
		w := newWorld(t)
		for _, sig := range []Signal{late.first, late.sec} {
			sig.Subject = oktaSally()
			w.send(okta, sig)
		}
		_, err := w.tryRegister(Registration{Subject: sally()})
		if blocked := errors.Is(err, ErrBlocked); blocked != late.blocked {
			t.Errorf("%s: blocked = %v (%v), want %v", late.name, blocked, err, late.blocked)
		}
	}
}

func TestFutureDatedCutActsAsOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.register(Registration{Subject: sally()})
	for _, ahead := range []time.Duration{time.Minute, 73 * 365 * 24 * time.Hour} {
		w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: w.f.Now.Add(ahead)})
		w.wantLive(s, false, "born before")
		w.tick(time.Second)
		s = w.register(Registration{Subject: sally(), IssuedAt: w.f.Now.Add(-time.Millisecond)})
		w.wantLive(s, true, "a later login")
	}
}

func TestWholeSecondCutsToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := (w.f.Now/1e6 + 1) * 1e6
	w.f.Now = second + 400_000
	s := w.register(Registration{Subject: sally()})
	w.f.Now = second + 5_000_000
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: second})
	w.wantLive(s, false, "born in the second that the sender named")
}

func TestRepeatedDeactivationOfADirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register(Registration{Subject: sally()})
	sig := Signal{Kind: Deactivated, Subject: oktaSally(), Repeated: true}
	for range 3 {
		w.send(okta, sig)
	}
	if n := len(w.all.Revocations); n != 1 {
		t.Errorf("three times active:false made %d revocations, want 1", n)
	}
	w.send(admin, Signal{Kind: Reactivated, Subject: sally()})
	w.register(Registration{Subject: sally()})
	w.send(okta, sig)
	if n := len(w.all.Revocations); n != 3 {
		t.Errorf("active:false after a new session: %d revocations, want 3 (block, lift, block)", n)
	}
}

func TestOneSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	phone := w.register(Registration{Subject: sally(), ClientID: "phone"})
	laptop := w.register(Registration{Subject: sally(), ClientID: "laptop"})
	w.send(app, Signal{Kind: SessionsCleared, Session: SessionRef{App: "portal", ClientID: "phone"}, Command: true})
	w.wantLive(phone, false, "ended")
	w.wantLive(laptop, true, "the other one")

	w.send(okta, Signal{Kind: SessionsCleared, Subject: oktaSally(), Session: SessionRef{SID: "unknown"}, Command: true})
	w.wantLive(laptop, false, "a session nobody knows widens to the person")

	w.send(app, Signal{Kind: SessionsCleared, Session: SessionRef{App: "portal", ClientID: "later"}, Command: true})
	if _, err := w.tryRegister(Registration{Subject: sally(), ClientID: "later", IssuedAt: dawn}); !errors.Is(err, ErrOver) {
		t.Errorf("registering a session that was ended before = %v, want ErrOver", err)
	}
}

func TestDeviceEndsHerOwnSessionsOnIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pad := DeviceIdentifier{Namespace: NamespaceDeviceID, Value: "ipad"}
	bob := subject(NamespaceEmail, "bob@example.edu")
	hers, his := w.register(Registration{Subject: sally(), Device: []DeviceIdentifier{pad}}), w.register(Registration{Subject: bob, Device: []DeviceIdentifier{pad}})
	other := w.register(Registration{Subject: sally()})
	w.send(okta, Signal{Kind: DeviceLost, Subject: oktaSally(), Device: []DeviceIdentifier{pad}})
	w.wantLive(hers, false, "her session on the lost device")
	w.wantLive(other, true, "her session elsewhere")
	w.wantLive(his, true, "another person's session on it")
	w.send(admin, Signal{Kind: DeviceLost, Device: []DeviceIdentifier{pad}})
	w.wantLive(his, false, "everyone's, when an admin says so")
}

func TestEveryone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.register(Registration{Subject: sally()})
	w.send(admin, Signal{Kind: SessionsCleared, Wide: ScopeEveryone, Command: true})
	w.wantLive(hers, false, "everyone's sessions")
	w.wantLive(w.register(Registration{Subject: sally()}), true, "a login afterwards")
}

func TestCounting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.register(Registration{Subject: sally()})
	}
	w.register(Registration{Subject: sally(), Kind: Mobile})
	one := w.send(admin, Signal{Kind: SessionsCleared, Subject: sally(), OnlyKind: Mobile, Command: true, Counting: true})
	rest := w.send(admin, Signal{Kind: SessionsCleared, Subject: sally(), Command: true, Counting: true})
	named := w.register(Registration{Subject: sally()})
	single := w.send(admin, Signal{Kind: SessionsCleared, Session: SessionRef{ID: named.ID}, Command: true, Counting: true})
	again := w.send(admin, Signal{Kind: SessionsCleared, Session: SessionRef{ID: named.ID}, Command: true, Counting: true})
	if one.Covers != 1 || rest.Covers != 3 || single.Covers != 1 || again.Covers != 0 {
		t.Errorf("covers = %d, %d, %d and %d, want 1, 3, 1 and 0", one.Covers, rest.Covers, single.Covers, again.Covers)
	}
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := HashToken("a token of the application")
	first := w.register(Registration{Subject: sally(), ClientID: "1", Token: token, IssuedAt: dawn})
	if again := w.register(Registration{Subject: sally(), ClientID: "1", Token: token}); again.ID != first.ID {
		t.Errorf("the same session again is %s, want %s", again.ID, first.ID)
	}
	for name, r := range map[string]Registration{
		"other kind":      {Subject: sally(), ClientID: "1", Kind: Mobile},
		"other person":    {Subject: subject(NamespaceEmail, "bob@example.edu"), ClientID: "1"},
		"other issued_at": {Subject: sally(), ClientID: "1", IssuedAt: dawn - 1},
		"other id":        {Subject: sally(), ClientID: "2", Token: token},
		"other app":       {Subject: sally(), Token: token, App: "mail"},
	} {
		if _, err := w.tryRegister(r); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	w.tick(time.Hour)
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: w.f.Now})
	if _, err := w.tryRegister(Registration{Subject: sally(), IssuedAt: w.f.Now.Add(-time.Minute)}); !errors.Is(err, ErrOver) {
		t.Errorf("a session born before the cutoff = %v, want ErrOver", err)
	}
	if _, err := w.tryRegister(Registration{Subject: sally(), AuthTime: w.f.Now.Add(-time.Minute)}); !errors.Is(err, ErrOver) {
		t.Errorf("a refresh of an old proof = %v, want ErrOver", err)
	}
	if s := w.register(Registration{Subject: sally(), IssuedAt: w.f.Now.Add(time.Hour)}); s.IssuedAt > w.f.Now {
		t.Errorf("issued_at in the future was kept: %s", s.IssuedAt)
	}
	if _, err := w.tryRegister(Registration{Subject: sally(), ExpiresAt: dawn, IssuedAt: w.f.Now}); err == nil {
		t.Error("a session that ends before it begins was registered")
	}
}

func TestDeliveriesAndAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register(Registration{Subject: sally()})
	w.send(okta, Signal{Kind: Suspended, Subject: oktaSally()})
	w.send(okta, Signal{Kind: Reactivated, Subject: oktaSally()})
	if len(w.all.Deliveries) != 2 || w.all.Deliveries[0].Ord >= w.all.Deliveries[1].Ord {
		t.Fatalf("deliveries = %+v, want the block, then the lift", w.all.Deliveries)
	}
	if len(w.all.Audit) != 2 {
		t.Fatalf("%d audit entries, want one per revocation", len(w.all.Audit))
	}
	for _, a := range w.all.Audit {
		if strings.Contains(string(a.Entry), "sally") || !strings.Contains(string(a.Person), "sally") {
			t.Errorf("who it was about stands in the wrong part: %s / %s", a.Entry, a.Person)
		}
	}
}

func TestSignInThatEndedIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := w.f.Now
	portal := w.register(Registration{Subject: sally(), ClientID: "phone", SID: "s-1"})
	w.send(okta, Signal{Kind: SessionsCleared, Session: SessionRef{SID: "s-1"}})
	w.wantLive(portal, false, "its sign-in ended")
	if _, err := w.tryRegister(Registration{Subject: sally(), App: "canvas", ClientID: "tablet", SID: "s-1", IssuedAt: began}); !errors.Is(err, ErrOver) {
		t.Errorf("another application's session of the sign-in that ended = %v, want ErrOver", err)
	}
	w.register(Registration{Subject: sally(), App: "canvas", ClientID: "tablet", SID: "s-2", IssuedAt: began})
}
