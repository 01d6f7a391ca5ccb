package revoke

import (
	"fmt"
	"slices"
	"time"
)

// Brake says how many people one voice may hit before what it decides is held (DESIGN promise 8). The zero Brake holds nothing.
type Brake struct {
	On       bool
	Users    int // people within Window
	Percent  int // of the known people within Window, from [percentFrom] people on
	Window   time.Duration
	Hour     int           // people within an hour
	Day      int           // people within a day
	Spare    int           // people who pass all the same within SparePer
	SparePer time.Duration // over which Spare is counted
	SpareDay int           // people who pass all the same within a day
	// Wait is after what time lifecycle events of a directory that are held are carried out by themselves; zero is never.
	Wait time.Duration
	// Approvals is how many people an order for everyone, a kind, an app, a group or a list takes.
	Approvals int
}

// percentFrom is from how many known people on a share of them says anything.
const percentFrom = 20

// VoiceKey is who is counted: a source, or an operator.
type VoiceKey struct{ Org, Voice string }

// BrakeNeed asks for what the brake counts by. The store locks the voice until the decision is committed, or two decisions would
// both find room for the last person.
type BrakeNeed struct {
	VoiceKey
	Spans [3]time.Duration // window, hour, day
	Spare time.Duration
	Most  int // of how many people it is enough to know
	Known int // the same of known people
}

// Tally is how many people a voice has hit.
type Tally struct {
	Since      [3]Instant // window, hour, day
	People     [3]int
	SpareSince Instant
	Spared     [2]int // who passed although there was no room: since SpareSince, and within the day
	Known      int    // people in the org, or the need's Known when there are more
}

// Hit is when a voice last hit somebody.
type Hit struct {
	HitKey
	At      Instant
	SpareAt Instant // when it last passed although there was no room
}

// HitKey names whom a voice hit: a person, or a device that is everybody's.
type HitKey struct {
	VoiceKey
	Subject ID
}

func (h Hit) join(other Hit) Hit {
	h.At, h.SpareAt = max(h.At, other.At), max(h.SpareAt, other.SpareAt)
	return h
}

// NewTally returns an empty count for a need at an instant.
func (n *BrakeNeed) NewTally(now Instant) Tally {
	t := Tally{SpareSince: now.Add(-n.Spare)}
	for i, span := range n.Spans {
		t.Since[i] = now.Add(-span)
	}
	return t
}

// hit counts one more, of whom last is known.
func (t Tally) hit(last, now Hit) Tally {
	for i, since := range t.Since {
		if last.At <= since {
			t.People[i]++
		}
	}
	if now.SpareAt != 0 {
		if last.SpareAt <= t.SpareSince {
			t.Spared[0]++
		}
		if last.SpareAt <= t.Since[2] {
			t.Spared[1]++
		}
	}
	return t
}

// limits are how many people may be hit within the window, an hour and a day.
func (b *Brake) limits(known int) [3]int {
	window := b.Users
	if known >= percentFrom {
		window = min(window, b.Percent*known/100)
	}
	return [3]int{window, b.Hour, b.Day}
}

// need is what a decision by a voice has to know.
func (b *Brake) need(voice VoiceKey) BrakeNeed {
	enough := percentFrom
	if b.Percent > 0 {
		enough = max(enough, (b.Users*100+b.Percent-1)/b.Percent)
	}
	return BrakeNeed{
		VoiceKey: voice, Spans: [3]time.Duration{b.Window, time.Hour, 24 * time.Hour}, Spare: b.SparePer,
		Most: max(b.Users, b.Hour, b.Day) + b.SpareDay + 1, Known: enough,
	}
}

// room is the rule: whether a voice that has hit so many may hit one more, whom it hit last as last says. Who was hit within a
// span is not counted in it twice. spare says that there is no room, and that it passes all the same; why, what is over.
func (b *Brake) room(t Tally, last Hit) (pass, spare bool, why string) {
	limits := b.limits(t.Known)
	for i, name := range [...]string{short(b.Window), "an hour", "a day"} {
		if last.At > t.Since[i] || t.People[i] < limits[i] {
			continue
		}
		if t.Spared[0] < b.Spare && t.Spared[1] < b.SpareDay {
			return true, true, ""
		}
		return false, false, fmt.Sprintf("it would be more than %d people within %s", limits[i], name)
	}
	return true, false, ""
}

// short writes a span without the zeros that Go adds: 10m, 1h30m.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(text) - len(zero); n > 0 && text[n:] == zero {
			text = text[:n+1]
		}
	}
	return text
}

// voice is who is counted for an input: the operator who acts, else the source. What people do to themselves, and what was decided
// before and only happens now, is nobody's flood.
func (in *input) voice() VoiceKey {
	switch in.actor.Kind {
	case "operator", "source":
		if in.replayed {
			return VoiceKey{in.source.Org, "source " + in.source.Name}
		}
		return VoiceKey{in.source.Org, in.actor.Kind + " " + in.actor.Name}
	default:
		return VoiceKey{}
	}
}

// braked reports whether the brake looks at what the input decides.
func (in *input) braked() bool {
	return in.brake != nil && in.brake.On && in.voice() != (VoiceKey{})
}

// brake carries out what there is room for, counting whom it hits, and holds what would hit one person too many. It reports false,
// having done nothing, where it has nothing to say.
func (d *decision) brake(sig Signal, rule Rule, user ID) bool {
	if !d.in.braked() || sig.Mass || sig.Own {
		return false
	}
	voice := d.in.voice()
	tally, counted := d.f.Tallies[voice]
	if !counted { // of what was not expected to hit anybody: it is decided once more, counted
		d.uncounted = true
		return false
	}
	last := d.f.Hits[HitKey{voice, d.subjectOf(user)}]
	pass, spare, why := d.in.brake.room(tally, last)
	if pass {
		from := len(d.e.Revocations)
		plans := len(d.e.Plans)
		d.carryOut(sig, rule, user)
		for _, subject := range d.hits(from, plans) {
			h := Hit{HitKey: HitKey{voice, subject}, At: d.f.Now}
			if spare {
				h.SpareAt = d.f.Now
			}
			d.write(Effects{Hits: []Hit{h}})
		}
		return true
	}
	dry := *d
	dry.f, dry.e = d.f.clone(), Effects{}
	dry.carryOut(sig, rule, user)
	if dry.hits(0, 0) == nil {
		return false // nobody is hit, so that there is nothing to wait for
	}
	d.holdSignal(HeldByBrake, why, sig, rule, user)
	return true
}

// subjectOf is under what name a person is counted, whomever they are joined with.
func (d *decision) subjectOf(user ID) ID {
	if user.IsZero() {
		return user
	}
	return d.f.person(user)
}

// hits are whom the decision has hit since it had written so many revocations and plans: not those whom it made known itself, for
// nobody can be locked out who was never there, and not by the end of one session unless an operator orders it.
func (d *decision) hits(revocations, plans int) (subjects []ID) {
	add := func(subject ID) {
		if !subject.IsZero() && d.f.Users[subject].CreatedAt != d.f.Now && !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
	}
	for _, r := range d.e.Revocations[revocations:] {
		switch {
		case r.Scope.Kind == ScopeSession && d.in.actor.Kind != "operator":
		case r.Scope.User.IsZero():
			add(r.Scope.Device)
		default:
			add(d.subjectOf(r.Scope.User))
		}
	}
	for _, p := range d.e.Plans[min(plans, len(d.e.Plans)):] {
		if p.EffectiveAt != 0 {
			add(d.subjectOf(p.User))
		}
	}
	return subjects
}
