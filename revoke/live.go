package revoke

import (
	"fmt"
	"time"
)

// Cause says why a session is dead. The set is closed.
type Cause string

// The causes. The rest of a verdict's causes are the scope of a cutoff.
const (
	CauseNone    Cause = ""
	CauseBlock   Cause = "block"
	CauseCutoff  Cause = "cutoff"
	CauseEnded   Cause = "ended"
	CauseExpired Cause = "expired"
	CauseAge     Cause = "age"    // it is older than a policy lets sessions of its kind become
	CausePolicy  Cause = "policy" // of a stateless token: its kind is not allowed
	CauseShared  Cause = "shared" // of a stateless token: two people carry its subject
	CauseFuture  Cause = "future" // of a stateless token: it was issued ahead of now
)

// Verdict is the answer about one session, with the reason when it is dead.
type Verdict struct {
	Live       bool
	Cause      Cause
	Scope      ScopeKind // of the cutoff
	Authority  string    // of the block
	At         Instant   // from when on it is dead
	Revocation ID
}

// Live is the one rule: a session is live when it has not expired, was not ended by itself, no block on its user stands
// and no cutoff covers it. It is pure but for reading the view, never allocates, and nothing else in Curfew decides
// about a session.
func Live(s *Session, v *View, now Instant) Verdict {
	if s.EndedAt != 0 {
		return Verdict{Cause: CauseEnded, Scope: ScopeSession, At: s.EndedAt, Revocation: s.EndedBy}
	}
	if !s.ID.IsZero() { // of a stateless token
		if end, ok := v.end(s.ID); ok {
			return Verdict{Cause: CauseEnded, Scope: ScopeSession, At: end.At, Revocation: end.Revocation}
		}
	}
	var own [1]*Personal
	people := v.everybody(s.User, &own)
	if len(people) > 0 {
		if b := standing(people); b != nil {
			return Verdict{Cause: CauseBlock, Scope: ScopeUser, Authority: b.Authority, At: b.BlockedAt, Revocation: b.Revocation}
		}
	}
	if len(people) > 0 || !s.Device.IsZero() || v.wide.Load() != nil { // about most people nothing is known
		if scope, at, by := covering(s, people, v); at != 0 {
			return Verdict{Cause: CauseCutoff, Scope: scope, At: at, Revocation: by}
		}
	}
	if v.limited.Load() {
		if at, by := v.aged(s, people, now); at != 0 {
			return Verdict{Cause: CauseAge, Scope: ScopeKindOf, At: at, Revocation: by}
		}
	}
	if now >= s.ExpiresAt {
		return Verdict{Cause: CauseExpired, Scope: ScopeSession, At: s.ExpiresAt}
	}
	return Verdict{Live: true}
}

// covering returns the newest cutoff that covers s: its scope, instant and revocation.
func covering(s *Session, people []*Personal, v *View) (scope ScopeKind, at Instant, by ID) {
	take := func(kind ScopeKind, c *Cutoff) {
		if t, r := c.covers(s.BornAt, s.Spared); t > at {
			scope, at, by = kind, t, r
		}
	}
	for _, p := range people {
		for i := range p.Cutoffs {
			if c := &p.Cutoffs[i]; c.reaches(s) {
				take(c.Kind, c)
			}
		}
	}
	if wide := v.wide.Load(); wide != nil {
		for _, of := range [...]Scope{
			{Org: s.Org, Kind: ScopeEveryone}, {Org: s.Org, Kind: ScopeKindOf, Key: string(s.Kind)}, {Org: s.Org, Kind: ScopeApp, Key: s.App},
		} {
			if c, ok := (*wide)[of]; ok {
				take(of.Kind, &c)
			}
		}
	}
	if !s.Device.IsZero() {
		c := v.cutNarrow(DeviceScope(s.Org, s.Device))
		take(ScopeDevice, &c)
	}
	return scope, at, by
}

// reaches reports whether a personal cutoff is about sessions like s.
func (c *Cutoff) reaches(s *Session) bool {
	switch c.Kind {
	case ScopeUser:
		return true
	case ScopeUserKind:
		return c.Key == string(s.Kind)
	case ScopeUserApp:
		return c.Key == s.App
	case ScopeUserDevice:
		return !s.Device.IsZero() && c.Device == s.Device
	case ScopeEveryone, ScopeKindOf, ScopeApp, ScopeDevice, ScopeSession:
		return false
	}
	return false
}

// DeviceScope is the scope of everybody's sessions on a device.
func DeviceScope(org string, device ID) Scope {
	return Scope{Org: org, Kind: ScopeDevice, Device: device}
}

// Sentence says in one sentence why the session is dead, empty when it is live.
func (v Verdict) Sentence() string {
	at := v.At.Time().Format(time.RFC3339)
	switch v.Cause {
	case CauseBlock:
		return fmt.Sprintf("%s blocked the user at %s and has not lifted the block", v.Authority, at)
	case CauseExpired:
		return "the session expired at " + at
	case CauseEnded:
		return "this session was ended at " + at
	case CauseCutoff:
		return fmt.Sprintf("%s from before %s were ended", v.Scope.sessions(), at)
	case CauseAge:
		return "the session reached the greatest age for its kind at " + at
	case CausePolicy:
		return "sessions of this kind are not allowed"
	case CauseShared:
		return "two people carry this identifier; ask by one that only this person has"
	case CauseFuture:
		return "the token says that it was issued at " + at + ", which lies ahead"
	case CauseNone:
	}
	return ""
}

// sessions says whose sessions a scope is about.
func (k ScopeKind) sessions() string {
	switch k {
	case ScopeEveryone:
		return "everyone's sessions"
	case ScopeKindOf:
		return "all sessions of this kind"
	case ScopeApp:
		return "all sessions of this application"
	case ScopeUser:
		return "all sessions of the user"
	case ScopeUserKind:
		return "the user's sessions of this kind"
	case ScopeUserApp:
		return "the user's sessions in this application"
	case ScopeDevice:
		return "all sessions on this device"
	case ScopeUserDevice:
		return "the user's sessions on this device"
	case ScopeSession:
		return "sessions with this id"
	}
	return ""
}
