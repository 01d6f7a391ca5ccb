package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

const (
	busySessions = 500
	busyEntries  = 10_000 // of the time line, the sessions among them
	samples      = 60     // of each page in a round
	pageGoal     = 100    // milliseconds
)

// shown is what a console asks for at once.
type shown struct {
	name  string
	paths []string
	few   bool // or none at all answer to it
}

// lists measures every list, alone and under what it can be asked for, and the page of one person to whom much happened, each answer
// beside a bare handler that reads one of the events by its id.
func (b *bench) lists(ctx context.Context, d *database) (err error) {
	if err := b.history(ctx, d); err != nil {
		return err
	}
	busy, err := b.busyPerson(ctx, d)
	if err != nil {
		return fmt.Errorf("write a busy person: %w", err)
	}
	person := "/v1/users/" + busy.String()
	all := []shown{
		{name: fmt.Sprintf("a person's page with %s entries, all %d sessions beside it", thousands(busyEntries), busySessions), paths: []string{
			person, person + "/timeline?limit=40", "/v1/sessions?limit=1000&id=" + busy.String(),
		}},
		{name: "/v1/alarms", paths: []string{"/v1/alarms?limit=100"}, few: true},
		{name: "/v1/held", paths: []string{"/v1/held?limit=100"}, few: true},
		{name: "/v1/events of a type that is not there", paths: []string{"/v1/events?limit=100&type=never"}, few: true},
		{name: "/v1/events that are ignored, of which there is none", paths: []string{"/v1/events?limit=100&state=ignored"}, few: true},
		{name: "/v1/deliveries that are due, of which there are few", paths: []string{"/v1/deliveries?limit=100&state=due"}, few: true},
		{name: "/v1/deliveries to a target that is new", paths: []string{"/v1/deliveries?limit=100&target=brand-new"}, few: true},
	}
	for _, list := range []string{
		"/v1/events", "/v1/events?source=okta", "/v1/events?state=decided", "/v1/events?type=user.lifecycle.deactivate", "/v1/users", "/v1/users?q=former-1",
		"/v1/sessions", "/v1/deliveries", "/v1/deliveries?target=canvas", "/v1/alarms?all=true",
	} {
		all = append(all, shown{name: list, paths: []string{onPage(list, "")}})
	}
	return b.beside(ctx, d, func(_ client, s *server, bare *baseline) error {
		for _, page := range all {
			if err := b.show(ctx, d, s, bare, page); err != nil {
				return fmt.Errorf("%s: %w", page.name, err)
			}
		}
		return nil
	})
}

// show asks for a page and for a point read in turns.
func (b *bench) show(ctx context.Context, d *database, s *server, bare *baseline, page shown) error {
	ours, err := dial(ctx, s.address)
	if err != nil {
		return err
	}
	defer ours.close()
	theirs, err := dial(ctx, bare.address)
	if err != nil {
		return err
	}
	defer theirs.close()
	questions := make([][]byte, len(page.paths))
	for i, path := range page.paths {
		questions[i] = s.get(path, "ops")
	}
	var pages, points []time.Duration
	for n := range b.rounds*samples + warmUp {
		id := fmt.Sprintf("01900000-0000-7000-8000-%012x", 1+n*stride%b.events)
		start := time.Now()
		if _, err := theirs.send(s.get(eventPath+id, "ops")); err != nil {
			return err
		}
		point := time.Since(start)
		for _, question := range questions {
			body, err := ours.send(question)
			if err != nil {
				return err
			}
			if !page.few && !strings.Contains(string(body), `":[{`) {
				return fmt.Errorf("nothing is there: %.300s", body)
			}
		}
		if n >= warmUp {
			points, pages = append(points, point), append(pages, time.Since(start)-point)
		}
	}
	slow, bound := percentile(pages, 99), percentile(points, 99)
	b.say(verdict{
		what: d.name + ": milliseconds for " + page.name + ", 99th percentile", ratio: slow.Seconds() * 1000, goal: pageGoal,
		beside: fmt.Sprintf("%.1f indexed point reads of a bare handler there (%s), and %.1f at the median (%s in place of %s)", slow.Seconds()/bound.Seconds(), bound.Round(time.Microsecond),
			percentile(pages, 50).Seconds()/percentile(points, 50).Seconds(), percentile(pages, 50).Round(time.Microsecond), percentile(points, 50).Round(time.Microsecond)),
		where: b.where(thousands(b.events)+" events, "+thousands(b.rows)+" rows of each other list", clients(1), "HTTP"),
	})
	return nil
}

// busyPerson writes somebody with many sessions, whom many events have signed out.
func (b *bench) busyPerson(ctx context.Context, d *database) (id revoke.ID, err error) {
	store, err := d.open(ctx, 0)
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for left := busyEntries - busySessions; left > 0 && err == nil; left -= busySessions {
		err = store.Decide(ctx, revoke.Need{Org: org}, func(f *revoke.Facts) (e revoke.Effects, _ error) {
			if id.IsZero() {
				id = revoke.NewID(f.Now)
				e = b.busySessions(id, f.Now)
			}
			for i := range min(left, busySessions) {
				event, at := revoke.NewID(f.Now), f.Now.Add(-time.Duration(i)*time.Hour)
				decided := revoke.Decided{User: id, Known: true}
				e.Events = append(e.Events, revoke.Event{
					ID: event, Org: org, Source: directory.Name, Authority: directory.Authority, Type: "user.session.clear", ReceivedAt: f.Now, OccurredAt: at,
					State: revoke.EventDecided, Body: json.RawMessage(`{"eventType":"user.session.clear"}`), Decided: decided,
				})
				e.Revocations = append(e.Revocations, revoke.Revocation{
					ID: revoke.NewID(f.Now), Event: event, Org: org, Kind: revoke.RevocationEnd, Signal: revoke.SessionsCleared, Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: id}, At: at,
					Reason: "bench", Actor: revoke.Actor{Kind: "source", Name: directory.Name}, CreatedAt: f.Now,
				})
			}
			return e, nil
		})
	}
	return id, err
}

func (b *bench) busySessions(user revoke.ID, now revoke.Instant) (e revoke.Effects) {
	e.Users = []revoke.User{{ID: user, Org: org, CreatedAt: now}}
	for _, id := range (revoke.Subject{{Namespace: revoke.NamespaceEmail, Value: "busy@example.edu"}}).In(org) {
		e.Holdings = append(e.Holdings, revoke.Holding{Identifier: id, User: user, HeldFrom: now, Authority: directory.Authority})
	}
	kinds := revoke.Kinds()
	for i := range busySessions {
		born := now.Add(-time.Duration(i) * time.Hour)
		e.Sessions = append(e.Sessions, revoke.Session{
			ID: revoke.NewID(now), Org: org, App: "portal", User: user, Kind: kinds[i%len(kinds)], ClientID: fmt.Sprintf("busy-%d", i), IssuedAt: born, BornAt: born,
			ExpiresAt: now.Add(revoke.DefaultLifetime), RegisteredAt: now, Facts: revoke.SessionFacts{DeviceName: "a phone", Platform: "iOS", IP: "192.0.2.7"},
		})
	}
	slices.Reverse(e.Sessions)
	return e
}
