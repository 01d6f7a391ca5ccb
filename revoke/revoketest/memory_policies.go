package revoketest

import (
	"context"
	"slices"

	"curfew/revoke"
)

// Policies returns the policies of an org, removed ones too, by kind and group.
func (m *Memory) Policies(_ context.Context, org string) ([]revoke.Policy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []revoke.Policy
	for _, p := range m.tables.policies {
		if p.Org == org {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b revoke.Policy) int { return a.Compare(b.PolicyKey) })
	return out, nil
}

// GroupsOf returns in which groups that a policy is about these users are.
func (m *Memory) GroupsOf(_ context.Context, org string, users []revoke.ID) (map[revoke.ID][]revoke.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tables.groupsOf(org, users), nil
}

func (t *tables) groupsOf(org string, users []revoke.ID) map[revoke.ID][]revoke.ID {
	out := map[revoke.ID][]revoke.ID{}
	for key, member := range t.members {
		about := false
		for _, p := range t.policies {
			about = about || p.Org == org && p.Group == key.Group
		}
		if about && key.Org == org && slices.Contains(users, member.User) && !slices.Contains(out[member.User], key.Group) {
			out[member.User] = append(out[member.User], key.Group)
		}
	}
	for _, groups := range out {
		slices.SortFunc(groups, revoke.ID.Compare)
	}
	return out
}

// gatherPolicies reads what is asked of sessions, and what binds these users.
func (t *tables) gatherPolicies(need revoke.Need, f *revoke.Facts, users []revoke.ID) {
	if need.Cutoffs {
		for key, l := range t.limits {
			if key.Org == need.Org && (key.User.IsZero() || slices.Contains(users, key.User)) {
				f.Limits[key] = l
			}
		}
	}
	if !need.Policies && !need.SetsPolicy {
		return
	}
	for key, p := range t.policies {
		if key.Org == need.Org {
			f.Policies[key] = p
		}
	}
	f.Groups = t.groupsOf(need.Org, users)
}

// GroupsNamed returns the groups of an org with an id, or with a displayName without regard to case.
func (m *Memory) GroupsNamed(_ context.Context, org string, id revoke.ID, name string) ([]revoke.Resource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []revoke.Resource
	for _, r := range m.tables.resources {
		if r.Org == org && r.Type == revoke.TypeGroup && !r.Deleted() && (name == "" && r.ID == id || name != "" && r.Named && revoke.Fold(r.UserName) == revoke.Fold(name)) {
			out = append(out, copyResource(r))
		}
	}
	slices.SortFunc(out, func(a, b revoke.Resource) int { return a.ID.Compare(b.ID) })
	return out, nil
}
