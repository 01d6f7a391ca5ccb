package revoketest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// RunModel drives a store through the whole service with random operations, and after each compares every session with a
// small model of what must be true: what an acknowledged signal covers is dead (promise 2), what was dead stays dead
// (promise 3), whatever restarts in between, and nothing else is touched. Each run has an org of its own, so that one store
// serves several of them.
func RunModel(t *testing.T, open func(t *testing.T) revoke.Store) {
	t.Helper()
	const perStore = 20
	var store revoke.Store
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs%perStore == 0 {
			store = open(t)
		}
		runs++
		r := newModelRun(rt, t.Context(), store, fmt.Sprintf("run-%d", runs))
		rt.Repeat(r.actions())
	})
}

// Faulty is a store that can be told to fail. A model run tells it when it can.
type Faulty interface {
	RefuseNext(n int)
	LoseNext(n int)
	DoubtNext(n int)
}

var _ Faulty = (*Memory)(nil)

// actions are what a run does. What makes life stands there more than once, or most of a run would go by among the dead.
func (r *modelRun) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){"": r.check}
	for _, a := range []struct {
		name  string
		times int
		do    func(*rapid.T)
	}{
		{"register", 6, r.register},
		{"register again", 1, r.registerAgain},
		{"deactivate", 2, r.deactivate},
		{"reactivate", 3, r.reactivate},
		{"suspend and bring back", 2, r.suspendAndBringBack},
		{"change credential", 2, r.changeCredential},
		{"compromise", 1, r.compromise},
		{"clear part", 2, r.clearPart},
		{"lose device", 1, r.loseDevice},
		{"admin blocks", 1, r.adminBlocks},
		{"admin lifts", 3, r.adminLifts},
		{"end one session", 2, r.endOne},
		{"end for many", 1, r.endForMany},
		{"directory teaches", 3, r.teach},
		{"repeat an event", 1, r.repeat},
		{"restart", 2, r.restart},
		{"commit fails", 1, r.fault},
	} {
		for i := range a.times {
			all[fmt.Sprintf("%s %d", a.name, i)] = a.do
		}
	}
	return all
}

type modelRun struct {
	ctx   context.Context //nolint:containedctx // a run of the model lives inside one test
	t     *rapid.T
	store revoke.Store
	svc   *revoke.Service
	org   string
	start revoke.Instant
	model *model
	sent  []sentEvent
	n     int // numbers what is made
}

type sentEvent struct {
	src   revoke.Source
	event revoke.Event
	out   revoke.Outcome
}

func newModelRun(t *rapid.T, ctx context.Context, store revoke.Store, org string) *modelRun {
	r := &modelRun{ctx: ctx, store: store, org: org, model: newModel(), t: t}
	if r.start = store.Clock().Now(); r.start%1e6 == 0 {
		r.start-- // no whole second: what is stated here is meant to the microsecond
	}
	r.restart(t)
	return r
}

// instant is a stated moment of the model as the store's clock has it.
func (r *modelRun) instant(at tick) revoke.Instant { return r.start.Add(time.Duration(at) * time.Hour) }

func (r *modelRun) source(name string) revoke.Source {
	src := revoke.Source{Name: name, Org: r.org, Type: name, Authority: name, IDs: name}
	switch name {
	case "okta":
		src.Learns = true
	case "ops":
		src.Authority, src.Admin, src.Devices = revoke.AdminAuthority, true, true
	case "mdm":
		src.Devices = true
	}
	return src
}

// names of three people: the id that okta gives them, their user name, and two addresses that nobody else has. They are in
// the order of their strength.
func (r *modelRun) names(t *rapid.T, directory bool) []string {
	person := rapid.IntRange(0, 2).Draw(t, "person")
	if directory {
		out := []string{fmt.Sprintf("okta:u%d", person)}
		for _, name := range []string{"user_name", "email"} {
			if rapid.Bool().Draw(t, "with "+name) {
				out = append(out, fmt.Sprintf("%s:p%d", name, person))
			}
		}
		if rapid.Bool().Draw(t, "with alias") {
			out = append(out, fmt.Sprintf("email:alias%d", person))
		}
		return out
	}
	sets := [][]string{{"email:p%d"}, {"user_name:p%d"}, {"email:alias%d"}, {"user_name:p%d", "email:p%d"}, {"user_name:p%d", "email:alias%d"}}
	out := slices.Clone(sets[rapid.IntRange(0, len(sets)-1).Draw(t, "names")])
	for i := range out {
		out[i] = fmt.Sprintf(out[i], person)
	}
	return out
}

func subject(names []string) (s revoke.Subject) {
	for _, name := range names {
		namespace, value, _ := strings.Cut(name, ":")
		s.Add(namespace, value)
	}
	return s
}

// moment draws a stated time, or zero for none.
func (r *modelRun) moment(t *rapid.T) tick { return tick(-rapid.IntRange(0, 5).Draw(t, "hours ago")) }

// at turns a drawn moment into what is sent and what the model counts it as.
func (r *modelRun) at(stated tick) (revoke.Instant, tick) {
	if stated == 0 {
		return 0, r.model.step
	}
	return r.instant(stated), stated
}

func (r *modelRun) send(t *rapid.T, src revoke.Source, sig revoke.Signal) revoke.Outcome {
	t.Helper()
	r.n++
	event := revoke.Event{SenderID: fmt.Sprintf("evt-%d", r.n), Type: string(sig.Kind), OccurredAt: sig.OccurredAt, Signals: []revoke.Signal{sig}}
	out := r.receive(t, src, event)
	if out.Duplicate || out.State != revoke.EventDecided {
		t.Fatalf("%s of %s: got state %s (duplicate %t), want decided", sig.Kind, src.Name, out.State, out.Duplicate)
	}
	r.sent = append(r.sent, sentEvent{src, event, out})
	return out
}

func (r *modelRun) receive(t *rapid.T, src revoke.Source, event revoke.Event) revoke.Outcome {
	t.Helper()
	out, err := r.svc.Receive(r.ctx, revoke.Actor{Kind: "source", Name: src.Name}, src, event)
	if err != nil || len(out) != 1 {
		t.Fatalf("receive %s of %s: got %d outcomes (%v), want 1", event.Type, src.Name, len(out), err)
	}
	return out[0]
}

func (r *modelRun) deactivate(t *rapid.T) {
	src := r.sender(t)
	r.deactivateBy(t, src, r.names(t, src.Learns), r.moment(t))
}

// sender draws a source that blocks and lifts: a directory, or one that only points.
func (r *modelRun) sender(t *rapid.T) revoke.Source {
	return r.source(rapid.SampledFrom([]string{"okta", "hr"}).Draw(t, "source"))
}

func (r *modelRun) deactivateBy(t *rapid.T, src revoke.Source, names []string, stated tick) {
	r.model.step++
	occurred, at := r.at(stated)
	kind := rapid.SampledFrom([]revoke.SignalKind{revoke.Deactivated, revoke.Suspended, revoke.Deleted, revoke.Terminated}).Draw(t, "kind")
	n := r.lookUp(src, names)
	out := r.send(t, src, revoke.Signal{Kind: kind, Subject: subject(names), OccurredAt: occurred})
	r.model.deactivate(n, src.Authority, at)
	r.model.settle(fmt.Sprintf("%s by %s at step %d", kind, src.Name, r.model.step))
	r.owed(t, out, 1)
}

// lookUp tells the model whom a source means.
func (r *modelRun) lookUp(src revoke.Source, names []string) *node {
	if src.Learns {
		return r.model.learn(names)
	}
	return r.model.find(names)
}

func (r *modelRun) reactivate(t *rapid.T) {
	src := r.sender(t)
	r.reactivateBy(t, src, r.names(t, src.Learns), r.moment(t))
}

func (r *modelRun) reactivateBy(t *rapid.T, src revoke.Source, names []string, stated tick) {
	r.model.step++
	occurred, at := r.at(stated)
	n := r.lookUp(src, names)
	r.send(t, src, revoke.Signal{Kind: revoke.Reactivated, Subject: subject(names), OccurredAt: occurred})
	r.model.reactivate(n, src.Authority, at)
	r.model.settle(fmt.Sprintf("lift by %s at step %d", src.Name, r.model.step))
}

// suspendAndBringBack is the common story: everything is checked in between, since a session that was over for a moment is
// over for good.
func (r *modelRun) suspendAndBringBack(t *rapid.T) {
	src := r.sender(t)
	names := r.names(t, src.Learns)
	r.deactivateBy(t, src, names, r.moment(t))
	if rapid.Bool().Draw(t, "ask in between") {
		r.check(t)
	}
	r.reactivateBy(t, src, names, 0)
}

func (r *modelRun) changeCredential(t *rapid.T) {
	r.model.step++
	src := r.sender(t)
	names := r.names(t, src.Learns)
	occurred, at := r.at(r.moment(t))
	n := r.lookUp(src, names)
	out := r.send(t, src, revoke.Signal{Kind: revoke.CredentialChanged, Subject: subject(names), OccurredAt: occurred})
	r.model.cut(n, modelCut{}, at)
	r.model.settle(fmt.Sprintf("credential changed at step %d", r.model.step))
	r.owed(t, out, 1)
}

func (r *modelRun) compromise(t *rapid.T) {
	r.model.step++
	src := r.source("hr")
	names := r.names(t, false)
	occurred, _ := r.at(r.moment(t)) // whatever it says, it cuts at receipt
	n := r.model.find(names)
	out := r.send(t, src, revoke.Signal{Kind: revoke.CredentialCompromised, Subject: subject(names), OccurredAt: occurred})
	r.model.cut(n, modelCut{}, r.model.step)
	r.model.settle(fmt.Sprintf("compromise at step %d", r.model.step))
	r.owed(t, out, 1)
}

func (r *modelRun) clearPart(t *rapid.T) {
	r.model.step++
	names := r.names(t, false)
	sig := revoke.Signal{Kind: revoke.SessionsCleared, Subject: subject(names), Command: true}
	var what modelCut
	switch rapid.IntRange(0, 2).Draw(t, "part") {
	case 0:
		what.kind = rapid.SampledFrom(kinds).Draw(t, "kind")
		sig.OnlyKind = what.kind
	case 1:
		what.app = rapid.SampledFrom(apps).Draw(t, "app")
		sig.OnlyApp = what.app
	case 2:
		what.device = rapid.SampledFrom(devices[1:]).Draw(t, "device")
		sig.Device = []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: what.device}}
	}
	src := r.source("hr")
	n := r.model.find(names)
	out := r.send(t, src, sig)
	r.model.cut(n, what, r.model.step)
	r.model.settle(fmt.Sprintf("part of a person at step %d", r.model.step))
	r.owed(t, out, 1)
}

var (
	kinds   = []revoke.Kind{revoke.Browser, revoke.Mobile}
	apps    = []string{"portal", "canvas"}
	devices = []string{"", "phone", "laptop"}
)

func (r *modelRun) loseDevice(t *rapid.T) {
	r.model.step++
	device := rapid.SampledFrom(devices[1:]).Draw(t, "device")
	r.send(t, r.source("mdm"), revoke.Signal{Kind: revoke.DeviceLost, Device: []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: device}}})
	r.model.wide[revoke.Scope{Kind: revoke.ScopeDevice, Key: device}] = r.model.step
	r.model.settle(fmt.Sprintf("device lost at step %d", r.model.step))
}

func (r *modelRun) adminBlocks(t *rapid.T) {
	r.model.step++
	names := r.names(t, false)
	n := r.model.find(names)
	out := r.send(t, r.source("ops"), revoke.Signal{Kind: revoke.SessionsCleared, Subject: subject(names), Command: true, Block: true})
	r.model.deactivate(n, revoke.AdminAuthority, r.model.step)
	r.model.settle(fmt.Sprintf("admin's block at step %d", r.model.step))
	r.owed(t, out, 1)
}

func (r *modelRun) adminLifts(t *rapid.T) {
	r.model.step++
	names := r.names(t, false)
	n := r.model.find(names)
	r.send(t, r.source("ops"), revoke.Signal{Kind: revoke.Reactivated, Subject: subject(names), Command: true})
	r.model.liftAll(n)
	r.model.settle(fmt.Sprintf("admin's lift at step %d", r.model.step))
}

func (r *modelRun) endOne(t *rapid.T) {
	if len(r.model.sessions) == 0 {
		t.Skip("there is no session")
	}
	r.model.step++
	s := rapid.SampledFrom(r.model.sessions).Draw(t, "session")
	r.send(t, r.source("ops"), revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{App: s.app, ClientID: s.id}, Command: true})
	if !s.dead {
		s.dead, s.why = true, fmt.Sprintf("ended by itself at step %d", r.model.step)
	}
}

func (r *modelRun) endForMany(t *rapid.T) {
	r.model.step++
	sig := revoke.Signal{Kind: revoke.SessionsCleared, Wide: rapid.SampledFrom([]revoke.ScopeKind{revoke.ScopeEveryone, revoke.ScopeKindOf, revoke.ScopeApp}).Draw(t, "scope"), Command: true}
	scope := revoke.Scope{Kind: sig.Wide}
	switch sig.Wide {
	case revoke.ScopeKindOf:
		sig.OnlyKind = rapid.SampledFrom(kinds).Draw(t, "kind")
		scope.Key = string(sig.OnlyKind)
	case revoke.ScopeApp:
		sig.OnlyApp = rapid.SampledFrom(apps).Draw(t, "app")
		scope.Key = sig.OnlyApp
	case revoke.ScopeEveryone, revoke.ScopeUser, revoke.ScopeUserKind, revoke.ScopeUserApp, revoke.ScopeDevice, revoke.ScopeUserDevice, revoke.ScopeSession:
	}
	out := r.send(t, r.source("ops"), sig)
	r.model.wide[scope] = r.model.step
	r.model.settle(fmt.Sprintf("end for %s at step %d", sig.Wide, r.model.step))
	r.owed(t, out, 1)
}

// teach lets the directory write about a person: names that led to different users now lead to one.
func (r *modelRun) teach(t *rapid.T) {
	r.model.step++
	names := r.names(t, true)
	n := r.model.learn(names)
	r.send(t, r.source("okta"), revoke.Signal{Kind: revoke.Reactivated, Subject: subject(names), OccurredAt: r.instant(-9)})
	r.model.reactivate(n, "okta", -9)
	r.model.settle(fmt.Sprintf("what the directory taught at step %d", r.model.step))
}

func (r *modelRun) repeat(t *rapid.T) {
	if len(r.sent) == 0 {
		t.Skip("nothing was sent")
	}
	s := rapid.SampledFrom(r.sent).Draw(t, "event")
	out := r.receive(t, s.src, s.event)
	if !out.Duplicate || out.Event != s.out.Event || len(out.Revocations) != len(s.out.Revocations) {
		t.Fatalf("event %s a second time: got event %s with %d revocations (duplicate %t), want the first answer: event %s with %d",
			s.event.SenderID, out.Event, len(out.Revocations), out.Duplicate, s.out.Event, len(s.out.Revocations))
	}
}

// restart starts a new service on the same store.
func (r *modelRun) restart(t *rapid.T) {
	svc, err := revoke.New(revoke.Config{
		Store: r.store, Log: slog.New(slog.DiscardHandler),
		Targets: []revoke.TargetName{{Name: "canvas", Org: r.org}, {Name: "portal", Org: r.org}, {Name: "elsewhere", Org: "elsewhere"}},
	})
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	for _, s := range r.model.sessions[:min(1, len(r.model.sessions))] {
		if _, err := svc.Ask(r.ctx, revoke.SessionRef{Org: r.org, Token: s.token}); !errors.Is(err, revoke.ErrNotFresh) {
			t.Fatalf("a service that has read nothing answers %v about a session, want %v", err, revoke.ErrNotFresh)
		}
	}
	if err := svc.Load(r.ctx); err != nil {
		t.Fatalf("load the view: %v", err)
	}
	r.svc = svc
}

// fault lets the next commit fail, sends the event again as its sender would, and expects it to count once.
func (r *modelRun) fault(t *rapid.T) {
	faulty, ok := r.store.(Faulty)
	if !ok {
		r.restart(t)
		return
	}
	r.model.step++
	names := r.names(t, false)
	n := r.model.find(names)
	r.n++
	src := r.source("hr")
	event := revoke.Event{SenderID: fmt.Sprintf("evt-%d", r.n), Signals: []revoke.Signal{{Kind: revoke.Deactivated, Subject: subject(names)}}}
	want := revoke.ErrUnavailable
	switch rapid.IntRange(0, 2).Draw(t, "fault") {
	case 0:
		faulty.RefuseNext(1)
	case 1:
		faulty.LoseNext(1)
		want = revoke.ErrUnknownCommit
	case 2:
		faulty.DoubtNext(1)
		want = revoke.ErrUnknownCommit
	}
	if _, err := r.svc.Receive(r.ctx, revoke.Actor{}, src, event); !errors.Is(err, want) {
		t.Fatalf("receive while the store fails: got %v, want %v", err, want)
	}
	if errors.Is(want, revoke.ErrUnknownCommit) {
		if err := r.svc.Ready(); !errors.Is(err, revoke.ErrNotFresh) {
			t.Fatalf("ready after a commit of unknown outcome: got %v, want %v", err, revoke.ErrNotFresh)
		}
	}
	out := r.receive(t, src, event)
	r.sent = append(r.sent, sentEvent{src, event, out})
	if r.svc.Ready() != nil {
		if err := r.svc.Load(r.ctx); err != nil {
			t.Fatalf("load the view: %v", err)
		}
	}
	r.model.deactivate(n, src.Authority, r.model.step)
	r.model.settle(fmt.Sprintf("deactivation through a fault at step %d", r.model.step))
	r.owed(t, out, 1)
}

// owed looks for the revocations of an outcome, each owed to both targets.
func (r *modelRun) owed(t *rapid.T, out revoke.Outcome, want int) {
	t.Helper()
	if len(out.Revocations) != want {
		t.Fatalf("one event made %d revocations, want %d", len(out.Revocations), want)
	}
	for _, decided := range out.Revocations {
		got, owed, err := r.store.Revocation(r.ctx, r.org, decided.ID)
		if err != nil || got.ID != decided.ID || len(owed) != 2 || owed[0].Target != "canvas" || owed[1].Target != "portal" {
			t.Fatalf("revocation %s of an acknowledged event: got %+v owed as %+v (%v), want it owed to canvas and portal", decided.ID, got, owed, err)
		}
	}
}

// register signs a person in once or a few times, under names that may lead to different users.
func (r *modelRun) register(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "times") {
		r.registerOne(t)
	}
}

func (r *modelRun) registerOne(t *rapid.T) {
	r.model.step++
	r.n++
	names := r.names(t, false)
	stated := r.moment(t)
	s := &modelSession{
		id: fmt.Sprintf("s-%d", r.n), kind: rapid.SampledFrom(kinds).Draw(t, "kind"), app: rapid.SampledFrom(apps).Draw(t, "app"),
		device: rapid.SampledFrom(devices).Draw(t, "device"),
	}
	s.token = revoke.HashToken(r.org + s.id)
	issued, born := r.at(stated)
	known := slices.ContainsFunc(names, func(name string) bool { return r.model.names[name] != nil })
	s.node, s.born = &node{group: &group{}}, born
	if known {
		s.node = r.model.find(names)
	}
	got, err := r.svc.Register(r.ctx, r.source(s.app), s.registration(names, issued))
	switch at := r.model.covered(s); {
	case r.model.stands(s.node.group):
		if !errors.Is(err, revoke.ErrBlocked) {
			t.Fatalf("register for somebody under a block: got %v, want %v", err, revoke.ErrBlocked)
		}
		return
	case at != 0 && born <= at:
		if !errors.Is(err, revoke.ErrOver) {
			t.Fatalf("register a session born at %d, cut at %d: got %v, want %v", born, at, err, revoke.ErrOver)
		}
		return
	case err != nil || !got.Created:
		t.Fatalf("register for somebody whom nothing keeps out: got created %t (%v)", got.Created, err)
	}
	if !known {
		s.node = r.model.find(names)
	}
	r.model.sessions = append(r.model.sessions, s)
}

func (s *modelSession) registration(names []string, issued revoke.Instant) revoke.Registration {
	reg := revoke.Registration{Subject: subject(names), App: s.app, Kind: s.kind, ClientID: s.id, Token: s.token, IssuedAt: issued}
	if s.device != "" {
		reg.Device = revoke.DeviceIdentifier{Namespace: revoke.NamespaceDeviceID, Value: s.device}
		reg.Facts.DeviceID = s.device
	}
	return reg
}

// registerAgain sends a registration a second time, as an application does whose first answer was lost.
func (r *modelRun) registerAgain(t *rapid.T) {
	if len(r.model.sessions) == 0 {
		t.Skip("there is no session")
	}
	s := rapid.SampledFrom(r.model.sessions).Draw(t, "session")
	var names []string
	for name, n := range r.model.names {
		if n.group == s.node.group {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	got, err := r.svc.Register(r.ctx, r.source(s.app), s.registration(names[:1], 0))
	if err != nil || got.Created || got.Session.ClientID != s.id {
		t.Fatalf("register session %s again: got %s, created %t (%v), want the same session", s.id, got.Session.ClientID, got.Created, err)
	}
}

// check asks about every session, by its token and now and then by its id, and compares.
func (r *modelRun) check(t *rapid.T) {
	for i, s := range r.model.sessions {
		ref := revoke.SessionRef{Org: r.org, Token: s.token}
		if (i+int(r.model.step))%3 == 0 {
			ref = revoke.SessionRef{Org: r.org, App: s.app, ClientID: s.id}
		}
		got, err := r.svc.Ask(r.ctx, ref)
		switch {
		case err != nil:
			t.Fatalf("ask about session %s: %v", s.id, err)
		case got.Live && s.dead:
			t.Errorf("session %s lives after step %d, although it was over: %s", s.id, r.model.step, s.why)
		case !got.Live && !s.dead:
			t.Errorf("session %s is dead after step %d, although nothing ended it: %s", s.id, r.model.step, got.Sentence())
		case got.Live != (got.Sentence() == ""):
			t.Errorf("session %s, live %t, is explained by %q", s.id, got.Live, got.Sentence())
		}
	}
}
