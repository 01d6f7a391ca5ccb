package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"curfew/revoke"
)

const org = "main"

// directory is the source whose news the benchmarks are.
var directory = revoke.Source{Name: "okta", Org: org, Type: "okta", Authority: "okta", IDs: "okta", Learns: true}

// person is the n-th of the people in the tables, known by four identifiers.
func person(n int) revoke.Subject {
	var s revoke.Subject
	s.Add("okta", fmt.Sprintf("00u%017d", n))
	s.Add(revoke.NamespaceExternalID, fmt.Sprintf("school-%d", n))
	s.Add(revoke.NamespaceUserName, address(n))
	s.Add(revoke.NamespaceEmail, address(n))
	return s
}

// address is the n-th person's user name and e-mail address.
func address(n int) string { return fmt.Sprintf("pupil%07d@example.edu", n) }

// crowd walks through people in an order that has nothing to do with that of the tables.
type crowd struct {
	first int // of them
	users int
	next  atomic.Int64
}

const stride = 104_729 // a prime, so that no number of people below it has a shorter round

func (c *crowd) pick() int { return c.first + int(c.next.Add(1)*stride%int64(c.users)) }

// deactivation is what a directory says of the n-th person, as large as Okta writes it.
func deactivation(n int) revoke.Event {
	return revoke.Event{
		Type:    "user.lifecycle.deactivate",
		Body:    json.RawMessage(fmt.Sprintf(`{"eventType":"user.lifecycle.deactivate","target":[{"id":"00u%017d","type":"User"}],"detail":"%0400d"}`, n, n)),
		Signals: []revoke.Signal{{Kind: revoke.Deactivated, Subject: person(n)}},
	}
}

const (
	usersPerWrite = 500
	writers       = 4
)

// fill writes the people and their sessions, spread evenly, through the store itself.
func (b *bench) fill(ctx context.Context, d *database) error {
	b.progress("%s: writing %s people with %s sessions", d.name, thousands(b.users), thousands(b.sessions))
	return b.pour(ctx, d, b.users, b.people)
}

// pour writes so many people through the store itself.
func (b *bench) pour(ctx context.Context, d *database, users int, people func(from, to int, now revoke.Instant) revoke.Effects) error {
	store, err := d.open(ctx, 0)
	if err != nil {
		return err
	}
	var next atomic.Int64
	_, err = spread(writers, func(int, *atomic.Int64) error {
		for {
			from := int(next.Add(usersPerWrite)) - usersPerWrite
			if from >= users {
				return nil
			}
			if from%(users/10+1) < usersPerWrite {
				b.progress("  %d of %d people", from, users)
			}
			to := min(from+usersPerWrite, users)
			if err := store.Decide(ctx, revoke.Need{Org: org}, func(f *revoke.Facts) (revoke.Effects, error) {
				return people(from, to, f.Now), nil
			}); err != nil {
				return err
			}
		}
	})
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	return d.settle(ctx)
}

func (b *bench) people(from, to int, now revoke.Instant) revoke.Effects {
	var e revoke.Effects
	kinds := revoke.Kinds()
	for n := from; n < to; n++ {
		user := revoke.User{ID: revoke.NewID(now), Org: org, CreatedAt: now}
		e.Users = append(e.Users, user)
		for _, id := range person(n).In(org) {
			e.Holdings = append(e.Holdings, revoke.Holding{Identifier: id, User: user.ID, HeldFrom: now, Authority: directory.Authority})
		}
		for s := b.sessions * n / b.users; s < b.sessions*(n+1)/b.users; s++ {
			born := now.Add(-revoke.DefaultLifetime / 2)
			e.Sessions = append(e.Sessions, revoke.Session{
				ID: revoke.NewID(now), Org: org, App: "portal", User: user.ID, Kind: kinds[s%len(kinds)],
				Token: revoke.HashToken(fmt.Sprintf("session-%d", s)), IssuedAt: born, BornAt: born,
				ExpiresAt: now.Add(revoke.DefaultLifetime), RegisteredAt: now,
				Facts: revoke.SessionFacts{DeviceName: "a phone", Platform: "iOS", IP: "192.0.2.7"},
			})
		}
	}
	return e
}
