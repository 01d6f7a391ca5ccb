package revoketest

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"curfew/revoke"
)

// hearingsContract is about when sources were heard, and what they went through.
func hearingsContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"hearings": hearings, "many hear": manyHear, "hearings of long ago": oldHearings, "delays": delays, "spells": spells, "many begin a spell": oneBegins,
	}
}

const anHour = revoke.Instant(time.Hour / time.Microsecond)

func (b *bench) hear(hearings ...revoke.Hearing) {
	b.Helper()
	if err := b.store.Hear(b.deadline(), hearings); err != nil {
		b.Fatalf("note %d hearings: %v", len(hearings), err)
	}
}

func (b *bench) heard(sources ...string) []revoke.Heard {
	b.Helper()
	got, err := b.store.Hearings(b.deadline(), org, sources)
	if err != nil {
		b.Fatalf("hearings of %v: %v", sources, err)
	}
	return got
}

func heardAt(source string, hour, minute int) revoke.Hearing {
	return revoke.NewHearing(org, source, revoke.Instant(hour)*anHour+revoke.Instant(minute)*60e6+7)
}

// hearings joins what is heard, in any order and however often.
func hearings(b *bench) {
	b.same("nothing heard", b.heard("okta", "hr"), []revoke.Heard{{Source: "okta"}, {Source: "hr"}})
	b.hear()
	all := []revoke.Hearing{heardAt("okta", 500, 3), heardAt("okta", 500, 59), heardAt("okta", 500, 0), heardAt("okta", 502, 30), heardAt("okta", 500, 3)}
	b.hear(all[1], all[3], all[0])
	b.hear(all[0], all[2])
	b.hear(all...)
	b.hear(heardAt("hr", 500, 5), with(heardAt("okta", 501, 5), func(h *revoke.Hearing) { h.Org = "other" }))
	joined := all[0].Join(all[1]).Join(all[2])
	if joined.Minutes != 1|1<<3|1<<59 || joined.LastAt != all[1].LastAt {
		b.Fatalf("joined: got %+v", joined)
	}
	b.same("joined", b.heard("hr", "nobody", "okta"), []revoke.Heard{
		{Source: "hr", Hours: []revoke.Hearing{heardAt("hr", 500, 5)}}, {Source: "nobody"}, {Source: "okta", Hours: []revoke.Hearing{joined, all[3]}},
	})
}

// manyHear lets replicas write different minutes of the same hours at once, in different orders: none is lost.
func manyHear(b *bench) {
	want := make([]revoke.Hearing, 3)
	b.allWell(12, func(ctx context.Context, i int) error {
		var some []revoke.Hearing
		for hour := range want {
			some = append(some, heardAt("okta", 500+hour, i*5), heardAt("hr", 500+hour, i))
		}
		if i%2 == 1 {
			slices.Reverse(some)
		}
		return b.store.Hear(ctx, some)
	})
	for hour := range want {
		want[hour] = heardAt("okta", 500+hour, 0)
		for i := range 12 {
			want[hour] = want[hour].Join(heardAt("okta", 500+hour, i*5))
		}
	}
	b.same("what twelve heard", b.heard("okta")[0].Hours, want)
}

// oldHearings leaves out, and later forgets, what was long before a source's last hour, and never that.
func oldHearings(b *bench) {
	const weeks = (revoke.HearingWeeks + 1) * 7 * 24
	b.hear(heardAt("okta", 1000, 1), heardAt("okta", 1001, 1), heardAt("okta", 1000+weeks+1, 1), heardAt("hr", 900, 1), heardAt("hr", 800, 1))
	b.same("the last weeks", b.heard("okta")[0].Hours, []revoke.Hearing{heardAt("okta", 1001, 1), heardAt("okta", 1000+weeks+1, 1)})
	for _, c := range []struct {
		before revoke.Instant
		want   int
	}{{800 * anHour, 0}, {800*anHour + 1, 1}, {1001 * anHour, 1}, {100_000 * anHour, 1}, {100_000 * anHour, 0}} {
		if n, err := b.store.DropHearings(b.deadline(), c.before); err != nil || n != c.want {
			b.Errorf("hours before %d that were forgotten: got %d, %v, want %d", c.before, n, err, c.want)
		}
	}
	b.same("the last of each", b.heard("okta", "hr"), []revoke.Heard{
		{Source: "okta", Hours: []revoke.Hearing{heardAt("okta", 1000+weeks+1, 1)}}, {Source: "hr", Hours: []revoke.Hearing{heardAt("hr", 900, 1)}},
	})
}

// delays tells of a source's last events how late they came, where a believable time is stated.
func delays(b *bench) {
	received := b.now()
	event := func(source string, occurred revoke.Instant) revoke.Event {
		received += 1000
		if occurred != 0 {
			occurred += received
		}
		return revoke.Event{ID: revoke.NewID(received), Org: org, Source: source, Authority: source, Type: "t", ReceivedAt: received, OccurredAt: occurred, State: revoke.EventIgnored}
	}
	const second = revoke.Instant(1e6)
	for _, occurred := range []revoke.Instant{-5 * second, 0, 60 * second, 600 * second, -40 * 24 * anHour, -2 * anHour} {
		b.write(revoke.Effects{Events: []revoke.Event{event("okta", occurred)}})
	}
	b.write(revoke.Effects{Events: []revoke.Event{event("hr", -9*second)}})
	b.same("how late", b.heard("okta")[0].Delays, []time.Duration{2 * time.Hour, 0, 5 * time.Second})
	var many []revoke.Event
	for range revoke.EventsTimed {
		many = append(many, event("okta", -3*second))
	}
	b.write(revoke.Effects{Events: many})
	got := b.heard("okta")[0].Delays
	if len(got) != revoke.EventsTimed || slices.Max(got) != 3*time.Second {
		b.Errorf("after %d newer ones: got %v, want those alone", revoke.EventsTimed, got)
	}
}

func spells(b *bench) {
	key := revoke.AlarmKey{Org: org, Kind: revoke.AlarmHeld, About: "okta"}
	spell := revoke.Spell{Org: org, Source: "okta", Kind: revoke.SpellSilent}
	step := func(what string, began bool, at revoke.Instant, want bool, shown revoke.Spell, standing int) {
		b.Helper()
		var turned bool
		var err error
		if began {
			turned, err = b.store.BeginSpell(b.deadline(), with(spell, func(s *revoke.Spell) { s.Began = at }), []revoke.Alarm{revoke.NewAlarm(key, what, 1000*at)})
		} else {
			turned, err = b.store.EndSpell(b.deadline(), with(spell, func(s *revoke.Spell) { s.Ended = at }), []revoke.AlarmKey{key})
		}
		if err != nil || turned != want {
			b.Errorf("%s at %d: got %t, %v, want %t", what, at, turned, err, want)
		}
		shown.Org, shown.Source, shown.Kind = spell.Org, spell.Source, spell.Kind
		var rows []revoke.Spell
		if shown.Began != 0 {
			rows = append(rows, shown)
		}
		b.same("the spell after: "+what, b.heard("okta")[0].Spells, rows)
		got := b.alarms(revoke.AlarmQuery{Standing: true})
		if len(got) != standing || standing == 1 && got[0].Count != 1 {
			b.Errorf("alarms after: %s: got %+v, want %d raised once", what, got, standing)
		}
	}
	step("ends before any", false, 5, false, revoke.Spell{}, 0)
	step("begins", true, 10, true, revoke.Spell{Began: 10}, 1)
	step("begins while it stands", true, 12, false, revoke.Spell{Began: 10}, 1)
	step("ends before it began", false, 9, false, revoke.Spell{Began: 10}, 1)
	step("ends", false, 20, true, revoke.Spell{Began: 10, Ended: 20}, 0)
	step("ends again", false, 30, false, revoke.Spell{Began: 10, Ended: 20}, 0)
	step("begins when it had ended", true, 20, false, revoke.Spell{Began: 10, Ended: 20}, 0)
	step("begins anew", true, 21, true, revoke.Spell{Began: 21, Ended: 20}, 1)
	for _, other := range []revoke.Spell{{Org: org, Source: "okta", Kind: revoke.SpellLate}, {Org: org, Source: "hr", Kind: spell.Kind}, {Org: "other", Source: "okta", Kind: spell.Kind}} {
		other.Began = 5
		if began, err := b.store.BeginSpell(b.deadline(), other, nil); err != nil || !began {
			b.Errorf("another spell, %+v: got %t, %v", other, began, err)
		}
	}
	if got := b.heard("okta")[0].Spells; len(got) != 2 {
		b.Errorf("two kinds: got %+v", got)
	}
}

// oneBegins lets many say at once that a spell began: one is told that it did, and there is one alarm, raised once.
func oneBegins(b *bench) {
	for round := range 3 {
		var began, ended atomic.Int32
		at := revoke.Instant(1000 * (round + 1))
		key := revoke.AlarmKey{Org: org, Kind: revoke.AlarmHeld, About: "okta"}
		b.allWell(8, func(ctx context.Context, i int) error {
			spell := revoke.Spell{Org: org, Source: "okta", Kind: revoke.SpellSilent, Began: at + revoke.Instant(i)}
			did, err := b.store.BeginSpell(ctx, spell, []revoke.Alarm{revoke.NewAlarm(key, "silent", at)})
			if did {
				began.Add(1)
			}
			return err
		})
		if got := b.alarms(revoke.AlarmQuery{Standing: true}); began.Load() != 1 || len(got) != 1 || got[0].Count != 1 {
			b.Errorf("round %d: %d began it, alarms %+v, want one and one, raised once", round, began.Load(), got)
		}
		b.allWell(8, func(ctx context.Context, i int) error {
			did, err := b.store.EndSpell(ctx, revoke.Spell{Org: org, Source: "okta", Kind: revoke.SpellSilent, Ended: at + revoke.Instant(100+i)}, []revoke.AlarmKey{key})
			if did {
				ended.Add(1)
			}
			return err
		})
		if got := b.alarms(revoke.AlarmQuery{Standing: true}); ended.Load() != 1 || len(got) != 0 {
			b.Errorf("round %d: %d ended it, alarms %+v, want one and none", round, ended.Load(), got)
		}
	}
}
