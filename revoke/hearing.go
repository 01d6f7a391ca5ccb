package revoke

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// TypeToken is the type of a source that is a token of people or of an application. It calls when it has something to ask, so
// that its silence means nothing.
const TypeToken = "token"

// Hearing says in which minutes of an hour a source was heard. Two of one hour are joined, in any order and however often, so
// that any number of replicas can write what they heard.
type Hearing struct {
	Org, Source string
	Hour        int64  // since 1970
	Minutes     uint64 // a bit for each, the lowest first
	LastAt      Instant
}

// Join returns what was heard in either.
func (h Hearing) Join(other Hearing) Hearing {
	h.Minutes |= other.Minutes
	h.LastAt = max(h.LastAt, other.LastAt)
	return h
}

const (
	hour      = Instant(time.Hour / time.Microsecond)
	minute    = Instant(time.Minute / time.Microsecond)
	anyMinute = uint64(1)<<60 - 1
)

// NewHearing returns that a source was heard at an instant.
func NewHearing(org, source string, at Instant) Hearing {
	return Hearing{Org: org, Source: source, Hour: int64(at / hour), Minutes: 1 << (at % hour / minute), LastAt: at}
}

// minutes calls each with every minute since 1970 in which the source was heard, in their order.
func (h Hearing) minutes(each func(int64)) {
	for left := h.Minutes & anyMinute; left != 0; left &= left - 1 {
		each(h.Hour*60 + int64(bits.TrailingZeros64(left)))
	}
}

// SpellKind is what a source went through for a while. The set is closed.
type SpellKind string

// The spells.
const (
	SpellKnown  SpellKind = "known"  // the settings name it; it began when they did first
	SpellSilent SpellKind = "silent" // nothing was heard from it for longer than usual
	SpellLate   SpellKind = "late"   // what it sends comes late
)

// Spell is when one of a kind began and ended last. Both only move forward.
type Spell struct {
	Org, Source string
	Kind        SpellKind
	Began       Instant
	Ended       Instant
}

// Stands reports whether it lasts.
func (s Spell) Stands() bool { return s.Began > s.Ended }

// Heard is what is kept of how a source speaks.
type Heard struct {
	Source string
	Hours  []Hearing       // by hour; those of the last weeks in which it spoke
	Delays []time.Duration // of its last events that state a time, newest first
	Spells []Spell         // at most one of a kind
}

func (h *Heard) spell(kind SpellKind) Spell {
	for _, s := range h.Spells {
		if s.Kind == kind {
			return s
		}
	}
	return Spell{}
}

// EventsTimed is how many of a source's last events are looked at for how late they came.
const EventsTimed = 50

// oldestDelay is how old an event may be that tells how late its source is: an older one was kept somewhere, or is sent once more.
const oldestDelay = 30 * 24 * time.Hour

// DelayOf returns how late an event came. It reports false where the sender states no time that can be believed.
func DelayOf(received, occurred Instant) (time.Duration, bool) {
	late := received.Sub(occurred)
	if occurred == 0 || late < -Ahead || late > oldestDelay {
		return 0, false
	}
	return max(late, 0), true
}

const (
	// HearingWeeks is for how long before its last word a source's gaps are looked at.
	HearingWeeks = 4
	gapWindow    = HearingWeeks * 7 * 24 * time.Hour
	day          = 24 * time.Hour

	shortestGap  = 15 * time.Minute // nobody is called silent for less than twice that
	daysToLearn  = 3                // on so many it must have been heard, or its usual gap is not known
	daysToForget = 10               // for so many on which it was heard its longest gap is left out, which an outage may have made
	silentFactor = 2
	// Until two weekends lie surely between its first word and its last, a source that speaks on working days looks as one that
	// always speaks.
	newFor     = 3 * 7 * day
	newPatient = 4 * day
	// A server that has just begun gives senders time to come back.
	settleIn = time.Hour

	timedToJudge = 5
	lateAfter    = 5 * time.Minute
	lateUntil    = lateAfter / 2 // it is late no more only below that, or it would be late and not late by turns
)

// Pulse is how a source speaks, and whether something is wrong with that.
type Pulse struct {
	KnownSince  Instant       // since when the settings name it; zero when nobody noted that
	LastAt      Instant       // zero: it was never heard
	UsualGap    time.Duration // zero: not known yet
	SilentAfter time.Duration // zero: it is not called silent
	Timed       int           // of its last events, how many state a time
	Median      time.Duration // how late they came
	Worst       time.Duration
	SilentSince Instant // zero: it is not
	LateSince   Instant // zero: it is not

	silent, late Spell
}

// Pulse computes how a source speaks. While it says nothing only its silence changes: its gaps are those before its last word.
func (h *Heard) Pulse() Pulse {
	p := Pulse{KnownSince: h.spell(SpellKnown).Began}
	for _, each := range h.Hours {
		p.LastAt = max(p.LastAt, each.LastAt)
	}
	p.UsualGap, p.SilentAfter = gaps(h.Hours)
	if p.Timed = len(h.Delays); p.Timed > 0 {
		sorted := slices.Sorted(slices.Values(h.Delays))
		p.Median, p.Worst = sorted[(len(sorted)-1)/2], sorted[len(sorted)-1]
	}
	if p.silent = h.spell(SpellSilent); p.silent.Stands() && p.LastAt <= p.silent.Began {
		p.SilentSince = p.LastAt
	}
	if p.late = h.spell(SpellLate); p.late.Stands() {
		p.LateSince = p.late.Began
	}
	return p
}

// gaps returns the usual gap of a source, and after how long it is silent. The usual gap is the longest one, but for those that
// an outage may have made: one for every ten days on which it was heard, two at most. So nights and weekends belong to it, which
// come often, and neither a burst nor one bad weekend changes it.
func gaps(hours []Hearing) (usual, silent time.Duration) {
	var all []int64
	last := int64(-1)
	days := map[int64]bool{}
	from := int64(0)
	if n := len(hours); n > 0 {
		from = hours[n-1].Hour*60 - int64(gapWindow.Minutes())
	}
	for _, h := range hours {
		h.minutes(func(m int64) {
			if m >= from {
				days[m/(24*60)] = true
				if last >= 0 {
					all = append(all, m-last)
				}
			}
			last = m
		})
	}
	if len(days) < daysToLearn {
		return 0, 0
	}
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(b, a) })
	usual = max(time.Duration(all[len(days)/daysToForget])*time.Minute, shortestGap)
	silent = silentFactor * usual
	if time.Duration(hours[len(hours)-1].Hour-hours[0].Hour)*time.Hour < newFor {
		silent = max(silent, newPatient)
	}
	return usual, silent
}

// isSilent reports whether a source that we listened to since an instant has said nothing for too long.
func (p *Pulse) isSilent(now, since Instant) bool {
	return p.SilentAfter > 0 && now.Sub(p.LastAt) > p.SilentAfter && now.Sub(since) > min(p.UsualGap, settleIn)
}

// isLate reports whether what a source sends comes late. It is late no more only when that is much better.
func (p *Pulse) isLate() bool {
	if p.late.Stands() {
		return p.Timed == 0 || p.Median > lateUntil
	}
	return p.Timed >= timedToJudge && p.Median > lateAfter
}

// PulseState is a pulse in one word. The set is closed.
type PulseState string

// The states of a source.
const (
	PulseNever    PulseState = "never"    // it was never heard
	PulseLearning PulseState = "learning" // what is usual for it is not known yet, or never will be
	PulseUsual    PulseState = "usual"
	PulseSilent   PulseState = "silent"
	PulseLate     PulseState = "late"
)

// PulseStates lists every state.
func PulseStates() []PulseState {
	return []PulseState{PulseNever, PulseLearning, PulseUsual, PulseSilent, PulseLate}
}

// State says how a source is, the worst first.
func (p *Pulse) State() PulseState {
	switch {
	case p.LastAt == 0:
		return PulseNever
	case p.SilentSince != 0:
		return PulseSilent
	case p.LateSince != 0:
		return PulseLate
	case p.UsualGap == 0:
		return PulseLearning
	}
	return PulseUsual
}

// earKey is by what a source is known.
type earKey struct{ org, name string }

// ear gathers when one source was heard, until that is written.
type ear struct {
	sync.Mutex
	last  Instant
	hours map[int64]Hearing
}

// Hear notes that a source proved who it is, whatever it wanted: for [Service.Run] to write down. It is cheap and never waits for
// the store.
func (s *Service) Hear(org, source string) {
	s.ears.of(earKey{org, source}).note(NewHearing(org, source, s.store.Clock().Now()))
}

func (e *ear) note(hearings ...Hearing) {
	e.Lock()
	defer e.Unlock()
	for _, h := range hearings {
		if have, ok := e.hours[h.Hour]; ok {
			h = h.Join(have)
		}
		e.hours[h.Hour] = h
		e.last = max(e.last, h.LastAt)
	}
}

// take returns what is not written, which is the caller's from then on.
func (e *ear) take() []Hearing {
	e.Lock()
	defer e.Unlock()
	out := slices.Collect(maps.Values(e.hours))
	clear(e.hours)
	return out
}

// waiting returns what is not written, by hour, and when the source was heard last.
func (e *ear) waiting() ([]Hearing, Instant) {
	e.Lock()
	defer e.Unlock()
	return slices.SortedFunc(maps.Values(e.hours), func(a, b Hearing) int { return cmp.Compare(a.Hour, b.Hour) }), e.last
}

// ears are those of all sources, and what is done with what they hear.
type ears struct {
	all     sync.Map // earKey to *ear
	watched atomic.Pointer[map[earKey]watched]
	pulses  atomic.Pointer[map[string]Pulse]
}

func (e *ears) of(key earKey) *ear {
	found, ok := e.all.Load(key)
	if !ok {
		found, _ = e.all.LoadOrStore(key, &ear{hours: map[int64]Hearing{}})
	}
	return found.(*ear)
}
