package revoke

import (
	"testing"
	"time"
)

// world is the core without a store: one Facts that holds everything, and a view that follows the changes.
type world struct {
	t       failer
	f       *Facts
	v       *View
	targets []TargetName
	all     Effects // everything that was ever written
}

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// dawn is when every world begins. What happened before it arrives late.
var dawn = InstantOf(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))

func newWorld(t failer) *world {
	w := &world{t: t, f: NewFacts(), v: NewView(), targets: []TargetName{{"portal", "main"}}}
	w.f.Now = dawn
	w.f.NewestOf[Scope{Org: "main", Kind: ScopeEveryone}] = 0
	for _, kind := range Kinds() {
		w.f.NewestOf[Scope{Org: "main", Kind: ScopeKindOf, Key: string(kind)}] = 0
	}
	return w
}

// tick moves the clock, so that no two decisions have the same instant.
func (w *world) tick(d time.Duration) { w.f.Now = w.f.Now.Add(max(d, time.Microsecond)) }

func (w *world) commit(e Effects) {
	w.f.Apply(e)
	w.v.Apply(e.Changes(w.f.Now)...)
	w.all.Revocations = append(w.all.Revocations, e.Revocations...)
	w.all.Deliveries = append(w.all.Deliveries, e.Deliveries...)
	w.all.Cutoffs = append(w.all.Cutoffs, e.Cutoffs...)
	w.all.Audit = append(w.all.Audit, e.Audit...)
}

func (w *world) receive(src Source, ev Event) Outcome {
	w.t.Helper()
	w.tick(0)
	e, out := input{source: src, actor: Actor{"source", src.Name}, event: ev, targets: w.targets}.decide(w.f)
	w.commit(e)
	return out
}

// send is receive of one signal without an id.
func (w *world) send(src Source, sig Signal) Outcome {
	w.t.Helper()
	return w.receive(src, Event{Signals: []Signal{sig}})
}

func (w *world) tryRegister(r Registration) (Session, error) {
	w.tick(0)
	if r.Kind == "" {
		r.Kind = Browser
	}
	if r.App == "" {
		r.App = "portal"
	}
	r.need(app)
	d := newDecision(w.f, input{source: app})
	out, err := d.register(r)
	if err == nil {
		w.commit(d.e)
	}
	return out.Session, err
}

func (w *world) register(r Registration) Session {
	w.t.Helper()
	s, err := w.tryRegister(r)
	if err != nil {
		w.t.Fatalf("register %+v: %v", r, err)
	}
	return s
}

func (w *world) live(s Session) bool {
	stored := w.f.Sessions[s.ID]
	return Live(&stored, w.v, w.f.Now).Live
}

func (w *world) wantLive(s Session, want bool, when string) {
	w.t.Helper()
	stored := w.f.Sessions[s.ID]
	if got := Live(&stored, w.v, w.f.Now); got.Live != want {
		w.t.Fatalf("%s: session born %s live = %v (%s), want %v", when, s.BornAt, got.Live, got.Sentence(), want)
	}
}

// The sources of the tests.
var (
	okta  = Source{Name: "okta", Org: "main", Type: "okta", Authority: "okta", IDs: "okta", Learns: true}
	entra = Source{Name: "entra", Org: "main", Type: "scim", Authority: "entra", IDs: "entra", Learns: true}
	hr    = Source{Name: "hr", Org: "main", Type: "custom", Authority: "hr", IDs: "hr"}
	app   = Source{Name: "portal", Org: "main", Type: "token", Authority: "portal", IDs: "portal"}
	admin = Source{Name: "ops", Org: "main", Type: "token", Authority: AdminAuthority, IDs: NamespaceCurfew, Admin: true, Devices: true}
)

func subject(pairs ...string) Subject {
	var s Subject
	for i := 0; i < len(pairs); i += 2 {
		s.Add(pairs[i], pairs[i+1])
	}
	return s
}

func sally() Subject { return subject(NamespaceEmail, "sally@example.edu") }

func oktaSally() Subject {
	return subject("okta", "00uSALLY", NamespaceUserName, "sally@example.edu", NamespaceEmail, "sally@example.edu")
}

func TestWorldAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.register(Registration{Subject: sally()})
	w.wantLive(s, true, "a fresh login")
	w.send(okta, Signal{Kind: Suspended, Subject: oktaSally()})
	w.wantLive(s, false, "after a suspension")
}
