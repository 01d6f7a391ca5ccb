package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"curfew/revoke"
)

// A reading that is there is owed once more: whoever is at it works under a lease that counts for nothing from now on.
var readingsTable = newTable(table{
	name: "readings", ids: words("event_id lease"), texts: words("org source about state last_error"), nums: words("due_at ready_at first_at attempts lease_until"),
	conflict: `ON CONFLICT (org, event_id) DO UPDATE SET source = excluded.source, about = excluded.about, state = excluded.state, due_at = excluded.due_at,
		ready_at = excluded.ready_at, first_at = excluded.first_at, attempts = excluded.attempts, lease = excluded.lease, lease_until = excluded.lease_until,
		last_error = excluded.last_error`,
})

func readingRecord(r revoke.Reading) (row record) {
	ready := r.DueAt
	if r.State == revoke.ReadingClaimed {
		ready = r.LeaseUntil
	}
	row.id[0], row.id[1] = r.Event, r.Lease
	row.text = [9]string{r.Org, r.Source, r.About, string(r.State), r.LastError}
	row.num = [8]int64{int64(r.DueAt), int64(ready), int64(r.FirstAt), int64(r.Attempts), int64(r.LeaseUntil)}
	return row
}

func (r *record) reading() revoke.Reading {
	return revoke.Reading{
		Event: r.id[0], Lease: r.id[1], Org: r.text[0], Source: r.text[1], About: r.text[2], State: revoke.ReadingState(r.text[3]), LastError: r.text[4],
		DueAt: revoke.Instant(r.num[0]), FirstAt: revoke.Instant(r.num[2]), Attempts: int(r.num[3]), LeaseUntil: revoke.Instant(r.num[4]),
	}
}

// What was read is gone.
var readTable = newTable(table{
	name: "read", ids: words("event_id"), texts: words("org"),
	postgres: "DELETE FROM readings USING ROWS WHERE readings.org = k.org AND readings.event_id = k.event_id",
	sqlite:   "DELETE FROM readings WHERE org = $2 AND event_id = $1",
})

func readRecord(org string, event revoke.ID) (r record) {
	r.id[0], r.text[0] = event, org
	return r
}

// What was known when a later read was asked stays.
var notesTable = newTable(table{
	name: "source_notes", texts: words("org source about text"), nums: words("at"),
	conflict: `ON CONFLICT (org, source, about) DO UPDATE SET
		text = CASE WHEN excluded.at >= source_notes.at THEN excluded.text ELSE source_notes.text END, at = GREATEST(source_notes.at, excluded.at)`,
})

func noteRecord(n revoke.SourceNote) (r record) {
	r.text = [9]string{n.Org, n.Source, n.About, n.Text}
	r.num[0] = int64(n.At)
	return r
}

// lockReadings adds to the facts the readings that the group needs. They stay locked until its end, so that no lease changes hands in
// between: it is an update for that, which changes nothing.
func (s *Store) lockReadings(ctx context.Context, w *writer, group []*waiting, facts *revoke.Facts) error {
	for _, m := range group {
		for _, event := range m.need.Readings {
			err := w.query(ctx, s.db.text("UPDATE readings SET attempts = attempts WHERE org = $1 AND event_id = $2 RETURNING "+readingsTable.list), func(rows *sql.Rows) error {
				row, err := readingsTable.scan(rows)
				facts.Readings[event] = row.reading()
				return err
			}, m.need.Org, idText(event))
			if err != nil {
				return errorIn(readingsTable, err)
			}
		}
	}
	return nil
}

// readsAtOnce is how many events one read answers at most.
const readsAtOnce = 200

// What waits is found first, then all of it that is about one thing is locked and looked at again: of two claims the second waits, and
// then sees the lease of the first.
const (
	abouts = `SELECT about FROM readings WHERE org = $1 AND source = $2 AND state <> 'parked' AND ready_at <= $3
		GROUP BY about ORDER BY min(ready_at), about LIMIT $4`
	lockAbout = `UPDATE readings SET attempts = attempts WHERE org = $1 AND source = $2 AND about = $3 AND state <> 'parked' RETURNING event_id, lease_until`
	leaseRead = `UPDATE readings SET state = 'claimed', lease = $3, lease_until = $4, ready_at = $4 WHERE org = $1 AND event_id = $2 AND state <> 'parked' RETURNING `
)

// ClaimReads leases what waits for up to n reads at a source.
func (s *Store) ClaimReads(ctx context.Context, org, source string, n int, now, until revoke.Instant, lease revoke.ID) (out []revoke.OwedRead, err error) {
	var about []string
	err = s.read(ctx, abouts, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		about = append(about, text)
		return err
	}, org, clean(source), int64(now), max(2*n, 0)) // about some of them somebody reads
	if err != nil {
		return nil, fmt.Errorf("claim reads: %w", err)
	}
	if len(about) == 0 {
		return nil, nil
	}
	err = s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		out = nil
		for _, text := range about {
			if len(out) == n {
				break
			}
			rows, err := s.leaseAbout(ctx, w, org, source, text, now, until, lease)
			if err != nil {
				return false, err
			}
			if len(rows) > 0 {
				out = append(out, revoke.OwedRead{Org: org, Source: source, About: text, Lease: lease, Readings: rows})
			}
		}
		return len(out) > 0, nil
	})
	if err != nil {
		return nil, s.failed("claim reads", err)
	}
	for i := range out {
		if err := s.completeRead(ctx, &out[i]); err != nil {
			return nil, fmt.Errorf("claim reads: %w", err)
		}
	}
	return out, nil
}

func (s *Store) leaseAbout(ctx context.Context, w *writer, org, source, about string, now, until revoke.Instant, lease revoke.ID) ([]revoke.Reading, error) {
	var events []revoke.ID
	busy := false
	err := w.query(ctx, s.db.text(lockAbout), func(rows *sql.Rows) error {
		var event revoke.ID
		var leased revoke.Instant
		err := rows.Scan((*storedID)(&event), &leased)
		events, busy = append(events, event), busy || leased > now
		return err
	}, org, clean(source), clean(about))
	if err != nil || busy {
		return nil, err
	}
	slices.SortFunc(events, revoke.ID.Compare) // as they came
	var out []revoke.Reading
	for _, event := range events[:min(len(events), readsAtOnce)] {
		err := w.query(ctx, s.db.text(leaseRead+readingsTable.list), func(rows *sql.Rows) error {
			row, err := readingsTable.scan(rows)
			out = append(out, row.reading())
			return err
		}, org, idText(event), idText(lease), int64(until))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// completeRead adds the events and what is known.
func (s *Store) completeRead(ctx context.Context, o *revoke.OwedRead) error {
	ids := make([]revoke.ID, len(o.Readings))
	for i, r := range o.Readings {
		ids[i] = r.Event
	}
	found := map[revoke.ID]revoke.Event{}
	err := s.byIDs(ctx, eventsTable, "id", o.Org, ids, func(row record) error {
		e, err := row.event()
		found[e.ID] = e
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		o.Events = append(o.Events, found[id])
	}
	o.Known, err = s.Known(ctx, o.Org, o.Source, o.About)
	return err
}

// Known returns the text of a note, "" where there is none.
func (s *Store) Known(ctx context.Context, org, source, about string) (text string, err error) {
	err = s.read(ctx, "SELECT text FROM source_notes WHERE org = $1 AND source = $2 AND about = $3", func(rows *sql.Rows) error {
		return rows.Scan(&text)
	}, org, clean(source), clean(about))
	return text, err
}

// SettleRead records that a read brought no answer, if the lease is still its own.
func (s *Store) SettleRead(ctx context.Context, owed revoke.OwedRead, settlement revoke.ReadSettlement) error {
	text := clean(settlement.Error)
	err := s.settle(ctx, durable, func(ctx context.Context, w *writer) (bool, error) {
		for _, r := range owed.Readings {
			n, err := w.exec(ctx, s.db.text(`UPDATE readings SET state = $4, due_at = $5, ready_at = $5, attempts = attempts + 1, last_error = $6,
				lease = '`+zeroID+`', lease_until = 0 WHERE org = $1 AND event_id = $2 AND state = 'claimed' AND lease = $3`),
				owed.Org, idText(r.Event), idText(owed.Lease), string(settlement.State), int64(settlement.DueAt), text)
			if err == nil && n == 0 {
				err = revoke.ErrLeaseLost
			}
			if err == nil && settlement.State == revoke.ReadingParked {
				_, err = w.exec(ctx, s.db.text("UPDATE events SET state = 'parked', note = note || $3 WHERE org = $1 AND id = $2 AND state = 'reading'"),
					owed.Org, idText(r.Event), "; it could not be read: "+text)
			}
			if err != nil {
				return false, err
			}
		}
		return true, s.ring(ctx, w, settlement.At, settlement.Alarms, settlement.Cleared)
	})
	if err != nil {
		return s.failed(fmt.Sprintf("settle a read for %d events of %s", len(owed.Readings), owed.Source), err)
	}
	return nil
}

// ring clears alarms and raises others.
func (s *Store) ring(ctx context.Context, w *writer, at revoke.Instant, raised []revoke.Alarm, cleared []revoke.AlarmKey) error {
	var b batch
	b.add(clearedTable, records(cleared, func(key revoke.AlarmKey) record { return clearedRecord(key, at) }))
	b.add(alarmsTable, records(revoke.Merge(revoke.Effects{Alarms: raised}).Alarms, alarmRecord))
	if len(b) == 0 {
		return nil
	}
	return s.db.write(ctx, w, b)
}

// NextRead returns when the source's next read is due or its next lease ends.
func (s *Store) NextRead(ctx context.Context, org, source string) (next revoke.Instant, err error) {
	err = s.read(ctx, "SELECT ready_at FROM readings WHERE org = $1 AND source = $2 AND state <> 'parked' ORDER BY ready_at LIMIT 1", func(rows *sql.Rows) error {
		return rows.Scan(&next)
	}, org, clean(source))
	if err != nil {
		return 0, fmt.Errorf("look for what waits to be read: %w", err)
	}
	return next, nil
}

// Unread returns how much waits at each of these sources, in their order.
func (s *Store) Unread(ctx context.Context, org string, sources []string) ([]revoke.Unread, error) {
	out := make([]revoke.Unread, len(sources))
	for i, source := range sources {
		out[i].Source = source
		err := s.read(ctx, `SELECT count(CASE WHEN state <> 'parked' THEN 1 END), count(CASE WHEN state = 'parked' THEN 1 END),
			coalesce(min(CASE WHEN state <> 'parked' THEN first_at END), 0), coalesce(min(CASE WHEN state = 'parked' THEN due_at END), 0) FROM readings WHERE org = $1 AND source = $2`, func(rows *sql.Rows) error {
			return rows.Scan(&out[i].Waiting, &out[i].Parked, &out[i].OldestAt, &out[i].ParkedAt)
		}, org, clean(source))
		if err != nil {
			return nil, fmt.Errorf("count what waits to be read at %s: %w", source, err)
		}
	}
	return out, nil
}
