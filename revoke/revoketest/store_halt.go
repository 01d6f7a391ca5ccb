package revoketest

import (
	"fmt"
	"time"

	"curfew/revoke"
)

// haltContract is about what a person orders of deliveries and targets.
func haltContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"pause a target": pauseTarget, "halt deliveries": haltDeliveries, "halt what is under way": haltUnderWay, "halted and the lease ended": haltedLeaseEnds,
		"halt what is parked": haltParked, "halt by filter": haltFilter,
	}
}

func order(n int) revoke.AuditEntry {
	return revoke.AuditEntry{Org: org, At: revoke.Instant(n), Kind: "delivery", Entry: []byte(fmt.Sprintf(`{"n":%d}`, n)), Person: []byte(`{"who":"ü"}`)}
}

func (b *bench) halt(q revoke.DeliveryQuery, halt revoke.Halt, want int) {
	b.Helper()
	q.Org = org
	if n, err := b.store.Halt(b.deadline(), q, halt, b.now(), order(1)); err != nil || n != want {
		b.Errorf("halt %q of %+v: got %d, %v, want %d", halt, q, n, err, want)
	}
}

func (b *bench) settle(owed revoke.Owed, state revoke.DeliveryState, due revoke.Instant) {
	b.Helper()
	if err := b.store.Settle(b.deadline(), owed, revoke.Settlement{State: state, DueAt: due, Attempt: revoke.Attempt{At: b.now(), Error: "x"}}); err != nil {
		b.Fatalf("settle as %s: %v", state, err)
	}
}

// state returns where a delivery stands and what was ordered about it.
func (b *bench) state(d revoke.Delivery) string {
	b.Helper()
	got := b.deliveries(revoke.DeliveryQuery{Revocation: d.Revocation, Target: d.Target, Limit: 2})
	if len(got) != 1 {
		b.Fatalf("delivery %s: got %d of it", d.Name(), len(got))
	}
	return string(got[0].State) + "/" + string(got[0].Halt)
}

func (b *bench) stands(what string, d revoke.Delivery, want string) {
	b.Helper()
	if got := b.state(d); got != want {
		b.Errorf("%s: got %s, want %s", what, got, want)
	}
}

// audited returns the audit log, when the store shows it.
func (b *bench) audited() ([]revoke.AuditEntry, bool) {
	b.Helper()
	j, ok := b.store.(Journal)
	if !ok {
		return nil, false
	}
	_, audit, err := j.Journal(b.deadline())
	if err != nil {
		b.Fatal(err)
	}
	for i := range audit {
		audit[i].Seq = 0
	}
	return audit, true
}

func pauseTarget(b *bench) {
	d := b.owe(b.person().ID, "canvas", nil)
	other := b.owe(b.person().ID, "portal", nil)
	at, until := b.now(), b.now().Add(time.Minute)
	pause := func(n int, at revoke.Instant, want map[string]revoke.Instant) {
		b.Helper()
		if err := b.store.Pause(b.deadline(), "canvas", at, order(n)); err != nil {
			b.Fatalf("pause at %d: %v", at, err)
		}
		got, err := b.store.Paused(b.deadline())
		if err != nil {
			b.Fatal(err)
		}
		b.same(fmt.Sprintf("targets that wait after order %d", n), got, want)
	}
	pause(1, 0, nil) // none waits
	pause(2, 50, map[string]revoke.Instant{"canvas": 50})
	pause(3, 60, map[string]revoke.Instant{"canvas": 50})
	b.same("claimed at a target that waits", names(b.claim("canvas", 10, at, until)), [][]string{})
	b.same("claimed at another", names(b.claim("portal", 10, at, until)), [][]string{{other.Name()}})
	b.stands("a delivery of a target that waits", d, "due/")
	pause(4, 0, nil)
	b.same("claimed when it goes on", names(b.claim("canvas", 10, at, until)), [][]string{{d.Name()}})
	if audit, ok := b.audited(); ok {
		b.same("audit of what changed something", audit, []revoke.AuditEntry{order(2), order(4)})
	}
}

func haltDeliveries(b *bench) {
	u := b.person()
	first, second := b.owe(u.ID, "canvas", nil), b.owe(u.ID, "canvas", func(d *revoke.Delivery) { d.Ord += 5 })
	at, until := b.now(), b.now().Add(time.Minute)
	this := revoke.DeliveryQuery{Revocation: first.Revocation}
	b.halt(this, revoke.HaltNone, 0)
	b.halt(this, revoke.HaltWait, 1)
	b.halt(this, revoke.HaltWait, 0)
	b.stands("one that waits", first, "due/pause")
	if n, err := b.store.Retry(b.deadline(), revoke.DeliveryQuery{Org: org, Revocation: first.Revocation}, at.Add(-time.Hour), order(1)); err != nil || n != 0 {
		b.Errorf("retry of one that waits: got %d, %v, want none", n, err)
	}
	owed := b.claim("canvas", 10, at, until)
	b.same("the other of the same person goes on", names(owed), [][]string{{second.Name()}})
	b.halt(this, revoke.HaltNone, 1)
	b.same("while the person is under a lease", names(b.claim("canvas", 10, at, until)), [][]string{})
	b.settle(owed[0], revoke.DeliveryDone, 0)
	next, err := b.store.NextDue(b.deadline(), "canvas")
	if err != nil || next != first.DueAt {
		b.Errorf("when the next is due: got %s, %v, want %s", next, err, first.DueAt)
	}
	b.halt(this, revoke.HaltWait, 1)
	if next, err := b.store.NextDue(b.deadline(), "canvas"); err != nil || next != 0 {
		b.Errorf("when the next is due that does not wait: got %s, %v, want never", next, err)
	}
	b.halt(this, revoke.HaltDrop, 1)
	b.stands("one that was dropped", first, "dropped/")
	b.halt(this, revoke.HaltDrop, 0)
	b.halt(this, revoke.HaltNone, 0)
	b.halt(this, revoke.HaltWait, 0)
	if n, err := b.store.Retry(b.deadline(), revoke.DeliveryQuery{Org: org, Revocation: first.Revocation}, at, order(1)); err != nil || n != 0 {
		b.Errorf("retry of what was dropped: got %d, %v, want none", n, err)
	}
	b.same("nothing is owed", names(b.claim("canvas", 10, until, until.Add(time.Hour))), [][]string{})
	b.halt(revoke.DeliveryQuery{Revocation: second.Revocation}, revoke.HaltDrop, 0) // done is done
	if audit, ok := b.audited(); ok && len(audit) != 4 {
		b.Errorf("lines in the audit log: got %d, want one for each of the four orders that changed something", len(audit))
	}
}

// haltUnderWay gives every order while a call is under way, and lets the call end in every way.
func haltUnderWay(b *bench) {
	at := b.now()
	for i, c := range []struct {
		halt revoke.Halt
		ends revoke.DeliveryState
		want string
	}{
		{revoke.HaltDrop, revoke.DeliveryDone, "done/"},
		{revoke.HaltDrop, revoke.DeliveryDue, "dropped/"},
		{revoke.HaltDrop, revoke.DeliveryParked, "dropped/"},
		{revoke.HaltWait, revoke.DeliveryDone, "done/"},
		{revoke.HaltWait, revoke.DeliveryDue, "due/pause"},
		{revoke.HaltWait, revoke.DeliveryParked, "parked/"},
		{revoke.HaltNone, revoke.DeliveryDue, "due/"},
	} {
		what := fmt.Sprintf("order %q under way, then %s", c.halt, c.ends)
		target := fmt.Sprintf("target-%d", i)
		d := b.owe(b.person().ID, target, nil)
		at = max(at, d.DueAt)
		this := revoke.DeliveryQuery{Revocation: d.Revocation}
		owed := b.claim(target, 1, at, at.Add(time.Minute))
		if c.halt != revoke.HaltNone {
			b.halt(this, c.halt, 1)
			b.halt(this, c.halt, 0)
		} else { // the later order counts
			b.halt(this, revoke.HaltDrop, 1)
			b.halt(this, revoke.HaltWait, 1)
			b.halt(this, revoke.HaltNone, 1)
		}
		b.stands(what+", before the call ends", d, "claimed/"+string(c.halt))
		b.settle(owed[0], c.ends, at)
		b.stands(what, d, c.want)
		if got := b.attempts(org, d); len(got) != 1 {
			b.Errorf("%s: got %d attempts on record, want 1", what, len(got))
		}
		wantClaimed := 0
		if c.want == "due/" {
			wantClaimed = 1
		}
		if got := b.claim(target, 1, at, at.Add(time.Minute)); len(got) != wantClaimed {
			b.Errorf("%s: got %d claimed again, want %d", what, len(got), wantClaimed)
		}
	}
}

// haltedLeaseEnds loses who worked on halted deliveries: the order stands once the lease is over.
func haltedLeaseEnds(b *bench) {
	u := b.person()
	waits, dropped, plain := b.owe(u.ID, "canvas", nil), b.owe(u.ID, "canvas", nil), b.owe(u.ID, "canvas", nil)
	alone := b.owe(b.person().ID, "canvas", nil)
	at := b.now()
	until := at.Add(time.Minute)
	b.claim("canvas", 10, at, until)
	b.halt(revoke.DeliveryQuery{Revocation: waits.Revocation}, revoke.HaltWait, 1)
	b.halt(revoke.DeliveryQuery{Revocation: dropped.Revocation}, revoke.HaltDrop, 1)
	b.halt(revoke.DeliveryQuery{Revocation: alone.Revocation}, revoke.HaltDrop, 1)
	b.same("before the lease ends", names(b.claim("canvas", 10, until-1, until.Add(time.Hour))), [][]string{})
	b.stands("to be dropped, before the lease ends", dropped, "claimed/drop")
	b.same("after it ended", names(b.claim("canvas", 10, until, until.Add(time.Hour))), [][]string{{plain.Name()}})
	b.stands("to wait", waits, "due/pause")
	b.stands("to be dropped", dropped, "dropped/")
	b.stands("to be dropped, alone", alone, "dropped/")
}

func haltParked(b *bench) {
	d := b.owe(b.person().ID, "canvas", func(d *revoke.Delivery) { d.State = revoke.DeliveryParked })
	other := b.owe(b.person().ID, "canvas", func(d *revoke.Delivery) { d.State = revoke.DeliveryParked })
	for _, halt := range []revoke.Halt{revoke.HaltWait, revoke.HaltNone} {
		b.halt(revoke.DeliveryQuery{}, halt, 0)
		b.stands("parked", d, "parked/")
	}
	b.halt(revoke.DeliveryQuery{Revocation: d.Revocation}, revoke.HaltDrop, 1)
	b.stands("parked and dropped", d, "dropped/")
	b.stands("its neighbour", other, "parked/")
	got := b.deliveries(revoke.DeliveryQuery{State: revoke.DeliveryDropped, Limit: 5})
	if len(got) != 1 || got[0].Revocation != d.Revocation {
		b.Errorf("dropped deliveries: got %+v, want that one", got)
	}
}

func haltFilter(b *bench) {
	sally, bob := b.person(), b.person()
	var all []revoke.Delivery
	for _, u := range []revoke.User{sally, bob} {
		for _, target := range []string{"canvas", "portal"} {
			all = append(all, b.owe(u.ID, target, nil))
		}
	}
	b.halt(revoke.DeliveryQuery{Target: "canvas", User: bob.ID}, revoke.HaltWait, 1)
	b.stands("bob at canvas", all[2], "due/pause")
	b.halt(revoke.DeliveryQuery{User: sally.ID}, revoke.HaltDrop, 2)
	b.stands("sally at canvas", all[0], "dropped/")
	b.stands("sally at portal", all[1], "dropped/")
	b.stands("bob at portal", all[3], "due/")
	b.halt(revoke.DeliveryQuery{State: revoke.DeliveryDue}, revoke.HaltWait, 1)
	b.halt(revoke.DeliveryQuery{}, revoke.HaltNone, 2)
	if n, err := b.store.Halt(b.deadline(), revoke.DeliveryQuery{Org: "other"}, revoke.HaltWait, 1, order(1)); err != nil || n != 0 {
		b.Errorf("halt by another org: got %d, %v, want none", n, err)
	}
	if n, err := b.store.Halt(b.deadline(), revoke.DeliveryQuery{Org: org}, "nonsense", 1, order(1)); err == nil || n != 0 {
		b.Errorf("an order that is none: got %d, %v, want a refusal", n, err)
	}
}
