package revoketest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

type (
	hourKey struct {
		org, source string
		hour        int64
	}
	spellKey struct {
		org, source string
		kind        revoke.SpellKind
	}
)

// Hear joins what was heard with what is kept.
func (m *Memory) Hear(ctx context.Context, hearings []revoke.Hearing) error {
	return m.read(ctx, func(t *tables) {
		for _, h := range hearings {
			key := hourKey{h.Org, h.Source, h.Hour}
			if have, ok := t.hearings[key]; ok {
				h = have.Join(h)
			}
			t.hearings[key] = h
		}
	})
}

// lastHour returns the last hour in which a source was heard.
func (t *tables) lastHour(org, source string) (last int64) {
	for key := range t.hearings {
		if key.org == org && key.source == source {
			last = max(last, key.hour)
		}
	}
	return last
}

// Hearings returns what is kept of each of these sources, in their order.
func (m *Memory) Hearings(ctx context.Context, org string, sources []string) ([]revoke.Heard, error) {
	out := make([]revoke.Heard, len(sources))
	err := m.read(ctx, func(t *tables) {
		for i, source := range sources {
			out[i].Source = source
			from := t.lastHour(org, source) - (revoke.HearingWeeks+1)*7*24
			for key, h := range t.hearings {
				if key.org == org && key.source == source && key.hour >= from {
					out[i].Hours = append(out[i].Hours, h)
				}
			}
			slices.SortFunc(out[i].Hours, func(a, b revoke.Hearing) int { return cmp.Compare(a.Hour, b.Hour) })
			for key, spell := range t.spells {
				if key.org == org && key.source == source {
					out[i].Spells = append(out[i].Spells, spell)
				}
			}
			slices.SortFunc(out[i].Spells, func(a, b revoke.Spell) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
			out[i].Delays = t.delays(org, source)
		}
	})
	return out, err
}

func (t *tables) delays(org, source string) (out []time.Duration) {
	var events []revoke.Event
	for _, ev := range t.events {
		if ev.Org == org && ev.Source == source {
			events = append(events, ev)
		}
	}
	slices.SortFunc(events, func(a, b revoke.Event) int { return b.ID.Compare(a.ID) })
	for _, ev := range page(events, revoke.EventsTimed) {
		if d, ok := revoke.DelayOf(ev.ReceivedAt, ev.OccurredAt); ok {
			out = append(out, d)
		}
	}
	return out
}

// DropHearings forgets hours that began before an instant, but for each source's last.
func (m *Memory) DropHearings(ctx context.Context, before revoke.Instant) (n int, err error) {
	err = m.read(ctx, func(t *tables) {
		for key := range t.hearings {
			if revoke.Instant(key.hour)*revoke.Instant(time.Hour/time.Microsecond) < before && key.hour < t.lastHour(key.org, key.source) {
				delete(t.hearings, key)
				n++
			}
		}
	})
	return n, err
}

// BeginSpell writes that a spell began unless one stands or ended then or later, and raises the alarms if it did.
func (m *Memory) BeginSpell(ctx context.Context, spell revoke.Spell, alarms []revoke.Alarm) (began bool, err error) {
	err = m.read(ctx, func(t *tables) {
		key := spellKey{spell.Org, spell.Source, spell.Kind}
		have, ok := t.spells[key]
		if began = !ok || !have.Stands() && have.Ended < spell.Began; began {
			spell.Ended = have.Ended
			t.spells[key] = spell
			t.ring(nil, alarms, 0)
		}
	})
	return began, err
}

// EndSpell writes that a spell ended if it stands, and clears the alarms if it did.
func (m *Memory) EndSpell(ctx context.Context, spell revoke.Spell, cleared []revoke.AlarmKey) (ended bool, err error) {
	err = m.read(ctx, func(t *tables) {
		key := spellKey{spell.Org, spell.Source, spell.Kind}
		have := t.spells[key]
		if ended = have.Stands() && have.Began <= spell.Ended; ended {
			have.Ended = spell.Ended
			t.spells[key] = have
			t.ring(cleared, nil, spell.Ended)
		}
	})
	return ended, err
}
