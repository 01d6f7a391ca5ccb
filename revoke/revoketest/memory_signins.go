package revoketest

import (
	"context"
	"slices"

	"curfew/revoke"
)

type memoryLink struct {
	revoke.Link
	usedAt revoke.Instant
}

// AddLink writes a link.
func (m *Memory) AddLink(ctx context.Context, l revoke.Link, audit revoke.AuditEntry) error {
	return m.read(ctx, func(t *tables) {
		t.links[l.Hash] = memoryLink{Link: l}
		t.log(audit)
	})
}

// TakeLink returns a link that was neither used nor is over, and uses it up.
func (m *Memory) TakeLink(ctx context.Context, hash revoke.TokenHash, now revoke.Instant, audit revoke.AuditEntry) (out revoke.Link, err error) {
	found := false
	err = m.read(ctx, func(t *tables) {
		l := t.links[hash]
		if found = l.ExpiresAt > now && l.usedAt == 0; found {
			l.usedAt = now
			t.links[hash], out = l, l.Link
			t.log(audit)
		}
	})
	if err == nil && !found {
		err = revoke.ErrNotFound
	}
	return out, err
}

// DropLinks forgets links that were over before an instant.
func (m *Memory) DropLinks(ctx context.Context, before revoke.Instant) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		for hash, l := range t.links {
			if l.ExpiresAt < before {
				delete(t.links, hash)
				n++
			}
		}
	})
	return n, err
}

// KeepSignIn writes who signed in with a session.
func (m *Memory) KeepSignIn(ctx context.Context, in revoke.SignIn, audit revoke.AuditEntry) error {
	return m.read(ctx, func(t *tables) {
		t.signIns[in.Session] = in
		t.log(audit)
	})
}

// SignIn returns who signed in with a session.
func (m *Memory) SignIn(ctx context.Context, session revoke.ID) (in revoke.SignIn, err error) {
	found := false
	err = m.read(ctx, func(t *tables) { in, found = t.signIns[session] })
	if err == nil && !found {
		err = revoke.ErrNotFound
	}
	return in, err
}

// Admitted reports whether anybody has signed in as an admin at the provider.
func (m *Memory) Admitted(ctx context.Context) (yes bool, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, in := range t.signIns {
			yes = yes || !in.ByLink && slices.Contains(in.Roles, revoke.RoleAdmin)
		}
	})
	return yes, err
}
