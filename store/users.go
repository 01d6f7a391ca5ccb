package store

import "curfew/revoke"

var usersTable = newTable(table{
	name: "users", ids: words("id"), texts: words("org"), nums: words("spared unspared_at lifted_over created_at"),
	conflict: `ON CONFLICT (org, id) DO UPDATE SET spared = GREATEST(users.spared, excluded.spared),
		unspared_at = GREATEST(users.unspared_at, excluded.unspared_at), lifted_over = GREATEST(users.lifted_over, excluded.lifted_over)`,
})

func userRecord(u revoke.User) (r record) {
	r.id[0], r.text[0] = u.ID, u.Org
	r.num = [8]int64{int64(u.SparedAt), int64(u.UnsparedAt), int64(u.LiftedOver), int64(u.CreatedAt)}
	return r
}

func (r *record) user() revoke.User {
	return revoke.User{
		ID: r.id[0], Org: r.text[0], SparedAt: revoke.Instant(r.num[0]), UnsparedAt: revoke.Instant(r.num[1]),
		LiftedOver: revoke.Instant(r.num[2]), CreatedAt: revoke.Instant(r.num[3]),
	}
}

// A holding is known by identifier and instant; who takes it up again later does so from another instant. A directory adopts
// what nobody had taught.
var identifiersTable = newTable(table{
	name: "identifiers", ids: words("user_id event_id"), texts: words("org namespace value authority"), nums: words("held_from released_at"),
	conflict: `ON CONFLICT (org, namespace, value, held_from) DO UPDATE SET released_at = GREATEST(identifiers.released_at, excluded.released_at),
		authority = CASE WHEN identifiers.authority = '' THEN excluded.authority ELSE identifiers.authority END`,
})

func holdingRecord(h revoke.Holding) (r record) {
	r.id[0], r.id[1] = h.User, h.Event
	r.text = [9]string{h.Org, h.Namespace, h.Value, h.Authority}
	r.num[0], r.num[1] = int64(h.HeldFrom), int64(h.ReleasedAt)
	return r
}

func (r *record) holding() revoke.Holding {
	return revoke.Holding{
		Identifier: revoke.Identifier{Org: r.text[0], Namespace: r.text[1], Value: r.text[2]},
		User:       r.id[0], HeldFrom: revoke.Instant(r.num[0]), ReleasedAt: revoke.Instant(r.num[1]),
		Authority: r.text[3], Event: r.id[1],
	}
}

var joinsTable = newTable(table{
	name: "joins", ids: words("a b event_id"), texts: words("org"), nums: words("at split_at"),
	conflict: `ON CONFLICT (org, a, b) DO UPDATE SET event_id = CASE WHEN excluded.at > joins.at THEN excluded.event_id ELSE joins.event_id END,
		at = GREATEST(joins.at, excluded.at), split_at = GREATEST(joins.split_at, excluded.split_at)`,
})

func joinRecord(org string, j revoke.Join) (r record) {
	r.id[0], r.id[1], r.id[2] = j.A, j.B, j.Event
	r.text[0] = org
	r.num[0], r.num[1] = int64(j.At), int64(j.SplitAt)
	return r
}

func (r *record) join() revoke.Join {
	return revoke.Join{A: r.id[0], B: r.id[1], Event: r.id[2], At: revoke.Instant(r.num[0]), SplitAt: revoke.Instant(r.num[1])}
}
