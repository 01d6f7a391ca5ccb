package main

import (
	"context"
	"fmt"
	"log/slog"

	"curfew/revoke"
)

// session is one opening of the database: the store, and the service over it.
type session struct {
	store   revoke.Store
	service *revoke.Service
}

// serve readies a service that owes every revocation to the targets. Nothing is sent: no dispatcher runs.
func (b *bench) serve(ctx context.Context, store revoke.Store) (*revoke.Service, error) {
	cfg := revoke.Config{Store: store, Log: slog.New(slog.DiscardHandler)}
	for i := range b.targets {
		cfg.Targets = append(cfg.Targets, revoke.TargetName{Name: fmt.Sprintf("target-%d", i+1), Org: org})
	}
	service, err := revoke.New(cfg)
	if err != nil {
		return nil, err
	}
	return service, service.Load(ctx)
}

// deciding is a contender whose clients make the service decide on an event, one after the other.
func (b *bench) deciding(d *database, name string, clients, largestGroup int, event func(n int) revoke.Event) contender {
	return contender{name: name, open: func(ctx context.Context) (rate, func() error, error) {
		s, err := b.open(ctx, d, largestGroup)
		if err != nil {
			return nil, nil, err
		}
		actor := revoke.Actor{Kind: "source", Name: directory.Name}
		return workers(clients, func(ctx context.Context, _ int) error {
			e := event(d.crowd.pick())
			e.SenderID = fmt.Sprintf("bench-%d", d.events.Add(1))
			_, err := s.service.Receive(ctx, actor, directory, e)
			return err
		}), s.store.Close, nil
	}}
}

func (b *bench) open(ctx context.Context, d *database, largestGroup int) (session, error) {
	store, err := d.open(ctx, largestGroup)
	if err != nil {
		return session{}, err
	}
	service, err := b.serve(ctx, store)
	if err != nil {
		_ = store.Close()
		return session{}, err
	}
	return session{store, service}, nil
}

// deactivation compares one deactivation with one bare durable commit.
func (b *bench) deactivation(ctx context.Context, d *database) error {
	rates, err := b.rates(ctx, b.rounds, b.slice, d.bare(1), b.deciding(d, "deactivations", 1, 0, deactivation))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": one deactivation, in bare durable commits", ratio: ratio(rates[0], rates[1]), goal: 3,
		where: b.where(targets(b.targets), clients(1), "store"),
	})
	return nil
}

// grouped compares many clients whose decisions share commits with as many that each wait for one of their own.
func (b *bench) grouped(ctx context.Context, d *database) error {
	rates, err := b.rates(ctx, b.rounds, b.slice, d.bare(b.clients),
		b.deciding(d, "grouped", b.clients, 0, deactivation), b.deciding(d, "ungrouped", b.clients, 1, deactivation))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": deactivations per second, grouped against ungrouped", ratio: ratio(rates[1], rates[2]), goal: d.groupGoal, atLeast: true,
		beside: fmt.Sprintf("grouped they are %.2f of the bare durable commits per second, ungrouped %.2f", ratio(rates[1], rates[0]), ratio(rates[2], rates[0])),
		where:  b.where(targets(b.targets), clients(b.clients), "store", fmt.Sprintf("median of %d slices in turns", b.rounds)),
	})
	return nil
}

// everyone compares the end of everyone's sessions with the end of one person's.
func (b *bench) everyone(ctx context.Context, d *database) error {
	one := func(n int) revoke.Event {
		return revoke.Event{Type: "revocation", Signals: []revoke.Signal{{Kind: revoke.SessionsCleared, Subject: person(n), Command: true, Reason: "bench"}}}
	}
	all := func(int) revoke.Event {
		return revoke.Event{Type: "revocation", Signals: []revoke.Signal{{Kind: revoke.SessionsCleared, Wide: revoke.ScopeEveryone, Command: true, Reason: "bench"}}}
	}
	rates, err := b.rates(ctx, b.rounds, b.slice, b.deciding(d, "revoke one", 1, 0, one), b.deciding(d, "revoke everyone", 1, 0, all))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": revoking everyone, in revocations of one person", ratio: ratio(rates[0], rates[1]), goal: 1.3,
		where: b.where(targets(b.targets), clients(1), "store"),
	})
	return nil
}

func targets(n int) string { return fmt.Sprintf("%d targets", n) }

func clients(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}
