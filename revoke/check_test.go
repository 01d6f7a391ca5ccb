package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// dry is a store in which nothing is ever written.
type dry struct{ *revoketest.Memory }

var errDry = errors.New("it would have been written")

func (d dry) Decide(ctx context.Context, need revoke.Need, decide revoke.Decision) error {
	return d.Memory.Decide(ctx, need, func(f *revoke.Facts) (revoke.Effects, error) {
		e, err := decide(f)
		if err == nil {
			err = errDry
		}
		return e, err
	})
}

// would reports whether a session with the facts of a question could be registered now, and so would live. Cutoffs reach two
// seconds further for a stateless token.
func (o *office) would(q revoke.Question) bool {
	o.t.Helper()
	s, err := revoke.New(revoke.Config{Store: dry{o.store}, Log: quiet})
	if err != nil {
		o.t.Fatalf("start: %v", err)
	}
	r := revoke.Registration{Subject: q.Subject, App: q.App, Kind: q.Kind, ClientID: q.ClientID, Device: q.Device, IssuedAt: q.IssuedAt.Add(-revoke.Leeway)}
	if q.AuthTime != 0 {
		r.AuthTime = q.AuthTime.Add(-revoke.Leeway)
	}
	_, err = s.Register(o.ctx, portalApp, r)
	if !errors.Is(err, errDry) && !errors.Is(err, revoke.ErrBlocked) && !errors.Is(err, revoke.ErrOver) && !errors.Is(err, revoke.ErrConflict) {
		o.t.Fatalf("register: %v", err)
	}
	return errors.Is(err, errDry)
}

func (o *office) check(qs ...revoke.Question) []revoke.Verdict {
	o.t.Helper()
	out, err := o.s.Check(o.ctx, portalApp, qs)
	if err != nil || len(out) != len(qs) {
		o.t.Fatalf("check %d questions = %d verdicts, %v", len(qs), len(out), err)
	}
	return out
}

// What is said of a stateless token is what would be said of a session with the same facts, whatever happened before.
func TestCheckIsWhatASessionWouldGet(t *testing.T) {
	t.Parallel()
	names := func(t *rapid.T) revoke.Subject {
		var s revoke.Subject
		for range rapid.IntRange(1, 2).Draw(t, "names") {
			namespace := rapid.SampledFrom([]string{"email", "email", "okta", "portal", "phone_number"}).Draw(t, "namespace")
			s.Add(namespace, fmt.Sprintf("+4420%d", rapid.IntRange(0, 2).Draw(t, "value")))
		}
		return s
	}
	device := func(t *rapid.T) []revoke.DeviceIdentifier {
		switch rapid.IntRange(0, 4).Draw(t, "device") {
		case 0:
			return things("serial", "C02")
		case 1:
			return things("serial", "C03", "id", "x")
		case 2:
			return things("id", "x")
		}
		return nil
	}
	rapid.Check(t, func(t *rapid.T) {
		o := newOffice(t)
		for range rapid.IntRange(0, 10).Draw(t, "steps") {
			o.store.Moving().Advance(time.Duration(rapid.IntRange(0, 3000).Draw(t, "pause")) * time.Millisecond)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				_, err := o.enter(revoke.Registration{Subject: names(t), Device: device(t)})
				_ = why(err)
			case 1:
				o.receive(mdmSource, revoke.Event{Signals: []revoke.Signal{{Kind: revoke.DeviceLost, Device: things("id", "x")}}})
			case 2:
				o.receive(deviceOperator, revoke.Event{Signals: []revoke.Signal{{
					Kind: revoke.SessionsCleared, Wide: rapid.SampledFrom([]revoke.ScopeKind{revoke.ScopeEveryone, revoke.ScopeKindOf, revoke.ScopeApp}).Draw(t, "wide"),
					OnlyKind: revoke.Mobile, OnlyApp: "mail", Command: true,
				}}})
			case 3:
				sig := revoke.Signal{Kind: revoke.SessionsCleared, Subject: names(t), Command: true, Device: device(t)}
				switch rapid.IntRange(0, 3).Draw(t, "part") {
				case 0:
					sig.OnlyKind = revoke.Mobile
				case 1:
					sig.OnlyApp = "mail"
				case 2:
					sig.Session = revoke.SessionRef{App: "portal", ClientID: fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "session"))}
				}
				o.receive(portalApp, revoke.Event{Signals: []revoke.Signal{sig}})
			default:
				src := rapid.SampledFrom([]revoke.Source{oktaSource, hrSource, operator}).Draw(t, "source")
				kind := rapid.SampledFrom([]revoke.SignalKind{revoke.Suspended, revoke.Reactivated, revoke.CredentialChanged, revoke.Deleted}).Draw(t, "kind")
				o.receive(src, revoke.Event{Signals: []revoke.Signal{{Kind: kind, Subject: names(t)}}})
			}
			var qs []revoke.Question
			for range rapid.IntRange(1, 4).Draw(t, "questions") {
				q := revoke.Question{
					Subject: names(t), Kind: rapid.SampledFrom([]revoke.Kind{revoke.Browser, revoke.Mobile}).Draw(t, "kind"),
					App: rapid.SampledFrom([]string{"portal", "mail"}).Draw(t, "app"), Device: device(t),
					IssuedAt: o.now().Add(time.Duration(rapid.IntRange(-5000, 1999).Draw(t, "issued")) * time.Millisecond),
				}
				if rapid.IntRange(0, 2).Draw(t, "proved") == 0 {
					q.AuthTime = q.IssuedAt.Add(-time.Duration(rapid.IntRange(0, 4000).Draw(t, "ago")) * time.Millisecond)
				}
				if rapid.IntRange(0, 2).Draw(t, "with id") == 0 {
					q.ClientID = fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "session"))
				}
				qs = append(qs, q)
			}
			for i, got := range o.check(qs...) {
				if want := o.would(qs[i]); got.Live != want {
					t.Fatalf("%+v: %+v, want live %t", qs[i], got, want)
				}
				if alone := o.check(qs[i])[0]; alone != got && alone.Cause != revoke.CauseShared {
					t.Fatalf("%+v: %+v among others, %+v by itself", qs[i], got, alone)
				}
			}
		}
	})
}

func TestCheckRules(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(revoke.Registration{ClientID: "ended"})
	now := func(d time.Duration) revoke.Question {
		return revoke.Question{Subject: by("sally@example.edu"), IssuedAt: o.now().Add(d), App: "portal", Kind: revoke.Browser}
	}
	want := func(q revoke.Question, cause revoke.Cause, when string) {
		t.Helper()
		if v := o.check(q)[0]; v.Cause != cause || v.Live != (cause == revoke.CauseNone) {
			t.Errorf("%s: %+v, want the cause %q", when, v, cause)
		}
	}
	o.store.Moving().Advance(time.Minute)
	want(now(2*time.Second), revoke.CauseNone, "two seconds ahead")
	want(now(2*time.Second+time.Microsecond), revoke.CauseFuture, "a little more than two seconds ahead")
	cut := o.now().Add(-10*time.Second) + 1
	o.send(hrSource, revoke.Signal{Kind: revoke.CredentialChanged, OccurredAt: cut})
	for d, cause := range map[time.Duration]revoke.Cause{0: revoke.CauseCutoff, 2 * time.Second: revoke.CauseCutoff, 2*time.Second + time.Microsecond: revoke.CauseNone} {
		want(revoke.Question{Subject: by("sally@example.edu"), IssuedAt: cut.Add(d), Kind: revoke.Browser}, cause, fmt.Sprintf("issued %s after a cutoff", d))
		want(revoke.Question{Subject: by("sally@example.edu"), IssuedAt: o.now(), AuthTime: cut.Add(d), Kind: revoke.Browser}, cause, fmt.Sprintf("proved %s after a cutoff", d))
	}
	stranger := now(0)
	stranger.Subject = by("stranger@example.edu")
	want(stranger, revoke.CauseNone, "somebody nobody has seen")

	o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{App: "portal", ClientID: "ended"}, Command: true})
	o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{App: "portal", ClientID: "unknown"}, Command: true})
	o.store.Moving().Advance(time.Minute)
	for id, cause := range map[string]revoke.Cause{"ended": revoke.CauseEnded, "unknown": revoke.CauseNone, "other": revoke.CauseNone} {
		q := now(0)
		q.ClientID = id
		want(q, cause, "issued later, of session "+id)
	}
	older := now(-2 * time.Minute)
	older.ClientID = "unknown"
	older.Subject = by("stranger@example.edu")
	want(older, revoke.CauseEnded, "of a session that was ended before anybody registered it")
	anyApp := now(0)
	anyApp.ClientID, anyApp.App = "ended", ""
	want(anyApp, revoke.CauseEnded, "of a session of any app")

	o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Wide: revoke.ScopeEveryone, Command: true})
	want(stranger, revoke.CauseCutoff, "a stranger, after everyone's sessions were ended")
	o.held("hr-1")
	o.store.Moving().Advance(time.Minute)
	want(now(0), revoke.CauseShared, "by an address that two people carry")
	want(now(0), revoke.CauseShared, "the same again, from memory")
	byID := now(0)
	byID.Subject = append(byID.Subject, revoke.Identifier{Namespace: "okta", Value: "00u1"})
	if out, err := o.s.Check(o.ctx, oktaSource, []revoke.Question{byID}); err != nil || !out[0].Live {
		t.Errorf("by the id of one of them = %+v, %v; want live", out, err)
	}

	o.store.SetDown(true)
	fresh := now(0)
	fresh.Subject = by("never asked@example.edu")
	if _, err := o.s.Check(o.ctx, portalApp, []revoke.Question{fresh}); !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("a name that must be looked up, without a store = %v, want ErrUnavailable", err)
	}
	stranger.IssuedAt = o.now()
	want(stranger, revoke.CauseNone, "a name that was looked up before, without a store")
	o.s.Doubt(errors.New("a test"))
	if _, err := o.s.Check(o.ctx, portalApp, []revoke.Question{stranger}); err == nil {
		t.Error("in doubt a question was answered")
	}
	o.store.SetDown(false)
	if _, err := o.s.Check(o.ctx, portalApp, []revoke.Question{stranger}); !errors.Is(err, revoke.ErrNotFresh) {
		t.Errorf("in doubt = %v, want ErrNotFresh", err)
	}
}

// While a directory gives an address to somebody, ends her, and gives it to the next person, no question that is asked after the
// answer to that is answered by what was remembered before it.
func TestCheckNeverAnswersByAnOldHolder(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var round atomic.Int64
	address := func(n int64) revoke.Subject { return by(fmt.Sprintf("post%d@example.edu", n)) }
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 3 {
		asking.Go(func() {
			for ctx.Err() == nil {
				q := revoke.Question{Subject: address(round.Load()), IssuedAt: o.now(), App: "portal", Kind: revoke.Browser}
				if _, err := o.s.Check(ctx, portalApp, []revoke.Question{q}); err != nil && ctx.Err() == nil {
					t.Errorf("check: %v", err)
					return
				}
			}
		})
	}
	for n := range int64(200) {
		round.Store(n)
		ask := func(when string, live bool) {
			t.Helper()
			q := revoke.Question{Subject: address(n), IssuedAt: o.now(), App: "portal", Kind: revoke.Browser}
			if v := o.check(q)[0]; v.Live != live {
				t.Fatalf("round %d: %s: %+v, want live %t", n, when, v, live)
			}
		}
		person := func(m int64) revoke.Subject {
			return append(address(n), revoke.Identifier{Namespace: "okta", Value: fmt.Sprintf("00u%d", 2*n+m)})
		}
		ask("nobody has it", true)
		o.send(oktaSource, revoke.Signal{Kind: revoke.Deleted, Subject: person(0)})
		ask("who has it is gone", false)
		o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialChanged, Subject: person(1), OccurredAt: revoketest.Start.Add(-time.Hour)})
		ask("it is the next person's", true)
	}
	cancel()
	asking.Wait()
}
