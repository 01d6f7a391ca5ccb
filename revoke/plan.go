package revoke

import (
	"context"
	"fmt"
	"slices"
)

// Plan is what a source announced about a person: a termination on a day, or that there is none any more. There is one for each
// person and authority; what was said later wins, in whatever order it is heard.
type Plan struct {
	PlanKey
	SaidAt      Instant
	EffectiveAt Instant // zero: withdrawn
	CarriedAt   Instant // when it was carried out, or found to be replaced; zero before that
	Event       ID
}

// PlanKey is by what a plan is known.
type PlanKey struct {
	User      ID
	Authority string
}

// wins reports whether p stands against other of the same person and authority: what was said later; of what was said at one
// instant, that which ends sooner.
func (p Plan) wins(other Plan) bool {
	if p.SaidAt != other.SaidAt {
		return p.SaidAt > other.SaidAt
	}
	return p.EffectiveAt != 0 && (other.EffectiveAt == 0 || p.EffectiveAt < other.EffectiveAt)
}

// Due is somebody for whom something has to happen by itself by now: the end of a timed block, or a plan's day.
type Due struct {
	Org  string
	User ID
}

// planOf returns the plan that an authority has for a person, over all users joined as that person.
func (f *Facts) planOf(user ID, authority string) (Plan, bool) {
	var out Plan
	found := false
	for _, member := range f.members(user) {
		for _, p := range f.plans[member] {
			if p.Authority == authority && (!found || p.wins(out)) {
				out, found = p, true
			}
		}
	}
	return out, found
}

// plan notes what a source announces. One whose day has come is carried out at once; one that takes back what was carried out
// lifts that block and no other.
func (d *decision) plan(sig Signal, rule Rule, user ID) {
	said := sig.OccurredAt
	have, known := d.f.planOf(user, d.in.source.Authority)
	if said == 0 {
		said = max(d.f.Now, have.SaidAt+1)
	}
	p := Plan{PlanKey: PlanKey{user, d.in.source.Authority}, SaidAt: said, EffectiveAt: sig.EffectiveAt, Event: d.event.ID}
	switch {
	case known && !p.wins(have):
		d.settle(EventIgnored, "a later announcement stands")
		return
	case known && have.EffectiveAt == p.EffectiveAt:
		p.CarriedAt = have.CarriedAt
	}
	d.write(Effects{Plans: []Plan{p}})
	d.audit("plan", map[string]any{"event": d.event.ID, "user": user, "authority": p.Authority, "said": said, "effective": p.EffectiveAt}, nil)
	d.settle(EventDecided, "")
	switch {
	case p.CarriedAt != 0:
	case p.EffectiveAt != 0 && p.EffectiveAt <= d.f.Now:
		if _, lifted := d.instants(user, ClassPlain); p.EffectiveAt < lifted {
			d.takeBack(sig, user) // the new day was lifted already, the one that it replaces was not
		}
		d.carry(p, sig, rule)
	default: // what an earlier one blocked, also on somebody joined since
		d.takeBack(sig, user)
	}
}

// carry blocks the person from the day that the plan names.
func (d *decision) carry(p Plan, sig Signal, rule Rule) {
	p.CarriedAt = d.f.Now
	d.write(Effects{Plans: []Plan{p}})
	sig.OccurredAt, sig.EffectiveAt, sig.Planned = p.EffectiveAt, 0, false
	at := p.EffectiveAt
	blocked, takenBack := d.instants(p.User, ClassPlan)
	if _, lifted := d.instants(p.User, ClassPlain); takenBack == blocked+1 && p.EffectiveAt >= lifted {
		at = max(at, takenBack) // what a changed plan took back stands again, and cuts at the new day
	}
	d.blockFrom(at, sig, Rule{Cut: rule.Cut, Block: SetBlock, Class: ClassPlan}, p.User)
}

// takeBack lifts the block of a plan that was changed after its day.
func (d *decision) takeBack(sig Signal, user ID) {
	sig.Kind = Reactivated
	if sig.Reason == "" {
		sig.Reason = "the announcement was changed"
	}
	d.liftOnly(sig, user, d.planBlocks(user))
}

// outrun lets a lift at an instant end the block of a plan whose day it is past, although the block is stamped later: it began
// on the day that the plan had before it was moved.
func (d *decision) outrun(user ID, at Instant) {
	if plan, ok := d.f.planOf(user, d.in.source.Authority); !ok || plan.EffectiveAt >= at {
		return
	}
	d.write(Effects{Blocks: d.planBlocks(user)})
}

// planBlocks returns the lifts of those blocks of the authority's plans that no lift of their own is past.
func (d *decision) planBlocks(user ID) (lifted []Block) {
	for _, member := range d.f.members(user) {
		for _, b := range d.f.blocks[member] {
			if b.Authority == d.in.source.Authority && b.Class == ClassPlan && b.LiftedAt <= b.BlockedAt {
				lifted = append(lifted, Block{BlockKey: b.BlockKey, LiftedAt: b.BlockedAt + 1})
			}
		}
	}
	return lifted
}

// liftOnly lifts these blocks of a person and no other. Where one of them stood, what was born by now is over: a lift never
// revives.
func (d *decision) liftOnly(sig Signal, user ID, lifted []Block) {
	stood := slices.ContainsFunc(lifted, func(b Block) bool { return d.f.blockedBy(user, b.Authority, b.Class) })
	d.write(Effects{Blocks: lifted})
	if stood {
		d.lifted(sig, user)
	}
}

// duePerTurn is for how many people one turn of EndDue acts.
const duePerTurn = 256

// EndDue does what has to happen by itself by now: it lifts timed blocks whose end has come, those blocks only, and carries out
// plans whose day has come. [Service.Run] calls it every second; doing it twice, or late after a stop, is harmless: until then a
// block stands, and a plan's block begins at its day all the same.
func (s *Service) EndDue(ctx context.Context) error {
	for {
		due, err := s.store.Due(ctx, s.store.Clock().Now(), duePerTurn)
		if err != nil {
			return fmt.Errorf("read what is due: %w", err)
		}
		for _, each := range due {
			if err := s.endDue(ctx, each); err != nil {
				return fmt.Errorf("do what is due for user %s: %w", each.User, err)
			}
		}
		if len(due) < duePerTurn {
			return s.carryHeld(ctx)
		}
	}
}

func (s *Service) endDue(ctx context.Context, due Due) error {
	return s.decide(ctx, Need{Org: due.Org, Users: []ID{due.User}}, func(f *Facts) (Effects, error) {
		var all []Effects
		for _, b := range f.blocks[due.User] {
			if b.Class == ClassTimed {
				all = append(all, s.onTime(f, due.Org, b.Authority, "end of a timed block", func(d *decision) { d.endTimed(b) }))
			}
		}
		for _, p := range f.plans[due.User] {
			if p.EffectiveAt != 0 && p.CarriedAt == 0 && p.EffectiveAt <= f.Now {
				all = append(all, s.onTime(f, due.Org, p.Authority, "a plan's day", func(d *decision) { d.dayOf(p) }))
			}
		}
		return Merge(all...), nil
	})
}

// onTime makes an event of something that happens by itself, unless nothing does.
func (s *Service) onTime(f *Facts, org, authority, what string, act func(*decision)) Effects {
	src := Source{Name: authority, Org: org, Authority: authority}
	d := newDecision(f, input{source: src, actor: Actor{"schedule", what}, targets: *s.targets.Load()})
	d.event.Type = what
	if act(d); d.event.State == "" {
		return d.e
	}
	e, _ := d.close()
	f.Now++ // each has an instant of its own
	return e
}

// endTimed lifts a timed block at its end, unless that was done or a newer end was set.
func (d *decision) endTimed(b Block) {
	if b.Until == 0 || b.Until > d.f.Now || b.LiftedAt > b.BlockedAt {
		return
	}
	d.liftOnly(Signal{Kind: Reactivated, Reason: "the block's time is over"}, b.User,
		[]Block{{BlockKey: b.BlockKey, LiftedAt: max(b.Until, b.BlockedAt+1)}})
}

// dayOf carries a plan out on its day. One that another took the place of, through a join, is only marked.
func (d *decision) dayOf(p Plan) {
	if winner, _ := d.f.planOf(p.User, p.Authority); winner != p {
		p.CarriedAt = d.f.Now
		d.write(Effects{Plans: []Plan{p}})
		return
	}
	d.carry(p, Signal{Kind: Terminated, Reason: "its announced day has come"}, DefaultRule(Terminated))
}
