package revoke_test

import (
	"errors"
	"testing"

	"curfew/revoke"
)

// spare makes these the break-glass people of the main org, by address.
func (o *office) spare(people ...string) {
	o.t.Helper()
	var all []revoke.Subject
	for _, each := range people {
		all = append(all, by(each))
	}
	if err := o.s.BreakGlass(o.ctx, "main", all); err != nil {
		o.t.Fatalf("break glass: %v", err)
	}
}

func TestSourcesDoNotBlockBreakGlassPeople(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.spare("sally@example.edu")
	s := o.signIn(revoke.Registration{})
	if !s.Spared {
		t.Error("her session does not say that she is a break-glass person")
	}
	if a := o.alarms()[revoke.AlarmBreakGlass]; a.About != s.User.String() {
		t.Errorf("alarm = %+v, want one about her, since she signed in", a)
	}
	for _, src := range []revoke.Source{oktaSource, hrSource, promoted, mdmSource} {
		o.send(src, revoke.Signal{Kind: revoke.Suspended})
		o.wantBlocked(false, src.Name+" cannot block her")
	}
	o.announce(o.now() + 5)
	o.later(1000)
	o.wantBlocked(false, "nor can a plan")
	o.restart()
	o.wantBlocked(false, "after a restart")
	o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: true})
	o.wantBlocked(true, "an admin blocks her")
}

func TestOrdersForManySpareBreakGlassPeople(t *testing.T) {
	t.Parallel()
	for _, order := range []revoke.Signal{
		{Wide: revoke.ScopeEveryone}, {Wide: revoke.ScopeKindOf, OnlyKind: revoke.Browser}, {Wide: revoke.ScopeApp, OnlyApp: "portal"},
	} {
		o := newOffice(t)
		o.spare("sally@example.edu")
		hers, bobs := o.signIn(revoke.Registration{}), o.signIn(revoke.Registration{Subject: by("bob@example.edu")})
		before := o.now()
		order.Kind, order.Command = revoke.SessionsCleared, true
		o.send(operator, order)
		o.want(hers, true, "spared by "+string(order.Wide))
		o.want(bobs, false, "ended by "+string(order.Wide))
		if _, err := o.enter(revoke.Registration{IssuedAt: before}); err != nil {
			t.Errorf("her older session after an order for %s: %v", order.Wide, err)
		}
		o.spare()
		o.want(hers, true, "no break-glass person any more, but her session was one's")
		if _, err := o.enter(revoke.Registration{IssuedAt: before}); !errors.Is(err, revoke.ErrOver) {
			t.Errorf("her older session registered now, when she is none any more = %v, want ErrOver", err)
		}
		o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Command: true})
		o.want(hers, false, "she is named")
	}
}

// Becoming a break-glass person under a block cuts: what the block had ended does not live again. And the block stands again
// for who is none any more.
func TestSparingSomebodyBlocked(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.signIn(revoke.Registration{})
	o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended, OccurredAt: s.BornAt - 1000})
	o.want(s, false, "born after the event, under its block")
	o.spare("sally@example.edu")
	o.want(s, false, "though no block stands on her any more")
	fresh := o.signIn(revoke.Registration{})
	o.spare("sally@example.edu", "bob@example.edu")
	o.want(fresh, true, "said again")
	o.spare("bob@example.edu")
	o.want(fresh, false, "the block stands again")
	o.wantBlocked(true, "no break-glass person any more")
	o.spare("sally@example.edu")
	o.want(fresh, false, "and once more: nothing revives")
	o.signIn(revoke.Registration{})
	o.restart()
	o.want(fresh, false, "after a restart")
	o.wantBlocked(false, "after a restart")
}

// Somebody found to be a break-glass person is one by all her users; what a block of the other user had ended stays dead.
func TestJoinWithABreakGlassPerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var phone revoke.Subject
	phone.Add(revoke.NamespacePhone, "+44201234")
	s := o.signIn(revoke.Registration{Subject: phone})
	o.send(hrSource, revoke.Signal{Kind: revoke.Suspended, Subject: phone, OccurredAt: s.BornAt - 1000})
	o.want(s, false, "under the block")
	o.spare("sally@example.edu")
	o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialChanged, OccurredAt: s.BornAt.Add(-1e9), Subject: append(by("sally@example.edu"), phone...)})
	o.want(s, false, "joined with a break-glass person")
	if fresh := o.signIn(revoke.Registration{Subject: phone}); !fresh.Spared {
		t.Error("signing in by the other user's name is not a break-glass person's")
	}
}

// Who is named must be one person, and known by nobody else's name; a name that is nobody's yet is kept for who comes.
func TestBreakGlassNames(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.spare("later@example.edu")
	if s := o.signIn(revoke.Registration{Subject: by("later@example.edu")}); !s.Spared {
		t.Error("a break-glass person who was named before she was known signs in as anybody")
	}
	o.signIn(revoke.Registration{})
	o.signIn(revoke.Registration{Subject: by("bob@example.edu")})
	both := append(by("sally@example.edu"), by("bob@example.edu")...)
	if err := o.s.BreakGlass(o.ctx, "main", []revoke.Subject{both}); !errors.Is(err, revoke.ErrConflict) {
		t.Errorf("naming two people at once = %v, want ErrConflict", err)
	}
	if s := o.signIn(revoke.Registration{Subject: by("later@example.edu")}); !s.Spared {
		t.Error("an error changed who is a break-glass person")
	}
	events := len(o.store.AllEvents())
	o.spare("later@example.edu")
	if got := len(o.store.AllEvents()); got != events {
		t.Errorf("saying the same again made %d events", got-events)
	}
}
