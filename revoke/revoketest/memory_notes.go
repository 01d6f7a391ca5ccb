package revoketest

import (
	"context"
	"maps"
	"slices"

	"curfew/revoke"
)

// keyName is by what an idempotency key is known.
type keyName struct{ org, source, name string }

type useKey struct {
	org     string
	session revoke.ID
}

// ring clears alarms, then raises others, each joined with the one of its key that stands.
func (t *tables) ring(cleared []revoke.AlarmKey, raised []revoke.Alarm, at revoke.Instant) {
	standing := func(key revoke.AlarmKey) *revoke.Alarm {
		i := slices.IndexFunc(t.alarms, func(a revoke.Alarm) bool { return a.AlarmKey == key && a.ClearedAt == 0 })
		if i < 0 {
			return nil
		}
		return &t.alarms[i]
	}
	for _, key := range cleared {
		if a := standing(key); a != nil {
			a.ClearedAt = max(a.LastAt, at, 1)
		}
	}
	for _, a := range raised {
		have := standing(a.AlarmKey)
		if have == nil {
			t.alarms = append(t.alarms, a)
			continue
		}
		if a.LastAt >= have.LastAt {
			have.Text = a.Text
		}
		have.LastAt, have.Count, have.ToldAt = max(have.LastAt, a.LastAt), have.Count+a.Count, max(have.ToldAt, a.ToldAt)
	}
}

// Untold returns alarms that stand and of which the receivers were not told since they were raised last, oldest first.
func (m *Memory) Untold(ctx context.Context, again revoke.Instant, limit int) (out []revoke.Alarm, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, a := range t.alarms {
			if a.ClearedAt == 0 && (a.ToldAt == 0 || a.ToldAt < again && a.ToldAt < a.LastAt) {
				out = append(out, a)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Alarm) int { return a.ID.Compare(b.ID) })
	return page(out, limit), err
}

// Told notes that the receivers of alarms were told.
func (m *Memory) Told(ctx context.Context, org string, alarm revoke.ID, at revoke.Instant) error {
	return m.read(ctx, func(t *tables) {
		for i := range t.alarms {
			if a := &t.alarms[i]; a.Org == org && a.ID == alarm {
				a.ToldAt = max(a.ToldAt, at)
			}
		}
	})
}

// Used moves the last use of sessions forward.
func (m *Memory) Used(ctx context.Context, uses []revoke.Use) error {
	return m.read(ctx, func(t *tables) {
		for _, u := range uses {
			key := useKey{u.Org, u.Session}
			t.uses[key] = max(t.uses[key], u.At)
		}
	})
}

// TakeKey writes the key unless one is there that was taken after the instant, which it returns.
func (m *Memory) TakeKey(ctx context.Context, k revoke.Key, after revoke.Instant) (have revoke.Key, taken bool, err error) {
	err = m.read(ctx, func(t *tables) {
		name := keyName{k.Org, k.Source, k.Name}
		var ok bool
		if have, ok = t.keys[name]; !ok || have.At <= after {
			t.keys[name] = k
			have, taken = k, true
		}
	})
	return have, taken, err
}

// AnswerKey writes the answer beside the key, unless somebody else has taken it since.
func (m *Memory) AnswerKey(ctx context.Context, k revoke.Key) error {
	return m.read(ctx, func(t *tables) {
		name := keyName{k.Org, k.Source, k.Name}
		if have, ok := t.keys[name]; ok && have.At == k.At {
			have.Status, have.Answer = k.Status, k.Answer
			t.keys[name] = have
		}
	})
}

// DropKeys forgets the keys that were taken before an instant, and says how many.
func (m *Memory) DropKeys(ctx context.Context, before revoke.Instant) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		all := len(t.keys)
		maps.DeleteFunc(t.keys, func(_ keyName, k revoke.Key) bool { return k.At < before })
		n = all - len(t.keys)
	})
	return n, err
}

// Pause makes a target wait, or with at zero lets it go on. One that waits already waits since when it did.
func (m *Memory) Pause(ctx context.Context, target string, at revoke.Instant, audit revoke.AuditEntry) error {
	return m.read(ctx, func(t *tables) {
		_, waits := t.paused[target]
		switch {
		case at == 0 && waits:
			delete(t.paused, target)
		case at != 0 && !waits:
			t.paused[target] = at
		default:
			return
		}
		t.log(audit)
	})
}

// Paused returns the targets that wait, and since when.
func (m *Memory) Paused(ctx context.Context) (out map[string]revoke.Instant, err error) {
	err = m.read(ctx, func(t *tables) { out = maps.Clone(t.paused) })
	return out, err
}

// Halt keeps open deliveries back, lets them go on or drops them.
func (m *Memory) Halt(ctx context.Context, q revoke.DeliveryQuery, halt revoke.Halt, _ revoke.Instant, audit revoke.AuditEntry) (n int, err error) {
	if halt != revoke.HaltNone && halt != revoke.HaltWait && halt != revoke.HaltDrop {
		return 0, revoke.Invalid{Field: "halt", Problem: "is no order about deliveries", Fix: "pause them, drop them or let them go on"}
	}
	err = m.read(ctx, func(t *tables) {
		for key, d := range t.deliveries {
			open := d.State == revoke.DeliveryDue || d.State == revoke.DeliveryClaimed
			switch {
			case !asked(q, d):
				continue
			case open && d.Halt != halt && (halt != revoke.HaltDrop || d.State == revoke.DeliveryClaimed):
				d.Halt = halt
			case halt == revoke.HaltDrop && (d.State == revoke.DeliveryDue || d.State == revoke.DeliveryParked):
				d.State, d.Halt = revoke.DeliveryDropped, revoke.HaltNone
			default:
				continue
			}
			t.deliveries[key] = d
			n++
		}
		if n > 0 {
			t.log(audit)
		}
	})
	return n, err
}

// log adds a line to the audit log.
func (t *tables) log(a revoke.AuditEntry) {
	a.Seq, a.Entry, a.Person = int64(len(t.audit)+1), slices.Clone(a.Entry), slices.Clone(a.Person)
	t.audit = append(t.audit, a)
}
