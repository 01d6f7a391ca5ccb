package store

import (
	"context"
	"fmt"

	"curfew/revoke"
)

var membersTable = newTable(table{
	name: "members", ids: words("group_id resource_id user_id"), texts: words("org"), nums: words("added_at"),
	conflict: `ON CONFLICT (org, group_id, resource_id) DO NOTHING`,
})

func memberRecord(m revoke.Member) (r record) {
	r.id = [5]revoke.ID{m.Group, m.Resource, m.User}
	r.text[0], r.num[0] = m.Org, int64(m.AddedAt)
	return r
}

func (r *record) member() revoke.Member {
	return revoke.Member{
		MemberKey: revoke.MemberKey{Org: r.text[0], Group: r.id[0], Resource: r.id[1]}, User: r.id[2], AddedAt: revoke.Instant(r.num[0]),
	}
}

var leftTable = newTable(table{
	name: "left_members", ids: words("group_id resource_id"), texts: words("org"),
	postgres: `DELETE FROM members USING ROWS WHERE members.org = k.org AND members.group_id = k.group_id AND members.resource_id = k.resource_id`,
	sqlite:   `DELETE FROM members WHERE org = $3 AND group_id = $1 AND resource_id = $2`,
})

func leftRecord(k revoke.MemberKey) (r record) {
	r.id[0], r.id[1], r.text[0] = k.Group, k.Resource, k.Org
	return r
}

// Members returns memberships, those of one group or of some resources, by group and resource. Those of several groups come in no order.
func (s *Store) Members(ctx context.Context, q revoke.MemberQuery) (out []revoke.Member, err error) {
	add := func(row record) error {
		out = append(out, row.member())
		return nil
	}
	switch {
	case len(q.Groups) > 0:
		err = s.byIDs(ctx, membersTable, "group_id", q.Org, q.Groups, add)
	case q.Group.IsZero():
		text, list := s.db.memberships(q.Resources)
		err = s.records(ctx, membersTable, text, add, q.Org, list, max(q.Limit, 0))
	default:
		var c clauses
		c.and("org = ", q.Org)
		c.and("group_id = ", idText(q.Group))
		c.and("resource_id > ", idText(q.After.Resource))
		c.text += " ORDER BY group_id, resource_id LIMIT " + c.arg(max(q.Limit, 0))
		err = s.rowsOf(ctx, membersTable, c.text, add, c.args...)
	}
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return out, nil
}
