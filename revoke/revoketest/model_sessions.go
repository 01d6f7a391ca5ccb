package revoketest

import (
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// register signs a person in once or a few times, under names that may lead to different users.
func (r *modelRun) register(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "times") {
		r.registerOne(t)
	}
}

func (r *modelRun) registerOne(t *rapid.T) {
	r.model.step++
	r.n++
	names := r.same
	if names == nil {
		names = r.names(t, false)
	}
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
	s.registered = r.model.step
	for _, name := range deviceNames(s.device) {
		r.model.devices[name.Value] = true
	}
	r.model.sessions = append(r.model.sessions, s)
}

func (s *modelSession) registration(names []string, issued revoke.Instant) revoke.Registration {
	reg := revoke.Registration{Subject: subject(names), App: s.app, Kind: s.kind, ClientID: s.id, Token: s.token, IssuedAt: issued}
	if s.device != "" {
		reg.Device = deviceNames(s.device)
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
