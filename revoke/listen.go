package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// watched is a source of the settings.
type watched struct {
	source Source
	since  Instant // when this server began to listen
}

// SetSources says whose silence and lateness is watched from now on.
func (s *Service) SetSources(sources []Source) {
	now, before := s.store.Clock().Now(), s.ears.watched.Load()
	next := map[earKey]watched{}
	for _, src := range sources {
		key := earKey{src.Org, src.Name}
		w := watched{src, now}
		if before != nil {
			if have, ok := (*before)[key]; ok {
				w.since = have.since
			}
		}
		next[key] = w
	}
	s.ears.watched.Store(&next)
}

// WriteHearings writes down when sources were heard. [Service.Run] does it every half minute and at its end; a crash loses no more.
func (s *Service) WriteHearings(ctx context.Context) error {
	var all []Hearing
	s.ears.all.Range(func(_, e any) bool {
		all = append(all, e.(*ear).take()...)
		return true
	})
	if len(all) == 0 {
		return nil
	}
	if err := s.store.Hear(ctx, all); err != nil {
		for _, h := range all {
			s.ears.of(earKey{h.Org, h.Source}).note(h)
		}
		return fmt.Errorf("write when sources were heard: %w", err)
	}
	return nil
}

// Pulses returns how each of these sources of an org speaks, in their order, what is not written yet included.
func (s *Service) Pulses(ctx context.Context, org string, sources []string) ([]Pulse, error) {
	kept, err := s.store.Hearings(ctx, org, sources)
	if err != nil {
		return nil, fmt.Errorf("read when sources were heard: %w", err)
	}
	out := make([]Pulse, len(kept))
	for i := range kept {
		unwritten, last := s.ears.of(earKey{org, kept[i].Source}).waiting()
		kept[i].Hours = joinHours(kept[i].Hours, unwritten)
		out[i] = kept[i].Pulse()
		out[i].LastAt = max(out[i].LastAt, last)
	}
	return out, nil
}

// joinHours joins two lists by hour.
func joinHours(a, b []Hearing) []Hearing {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y Hearing) int { return cmp.Compare(x.Hour, y.Hour) })
	out := all[:0]
	for _, h := range all {
		if n := len(out); n > 0 && out[n-1].Hour == h.Hour {
			out[n-1] = out[n-1].Join(h)
		} else {
			out = append(out, h)
		}
	}
	return out
}

// LastPulses returns how the watched sources spoke when they were looked at last, by name. It reads nothing.
func (s *Service) LastPulses() map[string]Pulse {
	if p := s.ears.pulses.Load(); p != nil {
		return *p
	}
	return nil
}

// sourcesAtOnce is how many sources are asked about at once.
const sourcesAtOnce = 100

// Watch looks at how the sources of the settings speak, and raises an alarm when one falls silent or what it sends comes late:
// once for each time that it does, whoever looks, and cleared when that is over. [Service.Run] does it every minute.
func (s *Service) Watch(ctx context.Context) error {
	byOrg := map[string][]watched{}
	if all := s.ears.watched.Load(); all != nil {
		for key, w := range *all {
			byOrg[key.org] = append(byOrg[key.org], w)
		}
	}
	pulses := map[string]Pulse{}
	var errs []error
	for org, sources := range byOrg {
		slices.SortFunc(sources, func(a, b watched) int { return strings.Compare(a.source.Name, b.source.Name) })
		for some := range slices.Chunk(sources, sourcesAtOnce) {
			names := make([]string, len(some))
			for i := range some {
				names[i] = some[i].source.Name
			}
			found, err := s.Pulses(ctx, org, names)
			if err != nil {
				return err
			}
			for i := range found {
				errs = append(errs, s.judge(ctx, some[i], &found[i]))
				pulses[names[i]] = found[i]
			}
		}
	}
	s.ears.pulses.Store(&pulses)
	return errors.Join(errs...)
}

// watch is [Service.Watch] for nobody who could do anything about its error.
func (s *Service) watch(ctx context.Context) {
	if err := s.Watch(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("whether sources are silent or late is not known", "err", err)
	}
}

// judge lets the spells of a source begin and end.
func (s *Service) judge(ctx context.Context, w watched, p *Pulse) error {
	now := s.store.Clock().Now()
	var errs []error
	begin := func(kind SpellKind, at Instant, alarm AlarmKind, text string) {
		errs = append(errs, s.beginSpell(ctx, Spell{Org: w.source.Org, Source: w.source.Name, Kind: kind, Began: at}, alarm, text, now))
	}
	end := func(spell Spell, at Instant, alarm AlarmKind) {
		spell.Ended = at
		errs = append(errs, s.endSpell(ctx, spell, alarm))
	}
	if p.KnownSince == 0 {
		begin(SpellKnown, now, "", "")
		p.KnownSince = now
	}
	if w.source.Type == TypeToken {
		return errors.Join(errs...)
	}
	switch {
	case p.silent.Stands() && p.SilentSince == 0:
		end(p.silent, p.LastAt, AlarmSilent)
	case !p.silent.Stands() && p.isSilent(now, w.since):
		p.SilentSince = p.LastAt
		begin(SpellSilent, p.LastAt.Add(p.SilentAfter), AlarmSilent, p.silence(w.source.Name)) // so that whatever is heard later ends it
	}
	switch late := p.isLate(); {
	case p.late.Stands() && !late:
		p.LateSince = 0
		end(p.late, now, AlarmLate)
	case !p.late.Stands() && late:
		p.LateSince = now
		begin(SpellLate, now, AlarmLate, p.lateness(w.source.Name))
	}
	return errors.Join(errs...)
}

func (s *Service) beginSpell(ctx context.Context, spell Spell, kind AlarmKind, text string, now Instant) error {
	var alarms []Alarm
	if kind != "" {
		alarms = []Alarm{NewAlarm(AlarmKey{Org: spell.Org, Kind: kind, About: spell.Source}, text, now)}
	}
	began, err := s.store.BeginSpell(ctx, spell, alarms)
	if err != nil {
		return fmt.Errorf("note that source %s is %s: %w", spell.Source, spell.Kind, err)
	}
	if began {
		s.Raised(alarms)
	}
	return nil
}

func (s *Service) endSpell(ctx context.Context, spell Spell, kind AlarmKind) error {
	ended, err := s.store.EndSpell(ctx, spell, []AlarmKey{{Org: spell.Org, Kind: kind, About: spell.Source}})
	if err != nil {
		return fmt.Errorf("note that source %s is %s no more: %w", spell.Source, spell.Kind, err)
	}
	if ended {
		s.log.Info("a source is as usual again", "source_id", spell.Source, "org", spell.Org, "was", string(spell.Kind))
	}
	return nil
}

// silence says in a sentence that a source says nothing.
func (p *Pulse) silence(source string) string {
	return fmt.Sprintf("nothing was heard from source %s since %s; its longest usual gap is %s: what it wants to end does not reach us",
		source, p.LastAt.Time().Truncate(time.Second).Format(time.RFC3339), p.UsualGap)
}

// lateness says in a sentence that what a source sends comes late.
func (p *Pulse) lateness(source string) string {
	return fmt.Sprintf("what source %s sends comes late: half of its last %d events %s or more after they happened, the latest after %s",
		source, p.Timed, p.Median.Round(time.Second), p.Worst.Round(time.Second))
}

// Wrong is something that is not as it should be with a source.
type Wrong struct {
	State PulseState
	Since Instant
	Text  string
}

// Wrongs says all that is not as it should be, the worst first.
func (p *Pulse) Wrongs(source string) []Wrong {
	var out []Wrong
	if p.SilentSince != 0 {
		out = append(out, Wrong{PulseSilent, p.SilentSince, p.silence(source)})
	}
	if p.LateSince != 0 {
		out = append(out, Wrong{PulseLate, p.LateSince, p.lateness(source)})
	}
	return out
}
