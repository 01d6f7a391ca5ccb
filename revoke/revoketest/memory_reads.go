package revoketest

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"curfew/revoke"
)

type noteKey struct{ org, source, about string }

// writeReads does what e says of reads.
func (t *tables) writeReads(e *revoke.Effects) {
	for _, r := range e.Readings {
		t.readings[r.Event] = r
	}
	for _, event := range e.Read {
		delete(t.readings, event)
	}
	for _, n := range e.Notes {
		key := noteKey{n.Org, n.Source, n.About}
		if have, ok := t.notes[key]; !ok || n.At >= have.At {
			t.notes[key] = n
		}
	}
}

// Known returns the text of a note, "" where there is none.
func (m *Memory) Known(ctx context.Context, org, source, about string) (text string, err error) {
	err = m.read(ctx, func(t *tables) { text = t.notes[noteKey{org, source, about}].Text })
	return text, err
}

// ClaimReads leases what waits for up to n reads at a source.
func (m *Memory) ClaimReads(ctx context.Context, org, source string, n int, now, until revoke.Instant, lease revoke.ID) (out []revoke.OwedRead, err error) {
	err = m.read(ctx, func(t *tables) {
		waiting := map[string][]revoke.Reading{}
		for _, r := range t.readings {
			if r.Org == org && r.Source == source && r.State != revoke.ReadingParked {
				waiting[r.About] = append(waiting[r.About], r)
			}
		}
		since := map[string]revoke.Instant{}
		for about, rows := range waiting {
			for _, r := range rows {
				switch at := readyAt(r); {
				case r.LeaseUntil > now:
					since[about] = -1
				case at <= now && since[about] >= 0 && (since[about] == 0 || at < since[about]):
					since[about] = max(at, 1)
				}
			}
		}
		maps.DeleteFunc(since, func(_ string, at revoke.Instant) bool { return at <= 0 })
		abouts := slices.SortedFunc(maps.Keys(since), func(a, b string) int { return cmp.Or(cmp.Compare(since[a], since[b]), cmp.Compare(a, b)) })
		for _, about := range page(abouts, n) {
			owed := revoke.OwedRead{Org: org, Source: source, About: about, Lease: lease, Known: t.notes[noteKey{org, source, about}].Text}
			rows := waiting[about]
			slices.SortFunc(rows, func(a, b revoke.Reading) int { return a.Event.Compare(b.Event) })
			for _, r := range rows[:min(len(rows), 200)] {
				r.State, r.Lease, r.LeaseUntil = revoke.ReadingClaimed, lease, until
				t.readings[r.Event] = r
				owed.Readings = append(owed.Readings, r)
				if at := slices.IndexFunc(t.events, func(e revoke.Event) bool { return e.ID == r.Event }); at >= 0 {
					owed.Events = append(owed.Events, copyEvent(t.events[at]))
				}
			}
			out = append(out, owed)
		}
	})
	return out, err
}

func readyAt(r revoke.Reading) revoke.Instant {
	if r.State == revoke.ReadingClaimed {
		return r.LeaseUntil
	}
	return r.DueAt
}

// SettleRead records that a read brought no answer, if the lease is still its own.
func (m *Memory) SettleRead(ctx context.Context, owed revoke.OwedRead, s revoke.ReadSettlement) error {
	var lost error
	err := m.read(ctx, func(t *tables) {
		for _, r := range owed.Readings {
			if have := t.readings[r.Event]; have.State != revoke.ReadingClaimed || have.Lease != owed.Lease {
				lost = revoke.ErrLeaseLost
				return
			}
		}
		for _, r := range owed.Readings {
			have := t.readings[r.Event]
			have.State, have.DueAt, have.LastError, have.Lease, have.LeaseUntil = s.State, s.DueAt, s.Error, revoke.ID{}, 0
			have.Attempts++
			t.readings[r.Event] = have
			for i := range t.events {
				if e := &t.events[i]; e.ID == r.Event && s.State == revoke.ReadingParked && e.State == revoke.EventReading {
					e.State, e.Note = revoke.EventParked, e.Note+"; it could not be read: "+s.Error
				}
			}
		}
		t.ring(s.Cleared, s.Alarms, s.At)
	})
	return cmp.Or(err, lost)
}

// NextRead returns when the source's next read is due or its next lease ends.
func (m *Memory) NextRead(ctx context.Context, org, source string) (next revoke.Instant, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, r := range t.readings {
			if at := readyAt(r); r.Org == org && r.Source == source && r.State != revoke.ReadingParked && (next == 0 || at < next) {
				next = at
			}
		}
	})
	return next, err
}

// Unread returns how much waits at each of these sources, in their order.
func (m *Memory) Unread(ctx context.Context, org string, sources []string) (out []revoke.Unread, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, source := range sources {
			u := revoke.Unread{Source: source}
			for _, r := range t.readings {
				switch {
				case r.Org != org || r.Source != source:
				case r.State == revoke.ReadingParked:
					u.Parked++
					if u.ParkedAt == 0 || r.DueAt < u.ParkedAt {
						u.ParkedAt = r.DueAt
					}
				default:
					u.Waiting++
					if u.OldestAt == 0 || r.FirstAt < u.OldestAt {
						u.OldestAt = r.FirstAt
					}
				}
			}
			out = append(out, u)
		}
	})
	return out, err
}

// TakeErrand leases an errand that is due and that nobody is at.
func (m *Memory) TakeErrand(ctx context.Context, key revoke.ErrandKey, now, until revoke.Instant, lease revoke.ID) (e revoke.Errand, taken bool, err error) {
	err = m.read(ctx, func(t *tables) {
		e = t.errands[key]
		e.ErrandKey = key
		if taken = e.NextAt <= now && e.LeaseUntil <= now; taken {
			e.Lease, e.LeaseUntil = lease, until
			t.errands[key] = e
		}
	})
	return e, taken, err
}

// KeepErrand writes an errand whole, if the lease in it is still its own.
func (m *Memory) KeepErrand(ctx context.Context, e revoke.Errand, raised []revoke.Alarm, cleared []revoke.AlarmKey) error {
	var lost error
	err := m.read(ctx, func(t *tables) {
		if have, ok := t.errands[e.ErrandKey]; !ok || have.Lease != e.Lease {
			lost = revoke.ErrLeaseLost
			return
		}
		t.errands[e.ErrandKey] = e
		t.ring(cleared, raised, max(e.DoneAt, e.FailedAt))
	})
	return cmp.Or(err, lost)
}

// Errands returns the errands of these sources, by source and name.
func (m *Memory) Errands(ctx context.Context, org string, sources []string) (out []revoke.Errand, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, source := range sources {
			for _, name := range []revoke.ErrandName{revoke.ErrandPoll, revoke.ErrandUpkeep} {
				if e, ok := t.errands[revoke.ErrandKey{Org: org, Source: source, Name: name}]; ok {
					out = append(out, e)
				}
			}
		}
	})
	return out, err
}

// AllReadings returns everything that waits to be read, parked too, in the order in which it came.
func (m *Memory) AllReadings() []revoke.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.tables.readings), func(a, b revoke.Reading) int { return a.Event.Compare(b.Event) })
}
