package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"curfew/revoke"
)

// askers is how many connections ask at once.
const askers = 8

// connectors are the tokens of the one directory. A token may ask 2,000 times a second, which a bench would exceed, and so each
// connection asks under its own.
var connectors = func() []string {
	names := make([]string, askers)
	for i := range names {
		names[i] = fmt.Sprintf("directory-%d", i+1)
	}
	return names
}()

// fillDirectory writes people whom a directory has created over SCIM: the rows that its requests would have left.
func (b *bench) fillDirectory(ctx context.Context, d *database) error {
	b.progress("%s: writing %s people of a directory", d.name, thousands(b.resources))
	d.resources = make([]revoke.ID, b.resources)
	return b.pour(ctx, d, b.resources, func(from, to int, now revoke.Instant) (e revoke.Effects) {
		for n := from; n < to; n++ {
			user := revoke.User{ID: revoke.NewID(now), Org: org, CreatedAt: now}
			resource := provisioned(n, user.ID, now)
			d.resources[n] = resource.ID
			e.Users, e.Resources = append(e.Users, user), append(e.Resources, resource)
			for _, id := range append(revoke.Subject{directory.ResourceIdentifier(resource.ID)}, person(n).In(org)...) {
				if id.Namespace != revoke.NamespaceExternalID { // a source with ids of its own teaches them as such
					e.Holdings = append(e.Holdings, revoke.Holding{Identifier: id, User: user.ID, HeldFrom: now, Authority: directory.Authority})
				}
			}
		}
		return e
	})
}

// provisioned is the n-th person as Okta writes one.
func provisioned(n int, user revoke.ID, now revoke.Instant) revoke.Resource {
	return revoke.Resource{
		ID: revoke.NewID(now), Org: org, Authority: directory.Authority, Type: revoke.TypeUser, User: user, UserName: address(n),
		ExternalID: fmt.Sprintf("00u%017d", n), Active: true, Named: true, Version: 1, CreatedAt: now, UpdatedAt: now,
		Profile: json.RawMessage(fmt.Sprintf(`{"emails":[{"primary":true,"type":"work","value":%q}]}`, address(n))),
	}
}

// patches measures a directory's PATCH that deactivates, from a process beside the real program: of one client and of many, with
// targets that are told meanwhile, and without.
func (b *bench) patches(ctx context.Context, d *database) error {
	for _, owed := range []int{b.targets, 0} {
		if err := b.patchesOwing(ctx, d, owed); err != nil {
			return err
		}
	}
	return nil
}

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
	said := targets(owed) + map[bool]string{true: ", told meanwhile"}[owed > 0]
	rates, err := b.rates(ctx, b.rounds, b.slice, d.bare(1), b.patching(c, s, d, 1))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": one SCIM PATCH that deactivates, in bare durable commits", ratio: ratio(rates[0], rates[1]), goal: 3.5,
		where: b.listed(said, clients(1), "HTTP"),
	})
	rates, err = b.rates(ctx, b.rounds, b.slice, d.bare(b.clients), b.patching(c, s, d, b.clients))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": SCIM PATCHes that deactivate per second, of bare durable commits", ratio: ratio(rates[1], rates[0]), goal: 0.3, atLeast: true,
		where: b.listed(said, clients(b.clients), "HTTP"),
	})
	return nil
}

// leavers is how many people so many clients deactivate in a slice at most.
func leavers(clients int) int { return min(1000*clients, 800*askers) }

// patching is a contender that deactivates people, in each slice others.
func (b *bench) patching(c client, s *server, d *database, clients int) contender {
	return steady("SCIM PATCH", func(_ context.Context, slice time.Duration) (float64, error) {
		const body = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`
		l := load{Address: s.address, Clients: clients, For: slice, Expect: `"active":false`, Requests: make([][]byte, min(leavers(clients), b.resources))}
		for i := range l.Requests {
			l.Requests[i] = s.raw("PATCH", usersPath+"/"+d.resources[d.crowd.pick()].String(), s.secrets[connectors[i%askers]], "application/scim+json", body)
		}
		done, err := c.send(l)
		return float64(done.Answers) / slice.Seconds(), err
	})
}

// lookUps compares the question by which every connector finds a user with the least that Fiber can do with one row of the table.
func (b *bench) lookUps(ctx context.Context, d *database) error {
	return b.beside(ctx, d, func(c client, s *server, bare *baseline) error {
		ours, theirs := load{Address: s.address, Expect: `"totalResults":1`, Clients: askers}, load{Address: bare.address, Expect: `"userName":"pupil`, Clients: askers}
		for i := range askers * 500 {
			name := address(d.crowd.pick())
			ours.Requests = append(ours.Requests, s.get(usersPath+"?filter="+url.QueryEscape(`userName eq "`+name+`"`), connectors[i%askers]))
			theirs.Requests = append(theirs.Requests, s.get(usersPath+"?userName="+url.QueryEscape(name), connectors[i%askers]))
		}
		rates, err := b.rates(ctx, b.rounds, b.slice, c.sending("Fiber's handler with a point read", theirs), c.sending("GET by userName", ours))
		if err != nil {
			return err
		}
		b.say(verdict{
			what: d.name + ": users found by userName per second, of those of a Fiber handler that reads one row by an index", ratio: ratio(rates[1], rates[0]), goal: 1.0 / 3, atLeast: true,
			where: b.listed(clients(askers)+" in a process of their own", "HTTP"),
		})
		return nil
	})
}

const smallGroup = 10

// memberships compares the change of one member of a large group with that of a small one.
func (b *bench) memberships(ctx context.Context, d *database) error {
	return b.beside(ctx, d, func(c client, s *server, _ *baseline) error {
		large, err := s.changing(ctx, d, b.members)
		if err != nil {
			return err
		}
		small, err := s.changing(ctx, d, smallGroup)
		if err != nil {
			return err
		}
		rates, err := b.rates(ctx, b.rounds, b.slice, c.sending("one member of a small group", small), c.sending("one of a large group", large))
		if err != nil {
			return err
		}
		b.say(verdict{
			what: fmt.Sprintf("%s: a PATCH of one member of a group of %s, in PATCHes of one of %d", d.name, thousands(b.members), smallGroup), ratio: ratio(rates[0], rates[1]), goal: 1.1,
			where: b.listed(clients(1), "HTTP"),
		})
		return nil
	})
}

// changing makes a group and returns a load that takes its members out and in again, one after the other.
func (s *server) changing(ctx context.Context, d *database, size int) (load, error) {
	members := make([]map[string]string, size)
	for i := range members {
		members[i] = map[string]string{"value": d.resources[i].String()}
	}
	var made struct{ ID string }
	err := s.make(ctx, "/scim/v2/Groups?excludedAttributes=members", connectors[0], map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": fmt.Sprintf("a group of %d", size), "members": members,
	}, &made)
	if err != nil {
		return load{}, err
	}
	const schema = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`
	l := load{Address: s.address, Clients: 1}
	for i := range 1000 {
		id := d.resources[i*7%size]
		for _, operation := range []string{
			fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, id), fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"%s"}]}`, id),
		} {
			l.Requests = append(l.Requests, s.raw("PATCH", "/scim/v2/Groups/"+made.ID, s.secrets[connectors[0]], "application/scim+json", schema+operation+"]}"))
		}
	}
	return l, nil
}

// listed begins what every line about a directory states with how many people it has.
func (b *bench) listed(more ...string) []string {
	return slices.Concat([]string{thousands(b.resources) + " users over SCIM"}, more)
}
