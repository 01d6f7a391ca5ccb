package revoke

import (
	"context"
	"fmt"
)

// Event returns one event with what was decided; none is [ErrNotFound].
func (s *Service) Event(ctx context.Context, org string, id ID) (Event, error) {
	events, err := s.store.Events(ctx, EventQuery{Org: org, ID: id, Limit: 1})
	if err == nil && len(events) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Event{}, fmt.Errorf("find event %s: %w", id, err)
	}
	return events[0], nil
}

// Replay decides an event that nothing followed from once more, as it was read from its kept body anew: after a
// mapping, a rule or an identifier was put right. The event keeps its place and its times, and has a new state. One that was
// decided is answered as it was then. One that names what must be read waits for that anew. A dry run says what would follow;
// what would follow from a read says [Service.Foresee].
func (s *Service) Replay(ctx context.Context, actor Actor, src Source, prior Event, again Event, dry bool) (Outcome, error) {
	if prior.State == EventDecided {
		return prior.answered(), nil
	}
	ev := prior
	ev.State, ev.Note, ev.Signals, ev.SenderID = "", "", again.Signals, ""
	if ev.Read = again.Read; ev.Read != "" {
		ev.State = EventReading
	}
	if prior.State == EventHeld && prior.Decided.Held {
		return Outcome{}, fmt.Errorf("replay event %s, which the brake holds until a person approves or rejects it: %w", prior.ID, ErrConflict)
	}
	in := s.input(ctx, actor, src, ev)
	in.replayed = true
	if dry {
		return s.Preview(ctx, actor, src, ev)
	}
	need := in.need()
	if prior.SenderID != "" {
		need.Events = append(need.Events, prior.Key())
	}
	var out Outcome
	err := s.decide(ctx, need, func(f *Facts) (Effects, error) {
		if now, ok := f.Events[prior.Key()]; ok && now.State == EventDecided { // by somebody else, since it was read
			out = now.answered()
			return Effects{}, nil
		}
		d := in.again(f, prior)
		d.decided.Digest = in.event.digest()
		if ev.Read != "" {
			d.owesRead()
		}
		for _, sig := range again.Signals {
			d.signal(sig)
		}
		d.audit("replay", map[string]any{"event": prior.ID, "was": prior.State}, nil)
		var effects Effects
		effects, out = d.close()
		return effects, nil
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("replay event %s: %w", prior.ID, err)
	}
	return out, nil
}

// Foresee says what would follow from an event that waits to be read, if the read that was asked at an instant had been its own.
// Nothing is kept.
func (s *Service) Foresee(ctx context.Context, actor Actor, src Source, prior Event, at Instant, answer ReadAnswer) (Outcome, error) {
	ev := prior
	ev.State, ev.Note, ev.SenderID, ev.Read, ev.Signals = "", "", "", "", answer.asked(at)
	if len(ev.Signals) == 0 {
		return Outcome{Event: prior.ID, State: EventIgnored, Decided: prior.Decided}, nil
	}
	return s.Preview(ctx, actor, src, ev)
}

// answered is the answer to an event that was decided before.
func (e *Event) answered() Outcome {
	out := Outcome{Event: e.ID, State: e.State, Duplicate: true, Decided: e.Decided}
	if e.State == EventHeld || e.Decided.Held {
		out.Held = e.ID
	}
	return out
}
