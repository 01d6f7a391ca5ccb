package revoketest

import (
	"slices"

	"curfew/revoke"
)

// overviewContract is about what people look at as a whole.
func overviewContract() map[string]func(*bench) {
	return map[string]func(*bench){"many events by id": eventsWith, "deliveries of many": deliveriesOf, "counts": countsOfAll}
}

func eventsWith(b *bench) {
	var all []revoke.Event
	var ids []revoke.ID
	for i := range 300 { // more than one list of ids holds
		all = append(all, revoke.Event{ID: b.id(), Org: org, Source: "okta", Type: "a", State: revoke.EventDecided, ReceivedAt: revoke.Instant(i + 1), Body: []byte(`{"n": 1}`)})
		ids = append(ids, all[i].ID)
	}
	foreign := with(all[0], func(e *revoke.Event) { e.ID, e.Org = b.id(), "other" })
	b.write(revoke.Effects{Events: append(slices.Clone(all), foreign)})
	slices.SortFunc(all, byID(func(e revoke.Event) revoke.ID { return e.ID }))
	for what, c := range map[string]struct {
		ids  []revoke.ID
		want []revoke.Event
	}{
		"all of them, in no order, one twice, one of another org, one that is not there": {append([]revoke.ID{foreign.ID, b.id(), ids[299]}, ids...), all},
		"none": {nil, nil},
	} {
		got, err := b.store.EventsWith(b.deadline(), org, c.ids)
		if err != nil {
			b.Errorf("events with ids, %s: %v", what, err)
		}
		b.same("events with ids, "+what, got, c.want)
	}
}

func deliveriesOf(b *bench) {
	u := b.person()
	var e revoke.Effects
	var ids []revoke.ID
	for range 150 {
		r := b.revocation(u.ID)
		e.Revocations, ids = append(e.Revocations, r), append(ids, r.ID)
		e.Deliveries = append(e.Deliveries, b.delivery(r, "portal"), b.delivery(r, "canvas"))
	}
	all := slices.Clone(e.Deliveries)
	foreign := with(b.revocation(u.ID), func(r *revoke.Revocation) { r.Org = "other" })
	e.Revocations, e.Deliveries = append(e.Revocations, foreign), append(e.Deliveries, b.delivery(foreign, "canvas"))
	b.write(e)
	slices.SortFunc(all, byDelivery)
	got, err := b.store.DeliveriesOf(b.deadline(), org, append([]revoke.ID{foreign.ID, b.id(), ids[3]}, ids...))
	if err != nil {
		b.Errorf("deliveries of many revocations: %v", err)
	}
	b.same("deliveries of many revocations", got, all)
	slices.Reverse(all)
	for _, limit := range []int{0, 1, 7, 1000} {
		got, err := b.store.LastDeliveries(b.deadline(), org, limit)
		if err != nil {
			b.Errorf("the last %d deliveries: %v", limit, err)
		}
		b.same("the last deliveries", got, all[:min(limit, len(all))])
	}
}

func countsOfAll(b *bench) {
	b.person()
	b.person()
	other := revoke.User{ID: b.id(), Org: "other", CreatedAt: b.now()}
	e := revoke.Effects{Users: []revoke.User{other}}
	var ids []revoke.ID
	for range 9 {
		ids = append(ids, b.id())
		e.Events = append(e.Events, revoke.Event{ID: ids[len(ids)-1], Org: org, Source: "okta", State: revoke.EventDecided, ReceivedAt: 1})
	}
	e.Events = append(e.Events, revoke.Event{ID: b.id(), Org: "other", Source: "okta", State: revoke.EventDecided, ReceivedAt: 1})
	b.write(e)
	slices.SortFunc(ids, revoke.ID.Compare)
	for _, c := range []struct {
		what         string
		from, before revoke.ID
		want         int
	}{
		{"all", revoke.ID{}, revoke.ID{}, 9},
		{"from the third", ids[2], revoke.ID{}, 7},
		{"before the third", revoke.ID{}, ids[2], 2},
		{"the third alone", ids[2], ids[3], 1},
	} {
		if n, err := b.store.CountEvents(b.deadline(), org, c.from, c.before); err != nil || n != c.want {
			b.Errorf("count events, %s: got %d, %v; want %d", c.what, n, err, c.want)
		}
	}
	if n, err := b.store.CountUsers(b.deadline(), org); err != nil || n != 2 {
		b.Errorf("count users: got %d, %v; want 2", n, err)
	}
}
