package revoketest

import (
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// mixedRun is a run without a model: names move between people at random, directories contradict each other, and nobody
// says who is meant. Whoever is meant, what an acknowledged block covers is dead, what was dead stays dead, and a service
// that starts anew gives the same answers.
type mixedRun struct {
	*modelRun
	sessions []*mixedSession
}

type mixedSession struct {
	ref  revoke.SessionRef
	user revoke.ID
	over string // when it was first seen dead
}

func (r *mixedRun) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){"": r.check}
	for _, a := range []struct {
		name  string
		times int
		do    func(*rapid.T)
	}{
		{"register", 6, r.register}, {"signal", 6, r.signal}, {"provision", 4, r.provision}, {"write a resource", 3, r.writeResource}, {"restart", 1, r.restart},
	} {
		for i := range a.times {
			all[fmt.Sprintf("%s %d", a.name, i)] = a.do
		}
	}
	return all
}

// anyNames are names that may be anybody's.
func (r *mixedRun) anyNames(t *rapid.T) []string {
	var out []string
	for range rapid.IntRange(1, 3).Draw(t, "how many") {
		name := fmt.Sprintf("%s:%d", drawn(t, "namespace", []string{"okta", "hr", "user_name", "email", "email", "external_id"}), rapid.IntRange(0, 2).Draw(t, "value"))
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (r *mixedRun) register(t *rapid.T) {
	r.n++
	stated := r.moment(t)
	issued, _ := r.at(stated)
	reg := revoke.Registration{Subject: subject(r.anyNames(t)), App: "portal", Kind: revoke.Browser, Token: revoke.HashToken(r.org + fmt.Sprintf("/%d", r.n)), IssuedAt: issued}
	got, err := r.svc.Register(r.ctx, r.source("portal"), reg)
	switch {
	case errors.Is(err, revoke.ErrBlocked), errors.Is(err, revoke.ErrConflict), errors.Is(err, revoke.ErrOver):
		return
	case err != nil:
		t.Fatalf("register: %v", err)
	}
	s := &mixedSession{ref: revoke.SessionRef{Org: r.org, Token: reg.Token}, user: got.Session.User}
	if answer, err := r.svc.Ask(r.ctx, s.ref); err != nil || !answer.Live {
		t.Fatalf("a session that was just registered: live %t, %s (%v)", answer.Live, answer.Sentence(), err)
	}
	r.sessions = append(r.sessions, s)
}

func (r *mixedRun) signal(t *rapid.T) {
	r.n++
	src := r.source(drawn(t, "source", []string{"okta", "hr", "ops"}))
	src.Learns = src.Learns || src.Name == "hr" && rapid.Bool().Draw(t, "teaches")
	sig := revoke.Signal{Kind: drawn(t, "kind", []revoke.SignalKind{revoke.Deactivated, revoke.Reactivated, revoke.Reactivated, revoke.CredentialCompromised}), Subject: subject(r.anyNames(t))}
	stated := r.moment(t)
	sig.OccurredAt, _ = r.at(stated)
	out := r.receive(t, src, revoke.Event{SenderID: fmt.Sprintf("evt-%d", r.n), OccurredAt: sig.OccurredAt, Signals: []revoke.Signal{sig}})
	if out.State == revoke.EventHeld {
		return
	}
	if out.State != revoke.EventDecided {
		t.Fatalf("%s of %s: got state %s, want decided or held", sig.Kind, src.Name, out.State)
	}
	if sig.Kind == revoke.CredentialCompromised || sig.Kind == revoke.Deactivated && stated == 0 {
		r.allOver(t, out.User, fmt.Sprintf("%s of %s", sig.Kind, src.Name))
	}
}

// allOver asks about every session of a person right after an acknowledged end of all of them.
func (r *mixedRun) allOver(t *rapid.T, user revoke.ID, why string) {
	t.Helper()
	members, err := r.svc.Members(user)
	if err != nil {
		t.Fatalf("members: %v", err)
	}
	for i, s := range r.sessions {
		if !slices.Contains(members, s.user) {
			continue
		}
		if got, err := r.svc.Ask(r.ctx, s.ref); err != nil || got.Live {
			t.Fatalf("session %d after an acknowledged %s: live %t (%v), want it dead", i, why, got.Live, err)
		}
	}
}

func (r *mixedRun) provision(t *rapid.T) {
	r.n++
	names := slices.DeleteFunc(r.anyNames(t), func(name string) bool { return name[:3] != "ema" })
	name := fmt.Sprintf("p%d", rapid.IntRange(0, 3).Draw(t, "name"))
	d := revoke.Draft{Subject: subject(append(names, "user_name:"+name)), Said: true}
	d.Type, d.UserName, d.Profile = "User", name, []byte(fmt.Sprintf(`{"n":%d}`, r.n))
	d.Active = rapid.IntRange(0, 3).Draw(t, "inactive") != 3
	got, err := r.svc.CreateResource(r.ctx, revoke.Actor{}, r.source(directory), d)
	switch {
	case errors.Is(err, revoke.ErrConflict):
		return
	case err != nil:
		t.Fatalf("create a resource: %v", err)
	}
	if !d.Active && len(got.Revocations) > 0 {
		r.allOver(t, got.Resource.User, "inactive creation")
	}
	r.resources[r.n] = &modelResource{id: got.Resource.ID}
}

func (r *mixedRun) writeResource(t *rapid.T) {
	var keys []int
	for key, res := range r.resources {
		if !res.gone {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		t.Skip("there is no resource")
	}
	slices.Sort(keys)
	r.n++
	res, src := r.resources[drawn(t, "resource", keys)], r.source(directory)
	if rapid.IntRange(0, 4).Draw(t, "delete") == 4 {
		if _, err := r.svc.DeleteResource(r.ctx, revoke.Actor{}, src, res.id); err != nil {
			t.Fatalf("delete a resource: %v", err)
		}
		for _, other := range r.resources { // a restored one stands here more than once
			other.gone = other.gone || other.id == res.id
		}
		return
	}
	active := rapid.Bool().Draw(t, "active")
	names := slices.DeleteFunc(r.anyNames(t), func(name string) bool { return name[:3] != "ema" })
	got, err := r.svc.UpdateResource(r.ctx, revoke.Actor{}, src, res.id, func(now revoke.Resource) (revoke.Draft, error) {
		d := revoke.Draft{Resource: now, Subject: subject(append(slices.Clone(names), "user_name:"+now.UserName)), Said: true}
		d.Active, d.Profile = active, []byte(fmt.Sprintf(`{"n":%d}`, r.n))
		return d, nil
	})
	switch {
	case errors.Is(err, revoke.ErrConflict):
		return
	case err != nil:
		t.Fatalf("write a resource: %v", err)
	}
	if slices.Contains(got.Signals, revoke.Deactivated) && len(got.Revocations) > 0 {
		r.allOver(t, got.Resource.User, "deactivation")
	}
}

func (r *mixedRun) check(t *rapid.T) {
	for i, s := range r.sessions {
		got, err := r.svc.Ask(r.ctx, s.ref)
		switch {
		case err != nil:
			t.Fatalf("ask about session %d: %v", i, err)
		case got.Live && s.over != "":
			t.Fatalf("session %d lives again: %s", i, s.over)
		case !got.Live && s.over == "":
			s.over = got.Sentence()
		}
	}
}

// restart reads everything anew: each session is as it was.
func (r *mixedRun) restart(t *rapid.T) {
	r.check(t)
	r.modelRun.restart(t)
	for i, s := range r.sessions {
		if got, err := r.svc.Ask(r.ctx, s.ref); err != nil || got.Live != (s.over == "") {
			t.Fatalf("session %d after a restart: live %t (%v), before it %t", i, got.Live, err, s.over == "")
		}
	}
}
