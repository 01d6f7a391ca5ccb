package store

import "curfew/revoke"

var revocationsTable = newTable(table{
	name: "revocations", ids: words("id event_id user_id device_id session_id"),
	texts: words("org kind signal scope key reason actor_kind actor_name"), nums: words("at blocked created_at"),
})

func revocationRecord(v revoke.Revocation) (r record) {
	r.id = [5]revoke.ID{v.ID, v.Event, v.Scope.User, v.Scope.Device, v.Session}
	r.text = [9]string{v.Org, string(v.Kind), string(v.Signal), string(v.Scope.Kind), v.Scope.Key, v.Reason, v.Actor.Kind, v.Actor.Name}
	r.num = [8]int64{int64(v.At), flag(v.Blocked), int64(v.CreatedAt)}
	return r
}

func (r *record) revocation() revoke.Revocation {
	v := revoke.Revocation{
		ID: r.id[0], Event: r.id[1], Session: r.id[4], Org: r.text[0], Kind: revoke.RevocationKind(r.text[1]),
		Signal: revoke.SignalKind(r.text[2]), Scope: revoke.Scope{Kind: revoke.ScopeKind(r.text[3]), User: r.id[2], Device: r.id[3], Key: r.text[4]},
		Reason: r.text[5], Actor: revoke.Actor{Kind: r.text[6], Name: r.text[7]},
		At: revoke.Instant(r.num[0]), Blocked: r.num[1] != 0, CreatedAt: revoke.Instant(r.num[2]),
	}
	if v.Scope.Kind != "" {
		v.Scope.Org = v.Org
	}
	return v
}
