package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"curfew/revoke"
)

// A policy is written whole: the decision has seen the one that stands.
var policiesTable = newTable(table{
	name: "policies", ids: words("group_id"), texts: words("org kind entry"), nums: words("set_at"),
	conflict: `ON CONFLICT (org, kind, group_id) DO UPDATE SET entry = excluded.entry, set_at = excluded.set_at`,
})

func policyRecord(p revoke.Policy) (r record) {
	r.id[0] = p.Group
	r.text = [9]string{p.Org, string(p.Kind), toJSON(p)}
	r.num[0] = int64(p.SetAt)
	return r
}

func (r *record) policy() (p revoke.Policy, err error) {
	err = fromJSON(r.text[2], &p)
	return p, err
}

var limitsTable = newTable(table{
	name: "limits", ids: words("user_id revocation_id"), texts: words("org scope key"), nums: words("max_age idle at"),
	conflict: `ON CONFLICT (org, user_id, scope, key, max_age, idle) DO UPDATE SET at = GREATEST(limits.at, excluded.at),
		revocation_id = CASE WHEN excluded.at > limits.at THEN excluded.revocation_id ELSE limits.revocation_id END`,
})

func limitRecord(l revoke.Limit) (r record) {
	r.id[0], r.id[1] = l.User, l.Revocation
	r.text = [9]string{l.Org, string(l.Kind), l.Key}
	r.num = [8]int64{l.MaxAge.Microseconds(), l.Idle.Microseconds(), int64(l.At)}
	return r
}

func (r *record) limit() revoke.Limit {
	return revoke.Limit{
		Scope:  revoke.Scope{Org: r.text[0], Kind: revoke.ScopeKind(r.text[1]), Key: r.text[2], User: r.id[0]},
		MaxAge: time.Duration(r.num[0]) * time.Microsecond, Idle: time.Duration(r.num[1]) * time.Microsecond,
		At: revoke.Instant(r.num[2]), Revocation: r.id[1],
	}
}

// Policies returns the policies of an org, removed ones too, by kind and group.
func (s *Store) Policies(ctx context.Context, org string) (out []revoke.Policy, err error) {
	err = s.rowsOf(ctx, policiesTable, "org = $1 ORDER BY kind, group_id", func(row record) error {
		p, err := row.policy()
		out = append(out, p)
		return err
	}, org)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return out, nil
}

// groupsOfOne are the groups of a policy that one user is in.
const groupsOfOne = `SELECT DISTINCT group_id FROM members WHERE org = $1 AND user_id = $2
	AND group_id IN (SELECT group_id FROM policies WHERE org = $1)`

// GroupsOf returns in which groups that a policy is about these users are.
func (s *Store) GroupsOf(ctx context.Context, org string, users []revoke.ID) (map[revoke.ID][]revoke.ID, error) {
	out := map[revoke.ID][]revoke.ID{}
	for _, user := range users {
		err := s.read(ctx, groupsOfOne+" ORDER BY group_id", func(rows *sql.Rows) error {
			var group revoke.ID
			err := rows.Scan((*storedID)(&group))
			out[user] = append(out[user], group)
			return err
		}, org, idText(user))
		if err != nil {
			return nil, fmt.Errorf("read the groups of user %s: %w", user, err)
		}
	}
	return out, nil
}

// GroupsNamed returns the groups of an org with an id, or with a displayName without regard to case, whichever directory made them. At
// most ten are returned.
func (s *Store) GroupsNamed(ctx context.Context, org string, id revoke.ID, name string) (out []revoke.Resource, err error) {
	where, value := "id = $2", idText(id)
	if name != "" {
		where, value = "user_name_folded = $2 AND named <> 0", clean(revoke.Fold(name))
	}
	err = s.rowsOf(ctx, resourcesTable, "org = $1 AND "+where+" AND type = 'Group' AND deleted_at = 0 ORDER BY id LIMIT 10", func(row record) error {
		out = append(out, row.resource())
		return nil
	}, org, value)
	if err != nil {
		return nil, fmt.Errorf("look up a group: %w", err)
	}
	return out, nil
}

// addPolicies notes whose policies a group of decisions must see.
func (u *needs) addPolicies(n *revoke.Need) {
	if (n.Policies || n.SetsPolicy) && !slices.Contains(u.policyOrgs, n.Org) {
		u.policyOrgs = append(u.policyOrgs, n.Org)
	}
	u.setsPolicy = u.setsPolicy || n.SetsPolicy
}

// policyLock is taken after every part, by those who decide by policies together and by who sets one alone.
const policyLock = lockParts
