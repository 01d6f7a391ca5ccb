package revoketest

import (
	"slices"

	"curfew/revoke"
)

// gather builds the facts that a need leads to, and no others: what a decision forgot to ask for is not there, as in a
// database.
func (t *tables) gather(need revoke.Need, now revoke.Instant) *revoke.Facts {
	f := revoke.NewFacts()
	seen := map[revoke.ID]bool{}
	var users []revoke.ID
	reach := func(user revoke.ID) {
		if !user.IsZero() && !seen[user] {
			seen[user] = true
			users = append(users, user)
		}
	}
	for _, user := range need.Users {
		reach(user)
	}
	for _, h := range t.holdings {
		if slices.Contains(need.Identifiers, h.Identifier) {
			f.AddHolding(h)
			reach(h.User)
		}
	}
	for _, s := range t.sessions {
		if slices.ContainsFunc(need.Sessions, func(ref revoke.SessionRef) bool { return ref.Matches(&s) }) {
			f.AddSession(s)
			reach(s.User)
		}
	}
	for _, r := range t.resources {
		if slices.Contains(need.Resources, r.ID) || slices.ContainsFunc(need.Names, func(n revoke.ResourceName) bool { return named(n, r) }) {
			f.Resources[r.ID] = copyResource(r)
			reach(r.User)
		} else if slices.Contains(need.Mentioned, r.ID) {
			f.Resources[r.ID] = copyResource(r)
		}
	}
	for _, event := range need.Readings {
		if r, ok := t.readings[event]; ok {
			f.Readings[event] = r
		}
	}
	for key, member := range t.members {
		if slices.Contains(need.Members, key) || key.Org == need.Org && slices.Contains(need.MembersOf, key.Group) {
			f.Members[key] = member
		}
	}
	for i := 0; i < len(users); i++ { // everybody who is one person with them
		for _, j := range t.joins {
			if j.A != users[i] && j.B != users[i] {
				continue
			}
			f.AddJoin(j)
			if j.At > j.SplitAt {
				reach(j.A)
				reach(j.B)
			}
		}
	}
	for _, h := range t.holdings {
		if seen[h.User] {
			f.AddHolding(h)
		}
	}
	for _, b := range t.blocks {
		if seen[b.User] {
			f.AddBlock(b)
		}
	}
	t.gatherHeld(need, f, seen, now)
	for _, p := range t.plans {
		if seen[p.User] {
			f.AddPlan(p)
		}
	}
	for _, user := range users {
		if u, ok := t.users[user]; ok {
			f.Users[user] = u
		}
	}
	for _, d := range t.devices {
		if !slices.ContainsFunc(d.Identifiers, func(id revoke.DeviceIdentifier) bool { return slices.Contains(need.Devices, id) }) {
			continue
		}
		for _, id := range d.Identifiers {
			f.AddDevice(id, d.ID)
		}
		need.NewestOf = append(slices.Clone(need.NewestOf), revoke.DeviceScope(d.Org, d.ID))
	}
	t.gatherSessions(need, f, seen, now)
	t.gatherPolicies(need, f, users)
	if need.Cutoffs {
		t.gatherCutoffs(need, f, seen)
	}
	for _, ev := range t.events {
		if ev.SenderID != "" && slices.Contains(need.Events, ev.Key()) {
			f.Events[ev.Key()] = copyEvent(ev)
		}
	}
	return f
}

func (t *tables) gatherSessions(need revoke.Need, f *revoke.Facts, seen map[revoke.ID]bool, now revoke.Instant) {
	for _, scope := range need.NewestOf {
		f.NewestOf[scope] = 0
	}
	for _, s := range t.sessions {
		for _, scope := range need.NewestOf {
			if covers(scope, &s) {
				f.NewestOf[scope] = max(f.NewestOf[scope], s.BornAt)
			}
		}
		if !seen[s.User] {
			continue
		}
		n := f.Newest[s.User]
		f.Newest[s.User] = revoke.Newest{Born: max(n.Born, s.BornAt), Registered: max(n.Registered, s.RegisteredAt)}
		if need.SessionsOf && s.EndedAt == 0 && now < s.ExpiresAt {
			f.AddSession(s)
		}
	}
}

// gatherCutoffs reads the cutoffs on these users, on everyone, kinds and apps, and on the devices and the sessions' ids that
// the need names.
func (t *tables) gatherCutoffs(need revoke.Need, f *revoke.Facts, seen map[revoke.ID]bool) {
	narrow := map[revoke.Scope]bool{}
	for _, d := range need.Devices {
		narrow[revoke.DeviceScope(d.Org, revoke.DeviceID(d))] = true
		for _, id := range f.Devices[d] {
			narrow[revoke.DeviceScope(d.Org, id)] = true
		}
	}
	for _, ref := range need.Sessions {
		if ref.ClientID != "" {
			narrow[revoke.Scope{Org: ref.Org, Kind: revoke.ScopeSession, Key: revoke.SessionKey(ref.App, ref.ClientID)}] = true
		}
		if ref.SID != "" {
			narrow[revoke.Scope{Org: ref.Org, Kind: revoke.ScopeSession, Key: revoke.SessionKey("", ref.SID)}] = true
		}
	}
	for scope, c := range t.cutoffs {
		wide := scope.Kind == revoke.ScopeEveryone || scope.Kind == revoke.ScopeKindOf || scope.Kind == revoke.ScopeApp
		if seen[scope.User] || wide && scope.Org == need.Org || narrow[scope] {
			f.Cutoffs[scope] = c
		}
	}
}

// covers reports whether a scope of many people covers s.
func covers(scope revoke.Scope, s *revoke.Session) bool {
	if scope.Org != s.Org {
		return false
	}
	switch scope.Kind {
	case revoke.ScopeEveryone:
		return true
	case revoke.ScopeKindOf:
		return scope.Key == string(s.Kind)
	case revoke.ScopeApp:
		return scope.Key == s.App
	case revoke.ScopeDevice:
		return !s.Device.IsZero() && scope.Device == s.Device
	case revoke.ScopeUser, revoke.ScopeUserKind, revoke.ScopeUserApp, revoke.ScopeUserDevice, revoke.ScopeSession:
		return false
	}
	return false
}

// named reports whether n looks r up, deleted and inactive ones too.
func named(n revoke.ResourceName, r revoke.Resource) bool {
	if n.Org != r.Org || n.Authority != r.Authority || n.Type != r.Type {
		return false
	}
	return n.UserName != "" && n.UserName == revoke.Fold(r.UserName) || n.ExternalID != "" && n.ExternalID == r.ExternalID
}
