package revoke

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// errPreviewed ends a decision whose effects nobody wants.
var errPreviewed = errors.New("previewed")

// Preview decides like [Service.Receive] and writes nothing: the outcome says what would follow. What covers many people is
// counted by looking at each of their sessions, so its cost grows with them.
func (s *Service) Preview(ctx context.Context, actor Actor, src Source, ev Event) (Outcome, error) {
	in := s.input(ctx, actor, src, ev)
	var out Outcome
	err := s.store.Decide(ctx, in.need(), func(f *Facts) (Effects, error) {
		_, out = in.decide(f.clone())
		if !out.Held.IsZero() { // what follows once it is approved
			state, held := out.State, out.Held
			in.brake = nil
			_, out = in.decide(f.clone())
			out.State, out.Held = state, held
		}
		return Effects{}, errPreviewed
	})
	if !errors.Is(err, errPreviewed) {
		return Outcome{}, fmt.Errorf("preview: %w", err)
	}
	for _, sig := range ev.Signals {
		if sig.Wide == "" {
			continue
		}
		n, err := s.countLive(ctx, sig.wideScope(src.Org))
		if err != nil {
			return Outcome{}, err
		}
		out.Covers += n
	}
	return out, nil
}

// countLive counts the live sessions in a scope of many people that would end with it: break-glass people are spared.
func (s *Service) countLive(ctx context.Context, scope Scope) (int, error) {
	n := 0
	err := s.eachLive(ctx, scope, func(*Session) { n++ })
	return n, err
}

// eachLive calls each with the live sessions in a scope of many people that would end with it.
func (s *Service) eachLive(ctx context.Context, scope Scope, each func(*Session)) error {
	v := s.view.Load()
	if v == nil {
		return ErrNotFresh
	}
	now := s.store.Clock().Now()
	err := s.store.EachSession(ctx, scope, now, func(session *Session) {
		if !session.Spared && Live(session, v, now).Live {
			each(session)
		}
	})
	if err != nil {
		return fmt.Errorf("count the sessions of %s: %w", scope.Kind, err)
	}
	return nil
}

// clone copies facts, so that a decision on the copy shows in nobody else's. What hangs in the maps is replaced and never
// changed in place.
func (f *Facts) clone() *Facts {
	c := *f
	c.Users, c.Cutoffs, c.Newest, c.NewestOf = maps.Clone(f.Users), maps.Clone(f.Cutoffs), maps.Clone(f.Newest), maps.Clone(f.NewestOf)
	c.Sessions, c.Devices, c.Events, c.Resources = maps.Clone(f.Sessions), maps.Clone(f.Devices), maps.Clone(f.Events), maps.Clone(f.Resources)
	c.holdings, c.held, c.joins, c.blocks = maps.Clone(f.holdings), maps.Clone(f.held), maps.Clone(f.joins), maps.Clone(f.blocks)
	c.Members, c.Hits, c.Tallies, c.waiting = maps.Clone(f.Members), maps.Clone(f.Hits), maps.Clone(f.Tallies), maps.Clone(f.waiting)
	c.Members, c.Policies, c.Limits, c.Groups = maps.Clone(f.Members), maps.Clone(f.Policies), maps.Clone(f.Limits), maps.Clone(f.Groups)
	c.plans, c.byClient, c.byToken, c.deviceNames = maps.Clone(f.plans), maps.Clone(f.byClient), maps.Clone(f.byToken), maps.Clone(f.deviceNames)
	return &c
}
