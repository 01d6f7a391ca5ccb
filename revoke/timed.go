package revoke

import (
	"context"
	"fmt"
	"slices"
)

// EndTimed lifts every timed block whose end has come, that block only. [Service.Run] does it every second; doing it twice, or
// late after a stop, is harmless: until then the block stands.
func (s *Service) EndTimed(ctx context.Context) error {
	v := s.view.Load()
	if v == nil {
		return ErrNotFresh
	}
	for _, b := range v.timedOver(s.store.Clock().Now()) {
		src := Source{Name: AdminAuthority, Org: b.org, Authority: b.Authority}
		err := s.decide(ctx, Need{Org: b.org, Users: []ID{b.User}}, func(f *Facts) (Effects, error) {
			d := newDecision(f, input{source: src, actor: Actor{"schedule", "end of a timed block"}, targets: *s.targets.Load()})
			d.event.Type = "end of a timed block"
			d.endTimed(b.BlockKey)
			effects, _ := d.close()
			return effects, nil
		})
		if err != nil {
			return fmt.Errorf("end the timed block of user %s: %w", b.User, err)
		}
	}
	return nil
}

// endTimed lifts a timed block at its end, unless a newer one took its place. Where it stood until now, what was born by then
// is over: an end, like any lift, revives nobody.
func (d *decision) endTimed(key BlockKey) {
	at := slices.IndexFunc(d.f.blocks[key.User], func(b Block) bool { return b.BlockKey == key })
	if at < 0 {
		return
	}
	b := d.f.blocks[key.User][at]
	if b.Until == 0 || b.Until > d.f.Now || b.LiftedAt > b.BlockedAt {
		return
	}
	d.write(Effects{Blocks: []Block{{BlockKey: key, LiftedAt: max(b.Until, b.BlockedAt+1)}}})
	scope := Scope{Org: d.in.source.Org, Kind: ScopeUser, User: key.User}
	cut := max(d.f.Now, d.f.newest(key.User).Born)
	r := d.record(d.revocation(Signal{Kind: Reactivated, Reason: "the block's time is over"}, RevocationLift, scope, cut))
	d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: cut, Revocation: r.ID}}})
	if _, still := d.f.blocked(key.User); !still {
		d.owe(r, PrioritySingle)
	}
}

// org returns whose person it is. Whoever is blocked has a cutoff too.
func (p *Personal) org() string {
	if len(p.Cutoffs) == 0 {
		return ""
	}
	return p.Cutoffs[0].Org
}

type timedBlock struct {
	Block
	org string
}

// timedOver returns the timed blocks that ended by now and were not lifted.
func (v *View) timedOver(now Instant) []timedBlock {
	var out []timedBlock
	for i := range v.shards {
		s := &v.shards[i]
		s.RLock()
		for _, p := range s.people {
			for _, b := range p.Blocks {
				if b.Class == ClassTimed && b.Until != 0 && b.Until <= now && b.LiftedAt <= b.BlockedAt {
					out = append(out, timedBlock{b, p.org()})
				}
			}
		}
		s.RUnlock()
	}
	return out
}
