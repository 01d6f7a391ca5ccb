package main

import (
	"context"
	"errors"
)

// introspections compares questions about one known session, each under a bearer token, with the least that Fiber can do.
func (b *bench) introspections(ctx context.Context, d *database) error {
	return b.beside(ctx, d, func(c client, s *server, bare *baseline) error {
		var made struct{ ID, Token string }
		if err := s.make(ctx, "/v1/sessions", "portal", map[string]any{
			"subject": map[string]string{"format": "email", "email": "asked@example.edu"}, "kind": "mobile", "token": "new",
		}, &made); err != nil {
			return err
		}
		l := load{Expect: `"active":true`, Clients: askers}
		l.Requests = [][]byte{s.raw("POST", introspectPath, s.secrets["gateway"], "application/x-www-form-urlencoded", "token="+made.Token)}
		rates, err := b.rates(ctx, 2*b.rounds+1, b.slice/2,
			c.sending("Fiber's bare JSON handler", l.to(bare.address)), c.sending("introspections", l.to(s.address)))
		if err != nil {
			return err
		}
		b.say(verdict{
			what: d.name + ": cached introspections per second, of those of Fiber's bare JSON handler", ratio: ratio(rates[1], rates[0]), goal: 0.8, atLeast: true,
			where: b.where(clients(askers)+" in a process of their own", "each with a bearer token", "HTTP"),
		})
		return nil
	})
}

// beside runs the real program, bare handlers and a client, each a process of its own.
func (b *bench) beside(ctx context.Context, d *database, measure func(client, *server, *baseline) error) (err error) {
	c, err := startClient(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	s, err := b.start(ctx, d, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	bare, err := startBaseline(ctx, b.users, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	return measure(c, s, bare)
}

// to returns the load as it is sent to another server.
func (l load) to(address string) load {
	l.Address = address
	return l
}
