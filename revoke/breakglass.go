package revoke

import (
	"context"
	"fmt"
	"slices"
)

// BreakGlass says who the break-glass people of an org are: those, and nobody else any more. They are blocked only by an admin, and
// an order for many leaves their sessions alone. Whoever becomes one while a source blocks them is cut: this revives nobody.
func (s *Service) BreakGlass(ctx context.Context, org string, people []Subject) error {
	have, err := s.store.Spared(ctx, org)
	if err != nil {
		return fmt.Errorf("read the break-glass people: %w", err)
	}
	need := Need{Org: org}
	for _, u := range have {
		need.Users = append(need.Users, u.ID)
	}
	for i := range people {
		people[i] = people[i].In(org)
		need.addSubject(people[i])
	}
	if len(need.Users)+len(people) == 0 {
		return nil
	}
	src := Source{Name: AdminAuthority, Org: org, Authority: AdminAuthority, Admin: true}
	err = s.decide(ctx, need, func(f *Facts) (Effects, error) {
		d := newDecision(f, input{source: src, actor: Actor{"operator", "break_glass"}, targets: *s.targets.Load()})
		d.event.Type = "break_glass"
		var named []ID
		for _, subject := range people {
			user, ok := d.resolve(subject, 0)
			if !ok {
				return Effects{}, fmt.Errorf("break_glass names somebody whom two people could be: %w", ErrConflict)
			}
			named = append(named, user)
			d.spare(user, true)
		}
		for _, u := range have {
			if !slices.Contains(named, u.ID) {
				d.spare(u.ID, false)
			}
		}
		if d.event.State == "" && len(d.e.Users) == 0 {
			return Effects{}, nil
		}
		d.settle(EventDecided, "")
		e, _ := d.close()
		return e, nil
	})
	if err != nil {
		return fmt.Errorf("mark the break-glass people of org %s: %w", org, err)
	}
	return nil
}

// spare makes a user a break-glass person, or one no more.
func (d *decision) spare(user ID, on bool) {
	u := d.f.Users[user]
	if u.Spared() == on {
		return
	}
	if on {
		u.SparedAt = max(d.f.Now, u.UnsparedAt+1)
	} else {
		u.UnsparedAt = max(d.f.Now, u.SparedAt)
	}
	u.LiftedOver = 0 // joined with what is there
	_, blocked := d.f.blocked(user)
	if on && blocked {
		scope := Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}
		d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: max(d.f.Now, d.f.newest(user).Born)}}})
	}
	d.write(Effects{Users: []User{u}})
	d.audit("break-glass", map[string]any{"user": user, "spared": on}, map[string]any{"identifiers": d.f.subject(user)})
}
