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
// (promise 3), whatever restarts in between, and nothing else is touched. Where names are mixed up among people, and where
// everything happens at once, both promises are held without a model. open is as for [RunStore]; a store serves several
// runs, each in an org of its own.
func RunModel(t *testing.T, open func(t *testing.T) revoke.Store) {
	t.Helper()
	t.Run("people", func(t *testing.T) {
		t.Parallel()
		modelRuns(t, open, func(t *rapid.T, r *modelRun) {
			r.begin(t)
			t.Repeat(r.actions())
		})
	})
	t.Run("people whose names are mixed up", func(t *testing.T) {
		t.Parallel()
		modelRuns(t, open, func(t *rapid.T, r *modelRun) { t.Repeat((&mixedRun{modelRun: r}).actions()) })
	})
	t.Run("people at the same time", func(t *testing.T) {
		t.Parallel()
		together(t, open(t))
	})
}

func modelRuns(t *testing.T, open func(t *testing.T) revoke.Store, run func(*rapid.T, *modelRun)) {
	t.Helper()
	const perStore = 20
	var store revoke.Store
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs%perStore == 0 {
			store = open(t)
		}
		runs++
		run(rt, newModelRun(t.Context(), rt, store, fmt.Sprintf("run-%d", runs)))
	})
}

// Faulty is a store that can be told to fail. A model run tells it when it can.
type Faulty interface {
	RefuseNext(n int)
	LoseNext(n int)
	DoubtNext(n int)
}

var _ Faulty = (*Memory)(nil)

// begin lets a run start where some people are known and signed in already.
func (r *modelRun) begin(t *rapid.T) {
	for person := range people {
		if rapid.Bool().Draw(t, "provisioned") {
			r.provisionPerson(t, person, true)
		}
		if rapid.Bool().Draw(t, "signed in") {
			r.register(t)
		}
	}
}

// actions are what a run does. What makes life stands there more than once, or most of a run would go by among the dead.
func (r *modelRun) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){"": r.check}
	for _, a := range []struct {
		name  string
		times int
		do    func(*rapid.T)
	}{
		{"register", 8, r.register},
		{"register again", 1, r.registerAgain},
		{"deactivate", 2, r.deactivate},
		{"reactivate", 3, r.reactivate},
		{"suspend and bring back", 2, r.suspendAndBringBack},
		{"half known", 1, r.halfKnown},
		{"burst", 1, r.burst},
		{"change credential", 2, r.changeCredential},
		{"compromise", 1, r.compromise},
		{"clear part", 2, r.clearPart},
		{"lose device", 2, r.loseDevice},
		{"admin blocks", 1, r.adminBlocks},
		{"admin lifts", 3, r.adminLifts},
		{"end one session", 2, r.endOne},
		{"end for many", 1, r.endForMany},
		{"directory teaches", 3, r.teach},
		{"provision", 2, r.provision},
		{"write a resource", 5, r.writeResource},
		{"repeat an event", 1, r.repeat},
		{"block and let in", 3, r.blockAndLetIn},
		{"announce", 1, r.announce},
		{"take back an announcement", 1, r.takeBack},
		{"lock", 1, r.lock},
		{"unlock", 1, r.unlock},
		{"block for a time", 1, r.blockForATime},
		{"time is up", 1, r.timeIsUp},
		{"another org", 2, r.elsewhere},
		{"check tokens", 2, r.checkTokens},
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
	n     int      // numbers what is made
	same  []string // names, while a story is about one person

	resources map[int]*modelResource // by person
}

type sentEvent struct {
	src   revoke.Source
	event revoke.Event
	out   revoke.Outcome
}

func newModelRun(ctx context.Context, t *rapid.T, store revoke.Store, org string) *modelRun {
	r := &modelRun{ctx: ctx, store: store, org: org, model: newModel(), t: t, resources: map[int]*modelResource{}}
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
		src.Rules = map[revoke.SignalKind]revoke.Rule{revoke.Locked: {Cut: revoke.AtEvent, Block: revoke.SetBlock, Class: revoke.ClassLocked}}
	case "ops":
		src.Authority, src.Admin, src.Devices = revoke.AdminAuthority, true, true
	case "mdm":
		src.Devices = true
	case directory:
		src.Learns = true
	}
	return src
}

// people is how many there are.
const people = 3

// names of one of the people: the id that okta gives them, their user name, and two addresses that nobody else has. They are in
// the order of their strength.
func (r *modelRun) names(t *rapid.T, directory bool) []string {
	person := rapid.IntRange(0, people-1).Draw(t, "person")
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
	r.owed(t, out)
}

// owed looks for the one revocation of an outcome, owed to both targets.
func (r *modelRun) owed(t *rapid.T, out revoke.Outcome) {
	t.Helper()
	if len(out.Revocations) != 1 {
		t.Fatalf("one event made %d revocations, want 1", len(out.Revocations))
	}
	for _, decided := range out.Revocations {
		got, owed, err := r.store.Revocation(r.ctx, r.org, decided.ID)
		if err != nil || got.ID != decided.ID || len(owed) != 2 || owed[0].Target != "canvas" || owed[1].Target != "portal" {
			t.Fatalf("revocation %s of an acknowledged event: got %+v owed as %+v (%v), want it owed to canvas and portal", decided.ID, got, owed, err)
		}
	}
}
