package store

import "curfew/revoke"

var deliveriesTable = newTable(table{
	name: "deliveries", ids: words("revocation_id user_id lease"), texts: words("org target state last_error receipt halt"),
	nums: words("ord priority due_at attempts first_at lease_until ready_at done_at"),
})

func deliveryRecord(d revoke.Delivery) (r record) {
	r.id = [5]revoke.ID{d.Revocation, d.User, d.Lease}
	r.text = [9]string{d.Org, d.Target, string(d.State), d.LastError, receiptText(d.Receipt), string(d.Halt)}
	ready := d.DueAt
	if d.State == revoke.DeliveryClaimed {
		ready = d.LeaseUntil
	}
	r.num = [8]int64{
		int64(d.Ord), int64(d.Priority), int64(d.DueAt), int64(d.Attempts), int64(d.FirstAt), int64(d.LeaseUntil), int64(ready), int64(d.DoneAt),
	}
	return r
}

func (r *record) delivery() (revoke.Delivery, error) {
	d := revoke.Delivery{
		Revocation: r.id[0], User: r.id[1], Lease: r.id[2], Org: r.text[0], Target: r.text[1], State: revoke.DeliveryState(r.text[2]), Halt: revoke.Halt(r.text[5]),
		LastError: r.text[3], Ord: revoke.Instant(r.num[0]), Priority: revoke.Priority(r.num[1]), DueAt: revoke.Instant(r.num[2]),
		Attempts: int(r.num[3]), FirstAt: revoke.Instant(r.num[4]), LeaseUntil: revoke.Instant(r.num[5]), DoneAt: revoke.Instant(r.num[7]),
	}
	if r.text[4] == "" {
		return d, nil
	}
	d.Receipt = new(revoke.Receipt)
	return d, fromJSON(r.text[4], d.Receipt)
}

func receiptText(r *revoke.Receipt) string {
	if r == nil {
		return ""
	}
	return toJSON(r)
}

var attemptsTable = newTable(table{
	name: "attempts", ids: words("revocation_id"), texts: words("org target error receipt"), nums: words("number at took"),
})

func attemptRecord(org string, a revoke.Attempt) (r record) {
	r.id[0] = a.Revocation
	r.text = [9]string{org, a.Target, a.Error, receiptText(a.Receipt)}
	r.num = [8]int64{int64(a.Number), int64(a.At), a.Took.Microseconds()}
	return r
}
