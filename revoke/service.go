package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config names everything a Service depends on.
type Config struct {
	Store    Store
	Targets  []TargetName // to which every revocation is owed
	Observer Observer     // nil looks away
	Log      *slog.Logger
}

// TargetName names a configured target and whose people it holds.
type TargetName struct{ Name, Org string }

// Service is the one way in: it finds the person, decides, commits, and answers what was committed. It is safe for
// concurrent use.
type Service struct {
	store    Store
	targets  atomic.Pointer[[]TargetName]
	brake    atomic.Pointer[Brake]
	notify   atomic.Pointer[Notify]
	observer Observer
	log      *slog.Logger
	view     atomic.Pointer[View] // nil: we do not know
	mu       sync.RWMutex         // readers apply changes, the writer swaps views
	reading  *View                // the view that is being read from the store; what is committed meanwhile goes there too
	known    *known
	names    *names
	uses     uses
	turns    turns
	ears     ears
	days     scheduling
	reload   chan struct{} // asks Run to read the view again
	owed     chan struct{} // told after every commit that made deliveries
	alarms   chan struct{} // told after every commit that raised one
	unread   chan struct{} // told after every commit of what waits to be read
	untold   chan struct{} // told after every commit of what people are to be told
}

// New checks cfg and returns a Service that knows nothing yet: until [Service.Load] has read the view, every question
// about a session is answered with [ErrNotFresh].
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Log == nil {
		return nil, errors.New("revoke.New: Store and Log are needed")
	}
	if cfg.Observer == nil {
		cfg.Observer = Unobserved{}
	}
	s := &Service{
		store: cfg.Store, observer: cfg.Observer, log: cfg.Log,
		known: newKnown(), names: newNames(), reload: make(chan struct{}, 1), owed: make(chan struct{}, 1),
		alarms: make(chan struct{}, 1), unread: make(chan struct{}, 1), untold: make(chan struct{}, 1),
	}
	s.uses.waiting = map[ID]Use{}
	s.SetTargets(cfg.Targets)
	s.SetBrake(Brake{})
	s.SetNotify(Notify{})
	return s, nil
}

// SetTargets says to which targets every revocation is owed from now on.
func (s *Service) SetTargets(targets []TargetName) { s.targets.Store(&targets) }

// SetBrake says when decisions are held from now on.
func (s *Service) SetBrake(b Brake) { s.brake.Store(&b) }

// Outcome is what became of one event.
type Outcome struct {
	Event     ID
	State     EventState
	Held      ID      // under which id all of it, or some, waits for a person; zero when nothing does
	Duplicate bool    // it had been received before; the rest is what was answered then
	Alarms    []Alarm // what a person must look at
	Decided
}

// chunk is how many events of one request share a decision, so that a sender's batch of a hundred costs one commit.
const chunk = 128

// Receive decides and commits authenticated events of one source, in their order. When it returns nil everything is
// durable and no later question here is answered without it. On an error the events before the returned outcomes' end are
// committed; the sender tries again and they are known as duplicates.
func (s *Service) Receive(ctx context.Context, actor Actor, src Source, events ...Event) ([]Outcome, error) {
	out := make([]Outcome, 0, len(events))
	for some := range slices.Chunk(events, chunk) {
		start := s.store.Clock().Now()
		ins := make([]input, len(some))
		need := Need{Org: src.Org}
		for i := range some {
			ins[i] = s.input(ctx, actor, src, some[i])
			need.add(ins[i].need())
		}
		decided := make([]Outcome, len(some))
		err := s.decide(ctx, need, func(f *Facts) (Effects, error) {
			all := make([]Effects, len(ins))
			for i, in := range ins {
				all[i], decided[i] = in.decide(f)
				f.Apply(all[i])
				f.Now++ // each event has an instant of its own
			}
			return Merge(all...), nil
		})
		if err != nil {
			return out, fmt.Errorf("receive events %d to %d of %d from %s: %w", len(out)+1, len(out)+len(some), len(events), src.Name, err)
		}
		took := s.store.Clock().Now().Sub(start)
		for i, outcome := range decided {
			if outcome.Duplicate {
				s.apply(outcome.Changes)
			}
			for _, sig := range some[i].Signals {
				s.observer.Received(src.Name, sig.Kind, outcome.State, took)
			}
		}
		out = append(out, decided...)
	}
	return out, nil
}

// decide runs one decision in the store and, once it is durable, lets the view know before anybody is answered.
func (s *Service) decide(ctx context.Context, need Need, decision Decision) error {
	var done Effects
	var at Instant
	err := s.store.Decide(ctx, need, func(f *Facts) (Effects, error) {
		effects, err := decision(f)
		effects.Notices = s.notify.Load().notices(f, &effects)
		done, at = effects, f.Now
		return effects, err
	})
	switch {
	case errors.Is(err, ErrUnknownCommit):
		s.Doubt(err)
		return err
	case err != nil:
		return err
	}
	s.names.drop(done.Holdings)
	s.apply(done.Changes(at))
	s.Raised(done.Alarms)
	if len(done.Deliveries) > 0 {
		ring(s.owed)
	}
	if len(done.Readings) > 0 {
		ring(s.unread)
	}
	if len(done.Notices) > 0 {
		ring(s.untold)
	}
	return nil
}

// ring wakes whoever waits at the bell, now or when it looks next.
func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// apply lets every view know what was committed: the one that answers, and the one that is being read and may have passed
// these rows already.
func (s *Service) apply(changes []Change) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if v := s.view.Load(); v != nil {
		v.Apply(changes...)
	}
	if s.reading != nil {
		s.reading.Apply(changes...)
	}
}

// Owed is told when new deliveries were committed.
func (s *Service) Owed() <-chan struct{} { return s.owed }

// Doubt makes every question unanswerable until the view was read again: what is stored may differ from what we know.
func (s *Service) Doubt(why error) {
	s.mu.Lock()
	s.view.Store(nil)
	s.reading = nil // a reading under way may have begun before the doubt
	s.mu.Unlock()
	s.names.forget()
	s.log.Error("view in doubt; questions answer 503 until it was read again", "err", why)
	s.askReload()
}

func (s *Service) askReload() {
	select {
	case s.reload <- struct{}{}:
	default:
	}
}

// Load reads the view from the store.
func (s *Service) Load(ctx context.Context) error {
	select {
	case <-s.reload: // what asked before now is served by this reading
	default:
	}
	v := NewView()
	s.mu.Lock()
	s.reading = v
	s.mu.Unlock()
	err := s.store.LoadView(ctx, func(changes ...Change) { v.Apply(changes...) })
	s.mu.Lock()
	defer s.mu.Unlock()
	doubted := s.reading != v
	if s.reading = nil; err != nil {
		return fmt.Errorf("read the view: %w", err)
	}
	if doubted {
		return fmt.Errorf("read the view: %w", ErrNotFresh)
	}
	s.names.forget()
	s.known.forget(&s.uses) // before the swap: [Service.Ask] tells by it that the ends of single sessions started anew
	s.view.Store(v)
	return nil
}

const (
	reloadEvery = 200 * time.Millisecond // between tries to read a view in doubt
	watchEvery  = time.Minute            // between looks at how sources speak
	keepEnds    = 2 * time.Minute        // longer than any cached session and any commit under way
)

// Run keeps the view: it reads it again when it is in doubt, drops what is no longer needed, and does what has to happen by
// itself. It returns when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tidy, watch, second := time.NewTicker(useBatch), time.NewTicker(watchEvery), time.NewTicker(time.Second)
	defer tidy.Stop()
	defer watch.Stop()
	defer second.Stop()
	var wall wallWatch
	s.watch(ctx)
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), useBatch)
			defer cancel()
			return errors.Join(s.WriteUses(last), s.WriteHearings(last))
		case <-tidy.C:
			s.tidy(ctx)
		case <-watch.C:
			s.watch(ctx)
		case <-second.C:
			if jump := wall.jump(read()); jump.Abs() > Ahead {
				s.clockJumped(ctx, jump)
			}
			if err := s.EndDue(ctx); err != nil && !errors.Is(err, ErrNotFresh) && ctx.Err() == nil {
				s.log.Warn("timed blocks and plans wait", "err", err)
			}
			if err := s.RunSchedules(ctx); err != nil && !errors.Is(err, ErrNotFresh) && ctx.Err() == nil {
				s.log.Warn("schedules wait", "err", err)
			}
			if err := s.carryPolicies(ctx, PolicyKey{}); err != nil && !errors.Is(err, ErrNotFresh) && ctx.Err() == nil {
				s.log.Warn("members of a group are not told of its policy yet", "err", err)
			}
		case <-s.reload:
			if err := s.Load(ctx); err != nil {
				s.log.Warn("view cannot be read yet", "err", err)
				s.askReload()
				select {
				case <-ctx.Done():
				case <-time.After(reloadEvery):
				}
			}
		}
	}
}

const (
	// keepKeys is for how long the answer to a request with an Idempotency-Key is kept.
	keepKeys = 24 * time.Hour
	// keepHearings is for how long it is kept when sources were heard: longer than one may be silent and be usual again at once.
	keepHearings = 90 * 24 * time.Hour
)

// tidy writes and drops what is not needed at once.
func (s *Service) tidy(ctx context.Context) {
	now := s.store.Clock().Now()
	if v := s.view.Load(); v != nil {
		v.Forget(now.Add(-keepEnds))
	}
	if err := s.WriteUses(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("last uses are not written yet", "err", err)
	}
	if err := s.WriteHearings(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("when sources were heard is not written yet", "err", err)
	}
	if _, err := s.store.DropHearings(ctx, now.Add(-keepHearings)); err != nil && ctx.Err() == nil {
		s.log.Warn("when sources were heard long ago is not dropped yet", "err", err)
	}
	if _, err := s.store.DropHits(ctx, now.Add(-24*time.Hour)); err != nil && ctx.Err() == nil {
		s.log.Warn("what the brake counted is not dropped yet", "err", err)
	}
	if _, err := s.store.DropKeys(ctx, now.Add(-keepKeys)); err != nil && ctx.Err() == nil {
		s.log.Warn("old idempotency keys are not dropped yet", "err", err)
	}
	if _, err := s.store.DropLinks(ctx, now.Add(-24*time.Hour)); err != nil && ctx.Err() == nil {
		s.log.Warn("links that are over are not dropped yet", "err", err)
	}
}

// clockJumped lets people know that the machine's clock was moved. Revoking goes on, for time never goes back here; schedules wait
// until somebody has cleared the alarm.
func (s *Service) clockJumped(ctx context.Context, jump time.Duration) {
	text := fmt.Sprintf("the machine's clock jumped by %s; see that it is kept right: sessions expire and plans begin by it, and schedules wait until this alarm is cleared", jump.Round(time.Second))
	s.days.jump.Store(0)
	if err := s.Raise(ctx, AlarmKey{Org: MainOrg, Kind: AlarmClock, About: "clock"}, text); err != nil {
		s.days.jump.Store(int64(jump))
		s.log.Error("alarm", "alarm", AlarmClock, "text", text, "err", err)
	}
}

// Ready reports nil when questions are answered, else [ErrNotFresh].
func (s *Service) Ready() error {
	if s.view.Load() == nil {
		return ErrNotFresh
	}
	return nil
}
