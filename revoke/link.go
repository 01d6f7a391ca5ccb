package revoke

import (
	"context"
	"crypto/rand"
	"time"
)

// LinkLife is for how long a link that was made on the host lets somebody in; one that an application asks for lives for
// AppLinkLife.
const (
	LinkLife    = 30 * time.Minute
	AppLinkLife = time.Minute
)

// Link lets somebody in once: a person to their own devices, or nobody in particular with a role.
type Link struct {
	Hash      TokenHash // all that is kept of it
	Org       string
	Subject   Subject // none: nobody's
	Role      Role    // none: a person with devices
	ExpiresAt Instant
	App       string  // that asked for it; empty: somebody on the host
	ProvedAt  Instant // of a link that an app asked for: when the person last proved to it who they are, zero when it does not say
}

// NewLink gives a link its secret, which is shown once, and keeps only the hash.
func NewLink(l Link) (made Link, secret string) {
	secret = rand.Text() + rand.Text()
	l.Hash = HashToken(secret)
	return l, secret
}

// SignIns is what a store keeps of those who sign in to Curfew.
type SignIns interface {
	// AddLink writes a link.
	AddLink(ctx context.Context, l Link, audit AuditEntry) error
	// TakeLink returns a link that was neither used nor is over, and uses it up; else it is [ErrNotFound].
	TakeLink(ctx context.Context, hash TokenHash, now Instant, audit AuditEntry) (Link, error)
	// DropLinks forgets links that were over before an instant, at most a few thousand at a time, and says how many.
	DropLinks(ctx context.Context, before Instant) (int, error)
	// KeepSignIn writes who signed in with a session.
	KeepSignIn(ctx context.Context, s SignIn, audit AuditEntry) error
	// SignIn returns who signed in with a session, or [ErrNotFound].
	SignIn(ctx context.Context, session ID) (SignIn, error)
	// Admitted reports whether anybody has signed in as an admin at the provider.
	Admitted(ctx context.Context) (bool, error)
}
