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
	in := input{source: src, actor: actor, request: RequestIDFrom(ctx), event: ev, targets: *s.targets.Load()}
	var out Outcome
	err := s.store.Decide(ctx, in.need(), func(f *Facts) (Effects, error) {
		_, out = in.decide(f.clone())
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
	v := s.view.Load()
	if v == nil {
		return 0, ErrNotFresh
	}
	n, now := 0, s.store.Clock().Now()
	err := s.store.EachSession(ctx, scope, now, func(session *Session) {
		if !session.Spared && Live(session, v, now).Live {
			n++
		}
	})
	if err != nil {
		return 0, fmt.Errorf("count the sessions of %s: %w", scope.Kind, err)
	}
	return n, nil
}

// clone copies facts, so that a decision on the copy shows in nobody else's. What hangs in the maps is replaced and never
// changed in place.
func (f *Facts) clone() *Facts {
	c := *f
	c.Users, c.Cutoffs, c.Newest, c.NewestOf = maps.Clone(f.Users), maps.Clone(f.Cutoffs), maps.Clone(f.Newest), maps.Clone(f.NewestOf)
	c.Sessions, c.Devices, c.Events, c.Resources = maps.Clone(f.Sessions), maps.Clone(f.Devices), maps.Clone(f.Events), maps.Clone(f.Resources)
	c.holdings, c.held, c.joins, c.blocks = maps.Clone(f.holdings), maps.Clone(f.held), maps.Clone(f.joins), maps.Clone(f.blocks)
	c.Members = maps.Clone(f.Members)
	c.plans, c.byClient, c.byToken, c.deviceNames = maps.Clone(f.plans), maps.Clone(f.byClient), maps.Clone(f.byToken), maps.Clone(f.deviceNames)
	return &c
}
