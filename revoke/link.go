package revoke

import (
	"context"
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
}

// SignIns is what a store keeps of those who sign in to Curfew.
type SignIns interface {
	// AddLink writes a link.
	AddLink(ctx context.Context, l Link, audit AuditEntry) error
	// TakeLink returns a link that was neither used nor is over, and uses it up; else it is [ErrNotFound].
	TakeLink(ctx context.Context, hash TokenHash, now Instant, audit AuditEntry) (Link, error)
	// KeepSignIn writes who signed in with a session.
	KeepSignIn(ctx context.Context, s SignIn, audit AuditEntry) error
	// SignIn returns who signed in with a session, or [ErrNotFound].
	SignIn(ctx context.Context, session ID) (SignIn, error)
	// Admitted reports whether anybody has signed in as an admin at the provider.
	Admitted(ctx context.Context) (bool, error)
}
