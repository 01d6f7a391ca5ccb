package revoke

import (
	"context"
	"fmt"
)

// retirePerTurn is for how many people one decision of Retire acts.
const retirePerTurn = 64

// Retire moves the blocks and plans that an authority left behind to another one, or with none lifts and withdraws them, as an
// admin's order. It returns for how many people. Run again it does the rest of what a stop cut off.
func (s *Service) Retire(ctx context.Context, actor Actor, org, authority, to, reason string) (int, error) {
	if authority == AdminAuthority || to == AdminAuthority || authority == to {
		return 0, Invalid{"to", "is not an authority that can take this over", "name another source's authority, or null to lift"}
	}
	n := 0
	var after ID
	for {
		users, err := s.store.LeftBehind(ctx, org, authority, after, retirePerTurn)
		if err != nil {
			return n, fmt.Errorf("read what %s left behind: %w", authority, err)
		}
		if len(users) == 0 {
			return n, nil
		}
		after = users[len(users)-1]
		changed := 0
		err = s.decide(ctx, Need{Org: org, Users: users, Waiting: true}, func(f *Facts) (Effects, error) {
			var all []Effects
			changed = 0
			for _, user := range users {
				src := Source{Name: authority, Org: org, Authority: authority}
				d := newDecision(f, input{source: src, actor: actor, request: RequestIDFrom(ctx), targets: *s.targets.Load()})
				d.event.Type = "retired"
				if !d.retire(user, to, reason) {
					continue
				}
				d.settle(EventDecided, reason)
				e, _ := d.close()
				all = append(all, e)
				changed++
				f.Now++ // each has an instant of its own
			}
			return Merge(all...), nil
		})
		if err != nil {
			return n, fmt.Errorf("retire %s: %w", authority, err)
		}
		n += changed
	}
}

// retire moves or lifts what the authority left on one user. It reports whether there was anything.
func (d *decision) retire(user ID, to, reason string) bool {
	var lifted []Block
	people := d.f.personal(user)
	for _, b := range d.f.blocks[user] {
		over := b.BlockedAt < max(b.LiftedAt, d.f.Users[user].LiftedOver) || liftedElsewhere(&b, people)
		if b.Authority != d.in.source.Authority || b.BlockedAt == 0 || over {
			continue
		}
		if to != "" { // first the new one, in front of what its authority lifted: the person is blocked at every moment
			key := BlockKey{user, to, b.Class}
			at := b.BlockedAt
			for _, have := range d.f.blocks[user] {
				if have.Authority == to && (have.Class == b.Class || b.Class.isLiftedBy(have.Class)) {
					at = max(at, have.LiftedAt)
				}
			}
			d.write(Effects{Blocks: []Block{{BlockKey: key, BlockedAt: at, Until: b.Until, Revocation: b.Revocation}}})
		}
		lifted = append(lifted, Block{BlockKey: b.BlockKey, LiftedAt: b.BlockedAt + 1})
	}
	var plans []Plan
	for _, p := range d.f.plans[user] {
		if p.Authority != d.in.source.Authority || p.EffectiveAt == 0 || p.CarriedAt != 0 {
			continue
		}
		if have, ok := d.f.planOf(user, to); to != "" && (!ok || p.wins(have)) {
			moved := p
			moved.Authority = to
			plans = append(plans, moved)
		}
		p.EffectiveAt = 0
		plans = append(plans, p)
	}
	held := d.retireHeld(user, to, reason)
	if len(lifted)+len(plans)+held == 0 {
		return false
	}
	d.write(Effects{Plans: plans})
	d.audit("retired", map[string]any{"user": user, "from": d.in.source.Authority, "to": to, "blocks": len(lifted), "plans": len(plans), "held": held}, nil)
	if to == "" {
		d.liftOnly(Signal{Kind: Reactivated, Reason: reason}, user, lifted)
	} else {
		d.write(Effects{Blocks: lifted})
	}
	return true
}
