package main

import (
	"context"
	"errors"
	"time"
)

// few is how many people are deactivated and activated again where the brake is measured: not so many that it holds one of them.
const few = 10

// braked compares SCIM PATCHes that the brake counts with the same ones where it is off.
func (b *bench) braked(ctx context.Context, d *database) (err error) {
	c, err := startClient(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	rates, err := b.rates(ctx, b.rounds, b.slice, b.flipping(c, d, "brake off", "off"), b.flipping(c, d, "brake on", "{users: 50, percent: 20, window: 10m, hour: 100, day: 300}"))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": a SCIM PATCH of active that the brake counts, in such PATCHes without it", ratio: ratio(rates[0], rates[1]), goal: 1.3,
		where: b.listed(targets(0), clients(1), "HTTP"),
	})
	return nil
}

// flipping is a contender that deactivates a few people and activates them again, over and over, on a server of its own.
func (b *bench) flipping(c client, d *database, name, brake string) contender {
	people := make([]string, few)
	for i := range people {
		people[i] = usersPath + "/" + d.resources[d.crowd.pick()].String()
	}
	return contender{name: name, open: func(ctx context.Context) (rate, func() error, error) {
		s, err := b.startWith(ctx, d, 0, brake)
		if err != nil {
			return nil, nil, err
		}
		l := load{Address: s.address, Clients: 1, Expect: `"active":`}
		for _, active := range []string{"false", "true"} {
			for _, path := range people {
				l.Requests = append(l.Requests, s.raw("PATCH", path, s.secrets[connectors[0]], "application/scim+json",
					`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":`+active+`}}]}`))
			}
		}
		return func(_ context.Context, slice time.Duration) (float64, error) {
			l.For = slice
			done, err := c.send(l)
			return float64(done.Answers) / slice.Seconds(), err
		}, s.stop, nil
	}}
}
