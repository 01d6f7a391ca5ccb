package revoketest

import (
	"errors"
	"sync"

	"curfew/revoke"
)

// signInsContract is about who signs in to Curfew itself.
func signInsContract() map[string]func(*bench) {
	return map[string]func(*bench){"links": linksWorkOnce, "sign-ins": signInsKept}
}

func linksWorkOnce(b *bench) {
	about := ordered()
	about.Kind = "link"
	link, secret := revoke.NewLink(revoke.Link{
		Org: org, Subject: revoke.Subject{{Namespace: revoke.NamespaceEmail, Value: "sally@example.edu"}}, ExpiresAt: 100, App: "portal", ProvedAt: 40,
	})
	role, _ := revoke.NewLink(revoke.Link{Org: org, Role: revoke.RoleAdmin, ExpiresAt: 200})
	for _, l := range []revoke.Link{link, role} {
		if err := b.store.AddLink(b.deadline(), l, about); err != nil {
			b.Fatal(err)
		}
	}
	take := func(l revoke.Link, now revoke.Instant) (revoke.Link, error) {
		return b.store.TakeLink(b.deadline(), l.Hash, now, about)
	}
	if _, err := take(link, 100); !errors.Is(err, revoke.ErrNotFound) {
		b.Errorf("at its end: got %v, want ErrNotFound", err)
	}
	if link.Hash != revoke.HashToken(secret) {
		b.Error("a link is kept by something else than the hash of its secret")
	}
	const racers = 8
	var won, lost int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range racers {
		all.Go(func() {
			got, err := take(link, 99)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, revoke.ErrNotFound):
				lost++
			case err != nil:
				b.Error(err)
			default:
				b.same("the link", got, link)
				won++
			}
		})
	}
	all.Wait()
	if won != 1 || lost != racers-1 {
		b.Errorf("%d of %d were let in and %d not, want one", won, racers, lost)
	}
	for _, c := range []struct {
		before revoke.Instant
		want   int
	}{{100, 0}, {101, 1}, {101, 0}} {
		if n, err := b.store.DropLinks(b.deadline(), c.before); n != c.want || err != nil {
			b.Errorf("drop before %d: %d, %v, want %d", c.before, n, err, c.want)
		}
	}
	if got, err := take(role, 150); err != nil {
		b.Error(err)
	} else {
		b.same("the link with a role", got, role)
	}
}

func signInsKept(b *bench) {
	about := ordered()
	about.Kind = "sign-in"
	admitted := func(want bool) {
		b.Helper()
		if got, err := b.store.Admitted(b.deadline()); got != want || err != nil {
			b.Errorf("an admin signed in: %v, %v, want %v", got, err, want)
		}
	}
	keep := func(in revoke.SignIn) revoke.SignIn {
		b.Helper()
		in.Session, in.Org = b.id(), org
		if err := b.store.KeepSignIn(b.deadline(), in, about); err != nil {
			b.Fatal(err)
		}
		return in
	}
	all := []revoke.SignIn{
		keep(revoke.SignIn{User: b.id(), Name: "sally@example.edu"}),
		keep(revoke.SignIn{Name: "admin by link", Roles: []revoke.Role{revoke.RoleAdmin}, ByLink: true, ProvedAt: 7}),
	}
	admitted(false)
	all = append(all, keep(revoke.SignIn{User: b.id(), Name: "ada@example.edu", Roles: []revoke.Role{revoke.RoleApprover, revoke.RoleAdmin}, ProvedAt: 8}))
	admitted(true)
	for _, want := range all {
		got, err := b.store.SignIn(b.deadline(), want.Session)
		if err != nil {
			b.Fatal(err)
		}
		b.same(want.Name, got, want)
	}
	if _, err := b.store.SignIn(b.deadline(), b.id()); !errors.Is(err, revoke.ErrNotFound) {
		b.Errorf("a session that is no sign-in: got %v, want ErrNotFound", err)
	}
}
