package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"curfew/revoke"
)

// Core is what decides: [revoke.Service].
type Core interface {
	Inbox
	// Answered decides what a read says.
	Answered(ctx context.Context, src revoke.Source, owed revoke.OwedRead, at revoke.Instant, answer revoke.ReadAnswer) (revoke.Outcome, error)
	// Raised is told of alarms that were committed.
	Raised(alarms []revoke.Alarm)
}

// Rows is where what has to be done waits: rows are the queue.
type Rows interface {
	revoke.Reads
	revoke.Errands
}

// AttendantConfig names everything that an Attendant depends on.
type AttendantConfig struct {
	Handler *Handler // whose sources it attends to
	Core    Core
	Rows    Rows
	Clock   revoke.Clock
	Log     *slog.Logger
}

// Attendant does after the answer, and without any message, what sources need: it reads at their APIs what events wait for, polls
// for news, and keeps subscriptions alive. Each source has workers of its own, so that a sick one slows no other.
type Attendant struct {
	cfg     AttendantConfig
	readers []*reader
	errands []*errand
}

const (
	readsPerSource = 4                // under way at once
	readWithin     = 15 * time.Second // one read, and one turn of upkeep
	pollWithin     = 30 * time.Second // one page
	// attendLease outlasts a call, its recording and any difference of clocks that we promise to bear.
	attendLease = 2 * time.Minute
	lookEvery   = 2 * time.Second // how often rows are looked at even if nobody told us
)

// NewAttendant checks cfg. It has no side effects.
func NewAttendant(cfg AttendantConfig) (*Attendant, error) {
	if cfg.Handler == nil || cfg.Core == nil || cfg.Rows == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("webhooks.NewAttendant: Handler, Core, Rows, Clock and Log are needed")
	}
	a := &Attendant{cfg: cfg}
	for _, s := range cfg.Handler.seats {
		if r, ok := s.receiver.(Enricher); ok {
			a.readers = append(a.readers, &reader{AttendantConfig: cfg, seat: s, enricher: r, bell: make(chan struct{}, 1)})
		}
		if p, ok := s.receiver.(Poller); ok {
			e := &errand{AttendantConfig: cfg, seat: s, name: revoke.ErrandPoll, bell: make(chan struct{}, 1)}
			e.turn = func(ctx context.Context, at revoke.Errand) { e.poll(ctx, p, at) }
			a.errands = append(a.errands, e)
		}
		if u, ok := s.receiver.(Upkeeper); ok {
			e := &errand{AttendantConfig: cfg, seat: s, name: revoke.ErrandUpkeep, bell: make(chan struct{}, 1)}
			e.turn = func(ctx context.Context, at revoke.Errand) { e.upkeep(context.WithoutCancel(ctx), u, at) }
			a.errands = append(a.errands, e)
		}
	}
	return a, nil
}

// Wake says that something was committed that waits to be read. It never blocks.
func (a *Attendant) Wake() {
	for _, r := range a.readers {
		ring(r.bell)
	}
}

func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Run works until ctx ends and all calls under way have ended and are recorded.
func (a *Attendant) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, r := range a.readers {
		all.Go(func() { r.run(ctx) })
	}
	for _, e := range a.errands {
		all.Go(func() { e.run(ctx) })
	}
	<-ctx.Done()
	all.Wait()
	return nil
}

// Foresee makes the read that an event waits for, and says what it answers and when it was asked. It changes nothing: neither at the
// sender nor here. [revoke.ErrNotFound] says that the source reads nothing.
func (a *Attendant) Foresee(ctx context.Context, ev revoke.Event) (revoke.Instant, revoke.ReadAnswer, error) {
	for _, r := range a.readers {
		if r.seat.source.Name != ev.Source || r.seat.source.Org != ev.Org {
			continue
		}
		known, err := r.Rows.Known(ctx, ev.Org, ev.Source, ev.Read)
		if err != nil {
			return 0, revoke.ReadAnswer{}, fmt.Errorf("read what is known of event %s: %w", ev.ID, err)
		}
		asked := r.Clock.Now()
		finding, err := r.ask(ctx, Ask{About: ev.Read, Events: []revoke.Event{ev}, At: asked, Known: remembered(known)})
		if err != nil {
			return asked, revoke.ReadAnswer{}, err
		}
		answer, err := finding.answer()
		return asked, answer, err
	}
	return 0, revoke.ReadAnswer{}, fmt.Errorf("source %s reads nothing: %w", ev.Source, revoke.ErrNotFound)
}

// answer is a finding as the core takes it.
func (f Finding) answer() (revoke.ReadAnswer, error) {
	if len(f.Keep) > revoke.MaxNote || f.Keep != nil && !json.Valid(f.Keep) {
		return revoke.ReadAnswer{}, errors.New("the type would keep what is not JSON, or too long")
	}
	for i := range f.Signals {
		f.Signals[i].Reason = plain(f.Signals[i].Reason)
	}
	return revoke.ReadAnswer{Signals: f.Signals, Teaches: f.Teaches, Keep: string(f.Keep), Note: plain(f.Note)}, nil
}

// reader reads what the events of one source wait for.
type reader struct {
	AttendantConfig
	seat     *seat
	enricher Enricher
	bell     chan struct{}
	mu       sync.Mutex
	accepted bool // our credential was accepted since the start, and not refused since: no alarm stands
}

func (r *reader) run(ctx context.Context) {
	places := make(chan struct{}, readsPerSource)
	var under sync.WaitGroup
	defer under.Wait()
	src := &r.seat.source
	for ctx.Err() == nil {
		free := cap(places) - len(places)
		now := r.Clock.Now()
		var owed []revoke.OwedRead
		if free > 0 {
			var err error
			if owed, err = r.Rows.ClaimReads(ctx, src.Org, src.Name, free, now, now.Add(attendLease), revoke.NewID(now)); err != nil && ctx.Err() == nil {
				r.Log.Warn("what waits to be read cannot be read from the store", "source_id", src.Name, "err", err)
			}
		}
		for _, o := range owed {
			places <- struct{}{}
			under.Go(func() {
				defer func() { // somebody else may take the place
					<-places
					ring(r.bell)
				}()
				r.read(context.WithoutCancel(ctx), o)
			})
		}
		if free == 0 || len(owed) < free {
			r.wait(ctx, now)
		}
	}
}

// wait returns when something may be due.
func (r *reader) wait(ctx context.Context, now revoke.Instant) {
	pause := lookEvery
	if due, err := r.Rows.NextRead(ctx, r.seat.source.Org, r.seat.source.Name); err == nil && due > now {
		pause = min(pause, due.Sub(now))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.bell:
	case <-timer.C:
	}
}

// read asks the sender once, and has what it says decided.
func (r *reader) read(ctx context.Context, owed revoke.OwedRead) {
	asked := r.Clock.Now()
	finding, err := r.ask(ctx, Ask{About: owed.About, Events: owed.Events, At: asked, Known: remembered(owed.Known)})
	if err == nil {
		err = r.decide(ctx, owed, asked, finding)
	}
	switch {
	case err == nil:
		return
	case errors.Is(err, revoke.ErrLeaseLost):
		r.Log.Warn("somebody else reads by now; what they find counts", "source_id", r.seat.source.Name)
		return
	}
	s := owed.Unanswered(err, r.Clock.Now())
	if _, refused := errors.AsType[revoke.RefusedCredential](err); refused {
		r.mu.Lock()
		r.accepted = false
		r.mu.Unlock()
	}
	newest := owed.Readings[len(owed.Readings)-1]
	if s.State == revoke.ReadingParked {
		r.Log.Error("event parked: its sender's API could not be read; look at it and replay it", "source_id", r.seat.source.Name, "event_id", newest.Event, "err", err)
	} else if newest.Attempts == 0 {
		r.Log.Warn("a sender's API could not be read yet", "source_id", r.seat.source.Name, "event_id", newest.Event, "attempt", 1, "err", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	switch err := r.Rows.SettleRead(ctx, owed, s); {
	case err == nil:
		r.Core.Raised(s.Alarms)
	case !errors.Is(err, revoke.ErrLeaseLost):
		r.Log.Warn("the outcome of a read is not recorded; it will be made again", "source_id", r.seat.source.Name, "err", err)
	}
}

// ask bounds the type's time and keeps its panics from ending the process.
func (r *reader) ask(ctx context.Context, ask Ask) (finding Finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	defer r.Handler.unharmed(r.seat, &err)
	return r.enricher.Enrich(ctx, ask)
}

// remembered is what was kept, nil at first.
func remembered(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// unharmed turns a panic of a type into an error.
func (h *Handler) unharmed(s *seat, err *error) {
	if p := recover(); p != nil {
		h.panicked(s, p)
		*err = errors.New("internal error")
	}
}

func (r *reader) decide(ctx context.Context, owed revoke.OwedRead, asked revoke.Instant, finding Finding) error {
	answer, err := finding.answer()
	if err != nil {
		return err
	}
	r.mu.Lock()
	if !r.accepted { // an alarm of an earlier start may stand
		answer.Cleared = []revoke.AlarmKey{owed.CredentialAlarm()}
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, r.Handler.commitTimeout)
	defer cancel()
	_, err = r.Core.Answered(ctx, r.seat.source, owed, asked, answer)
	if err != nil {
		return fmt.Errorf("what was read is not decided: %w", err)
	}
	r.mu.Lock()
	r.accepted = true
	r.mu.Unlock()
	return nil
}
