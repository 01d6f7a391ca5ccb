package revoke_test

import (
	"fmt"
	"testing"

	"curfew/revoke"
)

// promoted is Okta with a rule that lets its locks keep people out.
var promoted = revoke.Source{
	Name: "okta", Org: "main", Authority: "okta", IDs: "okta", Learns: true,
	Rules: map[revoke.SignalKind]revoke.Rule{revoke.Locked: {Cut: revoke.AtEvent, Block: revoke.SetBlock, Class: revoke.ClassLocked}},
}

// A promoted lock is a block of its own: of all that is said, only `unlocked` by the same authority and an admin lift it, and
// `unlocked` lifts nothing else.
func TestPromotedLock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src     revoke.Source
		sig     revoke.Signal
		blocked bool
	}{
		"unlocked":                 {promoted, revoke.Signal{Kind: revoke.Unlocked}, false},
		"unlocked, stamped after":  {promoted, revoke.Signal{Kind: revoke.Unlocked, OccurredAt: -1}, false},
		"unlocked before the lock": {promoted, revoke.Signal{Kind: revoke.Unlocked, OccurredAt: 1}, true},
		"unlocked by another":      {hrSource, revoke.Signal{Kind: revoke.Unlocked}, true},
		"reactivated":              {promoted, revoke.Signal{Kind: revoke.Reactivated}, true},
		"reactivated by an admin":  {operator, revoke.Signal{Kind: revoke.Reactivated, Command: true}, false},
		"a password reset":         {promoted, revoke.Signal{Kind: revoke.CredentialChanged}, true},
		"no plan any more":         {promoted, revoke.Signal{Kind: revoke.Terminated, Planned: true}, true},
	} {
		o := newOffice(t)
		s := o.signIn(revoke.Registration{})
		o.send(promoted, revoke.Signal{Kind: revoke.Locked})
		o.want(s, false, "locked")
		switch c.sig.OccurredAt {
		case -1:
			c.sig.OccurredAt = o.now() + 1
		case 1:
			c.sig.OccurredAt = o.now().Add(-1000_000)
		}
		o.send(c.src, c.sig)
		o.want(s, false, "a session from before, after "+name)
		o.wantBlocked(c.blocked, "after "+name)
	}
}

func TestUnlockedLiftsOnlyTheLock(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.send(promoted, revoke.Signal{Kind: revoke.Suspended})
	o.send(promoted, revoke.Signal{Kind: revoke.Locked})
	o.send(promoted, revoke.Signal{Kind: revoke.Unlocked})
	o.wantBlocked(true, "unlocked, and suspended still")
	o.send(promoted, revoke.Signal{Kind: revoke.Locked})
	o.send(promoted, revoke.Signal{Kind: revoke.Reactivated})
	o.wantBlocked(true, "brought back, and locked still")
	o.send(promoted, revoke.Signal{Kind: revoke.Unlocked})
	o.wantBlocked(false, "nothing stands")
	if got := o.owed()[revoke.RevocationLift]; got != 1 {
		t.Errorf("%d lifts are owed, want the one that let her in", got)
	}
}

// Who is locked is still an active person of the directory, so an address that somebody else is given is shared; who is
// deactivated leaves hers behind.
func TestLockedPersonStillCarriesHerAddress(t *testing.T) {
	t.Parallel()
	for kind, shared := range map[revoke.SignalKind]bool{revoke.Locked: true, revoke.Deactivated: false} {
		o := newOffice(t)
		person := func(id string) revoke.Subject {
			s := by("shared@example.edu")
			s.Add("okta", id)
			return s
		}
		o.send(promoted, revoke.Signal{Kind: kind, Subject: person("00u1")})
		o.send(promoted, revoke.Signal{Kind: revoke.CredentialChanged, Subject: person("00u2")})
		out := o.send(hrSource, revoke.Signal{Kind: revoke.Terminated, Subject: by("shared@example.edu")})
		if got := out.State == revoke.EventHeld; got != shared {
			t.Errorf("%s: a signal by the address is %s, want held %t", kind, out.State, shared)
		}
	}
}

// Without a rule a lock does nothing, or strangers could end anybody's sessions.
func TestLockWithoutARule(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.signIn(revoke.Registration{})
	if out := o.send(oktaSource, revoke.Signal{Kind: revoke.Locked}); out.State != revoke.EventIgnored {
		t.Errorf("state = %s, want ignored", out.State)
	}
	o.want(s, true, fmt.Sprintf("after %s without a rule", revoke.Locked))
}
