package revoke

import (
	"context"
	"slices"
)

// Role is what somebody who signed in may do beside seeing and ending their own sessions. The set is closed.
type Role string

// The roles. Only [RoleAdmin] includes another: all but [RoleApprover], since who orders and who approves are to be two.
const (
	RoleViewer   Role = "viewer"   // sees everything but raw events
	RoleOperator Role = "operator" // and ends the sessions of one person, and replays events
	RoleApprover Role = "approver" // and decides on what is held, but not on what they asked for
	RoleAdmin    Role = "admin"    // and blocks, lifts, splits, orders for many, sets schedules and policies
	RoleAuditor  Role = "auditor"  // sees everything but raw events, and verifies the audit log
)

// Roles lists every role.
func Roles() []Role { return []Role{RoleViewer, RoleOperator, RoleApprover, RoleAdmin, RoleAuditor} }

// SignIn is somebody who signed in to Curfew itself. It is a session of Curfew's own registry: what ends that ends this.
type SignIn struct {
	Session ID
	Org     string
	User    ID     // zero for a role that was given by a link and is nobody's
	Name    string // as people know them: an e-mail address, a user name
	Roles   []Role // none: a person with devices
	ByLink  bool   // by a one-time link, not at the provider
	// ProvedAt is when they last proved who they are. What ends other sessions than this one needs a recent one.
	ProvedAt Instant
}

// Has reports whether the person may do what the role may.
func (s *SignIn) Has(role Role) bool {
	return slices.Contains(s.Roles, role) || role != RoleApprover && slices.Contains(s.Roles, RoleAdmin)
}

// Actor is who acts, for what is recorded. A link that is nobody's is told from others by its session.
func (s *SignIn) Actor() Actor {
	if len(s.Roles) == 0 {
		return Actor{Kind: "person", Name: s.Name}
	}
	return Actor{Kind: "operator", Name: s.Name}
}

// WithSignIn returns ctx carrying who signed in.
func WithSignIn(ctx context.Context, s SignIn) context.Context {
	return context.WithValue(ctx, signInKey, s)
}

// SignInFrom returns who signed in, and whether somebody did.
func SignInFrom(ctx context.Context) (SignIn, bool) {
	s, ok := ctx.Value(signInKey).(SignIn)
	return s, ok
}
