package revoketest

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// act sends one signal about somebody and tells the model what it does.
func (r *modelRun) act(t *rapid.T, source string, sig revoke.Signal, model func(n *node)) {
	r.model.step++
	src := r.source(source)
	names := r.same
	if names == nil {
		names = r.names(t, src.Learns)
	}
	n := r.lookUp(src, names)
	sig.Subject = subject(names)
	r.send(t, src, sig)
	model(n)
	r.model.settle(fmt.Sprintf("%s of %s at step %d", sig.Kind, source, r.model.step))
}

// blockAndLetIn is the whole story of a block about one person, who then signs in.
func (r *modelRun) blockAndLetIn(t *rapid.T) {
	r.same = []string{fmt.Sprintf("email:p%d", rapid.IntRange(0, people-1).Draw(t, "person"))}
	switch rapid.IntRange(0, 2).Draw(t, "story") {
	case 0:
		r.lock(t)
		r.check(t)
		r.unlock(t)
	case 1:
		r.announce(t)
		r.check(t)
		r.takeBack(t)
	case 2:
		r.blockForATime(t)
		r.check(t)
		r.timeIsUp(t)
	}
	for range 2 {
		r.registerOne(t)
	}
	r.same = nil
}

// announce plans an end whose day has come.
func (r *modelRun) announce(t *rapid.T) {
	sig := revoke.Signal{Kind: revoke.Terminated, Planned: true, EffectiveAt: r.store.Clock().Now()}
	r.act(t, planner, sig, func(n *node) { r.model.deactivate(n, planner, r.model.step) })
}

// takeBack says that there is no plan any more.
func (r *modelRun) takeBack(t *rapid.T) {
	r.act(t, planner, revoke.Signal{Kind: revoke.Terminated, Planned: true}, func(n *node) { r.model.takeBack(n, planner) })
}

func (r *modelRun) lock(t *rapid.T) {
	r.act(t, "okta", revoke.Signal{Kind: revoke.Locked}, func(n *node) { r.model.deactivate(n, locker, r.model.step) })
}

func (r *modelRun) unlock(t *rapid.T) {
	r.act(t, "okta", revoke.Signal{Kind: revoke.Unlocked}, func(n *node) { r.model.reactivate(n, locker, r.model.step) })
}

// blockForATime blocks until an instant that comes at once; the block stands until somebody looks what is due.
func (r *modelRun) blockForATime(t *rapid.T) {
	sig := revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: true, Until: r.store.Clock().Now() + 1}
	r.act(t, "ops", sig, func(n *node) {
		b := n.block(timed)
		b.blocked = r.model.step
		r.model.cut(n, modelCut{}, r.model.step)
	})
}

func (r *modelRun) timeIsUp(t *rapid.T) {
	r.model.step++
	if err := r.svc.EndDue(r.ctx); err != nil {
		t.Fatalf("do what is due: %v", err)
	}
	seen := map[*node]bool{}
	for _, n := range r.model.names {
		if !seen[n] {
			seen[n] = true
			r.model.timeIsUp(n)
		}
	}
	r.model.settle(fmt.Sprintf("time that was up at step %d", r.model.step))
}

// deviceNames are by what a device of the model is known: a serial of its own, and the application's name for it.
func deviceNames(device string) []revoke.DeviceIdentifier {
	return []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceSerial, Value: "serial of " + device}, {Namespace: revoke.NamespaceDeviceID, Value: device}}
}

// elsewhere lets something happen in another org to whoever has the same names there: nothing here.
func (r *modelRun) elsewhere(t *rapid.T) {
	r.n++
	at := func(src revoke.Source) revoke.Source {
		src.Org += "-elsewhere"
		return src
	}
	who := subject(r.names(t, true))
	device := rapid.SampledFrom(devices[1:]).Draw(t, "device")
	sig := rapid.SampledFrom([]revoke.Signal{
		{Kind: revoke.Suspended, Subject: who},
		{Kind: revoke.Reactivated, Subject: who},
		{Kind: revoke.DeviceLost, Device: deviceNames(device)},
		{Kind: revoke.SessionsCleared, Wide: revoke.ScopeEveryone, Command: true},
		{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{App: apps[0], ClientID: fmt.Sprintf("s-%d", r.n-1)}, Command: true},
	}).Draw(t, "signal")
	src := at(r.source(rapid.SampledFrom([]string{"okta", "ops"}).Draw(t, "source")))
	if len(sig.Device) > 0 {
		src = at(r.source("mdm"))
	}
	if _, err := r.svc.Receive(r.ctx, revoke.Actor{}, src, revoke.Event{SenderID: fmt.Sprintf("evt-%d", r.n-1), Signals: []revoke.Signal{sig}}); err != nil {
		t.Fatalf("receive in another org: %v", err)
	}
	for _, s := range r.model.sessions[max(0, len(r.model.sessions)-1):] {
		_, err := r.svc.Register(r.ctx, at(r.source(s.app)), s.registration([]string{"email:p0"}, 0))
		if err != nil && !errors.Is(err, revoke.ErrBlocked) && !errors.Is(err, revoke.ErrOver) && !errors.Is(err, revoke.ErrConflict) {
			t.Fatalf("register in another org: %v", err)
		}
	}
}

// checkTokens asks about stateless tokens of people, proved some hours ago, and compares with a session like that.
func (r *modelRun) checkTokens(t *rapid.T) {
	var questions []revoke.Question
	var want []bool
	for range rapid.IntRange(1, 3).Draw(t, "tokens") {
		names := r.names(t, false)
		s := &modelSession{
			kind: rapid.SampledFrom(kinds).Draw(t, "kind"), app: rapid.SampledFrom(apps).Draw(t, "app"), device: rapid.SampledFrom(devices).Draw(t, "device"),
			born: tick(-rapid.IntRange(1, 5).Draw(t, "hours ago")), node: &node{group: &group{}},
		}
		for _, name := range names {
			if n := r.model.names[name]; n != nil {
				s.node = n
				break
			}
		}
		q := revoke.Question{Subject: subject(names), IssuedAt: r.instant(s.born), Kind: s.kind, App: s.app}
		if s.device != "" {
			q.Device = deviceNames(s.device)
		}
		questions = append(questions, q)
		at := r.model.covered(s)
		want = append(want, !r.model.stands(s.node.group) && (at == 0 || s.born > at))
	}
	got, err := r.svc.Check(r.ctx, r.source("portal"), questions)
	if err != nil || len(got) != len(want) {
		t.Fatalf("check %d tokens: %d verdicts (%v)", len(want), len(got), err)
	}
	for i := range got {
		if got[i].Live != want[i] {
			t.Errorf("a token of %v, born %s, after step %d: live %t (%s), want %t", questions[i].Subject, questions[i].IssuedAt, r.model.step, got[i].Live, got[i].Sentence(), want[i])
		}
	}
}
