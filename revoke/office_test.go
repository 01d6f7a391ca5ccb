package revoke_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// office is a service at work over a store in memory, in a test or in a run of a property.
type office struct {
	t     rapid.TB
	ctx   context.Context //nolint:containedctx // an office lives inside one test
	store *revoketest.Memory
	s     *revoke.Service
	n     int
}

func newOffice(t rapid.TB) *office {
	o := &office{t: t, ctx: context.Background(), store: revoketest.NewMemory()}
	o.restart()
	return o
}

// restart starts a new service on the same store.
func (o *office) restart() {
	o.t.Helper()
	s, err := revoke.New(revoke.Config{Store: o.store, Targets: []revoke.TargetName{{Name: "portal", Org: "main"}}, Log: quiet})
	if err == nil {
		err = s.Load(o.ctx)
	}
	if err != nil {
		o.t.Fatalf("start: %v", err)
	}
	o.s = s
}

func (o *office) now() revoke.Instant { return o.store.Clock().Now() }

// later lets time go by, and happen by itself what is due by then.
func (o *office) later(d time.Duration) {
	o.t.Helper()
	o.store.Moving().Advance(d)
	if err := o.s.EndDue(o.ctx); err != nil {
		o.t.Fatalf("do what is due: %v", err)
	}
}

func (o *office) receive(src revoke.Source, ev revoke.Event) revoke.Outcome {
	o.t.Helper()
	out, err := o.s.Receive(o.ctx, someone, src, ev)
	if err != nil {
		o.t.Fatalf("receive from %s: %v", src.Name, err)
	}
	return out[0]
}

// send receives one signal about Sally, unless it names somebody or something.
func (o *office) send(src revoke.Source, sig revoke.Signal) revoke.Outcome {
	o.t.Helper()
	if sig.Subject == nil && sig.Session.IsZero() && sig.Wide == "" && (!src.Devices || sig.Device == nil) {
		sig.Subject = by("sally@example.edu")
	}
	return o.receive(src, revoke.Event{Signals: []revoke.Signal{sig}})
}

// enter registers a session: Sally's at the portal, where the registration says nothing else.
func (o *office) enter(r revoke.Registration) (revoke.Session, error) {
	if r.Subject == nil {
		r.Subject = by("sally@example.edu")
	}
	if r.App == "" {
		r.App = "portal"
	}
	if r.Kind == "" {
		r.Kind = revoke.Browser
	}
	out, err := o.s.Register(o.ctx, portalApp, r)
	return out.Session, err
}

// signIn is enter that must succeed, with a token of its own.
func (o *office) signIn(r revoke.Registration) revoke.Session {
	o.t.Helper()
	o.n++
	if r.Token.IsZero() {
		r.Token = revoke.HashToken(fmt.Sprintf("token %d", o.n))
	}
	s, err := o.enter(r)
	if err != nil {
		o.t.Fatalf("sign in: %v", err)
	}
	return s
}

func (o *office) ask(s revoke.Session) revoke.Answer {
	o.t.Helper()
	a, err := o.s.Ask(o.ctx, revoke.SessionRef{Org: s.Org, ID: s.ID})
	if err != nil {
		o.t.Fatalf("ask about a session: %v", err)
	}
	return a
}

func (o *office) want(s revoke.Session, live bool, when string) {
	o.t.Helper()
	if a := o.ask(s); a.Live != live {
		o.t.Fatalf("%s: live = %t (%s), want %t", when, a.Live, a.Sentence(), live)
	}
}

// wantBlocked finds out as Sally would: by signing in.
func (o *office) wantBlocked(want bool, when string) {
	o.t.Helper()
	_, err := o.enter(revoke.Registration{})
	if got := isBlocked(err); got != want || err != nil && !got {
		o.t.Fatalf("%s: signing in = %v, want blocked %t", when, err, want)
	}
}

// owed counts the deliveries by what they carry.
func (o *office) owed() map[revoke.RevocationKind]int {
	o.t.Helper()
	n := map[revoke.RevocationKind]int{}
	for _, d := range o.store.AllDeliveries() {
		r, _, err := o.store.Revocation(o.ctx, d.Org, d.Revocation)
		if err != nil {
			o.t.Fatalf("find a revocation: %v", err)
		}
		n[r.Kind]++
	}
	return n
}

// lifts returns every revocation that was a lift.
func (o *office) lifts() (out []revoke.Revocation) {
	o.t.Helper()
	var users []revoke.ID
	for _, p := range o.store.AllUsers() {
		users = append(users, p.User.ID)
	}
	all, err := o.store.Revocations(o.ctx, revoke.RevocationQuery{Org: "main", Users: users, Limit: 1000})
	if err != nil {
		o.t.Fatalf("read revocations: %v", err)
	}
	for _, r := range all {
		if r.Kind == revoke.RevocationLift {
			out = append(out, r)
		}
	}
	return out
}

// alarms returns the alarms of the main org that stand, by kind.
func (o *office) alarms() map[revoke.AlarmKind]revoke.Alarm {
	o.t.Helper()
	all, err := o.store.Alarms(o.ctx, revoke.AlarmQuery{Org: "main", Standing: true, Limit: 100})
	if err != nil {
		o.t.Fatalf("read alarms: %v", err)
	}
	out := map[revoke.AlarmKind]revoke.Alarm{}
	for _, a := range all {
		out[a.Kind] = a
	}
	return out
}

func TestOfficeAnswers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.signIn(revoke.Registration{})
	o.want(s, true, "a fresh login")
	o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended})
	o.want(s, false, "suspended")
	o.wantBlocked(true, "suspended")
}
