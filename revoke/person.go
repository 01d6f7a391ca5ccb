package revoke

import (
	"context"
	"fmt"
	"slices"
)

// resolve finds the person that a subject means, teaches what a directory may teach, and remembers somebody nobody has
// seen. It reports false when the signal must wait for a person.
func (d *decision) resolve(subject Subject, at Instant) (ID, bool) {
	src := d.in.source
	if at == 0 {
		at = d.f.Now
	}
	m := d.f.find(src, subject, at)
	d.decided.Conflicts = append(d.decided.Conflicts, m.conflicts...)
	switch {
	case m.ambiguous && !src.Learns:
		d.hold("identifiers of equal strength name two people")
		return ID{}, false
	case !m.found && len(m.shared) == len(subject):
		d.hold("two people carry the identifier that it names")
		return ID{}, false
	case !m.found:
		m.user = d.newUser(subject)
	default:
		d.decided.Known = true
	}
	if src.Learns {
		d.learn(m.user, subject, at)
	}
	return m.user, true
}

// newUser remembers somebody by the identifiers that nobody holds.
func (d *decision) newUser(subject Subject) ID {
	u := User{ID: d.newID(), Org: d.in.source.Org, CreatedAt: d.f.Now}
	e := Effects{Users: []User{u}}
	for _, id := range subject {
		if id.Namespace != NamespaceCurfew && len(d.f.holdings[id]) == 0 {
			e.Holdings = append(e.Holdings, d.holding(id, u.ID, d.f.Now))
		}
	}
	d.write(e)
	return u.ID
}

func (d *decision) holding(id Identifier, user ID, from Instant) Holding {
	h := Holding{Identifier: id, User: user, HeldFrom: from, Event: d.event.ID}
	if d.in.source.Learns {
		h.Authority = d.in.source.Authority
	}
	return h
}

// learn gives a person the identifiers that its directory says it carries. One that leads to a user without an id in the
// directory's namespace joins the two; one that another of its people still carries becomes shared; one that another left
// behind changes hands. What somebody under an admin's block held is taken from nobody.
func (d *decision) learn(user ID, subject Subject, at Instant) {
	src := d.in.source
	for _, id := range subject {
		if id.Namespace == NamespaceCurfew {
			continue
		}
		rows := d.f.holdings[id]
		mine := func(h Holding) bool { return d.f.person(h.User) == d.f.person(user) }
		if at := slices.IndexFunc(rows, func(h Holding) bool { return mine(h) && h.ReleasedAt == 0 }); at >= 0 {
			d.adopt(rows[at])
			continue
		}
		other, found, shared := d.f.holder(id, d.f.Now)
		switch {
		case len(rows) == 0, shared, found && d.f.person(other) == d.f.person(user):
			d.take(id, user, at)
		case d.f.blockedBy(other, AdminAuthority):
			d.decided.Conflicts = append(d.decided.Conflicts, id)
			d.raise(AlarmShared, "an identifier of a person under an admin's block was given to somebody else; only an admin can do that")
		case !d.f.owns(src, other):
			d.join(user, other)
		default:
			if d.f.anyCarried(rows) {
				d.raise(AlarmShared, "two people of "+src.Name+" carry the same identifier; it finds nobody until only one does")
			}
			d.take(id, user, at)
		}
	}
}

// adopt notes that a directory vouches for an identifier which only a registration or a pointing source had used so far.
func (d *decision) adopt(h Holding) {
	if h.Authority == "" {
		h.Authority = d.in.source.Authority
		d.write(Effects{Holdings: []Holding{h}})
	}
}

// take gives an identifier to a user from an instant on, later than any it was held from before.
func (d *decision) take(id Identifier, user ID, from Instant) {
	for _, h := range d.f.holdings[id] {
		from = max(from, h.HeldFrom+1)
	}
	d.write(Effects{Holdings: []Holding{d.holding(id, user, from)}})
}

// join makes two users one person. Whoever was blocked on one side is blocked on both, so what was born by now is over.
func (d *decision) join(a, b ID) {
	_, blockedA := d.f.blocked(a)
	_, blockedB := d.f.blocked(b)
	j := NewJoin(a, b, d.f.Now, d.event.ID)
	d.write(Effects{Joins: []Join{j}})
	d.audit("join", map[string]any{"event": d.event.ID, "a": j.A, "b": j.B}, nil)
	if blockedA || blockedB {
		d.cutBoth(j)
	}
}

// Split takes back the join between a person's two users. Both sides are cut at that moment. Without such a join it is
// [ErrNotFound]. The reason is kept with the event.
func (s *Service) Split(ctx context.Context, actor Actor, src Source, a, b ID, reason string) error {
	return s.decide(ctx, Need{Org: src.Org, Users: []ID{a, b}}, func(f *Facts) (Effects, error) {
		d := newDecision(f, input{source: src, actor: actor, request: RequestIDFrom(ctx), targets: *s.targets.Load()})
		for _, j := range f.joins[a] {
			if j.other(a) == b && j.stands() {
				d.event.Type, d.event.Note = "split", reason
				d.split(j)
				d.settle(EventDecided, "")
				effects, _ := d.close()
				return effects, nil
			}
		}
		return Effects{}, fmt.Errorf("join of %s and %s: %w", a, b, ErrNotFound)
	})
}

// split takes back a join; both sides are cut at that moment, so that neither keeps what the other's block would have ended.
func (d *decision) split(j Join) {
	j.SplitAt = max(d.f.Now, j.At)
	d.audit("split", map[string]any{"event": d.event.ID, "a": j.A, "b": j.B}, nil)
	d.cutBoth(j)
	d.write(Effects{Joins: []Join{j}})
}

func (d *decision) cutBoth(j Join) {
	at := max(d.f.Now, d.f.newest(j.A).Born, d.f.newest(j.B).Born)
	for _, user := range []ID{j.A, j.B} {
		d.write(Effects{Cutoffs: []Cutoff{{Scope: Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}, At: at}}})
	}
}

// subject returns what a person carries, for those who must find it elsewhere.
func (f *Facts) subject(user ID) Subject {
	var out Subject
	if user.IsZero() {
		return out
	}
	for _, h := range f.holdingsOf(user) {
		if h.ReleasedAt == 0 {
			out = append(out, h.Identifier)
		}
	}
	return out
}
