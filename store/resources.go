package store

import (
	"encoding/json"

	"curfew/revoke"
)

var resourcesTable = newTable(table{
	name: "resources", ids: words("id user_id"), texts: words("org authority type user_name user_name_folded external_id emails profile"),
	nums: words("active named version created_at updated_at deleted_at refused_at"),
	conflict: `ON CONFLICT (org, id) DO UPDATE SET user_id = excluded.user_id, user_name = excluded.user_name,
		user_name_folded = excluded.user_name_folded, external_id = excluded.external_id, emails = excluded.emails, profile = excluded.profile,
		active = excluded.active, named = excluded.named, version = excluded.version, updated_at = excluded.updated_at,
		deleted_at = excluded.deleted_at, refused_at = excluded.refused_at`,
})

func resourceRecord(v revoke.Resource) (r record) {
	r.id[0], r.id[1] = v.ID, v.User
	emails := ""
	if len(v.Emails) > 0 {
		emails = toJSON(v.Emails)
	}
	r.text = [9]string{v.Org, v.Authority, v.Type, v.UserName, revoke.Fold(v.UserName), v.ExternalID, emails, string(v.Profile)}
	r.num = [8]int64{
		flag(v.Active), flag(v.Named), v.Version, int64(v.CreatedAt), int64(v.UpdatedAt), int64(v.DeletedAt), int64(v.RefusedAt),
	}
	return r
}

func (r *record) resource() (revoke.Resource, error) {
	v := revoke.Resource{
		ID: r.id[0], User: r.id[1], Org: r.text[0], Authority: r.text[1], Type: r.text[2], UserName: r.text[3], ExternalID: r.text[5],
		Active: r.num[0] != 0, Named: r.num[1] != 0, Version: r.num[2], CreatedAt: revoke.Instant(r.num[3]),
		UpdatedAt: revoke.Instant(r.num[4]), DeletedAt: revoke.Instant(r.num[5]), RefusedAt: revoke.Instant(r.num[6]),
	}
	if r.text[7] != "" {
		v.Profile = json.RawMessage(r.text[7])
	}
	return v, fromJSON(r.text[6], &v.Emails)
}

// Addresses are numbered within their resource, so that writing them again overwrites; what is left over of a longer list
// is removed by its number. The two never touch one row in one statement.
var resourceEmailsTable = newTable(table{
	name: "resource_emails", ids: words("resource_id"), texts: words("org authority type_folded value_folded"), nums: words("n"),
	conflict: `ON CONFLICT (org, resource_id, n) DO UPDATE SET type_folded = excluded.type_folded, value_folded = excluded.value_folded`,
})

func emailRecord(v *revoke.Resource, n int) (r record) {
	r.id[0], r.num[0] = v.ID, int64(n)
	r.text = [9]string{v.Org, v.Authority, revoke.Fold(v.Emails[n].Type), revoke.Fold(v.Emails[n].Value)}
	return r
}

var spareEmailsTable = newTable(table{
	name: "spare_emails", ids: words("resource_id"), texts: words("org"), nums: words("n"),
	postgres: `DELETE FROM resource_emails USING ROWS
		WHERE resource_emails.org = k.org AND resource_emails.resource_id = k.resource_id AND resource_emails.n >= k.n`,
	sqlite: `DELETE FROM resource_emails WHERE org = $2 AND resource_id = $1 AND n >= $3`,
})

func spareEmailsRecord(v *revoke.Resource) (r record) {
	r.id[0], r.text[0], r.num[0] = v.ID, v.Org, int64(len(v.Emails))
	return r
}
