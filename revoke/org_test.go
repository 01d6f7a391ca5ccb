package revoke_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// in returns the source as another org has it.
func in(org string, src revoke.Source) revoke.Source {
	src.Org = org
	return src
}

// act is one thing that happens in an org; it is drawn once and can be done in any org of any office.
type act func(o *office, org string)

func drawAct(t *rapid.T) act {
	who := by(fmt.Sprintf("p%d@example.edu", rapid.IntRange(0, 1).Draw(t, "person")))
	src := rapid.SampledFrom([]revoke.Source{oktaSource, hrSource, mdmSource, deviceOperator, promoted}).Draw(t, "source")
	device := things("serial", rapid.SampledFrom([]string{"C02", "C03"}).Draw(t, "serial"))
	n := rapid.IntRange(0, 5).Draw(t, "number")
	receive := func(sig revoke.Signal) act {
		return func(o *office, org string) {
			if _, err := o.s.Receive(o.ctx, someone, in(org, src), revoke.Event{SenderID: fmt.Sprint(sig.Kind, n), Signals: []revoke.Signal{sig}}); err != nil {
				o.t.Fatalf("receive in %s: %v", org, err)
			}
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "act") {
	case 0:
		return receive(revoke.Signal{Kind: rapid.SampledFrom(revoke.SignalKinds()).Draw(t, "kind"), Subject: who})
	case 1:
		return receive(revoke.Signal{Kind: revoke.Suspended, Subject: who})
	case 2:
		return receive(revoke.Signal{Kind: revoke.Reactivated, Subject: who})
	case 3:
		return receive(revoke.Signal{Kind: revoke.DeviceLost, Device: device})
	case 4:
		return receive(revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{App: "portal", ClientID: fmt.Sprint(n)}, Command: true})
	case 5:
		return receive(revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{SID: fmt.Sprint(n % 2)}})
	case 6:
		wide := rapid.SampledFrom([]revoke.ScopeKind{revoke.ScopeEveryone, revoke.ScopeKindOf, revoke.ScopeApp}).Draw(t, "wide")
		return receive(revoke.Signal{Kind: revoke.SessionsCleared, Wide: wide, OnlyKind: revoke.Browser, OnlyApp: "portal", Command: true})
	case 7:
		return receive(revoke.Signal{Kind: revoke.Terminated, Subject: who, Planned: true, EffectiveAt: revoke.Instant(n)})
	case 8:
		return func(o *office, org string) {
			if err := o.s.BreakGlass(o.ctx, org, []revoke.Subject{who}); err != nil {
				o.t.Fatalf("break glass in %s: %v", org, err)
			}
		}
	default:
		return func(o *office, org string) {
			if _, err := o.s.Retire(o.ctx, someone, org, src.Authority+"?", "", ""); err != nil {
				o.t.Fatalf("retire in %s: %v", org, err)
			}
			if _, err := o.s.Retire(o.ctx, someone, org, "hr", "", ""); err != nil {
				o.t.Fatalf("retire in %s: %v", org, err)
			}
		}
	}
}

// Two orgs whose people, devices, sessions, tokens and senders' ids have the very same names: whatever happens in one, the other
// is as if it were alone.
func TestWhatHappensInOneOrgReachesNoOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		together, alone := newOffice(t), newOffice(t)
		steps := rapid.IntRange(1, 12).Draw(t, "steps")
		enter := func(o *office, org string, r revoke.Registration) error {
			_, err := o.s.Register(o.ctx, in(org, portalApp), r)
			if err != nil && !errors.Is(err, revoke.ErrBlocked) && !errors.Is(err, revoke.ErrOver) && !errors.Is(err, revoke.ErrConflict) {
				o.t.Fatalf("register in %s: %v", org, err)
			}
			return err
		}
		for range steps {
			mine := rapid.Bool().Draw(t, "in the main org")
			org := "other"
			if mine {
				org = "main"
			}
			if rapid.Bool().Draw(t, "register") {
				n := rapid.IntRange(0, 5).Draw(t, "session")
				r := revoke.Registration{
					Subject: by(fmt.Sprintf("p%d@example.edu", rapid.IntRange(0, 1).Draw(t, "person"))), App: "portal", Kind: revoke.Browser,
					ClientID: fmt.Sprint(n), Token: revoke.HashToken(fmt.Sprint(n)), SID: fmt.Sprint(n % 2),
					Device: things("serial", rapid.SampledFrom([]string{"C02", "C03"}).Draw(t, "serial")),
				}
				if rapid.Bool().Draw(t, "older") {
					r.IssuedAt = together.now().Add(-time.Minute)
				}
				got := enter(together, org, r)
				if mine {
					if want := enter(alone, org, r); !errors.Is(got, errors.Unwrap(want)) && (got == nil) != (want == nil) {
						t.Fatalf("registering beside the other org = %v, alone = %v", got, want)
					}
				}
			} else {
				do := drawAct(t)
				do(together, org)
				if mine {
					do(alone, org)
				}
			}
			for n := range 6 {
				ref := revoke.SessionRef{Org: "main", Token: revoke.HashToken(fmt.Sprint(n))}
				if n%2 == 0 {
					ref = revoke.SessionRef{Org: "main", App: "portal", ClientID: fmt.Sprint(n)}
				}
				got, errGot := together.s.Ask(together.ctx, ref)
				want, errWant := alone.s.Ask(alone.ctx, ref)
				if got.Live != want.Live || got.Cause != want.Cause || (errGot == nil) != (errWant == nil) {
					t.Fatalf("session %d beside the other org: %+v, %v; alone: %+v, %v", n, got.Verdict, errGot, want.Verdict, errWant)
				}
			}
			for person := range 2 {
				q := []revoke.Question{{Subject: by(fmt.Sprintf("p%d@example.edu", person)), IssuedAt: alone.now(), App: "portal", Kind: revoke.Browser, ClientID: "3", Device: things("serial", "C02")}}
				got, errGot := together.s.Check(together.ctx, portalApp, q)
				want, errWant := alone.s.Check(alone.ctx, portalApp, q)
				if errGot != nil || errWant != nil || got[0].Live != want[0].Live || got[0].Cause != want[0].Cause {
					t.Fatalf("a token of person %d beside the other org: %+v, %v; alone: %+v, %v", person, got, errGot, want, errWant)
				}
			}
		}
	})
}
