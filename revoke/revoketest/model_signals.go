package revoketest

import (
	"fmt"

	"pgregory.net/rapid"

	"curfew/revoke"
)

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
	r.owed(t, out)
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

// halfKnown blocks under one name, lifts under another that may be another user's, and then teaches that they are one: the
// lift may end the block, and never revives what the block had ended.
func (r *modelRun) halfKnown(t *rapid.T) {
	person := rapid.IntRange(0, people-1).Draw(t, "person")
	names := []string{fmt.Sprintf("user_name:p%d", person), fmt.Sprintf("email:p%d", person), fmt.Sprintf("email:alias%d", person)}
	blocked := rapid.IntRange(0, 2).Draw(t, "blocked name")
	r.deactivateBy(t, r.source("hr"), names[blocked:blocked+1], r.moment(t))
	lifted := (blocked + 1) % 3
	r.reactivateBy(t, r.source("hr"), names[lifted:lifted+1], r.moment(t))
	r.check(t)
	r.teachNames(t, append([]string{fmt.Sprintf("okta:u%d", person)}, names...))
}

// burst sends several events in one request, the last of them twice.
func (r *modelRun) burst(t *rapid.T) {
	src := r.source("hr")
	var events []revoke.Event
	for range rapid.IntRange(2, 4).Draw(t, "events") {
		r.model.step++
		r.n++
		names := r.names(t, false)
		n := r.model.find(names)
		sig := revoke.Signal{Kind: revoke.Deactivated, Subject: subject(names)}
		if rapid.Bool().Draw(t, "lift") {
			sig.Kind = revoke.Reactivated
			r.model.reactivate(n, src.Authority, r.model.step)
		} else {
			r.model.deactivate(n, src.Authority, r.model.step)
		}
		r.model.settle(fmt.Sprintf("%s in a burst at step %d", sig.Kind, r.model.step))
		events = append(events, revoke.Event{SenderID: fmt.Sprintf("evt-%d", r.n), Signals: []revoke.Signal{sig}})
	}
	events = append(events, events[len(events)-1])
	out, err := r.svc.Receive(r.ctx, revoke.Actor{}, src, events...)
	if err != nil || len(out) != len(events) {
		t.Fatalf("receive %d events at once: got %d outcomes (%v)", len(events), len(out), err)
	}
	for i := range events[1:] {
		if out[i].Duplicate {
			t.Fatalf("event %d of %d in a burst is taken for a duplicate", i+1, len(events))
		}
		r.sent = append(r.sent, sentEvent{src, events[i], out[i]})
	}
	if last := out[len(out)-1]; !last.Duplicate || last.Event != out[len(out)-2].Event {
		t.Fatalf("the last event of a burst, which came twice: got event %s (duplicate %t), want the one before, %s", last.Event, last.Duplicate, out[len(out)-2].Event)
	}
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
	r.owed(t, out)
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
	r.owed(t, out)
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
	if what.device != "" && !r.model.devices[what.device] { // nobody has registered it: the news is widened to the person
		r.model.devices[what.device] = true
		r.model.cut(n, modelCut{}, r.model.step)
	}
	r.model.settle(fmt.Sprintf("part of a person at step %d", r.model.step))
	r.owed(t, out)
}

var (
	kinds   = []revoke.Kind{revoke.Browser, revoke.Mobile}
	apps    = []string{"portal", "canvas"}
	devices = []string{"", "phone", "laptop"}
)

func (r *modelRun) loseDevice(t *rapid.T) {
	r.model.step++
	device := rapid.SampledFrom(devices[1:]).Draw(t, "device")
	name := rapid.SampledFrom(deviceNames(device)).Draw(t, "name")
	r.send(t, r.source("mdm"), revoke.Signal{Kind: revoke.DeviceLost, Device: []revoke.DeviceIdentifier{name}})
	r.model.devices[name.Value] = true
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
	r.owed(t, out)
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
	r.owed(t, out)
}

// teach lets the directory write about a person: names that led to different users now lead to one.
func (r *modelRun) teach(t *rapid.T) { r.teachNames(t, r.names(t, true)) }

func (r *modelRun) teachNames(t *rapid.T, names []string) {
	r.model.step++
	n := r.model.learn(names)
	r.send(t, r.source("okta"), revoke.Signal{Kind: revoke.Reactivated, Subject: subject(names), OccurredAt: r.instant(-9)})
	r.model.reactivate(n, "okta", -9)
	r.model.settle(fmt.Sprintf("what the directory taught at step %d", r.model.step))
}
