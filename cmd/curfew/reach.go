package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/targets"
)

const probeWithin = 15 * time.Second

// probe connects to every target, one after the other. It changes nothing there.
func (l *Loaded) probe(ctx context.Context) ([]checkTarget, error) {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	var out []checkTarget
	for _, name := range slices.Sorted(maps.Keys(l.Targets)) {
		settings := l.Targets[name]
		if settings.own == nil {
			out = append(out, checkTarget{Target: name, Problem: "target " + name + ": " + lacked(settings.Type)})
			continue
		}
		target, err := settings.open(name, targets.Deps{Clients: calls, Clock: &revoke.ProcessClock{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		limited, cancel := context.WithTimeout(ctx, probeWithin)
		err = target.Check(limited)
		cancel()
		t := checkTarget{Target: name, OK: err == nil}
		if err != nil {
			t.Problem = err.Error()
		}
		out = append(out, t)
	}
	return out, nil
}

func lacked(kind string) string { return "this version lacks its type, " + kind }

// hear asks the running server about every sender, and asks for the address that each sends to.
func (sh *shell) hear(ctx context.Context, l *Loaded) ([]checkSource, error) {
	r, err := sh.remote()
	if err != nil {
		return nil, err
	}
	running, err := list[newsSource](ctx, r, "/v1/sources", url.Values{}, 0)
	if err != nil {
		return nil, fmt.Errorf("ask when sources were heard: %w", err)
	}
	public := r.base
	if _, set := l.Origins["public_url"]; set {
		public = strings.TrimSuffix(string(l.PublicURL), "/")
	}
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version}).Configured()
	var out []checkSource
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		s := checkSource{Source: name}
		if at := slices.IndexFunc(running, func(n newsSource) bool { return n.Name == name }); at < 0 {
			s.Problem = "the running server does not know it: send it SIGHUP"
		} else {
			s.LastHeard = running[at].LastHeard
		}
		if l.Sources[name].own == nil {
			s.Problem = lacked(l.Sources[name].Type)
		}
		s.Problem = cmp.Or(s.Problem, answers(ctx, calls, public+"/hooks/"+name))
		s.OK = s.Problem == ""
		out = append(out, s)
	}
	return out, nil
}

// answers says what is wrong with the address that a sender is given, nothing when Curfew answers there. The request proves
// nothing and says nothing, so Curfew refuses it.
func answers(ctx context.Context, client *http.Client, address string) string {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "its address, " + address + ", is none"
	}
	answer, err := outbound.Do(client, request, longestAnswer)
	switch {
	case err != nil:
		return fmt.Sprintf("nobody answers at %s: %v", address, err)
	case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusMethodNotAllowed, answer.Status == http.StatusBadRequest, answer.Status == http.StatusUnprocessableEntity:
		if answer.Header.Get("Content-Type") == "application/problem+json" {
			return ""
		}
	}
	return fmt.Sprintf("somebody else answers %d at %s: let what stands before Curfew pass it on", answer.Status, address)
}
