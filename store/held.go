package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"curfew/revoke"
)

// What is held is written whole: the decision has seen the row that stands, under its lock.
var heldTable = newTable(table{
	name: "held", ids: words("id event_id user_id"), texts: words("org source authority cause why verdict decided_by reason said"),
	nums: words("held_at decided_at by_itself"),
	conflict: `ON CONFLICT (org, id) DO UPDATE SET authority = excluded.authority, verdict = excluded.verdict, decided_at = excluded.decided_at,
		decided_by = excluded.decided_by, reason = excluded.reason, said = excluded.said`,
})

// heldSaid is what a row keeps that nothing is looked up by.
type heldSaid struct {
	revoke.HeldSaid
	Actor revoke.Actor
}

func heldRecord(h revoke.Held) (r record) {
	r.id = [5]revoke.ID{h.ID, h.ID, h.User}
	r.text = [9]string{h.Org, h.Source, h.Authority, string(h.Cause), h.Why, string(h.Verdict), h.DecidedBy, h.Reason, toJSON(heldSaid{h.Said, h.Actor})}
	r.num = [8]int64{int64(h.HeldAt), int64(h.DecidedAt), flag(h.ByItself)}
	return r
}

func (r *record) held() (revoke.Held, error) {
	var said heldSaid
	err := fromJSON(r.text[8], &said)
	h := revoke.Held{
		ID: r.id[0], User: r.id[2], Org: r.text[0], Source: r.text[1], Authority: r.text[2], Cause: revoke.HeldCause(r.text[3]), Why: r.text[4],
		Verdict: revoke.HeldVerdict(r.text[5]), DecidedBy: r.text[6], Reason: r.text[7], Said: said.HeldSaid, Actor: said.Actor,
		HeldAt: revoke.Instant(r.num[0]), DecidedAt: revoke.Instant(r.num[1]), ByItself: r.num[2] == 1,
	}
	for i := range h.Said.Signals { // JSON leaves the org out of an identifier
		sig := &h.Said.Signals[i].Signal
		sig.Subject = sig.Subject.In(h.Org)
	}
	return h, err
}

// Whom a voice hit last.
var hitsTable = newTable(table{
	name: "hits", ids: words("subject_id"), texts: words("org voice"), nums: words("at spare_at"),
	conflict: `ON CONFLICT (org, voice, subject_id) DO UPDATE SET at = GREATEST(hits.at, excluded.at), spare_at = GREATEST(hits.spare_at, excluded.spare_at)`,
})

func hitRecord(h revoke.Hit) (r record) {
	r.id[0] = h.Subject
	r.text = [9]string{h.Org, h.Voice}
	r.num = [8]int64{int64(h.At), int64(h.SpareAt)}
	return r
}

func (r *record) hit() revoke.Hit {
	return revoke.Hit{
		HitKey: revoke.HitKey{VoiceKey: revoke.VoiceKey{Org: r.text[0], Voice: r.text[1]}, Subject: r.id[0]},
		At:     revoke.Instant(r.num[0]), SpareAt: revoke.Instant(r.num[1]),
	}
}

// tallyTable is the shape of a count.
var tallyTable = newTable(table{name: "hits", texts: words("org voice"), nums: words("w h d s sd known")})

func (r *record) tallyInto(f *revoke.Facts, u *needs) {
	key := revoke.VoiceKey{Org: r.text[0], Voice: r.text[1]}
	for i := range u.brakes {
		if u.brakes[i].VoiceKey == key {
			t := u.brakes[i].NewTally(u.now)
			for j := range t.People {
				t.People[j] = int(r.num[j])
			}
			t.Spared, t.Known = [2]int{int(r.num[3]), int(r.num[4])}, int(r.num[5])
			f.Tallies[key] = t
		}
	}
}

// tallyArgs are what a count is asked with, in the order of tallied's arguments.
func tallyArgs(b *revoke.BrakeNeed, now revoke.Instant) []any {
	t := b.NewTally(now)
	return []any{b.Org, clean(b.Voice), int64(t.Since[0]), int64(t.Since[1]), int64(t.Since[2]), int64(t.SpareSince), b.Most, b.Known}
}

// tallied counts whom a voice has hit, of the latest Most, and the known people up to Known. The window may be longer than a day.
const tallied = `SELECT ?1 AS org, ?2 AS voice, count(*) FILTER (WHERE at > ?3) AS w, count(*) FILTER (WHERE at > ?4) AS h, count(*) FILTER (WHERE at > ?5) AS d,
	count(*) FILTER (WHERE spare_at > ?6) AS s, count(*) FILTER (WHERE spare_at > ?5) AS sd,
	(SELECT count(*) FROM (SELECT 1 FROM users WHERE org = ?1 LIMIT ?8) AS people) AS known
	FROM (SELECT at, spare_at FROM hits WHERE org = ?1 AND voice = ?2 AND at > LEASTOF ORDER BY at DESC LIMIT ?7) AS x`

// lockHeld adds to the facts what is held and the group names. It stays locked until the group's end, so that one verdict counts: it is
// an update for that, which changes nothing.
func (s *Store) lockHeld(ctx context.Context, w *writer, group []*waiting, facts *revoke.Facts) error {
	for _, m := range group {
		ids := slices.Clone(m.need.Held)
		slices.SortFunc(ids, revoke.ID.Compare)
		for _, id := range ids {
			err := w.query(ctx, s.db.text("UPDATE held SET decided_at = decided_at WHERE org = $1 AND id = $2 RETURNING "+heldTable.list), func(rows *sql.Rows) error {
				row, err := heldTable.scan(rows)
				if err != nil {
					return err
				}
				facts.Held[id], err = row.held()
				return err
			}, m.need.Org, idText(id))
			if err != nil {
				return errorIn(heldTable, err)
			}
		}
	}
	return nil
}

// Held returns what is held, newest first.
func (s *Store) Held(ctx context.Context, q revoke.HeldQuery) (out []revoke.Held, err error) {
	add := func(row record) error {
		h, err := row.held()
		out = append(out, h)
		return err
	}
	if len(q.IDs) > 0 {
		if err = s.byIDs(ctx, heldTable, "id", q.Org, q.IDs, add); err == nil {
			slices.SortFunc(out, func(a, b revoke.Held) int { return b.ID.Compare(a.ID) })
			out = slices.CompactFunc(out, func(a, b revoke.Held) bool { return a.ID == b.ID })
			out = slices.DeleteFunc(out, func(h revoke.Held) bool {
				return q.Source != "" && h.Source != q.Source || !q.User.IsZero() && h.User != q.User || q.Waiting && h.DecidedAt != 0 ||
					!q.Before.IsZero() && h.ID.Compare(q.Before) >= 0
			})
			out = out[:min(len(out), max(q.Limit, 0))]
		}
	} else {
		var c clauses
		c.and("org = ", q.Org)
		if q.Waiting {
			c.text += " AND decided_at = 0"
		}
		if q.Source != "" {
			c.and("source = ", clean(q.Source))
		}
		if !q.User.IsZero() {
			c.and("user_id = ", idText(q.User))
		}
		c.before(q.Before)
		c.text += " ORDER BY id DESC LIMIT " + c.arg(max(q.Limit, 0))
		err = s.rowsOf(ctx, heldTable, c.text, add, c.args...)
	}
	if err != nil {
		return nil, fmt.Errorf("list what is held: %w", err)
	}
	return out, nil
}

// HeldLong returns what waits since before an instant and is carried out by itself.
func (s *Store) HeldLong(ctx context.Context, before revoke.Instant, limit int) (out []revoke.Held, err error) {
	err = s.rowsOf(ctx, heldTable, "decided_at = 0 AND by_itself = 1 AND held_at < $1 ORDER BY held_at LIMIT $2", func(row record) error {
		h, err := row.held()
		out = append(out, h)
		return err
	}, int64(before), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list what is held for long: %w", err)
	}
	slices.SortStableFunc(out, func(a, b revoke.Held) int { return cmp.Or(cmp.Compare(a.HeldAt, b.HeldAt), a.ID.Compare(b.ID)) })
	return out, nil
}

// hitsAtOnce is how many hits are forgotten at a time.
const hitsAtOnce = 2000

// DropHits forgets whom voices hit last before an instant, and says how many.
func (s *Store) DropHits(ctx context.Context, before revoke.Instant) (int, error) {
	return s.run(ctx, "forget what the brake counted", `DELETE FROM hits WHERE (org, voice, subject_id) IN
		(SELECT org, voice, subject_id FROM hits WHERE at < $1 ORDER BY at LIMIT $2)`, int64(before), hitsAtOnce)
}
