package store

import (
	"hash/fnv"
	"slices"

	"curfew/revoke"
)

// orgID is the key of what has an id in an org.
type orgID struct {
	org string
	id  revoke.ID
}

// needs is what a group must see: the union of its members' needs.
type needs struct {
	identifiers []revoke.Identifier
	users       []orgID
	sessions    []revoke.SessionRef
	devices     []revoke.DeviceIdentifier
	events      []revoke.EventKey
	resources   []orgID
	mentioned   []orgID // resources that lead to nobody
	members     []revoke.MemberKey
	membersOf   []orgID
	names       []revoke.ResourceName
	newestOf    []revoke.Scope
	orgs        []string // whose cutoffs for everyone, kind and app are needed; none when no cutoffs are
	sessionsOf  bool
	brakes      []revoke.BrakeNeed // each voice once
	waiting     bool
	policyOrgs  []string
	setsPolicy  bool
	now         revoke.Instant // by what a session has expired, where that only saves reading it
}

func unite(group []*waiting) *needs {
	var u needs
	for _, m := range group {
		n := &m.need
		u.identifiers = append(u.identifiers, n.Identifiers...)
		u.sessions = append(u.sessions, n.Sessions...)
		u.devices = append(u.devices, n.Devices...)
		u.events = append(u.events, n.Events...)
		u.names = append(u.names, n.Names...)
		u.newestOf = append(u.newestOf, n.NewestOf...)
		u.sessionsOf = u.sessionsOf || n.SessionsOf
		u.waiting = u.waiting || n.Waiting || len(n.Brakes) > 0
		for _, b := range n.Brakes {
			if !slices.ContainsFunc(u.brakes, func(have revoke.BrakeNeed) bool { return have.VoiceKey == b.VoiceKey }) {
				u.brakes = append(u.brakes, b)
			}
		}
		u.addPolicies(n)
		for _, id := range n.Users {
			if !id.IsZero() {
				u.users = append(u.users, orgID{n.Org, id})
			}
		}
		u.members = append(u.members, n.Members...)
		for _, part := range []struct {
			into *[]orgID
			ids  []revoke.ID
		}{{&u.resources, n.Resources}, {&u.mentioned, n.Mentioned}, {&u.membersOf, n.MembersOf}} {
			for _, id := range part.ids {
				*part.into = append(*part.into, orgID{n.Org, id})
			}
		}
		if n.Cutoffs && !slices.Contains(u.orgs, n.Org) {
			u.orgs = append(u.orgs, n.Org)
		}
	}
	return &u
}

func (u *needs) cutoffs() bool { return len(u.orgs) > 0 }

// empty returns facts that answer for every scope whose newest session was asked for.
func (u *needs) empty() *revoke.Facts {
	f := revoke.NewFacts()
	for _, scope := range u.newestOf {
		f.NewestOf[scope] = 0
	}
	return f
}

// narrow are the cutoffs of devices and unregistered sessions that may cover what is asked about, but for those of devices
// that only a look-up leads to.
func (u *needs) narrow() []revoke.Scope {
	var out []revoke.Scope
	for _, d := range u.devices {
		out = append(out, revoke.DeviceScope(d.Org, revoke.DeviceID(d)))
	}
	for _, ref := range u.sessions {
		if ref.ClientID != "" {
			out = append(out, revoke.Scope{Org: ref.Org, Kind: revoke.ScopeSession, Key: revoke.SessionKey(ref.App, ref.ClientID)})
		}
		if ref.SID != "" {
			out = append(out, revoke.Scope{Org: ref.Org, Kind: revoke.ScopeSession, Key: revoke.SessionKey("", ref.SID)})
		}
	}
	return out
}

// locks are numbers for everything by name that a decision may find absent and then write: two decisions about one of them
// must not both see it absent. They are sorted and taken in the order of the members, so that two transactions never wait for each
// other. Every name lies in one of a few parts, which are shared; whoever has so many names that the database's table of locks
// would not hold them takes the parts for itself instead.
type locks struct {
	shared, whole, keys []int64
	voices              []int64 // counted ones, taken last: who waits for one has written nothing yet
}

const (
	lockParts = 512
	mostLocks = 1000
)

func (u *needs) locks() locks {
	keys := u.lockKeys()
	parts := make([]int64, len(keys))
	for i, key := range keys {
		parts[i] = int64(uint64(key) % lockParts) //nolint:gosec // a lock is any 64 bits
	}
	slices.Sort(parts)
	l := locks{shared: slices.Compact(parts), keys: keys, voices: u.voices()}
	if len(keys) > mostLocks {
		l = locks{whole: l.shared, voices: l.voices}
	}
	switch {
	case u.setsPolicy:
		l.whole = append(l.whole, policyLock)
	case len(u.policyOrgs) > 0:
		l.shared = append(l.shared, policyLock)
	}
	return l
}

func (u *needs) voices() []int64 {
	var keys []int64
	for _, b := range u.brakes {
		keys = append(keys, nameKey("voice", b.Org, b.Voice))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// nameKey is the number by which a name is locked.
func nameKey(parts ...string) int64 {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0xff}) // in no UTF-8 text, so that parts cannot run into each other
	}
	return int64(h.Sum64()) //nolint:gosec // a lock is any 64 bits
}

func (u *needs) lockKeys() []int64 {
	var keys []int64
	lock := func(parts ...string) { keys = append(keys, nameKey(parts...)) }
	for _, id := range u.identifiers {
		lock("identifier", id.Org, id.Namespace, id.Value)
	}
	for _, ref := range u.sessions {
		if ref.ClientID != "" {
			lock("session", ref.Org, ref.ClientID)
		}
		if ref.SID != "" {
			lock("sid", ref.Org, ref.SID)
		}
	}
	for _, d := range u.devices {
		lock("device", d.Org, d.Namespace, d.Value)
	}
	for _, n := range u.names {
		if n.UserName != "" {
			lock("name", n.Org, n.Authority, n.Type, n.UserName)
		}
		if n.ExternalID != "" {
			lock("external", n.Org, n.Authority, n.Type, n.ExternalID)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
