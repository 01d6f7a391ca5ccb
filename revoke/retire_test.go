package revoke_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"curfew/revoke"
)

var newHR = revoke.Source{Name: "workday", Org: "main", Authority: "workday", IDs: "workday"}

func (o *office) retire(authority, to string) int {
	o.t.Helper()
	n, err := o.s.Retire(o.ctx, revoke.Actor{Kind: "operator", Name: "ops"}, "main", authority, to, "we moved")
	if err != nil {
		o.t.Fatalf("retire %s: %v", authority, err)
	}
	return n
}

// What an authority left behind goes to another one without a moment in which anybody could sign in, whatever the other one had
// lifted before; from then on only the other one lifts it.
func TestRetireMovesBlocks(t *testing.T) {
	t.Parallel()
	for name, lifted := range map[string]bool{"a new authority": false, "one that had lifted later": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			s := o.signIn(revoke.Registration{})
			o.send(hrSource, revoke.Signal{Kind: revoke.Suspended})
			if lifted {
				o.send(newHR, revoke.Signal{Kind: revoke.Reactivated})
			}
			seen := len(o.store.Changes())
			if n := o.retire("hr", "workday"); n != 1 {
				t.Errorf("retired for %d people, want 1", n)
			}
			v := revoke.NewView() // as a replica follows it
			for i, c := range o.store.Changes() {
				v.Apply(c)
				probe := revoke.Session{Org: "main", User: s.User, BornAt: o.now() + 1, ExpiresAt: o.now() + 2}
				if i >= seen && revoke.Live(&probe, v, o.now()).Live {
					t.Errorf("after change %d of the retirement somebody could sign in", i-seen)
				}
			}
			if got := o.owed(); got[revoke.RevocationLift] != 0 {
				t.Errorf("owed = %v, want no lift", got)
			}
			o.send(hrSource, revoke.Signal{Kind: revoke.Reactivated})
			o.wantBlocked(true, "the retired authority lifts nothing")
			if n := o.retire("hr", "workday"); n != 0 {
				t.Errorf("a second time: %d people, want 0", n)
			}
			o.send(newHR, revoke.Signal{Kind: revoke.Reactivated})
			o.wantBlocked(false, "the new authority lifts")
			o.want(s, false, "what the block had ended")
		})
	}
}

func TestRetireLifts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.signIn(revoke.Registration{IssuedAt: o.now().Add(-time.Minute)})
	o.send(hrSource, revoke.Signal{Kind: revoke.Suspended, OccurredAt: s.BornAt - 10})
	o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended})
	o.retire("hr", "")
	o.wantBlocked(true, "another authority's block stands")
	if got := o.owed()[revoke.RevocationLift]; got != 0 {
		t.Errorf("%d lifts are owed while she is blocked", got)
	}
	o.retire("okta", "")
	o.wantBlocked(false, "nothing stands")
	o.want(s, false, "a lift never revives")
	if got := o.owed()[revoke.RevocationLift]; got != 1 {
		t.Errorf("%d lifts are owed, want 1", got)
	}
}

// What was lifted already is nothing left behind: retiring the authority keeps out nobody whom somebody let in.
func TestRetireLeavesWhatWasLifted(t *testing.T) {
	t.Parallel()
	plan := func(o *office) {
		o.announce(o.now().Add(time.Minute))
		o.later(time.Hour)
	}
	suspend := func(o *office) { o.send(hrSource, revoke.Signal{Kind: revoke.Suspended}) }
	for name, c := range map[string]struct {
		block func(*office)
		lift  revoke.Source
	}{
		"a block lifted by itself":    {suspend, hrSource},
		"a block lifted by an admin":  {suspend, operator},
		"a plan lifted by its source": {plan, hrSource},
		"a plan lifted by an admin":   {plan, operator},
	} {
		for _, to := range []string{"workday", ""} {
			t.Run(fmt.Sprintf("%s, to %q", name, to), func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				c.block(o)
				o.send(c.lift, revoke.Signal{Kind: revoke.Reactivated})
				s := o.signIn(revoke.Registration{})
				o.send(newHR, revoke.Signal{Kind: revoke.Reactivated})
				o.retire("hr", to)
				o.wantBlocked(false, "after the retirement")
				o.want(s, true, "who had signed in again")
			})
		}
	}
}

// Plans that wait go along, or are withdrawn; one that its new authority had announced later stays.
func TestRetirePlans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to       string
		own      time.Duration // what the new authority announced itself, later
		blocked  []bool        // after each hour
		blockers string
	}{
		"moved":                 {"workday", 0, []bool{false, true, true}, "workday"},
		"withdrawn":             {"", 0, []bool{false, false, false}, ""},
		"the other's was later": {"workday", 3 * time.Hour, []bool{false, false, true}, "workday"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.announce(o.now().Add(2 * time.Hour))
			if c.own != 0 {
				o.send(newHR, revoke.Signal{Kind: revoke.Terminated, Planned: true, EffectiveAt: o.now().Add(c.own)})
			}
			o.retire("hr", c.to)
			for hour, want := range c.blocked {
				o.later(time.Hour)
				o.wantBlocked(want, fmt.Sprintf("after %d hours", hour+1))
			}
			if c.blockers != "" {
				o.send(newHR, revoke.Signal{Kind: revoke.Reactivated})
				o.wantBlocked(false, "lifted by the new authority")
			}
		})
	}
}

func TestRetireOfManyPeople(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const people = 150
	for i := range people {
		o.send(hrSource, revoke.Signal{Kind: revoke.Suspended, Subject: by(fmt.Sprintf("p%d@example.edu", i))})
	}
	o.store.RefuseNext(1)
	if n, err := o.s.Retire(o.ctx, someone, "main", "hr", "workday", ""); !errors.Is(err, revoke.ErrUnavailable) || n != 0 {
		t.Fatalf("a retirement that the store refuses = %d, %v", n, err)
	}
	if n := o.retire("hr", "workday"); n != people {
		t.Errorf("retired for %d people, want %d", n, people)
	}
	for i := range people {
		if _, err := o.enter(revoke.Registration{Subject: by(fmt.Sprintf("p%d@example.edu", i))}); !isBlocked(err) {
			t.Fatalf("person %d = %v, want blocked", i, err)
		}
	}
	for _, bad := range [][2]string{{"hr", "hr"}, {revoke.AdminAuthority, "hr"}, {"hr", revoke.AdminAuthority}} {
		if _, err := o.s.Retire(o.ctx, someone, "main", bad[0], bad[1], ""); err == nil {
			t.Errorf("retiring %s to %s was done", bad[0], bad[1])
		}
	}
}
