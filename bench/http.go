package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// askers is how many connections ask about sessions at once.
const askers = 8

// patches measures a directory's PATCH from a process beside the real program: with targets that are told meanwhile, and
// without.
func (b *bench) patches(ctx context.Context, d *database) error {
	for _, owed := range []int{b.targets, 0} {
		if err := b.patchesOwing(ctx, d, owed); err != nil {
			return err
		}
	}
	return nil
}

// patchesOwing compares a directory's PATCH that deactivates with a bare durable commit.
func (b *bench) patchesOwing(ctx context.Context, d *database, owed int) (err error) {
	c, err := startClient(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	s, err := b.start(ctx, d, owed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	b.progress("%s: provisioning %s people over SCIM, %d targets", d.name, thousands(b.resources), owed)
	requests, err := b.provision(ctx, d, s)
	if err != nil {
		return err
	}
	sent := 0
	patching := steady("SCIM PATCH", func(_ context.Context, slice time.Duration) (float64, error) {
		// An end of the list is no harm: the second round reactivates, which is decided and committed as well.
		from := sent % len(requests)
		l := load{Address: s.address, Requests: slices.Concat(requests[from:], requests[:from]), Clients: 1, For: slice}
		done, err := c.send(l)
		sent += done.Answers
		return float64(done.Answers) / slice.Seconds(), err
	})
	rates, err := b.rates(ctx, b.rounds, b.slice, d.bare(1), patching)
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": one SCIM PATCH that deactivates, in bare durable commits", ratio: ratio(rates[0], rates[1]), goal: 4,
		where: b.where(targets(owed)+map[bool]string{true: ", told meanwhile"}[owed > 0], clients(1), "HTTP"),
	})
	return nil
}

// provision creates people over SCIM who are in the tables already, and returns the requests that deactivate each, followed
// by those that reactivate each.
func (b *bench) provision(ctx context.Context, d *database, s *server) ([][]byte, error) {
	numbers := make(chan int, b.resources)
	for range b.resources {
		numbers <- d.crowd.pick()
	}
	close(numbers)
	ids := make(chan string, b.resources)
	if _, err := spread(askers, func(int, *atomic.Int64) error {
		for n := range numbers {
			var made struct{ ID string }
			if err := s.make(ctx, "/scim/v2/Users", "directory", map[string]any{
				"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
				"userName": address(n), "externalId": fmt.Sprintf("00u%017d", n), "active": true,
				"emails": []map[string]any{{"value": address(n), "type": "work", "primary": true}},
			}, &made); err != nil {
				return err
			}
			ids <- made.ID
		}
		return nil
	}); err != nil {
		return nil, err
	}
	close(ids)
	var off, on [][]byte
	for id := range ids {
		for active, list := range map[bool]*[][]byte{false: &off, true: &on} {
			body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":%t}}]}`, active)
			*list = append(*list, s.raw("PATCH", "/scim/v2/Users/"+id, s.secrets["directory"], "application/scim+json", body))
		}
	}
	return append(off, on...), nil
}

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
	bare, err := startBaseline(ctx, b.users)
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
