package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// What replicas heard in one hour is joined.
var hearingsTable = newTable(table{
	name: "hearings", texts: words("org source"), nums: words("hour minutes last_at"),
	conflict: `ON CONFLICT (org, source, hour) DO UPDATE SET minutes = hearings.minutes | excluded.minutes, last_at = GREATEST(hearings.last_at, excluded.last_at)`,
})

func hearingRecord(h revoke.Hearing) (r record) {
	r.text = [9]string{h.Org, h.Source}
	r.num = [8]int64{h.Hour, int64(h.Minutes), int64(h.LastAt)} //nolint:gosec // sixty bits
	return r
}

func (r *record) hearing() revoke.Hearing {
	return revoke.Hearing{Org: r.text[0], Source: r.text[1], Hour: r.num[0], Minutes: uint64(r.num[1]), LastAt: revoke.Instant(r.num[2])} //nolint:gosec // its bits
}

var spellsTable = newTable(table{name: "spells", texts: words("org source kind"), nums: words("began_at ended_at")})

// hearingsAtOnce is how many hours one transaction writes or forgets.
const hearingsAtOnce = 1000

// Hear joins what was heard with what is kept. Hours are written in the order of their keys, so that no two writers wait for each other.
func (s *Store) Hear(ctx context.Context, hearings []revoke.Hearing) error {
	sorted := slices.Clone(hearings)
	slices.SortStableFunc(sorted, func(a, b revoke.Hearing) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.Source, b.Source), cmp.Compare(a.Hour, b.Hour))
	})
	joined := sorted[:0]
	for _, h := range sorted {
		if n := len(joined); n > 0 && joined[n-1].Org == h.Org && joined[n-1].Source == h.Source && joined[n-1].Hour == h.Hour {
			joined[n-1] = joined[n-1].Join(h)
			continue
		}
		joined = append(joined, h)
	}
	for some := range slices.Chunk(joined, hearingsAtOnce) {
		var b batch
		b.add(hearingsTable, records(some, hearingRecord))
		err := s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) { return true, s.db.write(ctx, w, b) })
		if err != nil {
			return s.failed(fmt.Sprintf("note %d hours in which sources were heard", len(some)), err)
		}
	}
	return nil
}

// Hearings returns what is kept of each of these sources, in their order.
func (s *Store) Hearings(ctx context.Context, org string, sources []string) ([]revoke.Heard, error) {
	out := make([]revoke.Heard, len(sources))
	for i, source := range sources {
		h := &out[i]
		h.Source = source
		err := s.rowsOf(ctx, hearingsTable, `org = $1 AND source = $2
			AND hour >= (SELECT max(hour) FROM hearings WHERE org = $1 AND source = $2) - $3 ORDER BY hour`, func(row record) error {
			h.Hours = append(h.Hours, row.hearing())
			return nil
		}, org, clean(source), (revoke.HearingWeeks+1)*7*24)
		if err == nil {
			err = s.rowsOf(ctx, spellsTable, "org = $1 AND source = $2 ORDER BY kind", func(row record) error {
				h.Spells = append(h.Spells, revoke.Spell{
					Org: row.text[0], Source: row.text[1], Kind: revoke.SpellKind(row.text[2]), Began: revoke.Instant(row.num[0]), Ended: revoke.Instant(row.num[1]),
				})
				return nil
			}, org, clean(source))
		}
		if err == nil {
			h.Delays, err = s.delays(ctx, org, source)
		}
		if err != nil {
			return nil, fmt.Errorf("look for when source %s was heard: %w", source, err)
		}
	}
	return out, nil
}

// delays returns how late a source's last events came, newest first.
func (s *Store) delays(ctx context.Context, org, source string) (out []time.Duration, err error) {
	err = s.read(ctx, "SELECT received_at, occurred_at FROM events WHERE org = $1 AND source = $2 ORDER BY id DESC LIMIT $3", func(rows *sql.Rows) error {
		var received, occurred revoke.Instant
		if err := rows.Scan(&received, &occurred); err != nil {
			return err
		}
		if d, ok := revoke.DelayOf(received, occurred); ok {
			out = append(out, d)
		}
		return nil
	}, org, clean(source), revoke.EventsTimed)
	return out, err
}

// DropHearings forgets hours that began before an instant, but for each source's last.
func (s *Store) DropHearings(ctx context.Context, before revoke.Instant) (int, error) {
	return s.run(ctx, "forget when sources were heard", `DELETE FROM hearings WHERE (org, source, hour) IN
		(SELECT org, source, hour FROM hearings AS old WHERE hour < $1 AND EXISTS
			(SELECT 1 FROM hearings AS later WHERE later.org = old.org AND later.source = old.source AND later.hour > old.hour)
		ORDER BY hour LIMIT $2)`, revoke.NewHearing("", "", before+revoke.Instant(time.Hour/time.Microsecond)-1).Hour, hearingsAtOnce)
}

// BeginSpell writes that a spell began, and the alarms, in one transaction. The row's key lets one writer wait for the other.
func (s *Store) BeginSpell(ctx context.Context, spell revoke.Spell, alarms []revoke.Alarm) (bool, error) {
	var b batch
	b.add(alarmsTable, records(revoke.Merge(revoke.Effects{Alarms: alarms}).Alarms, alarmRecord))
	return s.spell(ctx, "begins", spell, b, `INSERT INTO spells (org, source, kind, began_at, ended_at) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (org, source, kind) DO UPDATE SET began_at = excluded.began_at
		WHERE spells.began_at <= spells.ended_at AND spells.ended_at < excluded.began_at`, spell.Began)
}

// EndSpell writes that a spell ended, and clears the alarms, in one transaction.
func (s *Store) EndSpell(ctx context.Context, spell revoke.Spell, cleared []revoke.AlarmKey) (bool, error) {
	var b batch
	b.add(clearedTable, records(cleared, func(key revoke.AlarmKey) record { return clearedRecord(key, spell.Ended) }))
	return s.spell(ctx, "ends", spell, b, `UPDATE spells SET ended_at = $4
		WHERE org = $1 AND source = $2 AND kind = $3 AND began_at > ended_at AND began_at <= $4`, spell.Ended)
}

// spell carries out what turns a spell, and writes a batch if it did.
func (s *Store) spell(ctx context.Context, turns string, spell revoke.Spell, b batch, text string, at revoke.Instant) (turned bool, err error) {
	err = s.settle(ctx, durable, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.exec(ctx, s.db.text(text), spell.Org, clean(spell.Source), string(spell.Kind), int64(at))
		turned = n > 0
		if err == nil && turned && len(b) > 0 {
			err = s.db.write(ctx, w, b)
		}
		return turned, err
	})
	if err != nil {
		return false, s.failed(fmt.Sprintf("note that a spell %s", turns), err)
	}
	return turned, nil
}
