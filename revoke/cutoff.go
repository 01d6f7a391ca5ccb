package revoke

import "slices"

// ScopeKind says what a cutoff covers. The set is closed.
type ScopeKind string

// The scopes of DESIGN section 2.
const (
	ScopeEveryone   ScopeKind = "everyone"
	ScopeKindOf     ScopeKind = "kind"
	ScopeApp        ScopeKind = "app"
	ScopeUser       ScopeKind = "user"
	ScopeUserKind   ScopeKind = "user_kind"
	ScopeUserApp    ScopeKind = "user_app"
	ScopeDevice     ScopeKind = "device"
	ScopeUserDevice ScopeKind = "user_device"
	ScopeSession    ScopeKind = "session"
)

// Scope is what a cutoff covers. It is a map key: what a kind does not need is zero.
type Scope struct {
	Org    string
	Kind   ScopeKind
	User   ID     // for user, user_kind, user_app, user_device
	Device ID     // for device, user_device
	Key    string // the session kind, the app, or for a session [SessionKey]
}

// SessionKey is the Key of a session scope: the app's name and its id for a session that nobody registered yet, or no app and
// the provider's session id.
func SessionKey(app, clientID string) string { return app + "\n" + clientID }

// Cutoff is an instant on a scope. What the scope covers and was born at or before At is over. Both instants only move
// forward, each with the revocation that moved it last.
type Cutoff struct {
	Scope
	At         Instant // for all
	SparedAt   Instant // for all but the break-glass people; only everyone, kind and app hold it
	Revocation ID
	SparedBy   ID
}

// Join returns the later of both cutoffs, instant by instant.
func (c Cutoff) Join(other Cutoff) Cutoff {
	if other.At > c.At {
		c.At, c.Revocation = other.At, other.Revocation
	}
	if other.SparedAt > c.SparedAt {
		c.SparedAt, c.SparedBy = other.SparedAt, other.SparedBy
	}
	return c
}

// covers returns the instant and revocation with which c ends a session born at born, zero when it does not.
func (c *Cutoff) covers(born Instant, spared bool) (Instant, ID) {
	if born <= c.At {
		return c.At, c.Revocation
	}
	if !spared && born <= c.SparedAt {
		return c.SparedAt, c.SparedBy
	}
	return 0, ID{}
}

// AdminAuthority owns the blocks that admins set; no source may take the name.
const AdminAuthority = "admin"

// Class keeps an authority's blocks of different nature apart: what lifts one leaves the others. The set is closed.
type Class string

// The classes of block.
const (
	ClassPlain  Class = "plain"
	ClassPlan   Class = "plan"   // what a source announced for a date
	ClassLocked Class = "locked" // promoted `locked`, lifted only by `unlocked`
	ClassTimed  Class = "timed"  // an admin's, with an end
)

// BlockKey names a block.
type BlockKey struct {
	User      ID
	Authority string
	Class     Class
}

// Block says that a person may hold no session, according to one authority. It is two instants that only move forward.
type Block struct {
	BlockKey
	BlockedAt  Instant
	LiftedAt   Instant
	Until      Instant // the end of a timed block
	Revocation ID
}

// Join returns the later of both blocks, instant by instant.
func (b Block) Join(other Block) Block {
	if other.BlockedAt > b.BlockedAt {
		b.BlockedAt, b.Revocation, b.Until = other.BlockedAt, other.Revocation, other.Until
	}
	b.LiftedAt = max(b.LiftedAt, other.LiftedAt)
	return b
}

// standing returns the block that keeps a person out, out of the rows of all users joined as that person, and
// whether there is one. Of a source's blocks the later instants of all count; an admin's stands by itself on each user;
// a row stamped before its own user's LiftedOver is over; a timed one stands until [Service.EndDue] has lifted it, so that
// nothing is over by the mere passing of time. A source's block does not stand on a break-glass person, which one is by any of
// the users joined as that person.
func standing(users []*Personal) *Block {
	for _, u := range users {
		for i := range u.Blocks {
			b := &u.Blocks[i]
			if b.BlockedAt != 0 && b.BlockedAt >= u.LiftedOver && b.BlockedAt >= b.LiftedAt &&
				(b.Authority == AdminAuthority || !spared(users)) && !liftedElsewhere(b, users) {
				return b
			}
		}
	}
	return nil
}

func spared(users []*Personal) bool {
	return slices.ContainsFunc(users, func(p *Personal) bool { return p.SparedAt > p.UnsparedAt })
}

func liftedElsewhere(b *Block, users []*Personal) bool {
	if b.Authority == AdminAuthority {
		return false
	}
	for _, u := range users {
		for i := range u.Blocks {
			if other := &u.Blocks[i]; other.LiftedAt > b.BlockedAt && other.Authority == b.Authority && b.Class.isLiftedBy(other.Class) {
				return true
			}
		}
	}
	return false
}

// lifted are the classes of block that a lift of c is about: what a source announced is lifted as its other blocks are.
func (c Class) lifted() []Class {
	if c == ClassPlain {
		return []Class{ClassPlain, ClassPlan}
	}
	return []Class{c}
}

// liftedBy are the classes whose lifts are about c.
func (c Class) liftedBy() []Class {
	if c == ClassPlan {
		return []Class{ClassPlain, ClassPlan}
	}
	return []Class{c}
}

func (c Class) isLiftedBy(lift Class) bool { return lift == c || c == ClassPlan && lift == ClassPlain }
