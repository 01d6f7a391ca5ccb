package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"curfew/revoke"
)

// A resource that is written has its values written too: valued says so of those that an older program wrote.
var resourcesTable = newTable(table{
	name: "resources", ids: words("id user_id"), texts: words("org authority type user_name user_name_folded external_id profile"),
	nums: words("active named version created_at updated_at deleted_at refused_at valued"),
	conflict: `ON CONFLICT (org, id) DO UPDATE SET user_id = excluded.user_id, user_name = excluded.user_name,
		user_name_folded = excluded.user_name_folded, external_id = excluded.external_id, profile = excluded.profile,
		active = excluded.active, named = excluded.named, version = excluded.version, updated_at = excluded.updated_at,
		deleted_at = excluded.deleted_at, refused_at = excluded.refused_at, valued = excluded.valued`,
})

func resourceRecord(v revoke.Resource) (r record) {
	r.id[0], r.id[1] = v.ID, v.User
	r.text = [9]string{v.Org, v.Authority, v.Type, v.UserName, revoke.Fold(v.UserName), v.ExternalID, string(v.Profile)}
	r.num = [8]int64{
		flag(v.Active), flag(v.Named), v.Version, int64(v.CreatedAt), int64(v.UpdatedAt), int64(v.DeletedAt), int64(v.RefusedAt), 1,
	}
	return r
}

func (r *record) resource() revoke.Resource {
	v := revoke.Resource{
		ID: r.id[0], User: r.id[1], Org: r.text[0], Authority: r.text[1], Type: r.text[2], UserName: r.text[3], ExternalID: r.text[5],
		Active: r.num[0] != 0, Named: r.num[1] != 0, Version: r.num[2], CreatedAt: revoke.Instant(r.num[3]),
		UpdatedAt: revoke.Instant(r.num[4]), DeletedAt: revoke.Instant(r.num[5]), RefusedAt: revoke.Instant(r.num[6]),
	}
	if r.text[6] != "" {
		v.Profile = json.RawMessage(r.text[6])
	}
	return v
}

// Resource returns a SCIM resource that is not deleted.
func (s *Store) Resource(ctx context.Context, org, authority string, id revoke.ID) (r revoke.Resource, err error) {
	found := false
	err = s.rowsOf(ctx, resourcesTable, "org = $1 AND id = $2 AND authority = $3 AND deleted_at = 0", func(row record) error {
		found, r = true, row.resource()
		return nil
	}, org, idText(id), clean(authority))
	if err == nil && !found {
		err = revoke.ErrNotFound
	}
	if err != nil {
		return revoke.Resource{}, fmt.Errorf("find resource %s: %w", id, err)
	}
	return r, nil
}

// Resources returns a page and, if asked, how many there are in all. They are not counted where the list ends on its page, as
// it does when a directory looks for one user by his name.
func (s *Store) Resources(ctx context.Context, q revoke.ResourceQuery) (out []revoke.Resource, total int, err error) {
	c := resourcesAsked(&q)
	all, args := c.text, slices.Clone(c.args)
	if q.Limit > 0 {
		if q.After != nil {
			c.text += " AND (created_at, id) > (" + c.arg(int64(q.After.CreatedAt)) + ", " + c.arg(idText(q.After.ID)) + ")"
		}
		c.text += " ORDER BY " + c.order(&q) + " LIMIT " + c.arg(q.Limit)
		if q.Offset > 0 {
			c.text += " OFFSET " + c.arg(q.Offset)
		}
		err = s.rowsOf(ctx, resourcesTable, c.text, func(row record) error {
			out = append(out, row.resource())
			return nil
		}, c.args...)
		if err != nil {
			return nil, 0, fmt.Errorf("list resources: %w", err)
		}
	}
	switch n := len(out); {
	case !q.Count:
	case q.After == nil && n < q.Limit && (n > 0 || q.Offset <= 0):
		total = max(q.Offset, 0) + n
	default:
		err = s.count(ctx, "SELECT count(*) FROM resources WHERE "+all, &total, args...)
	}
	return out, total, err
}
