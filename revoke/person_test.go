package revoke

import (
	"errors"
	"testing"
	"time"
)

func (w *world) person(s Subject) ID {
	w.t.Helper()
	m := w.f.find(app, s.In("main"), w.f.Now)
	if !m.found {
		w.t.Fatalf("%v leads to nobody", s)
	}
	return w.f.person(m.user)
}

func TestSeveralSourcesOnePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.register(Registration{Subject: subject(NamespaceEmail, "Sally@Example.EDU")})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: dawn - 1})
	w.send(hr, Signal{Kind: Terminated, Subject: subject("hr", "331", NamespaceEmail, "sally@example.edu")})
	w.wantLive(s, false, "HR means the person that Okta taught and the portal registered")
	w.send(okta, Signal{Kind: Reactivated, Subject: subject("okta", "00uSALLY")})
	if _, err := w.tryRegister(Registration{Subject: sally()}); !errors.Is(err, ErrBlocked) {
		t.Errorf("Okta lifted HR's block: %v", err)
	}
}

func TestUnknownPersonIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out := w.send(hr, Signal{Kind: CredentialCompromised, Subject: sally()})
	if out.Known || out.State != EventDecided {
		t.Errorf("outcome = %+v, want decided and not known", out)
	}
	if _, err := w.tryRegister(Registration{Subject: sally(), IssuedAt: dawn}); !errors.Is(err, ErrOver) {
		t.Errorf("a session from before the signal = %v, want ErrOver", err)
	}
	w.wantLive(w.register(Registration{Subject: sally()}), true, "a fresh login")
}

func TestDirectoryJoinsWhoItSaysIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byMail := w.register(Registration{Subject: sally()})
	byPhone := w.register(Registration{Subject: subject(NamespacePhone, "+44 20 1234")})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: append(oktaSally(), subject(NamespacePhone, "+44201234")...), OccurredAt: dawn - 1})
	if w.person(sally()) != w.person(subject(NamespacePhone, "+44201234")) {
		t.Fatal("the directory's two identifiers are not one person")
	}
	w.wantLive(byMail, true, "a join alone cuts nobody")
	w.send(hr, Signal{Kind: Suspended, Subject: subject(NamespacePhone, "+44201234")})
	w.wantLive(byMail, false, "a block of one covers both")
	w.wantLive(byPhone, false, "and the one it named")
}

func TestJoinCutsWhenOneSideWasBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(hr, Signal{Kind: Terminated, Subject: subject(NamespacePhone, "+44201234")})
	byMail := w.register(Registration{Subject: sally()})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: append(oktaSally(), subject(NamespacePhone, "+44201234")...), OccurredAt: dawn - 1})
	w.wantLive(byMail, false, "joined with somebody blocked")
	w.send(hr, Signal{Kind: Reactivated, Subject: sally()})
	w.wantLive(byMail, false, "after the lift")
	w.register(Registration{Subject: sally()})
}

func TestSplitCutsBothSides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byMail := w.register(Registration{Subject: sally()})
	byPhone := w.register(Registration{Subject: subject(NamespacePhone, "+44201234")})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: append(oktaSally(), subject(NamespacePhone, "+44201234")...), OccurredAt: dawn - 1})
	w.split(w.f.joins[byMail.User][0])
	w.wantLive(byMail, false, "one side of the split")
	w.wantLive(byPhone, false, "the other")
	if w.person(sally()) == w.person(subject(NamespacePhone, "+44201234")) {
		t.Error("still one person after the split")
	}
}

func (w *world) split(j Join) {
	w.tick(0)
	d := newDecision(w.f, input{source: admin})
	d.split(j)
	w.commit(d.e)
}

func TestRecycledAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: dawn - 1})
	first := w.register(Registration{Subject: sally()})
	second := subject("okta", "00uOTHER", NamespaceEmail, "sally@example.edu")
	out := w.send(okta, Signal{Kind: Suspended, Subject: second})
	w.wantLive(first, true, "a different id in the namespace is another person")
	if len(out.Alarms) == 0 {
		t.Error("no alarm for an address that two people carry")
	}
	if _, err := w.tryRegister(Registration{Subject: sally()}); err != nil && !errors.Is(err, ErrConflict) {
		t.Errorf("registration by a shared address = %v, want ErrConflict", err)
	}
}

func TestSharedIdentifierFindsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: dawn - 1})
	hers := w.register(Registration{Subject: sally()})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: subject("okta", "00uOTHER", NamespaceEmail, "sally@example.edu"), OccurredAt: dawn - 1})
	if _, err := w.tryRegister(Registration{Subject: sally()}); !errors.Is(err, ErrConflict) {
		t.Errorf("registration by it alone = %v, want ErrConflict", err)
	}
	out := w.send(hr, Signal{Kind: Terminated, Subject: sally()})
	if out.State != EventHeld || len(out.Alarms) == 0 {
		t.Errorf("a signal by it alone = %+v, want held and alarmed", out)
	}
	w.wantLive(hers, true, "a held signal")
	w.send(okta, Signal{Kind: Deleted, Subject: subject("okta", "00uSALLY")})
	w.wantLive(w.register(Registration{Subject: sally()}), true, "once only the other carries it")
}

func TestPointingSourceThatNamesTwoPeopleIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.register(Registration{Subject: sally()})
	his := w.register(Registration{Subject: subject(NamespaceEmail, "bob@example.edu")})
	out := w.send(hr, Signal{Kind: Terminated, Subject: append(sally(), subject(NamespaceEmail, "bob@example.edu")...)})
	if out.State != EventHeld || len(out.Alarms) == 0 {
		t.Errorf("outcome = %+v, want held and alarmed", out)
	}
	w.wantLive(hers, true, "held")
	w.wantLive(his, true, "held")
}

func TestWeakerIdentifierThatPointsElsewhereCutsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.register(Registration{Subject: subject(NamespaceUserName, "sally")})
	his := w.register(Registration{Subject: subject(NamespaceEmail, "bob@example.edu")})
	out := w.send(hr, Signal{Kind: Terminated, Subject: subject(NamespaceEmail, "bob@example.edu", NamespaceUserName, "sally")})
	w.wantLive(hers, false, "the stronger identifier's person")
	w.wantLive(his, true, "the weaker one's")
	if len(out.Conflicts) != 1 || out.Conflicts[0].Value != "bob@example.edu" {
		t.Errorf("conflicts = %v, want the address", out.Conflicts)
	}
}

func TestAdminBlockedIdentifierStaysWithThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: dawn - 1})
	w.send(admin, Signal{Kind: SessionsCleared, Subject: sally(), Block: true, Command: true})
	w.send(okta, Signal{Kind: Deleted, Subject: subject("okta", "00uSALLY")})
	out := w.send(okta, Signal{Kind: CredentialChanged, Subject: subject("okta", "00uNEW", NamespaceEmail, "sally@example.edu"), OccurredAt: dawn - 1})
	if len(out.Alarms) == 0 {
		t.Error("no alarm when a directory gives away what a blocked person held")
	}
	if _, err := w.tryRegister(Registration{Subject: sally()}); !errors.Is(err, ErrBlocked) {
		t.Errorf("registration by the blocked person's address = %v, want ErrBlocked", err)
	}
}

func TestJoinNeverCarriesAnAdminsLift(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	phone := subject(NamespacePhone, "+44201234")
	w.register(Registration{Subject: sally()})
	w.send(hr, Signal{Kind: Terminated, Subject: phone})
	w.tick(time.Minute)
	w.send(admin, Signal{Kind: Reactivated, Subject: sally()})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: append(oktaSally(), phone...), OccurredAt: dawn - 1})
	if _, err := w.tryRegister(Registration{Subject: sally()}); !errors.Is(err, ErrBlocked) {
		t.Errorf("the lift of one user lifted another's block through a join: %v", err)
	}
}

// Of a source's blocks the later instants of both sides count. A block that ends by the join alone still ends what it had
// refused.
func TestJoinWithTheLiftOfTheOtherSide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	phone := subject(NamespacePhone, "+44201234")
	w.register(Registration{Subject: phone})
	blocked := w.f.Now.Add(time.Second)
	w.tick(2 * time.Second)
	refused := w.register(Registration{Subject: phone})
	w.tick(time.Second)
	w.send(hr, Signal{Kind: Terminated, Subject: phone, OccurredAt: blocked})
	w.wantLive(refused, false, "born after the event, refused by its block")
	w.send(hr, Signal{Kind: Reactivated, Subject: sally(), OccurredAt: w.f.Now})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: append(oktaSally(), phone...), OccurredAt: dawn - 1})
	if b, ok := w.f.blocked(refused.User); ok {
		t.Errorf("block %+v stands although the same source lifted it later on the other side", b)
	}
	w.wantLive(refused, false, "the join ended the block, not what it had refused")
	w.wantLive(w.register(Registration{Subject: sally()}), true, "a new login")
}

// An address that was given away long before the block is its new holder's.
func TestAdminBlockDoesNotReclaimWhatWasGivenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(okta, Signal{Kind: CredentialChanged, Subject: oktaSally(), OccurredAt: dawn - 1})
	w.send(okta, Signal{Kind: Deleted, Subject: subject("okta", "00uSALLY")})
	w.send(okta, Signal{Kind: CredentialChanged, Subject: subject("okta", "00uNEW", NamespaceEmail, "sally@example.edu"), OccurredAt: dawn - 1})
	for _, h := range w.f.holdings[sally().In("main")[0]][:1] {
		h.ReleasedAt = w.f.Now
		w.commit(Effects{Holdings: []Holding{h}})
	}
	w.send(admin, Signal{Kind: SessionsCleared, Subject: subject("okta", "00uSALLY"), Block: true, Command: true})
	w.wantLive(w.register(Registration{Subject: sally()}), true, "the new holder's login")
}
