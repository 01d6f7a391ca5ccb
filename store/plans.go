package store

import "curfew/revoke"

// A plan is written whole: the decision has seen the one that stands.
var plansTable = newTable(table{
	name: "plans", ids: words("user_id event_id"), texts: words("org source"), nums: words("said_at effective_at carried_at"),
	conflict: `ON CONFLICT (org, user_id, source) DO UPDATE SET said_at = excluded.said_at, effective_at = excluded.effective_at,
		carried_at = excluded.carried_at, event_id = excluded.event_id`,
})

func planRecord(org string, p revoke.Plan) (r record) {
	r.id[0], r.id[1] = p.User, p.Event
	r.text[0], r.text[1] = org, p.Authority
	r.num = [8]int64{int64(p.SaidAt), int64(p.EffectiveAt), int64(p.CarriedAt)}
	return r
}

func (r *record) plan() revoke.Plan {
	return revoke.Plan{
		PlanKey: revoke.PlanKey{User: r.id[0], Authority: r.text[1]}, Event: r.id[1],
		SaidAt: revoke.Instant(r.num[0]), EffectiveAt: revoke.Instant(r.num[1]), CarriedAt: revoke.Instant(r.num[2]),
	}
}
