package store

import "curfew/revoke"

// The revocation of an instant follows the instant. There is no WHERE: a statement that depends on this row must see it
// whether or not it moved.
var cutoffsTable = newTable(table{
	name: "cutoffs", ids: words("user_id device_id revocation_id spared_by"), texts: words("org scope key"), nums: words("at spared_at"),
	conflict: `ON CONFLICT (org, user_id, scope, device_id, key) DO UPDATE SET
		revocation_id = CASE WHEN excluded.at > cutoffs.at THEN excluded.revocation_id ELSE cutoffs.revocation_id END,
		spared_by = CASE WHEN excluded.spared_at > cutoffs.spared_at THEN excluded.spared_by ELSE cutoffs.spared_by END,
		at = GREATEST(cutoffs.at, excluded.at), spared_at = GREATEST(cutoffs.spared_at, excluded.spared_at)`,
})

func cutoffRecord(c revoke.Cutoff) (r record) {
	r.id = [5]revoke.ID{c.User, c.Device, c.Revocation, c.SparedBy}
	r.text = [9]string{c.Org, string(c.Kind), c.Key}
	r.num[0], r.num[1] = int64(c.At), int64(c.SparedAt)
	return r
}

func (r *record) cutoff() revoke.Cutoff {
	return revoke.Cutoff{
		Scope: revoke.Scope{Org: r.text[0], Kind: revoke.ScopeKind(r.text[1]), User: r.id[0], Device: r.id[1], Key: r.text[2]},
		At:    revoke.Instant(r.num[0]), SparedAt: revoke.Instant(r.num[1]), Revocation: r.id[2], SparedBy: r.id[3],
	}
}

var blocksTable = newTable(table{
	name: "blocks", ids: words("user_id revocation_id"), texts: words("org authority class"), nums: words("blocked_at lifted_at until"),
	conflict: `ON CONFLICT (org, user_id, authority, class) DO UPDATE SET
		revocation_id = CASE WHEN excluded.blocked_at > blocks.blocked_at THEN excluded.revocation_id ELSE blocks.revocation_id END,
		until = CASE WHEN excluded.blocked_at > blocks.blocked_at THEN excluded.until ELSE blocks.until END,
		blocked_at = GREATEST(blocks.blocked_at, excluded.blocked_at), lifted_at = GREATEST(blocks.lifted_at, excluded.lifted_at)`,
})

func blockRecord(org string, b revoke.Block) (r record) {
	r.id[0], r.id[1] = b.User, b.Revocation
	r.text = [9]string{org, b.Authority, string(b.Class)}
	r.num = [8]int64{int64(b.BlockedAt), int64(b.LiftedAt), int64(b.Until)}
	return r
}

func (r *record) block() revoke.Block {
	return revoke.Block{
		BlockKey:  revoke.BlockKey{User: r.id[0], Authority: r.text[1], Class: revoke.Class(r.text[2])},
		BlockedAt: revoke.Instant(r.num[0]), LiftedAt: revoke.Instant(r.num[1]), Until: revoke.Instant(r.num[2]), Revocation: r.id[1],
	}
}
