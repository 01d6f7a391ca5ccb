package main

import (
	"net/http"

	"curfew/api"
	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/targets"
	"curfew/webhooks"
)

// trial reads senders' messages without the proof that it was they.
type trial struct {
	*webhooks.Handler
	*webhooks.Attendant
	clock revoke.Clock
}

// Read reads a message and keeps nothing.
func (t trial) Read(source string, header http.Header, body []byte) ([]revoke.Event, error) {
	return t.Handler.Read(source, webhooks.Request{Method: http.MethodPost, Header: header, Body: body, ReceivedAt: t.clock.Now()})
}

// inspected is who sends to /hooks, as the doors show them.
func (l *Loaded) inspected(hooks *webhooks.Handler) []api.Sender {
	var out []api.Sender
	for name, s := range l.Sources {
		out = append(out, api.Sender{Source: s.source(name, l.TimeZone), Built: s.own != nil, Means: hooks.Means(name)})
	}
	return out
}

// open makes the targets that this build can call. It makes no call.
func (s *server) open(l *Loaded) (map[string]revoke.Target, error) {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	out := map[string]revoke.Target{}
	for name, t := range l.Targets {
		if t.own == nil {
			continue // a warning said that this build lacks its type
		}
		target, err := t.open(name, targets.Deps{Clients: calls, Clock: s.store.Clock(), Log: s.log})
		if err != nil {
			return nil, err
		}
		out[name] = target
	}
	return out, nil
}

// systems is where we revoke, as the doors show and probe it. Their targets are not the dispatcher's: a probe takes nothing
// from what a revocation is allowed.
func (s *server) systems(l *Loaded) ([]api.System, error) {
	opened, err := s.open(l)
	if err != nil {
		return nil, err
	}
	var out []api.System
	for name, t := range l.Targets {
		out = append(out, api.System{Name: name, Type: t.Type, Org: t.Org, Target: opened[name]})
	}
	return out, nil
}

// states is how calls of the targets went last.
func (s *server) states() map[string]revoke.TargetState {
	if d := s.deliveries.Load(); d != nil {
		return d.States()
	}
	return nil
}
