package revoketest

import (
	"cmp"
	"context"
	"slices"

	"curfew/revoke"
)

// writeHeld keeps what is held whole, and joins hits.
func (t *tables) writeHeld(e *revoke.Effects) {
	for _, h := range e.Held {
		h.Said.Signals = slices.Clone(h.Said.Signals)
		t.held[h.ID] = h
	}
	for _, h := range e.Hits {
		have := t.hits[h.HitKey]
		h.At, h.SpareAt = max(h.At, have.At), max(h.SpareAt, have.SpareAt)
		t.hits[h.HitKey] = h
	}
}

// gatherHeld reads what the brake counts by, what waits about these users, and what is named.
func (t *tables) gatherHeld(need revoke.Need, f *revoke.Facts, seen map[revoke.ID]bool, now revoke.Instant) {
	for _, id := range need.Held {
		if h, ok := t.held[id]; ok && h.Org == need.Org {
			f.Held[id] = h
		}
	}
	for _, b := range need.Brakes {
		tally := b.NewTally(now)
		for _, u := range t.users {
			if u.Org == b.Org && tally.Known < b.Known {
				tally.Known++
			}
		}
		var hits []revoke.Hit
		for _, h := range t.hits {
			if h.VoiceKey == b.VoiceKey {
				hits = append(hits, h)
			}
		}
		slices.SortFunc(hits, func(a, b revoke.Hit) int { return cmp.Compare(b.At, a.At) })
		for i, h := range hits {
			device := false
			for _, d := range need.Devices {
				device = device || slices.Contains(t.carrying(d), h.Subject)
			}
			if seen[h.Subject] || device {
				f.Hits[h.HitKey] = h
			}
			if i >= b.Most {
				continue
			}
			for j, since := range tally.Since {
				if h.At > since {
					tally.People[j]++
				}
			}
			if h.SpareAt > tally.SpareSince {
				tally.Spared[0]++
			}
			if h.SpareAt > tally.Since[2] {
				tally.Spared[1]++
			}
		}
		f.Tallies[b.VoiceKey] = tally
	}
	if !need.Waiting && len(need.Brakes) == 0 {
		return
	}
	for _, h := range t.held {
		if h.Org == need.Org && seen[h.User] && h.DecidedAt == 0 {
			f.AddWaiting(h)
		}
	}
}

// carrying returns the devices that carry a name.
func (t *tables) carrying(name revoke.DeviceIdentifier) (out []revoke.ID) {
	for _, d := range t.devices {
		if slices.Contains(d.Identifiers, name) {
			out = append(out, d.ID)
		}
	}
	return out
}

// Held returns what is held, newest first.
func (m *Memory) Held(ctx context.Context, q revoke.HeldQuery) (out []revoke.Held, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, h := range t.held {
			if h.Org == q.Org && (len(q.IDs) == 0 || slices.Contains(q.IDs, h.ID)) && (q.Source == "" || h.Source == q.Source) &&
				(q.User.IsZero() || h.User == q.User) && (!q.Waiting || h.DecidedAt == 0) && (q.Before.IsZero() || h.ID.Compare(q.Before) < 0) {
				out = append(out, h)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Held) int { return b.ID.Compare(a.ID) })
	return page(out, q.Limit), err
}

// HeldLong returns what waits since before an instant and is carried out by itself.
func (m *Memory) HeldLong(ctx context.Context, before revoke.Instant, limit int) (out []revoke.Held, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, h := range t.held {
			if h.DecidedAt == 0 && h.ByItself && h.HeldAt < before {
				out = append(out, h)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Held) int { return cmp.Or(cmp.Compare(a.HeldAt, b.HeldAt), a.ID.Compare(b.ID)) })
	return page(out, limit), err
}

// DropHits forgets whom voices hit last before an instant.
func (m *Memory) DropHits(ctx context.Context, before revoke.Instant) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		for key, h := range t.hits {
			if h.At < before {
				delete(t.hits, key)
				n++
			}
		}
	})
	return n, err
}
