package scim

import (
	"context"

	"curfew/revoke"
)

const (
	// maxMemberships bounds what one answer shows of who is in which groups.
	maxMemberships = 50000
	// groupsAtOnce is how many groups are looked up at a time.
	groupsAtOnce = 100
)

// groupsOf shows the groups in which users are, by user: a question about the memberships, and one about every hundred groups that they
// are in. It is theirs to read only (RFC 7643 section 4.1.2); a group in a group makes nobody a member here, so each is direct.
func (h *handler) groupsOf(ctx context.Context, src revoke.Source, users []revoke.Resource) (map[revoke.ID][]any, error) {
	ids := make([]revoke.ID, len(users))
	for i := range users {
		ids[i] = users[i].ID
	}
	members, err := h.store.Members(ctx, revoke.MemberQuery{Org: src.Org, Resources: ids, Limit: maxMemberships + 1})
	if err != nil || len(members) == 0 {
		return nil, err
	}
	if len(members) > maxMemberships && len(users) > 1 {
		return nil, badRequest(tooMany, "These users are in groups more than 50000 times. Ask for fewer users at a time with count, or leave their groups out with excludedAttributes=groups.")
	}
	members = members[:min(len(members), maxMemberships)]
	names, err := h.displayNames(ctx, src, members)
	if err != nil {
		return nil, err
	}
	out := map[revoke.ID][]any{}
	for _, m := range members {
		if name, ok := names[m.Group]; ok {
			out[m.Resource] = append(out[m.Resource], map[string]any{
				"value": m.Group.String(), "display": name, "type": "direct", "$ref": h.location(revoke.TypeGroup, m.Group),
			})
		}
	}
	return out, nil
}

// displayNames are the names of the groups of memberships.
func (h *handler) displayNames(ctx context.Context, src revoke.Source, members []revoke.Member) (map[revoke.ID]string, error) {
	names := map[revoke.ID]string{}
	q := revoke.ResourceQuery{Org: src.Org, Authority: src.Authority, Type: revoke.TypeGroup, Limit: groupsAtOnce, Filter: revoke.Filter{Op: revoke.FilterOr}}
	asked := map[revoke.ID]bool{}
	for i, m := range members {
		if !asked[m.Group] {
			asked[m.Group] = true
			q.Filter.Terms = append(q.Filter.Terms, revoke.Filter{Op: revoke.FilterEq, Attribute: "id", Text: m.Group.String(), Exact: true})
		}
		if len(q.Filter.Terms) < groupsAtOnce && i < len(members)-1 || len(q.Filter.Terms) == 0 {
			continue
		}
		groups, _, err := h.store.Resources(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			names[g.ID] = g.UserName
		}
		q.Filter.Terms = nil
	}
	return names, nil
}
