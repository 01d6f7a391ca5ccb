package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// DispatcherConfig names everything a Dispatcher depends on.
type DispatcherConfig struct {
	Queue    Queue
	Clock    Clock
	Targets  map[string]Target
	Owed     <-chan struct{} // told when new deliveries were committed
	Raised   func([]Alarm)   // told of alarms that were committed with a delivery; may be nil
	Observer Observer        // nil looks away
	Log      *slog.Logger
}

// Dispatcher carries deliveries to their targets: at least once, or visibly parked. Each target has a worker of its own,
// so that a sick one slows no other.
type Dispatcher struct {
	cfg     DispatcherConfig
	workers map[string]*worker
}

// TargetState is how calls of a target went last, since the start.
type TargetState struct {
	SuccessAt Instant // zero: none yet
	FailedAt  Instant
	Error     string // of the last failure
	Refused   bool   // our credential is refused there
}

const (
	perTarget   = 8                // people under way at one target
	callTimeout = 10 * time.Second // of one call
	// leaseFor outlasts a call, its recording and any difference of clocks that we promise to bear.
	leaseFor    = 2 * time.Minute
	poll        = 2 * time.Second // the queue is read this often even if nobody told us
	longestWait = 24 * time.Hour  // that a target can ask for
	refusedWait = 5 * time.Minute // between tries while our credential is refused: it may be repaired at any moment
	longestText = 500             // bytes kept of what a target said
)

// NewDispatcher checks cfg.
func NewDispatcher(cfg DispatcherConfig) (*Dispatcher, error) {
	if cfg.Queue == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("revoke.NewDispatcher: Queue, Clock and Log are needed")
	}
	if cfg.Observer == nil {
		cfg.Observer = Unobserved{}
	}
	d := &Dispatcher{cfg: cfg, workers: map[string]*worker{}}
	for name, target := range cfg.Targets {
		d.workers[name] = &worker{DispatcherConfig: cfg, name: name, target: target, bell: make(chan struct{}, 1)}
	}
	return d, nil
}

// States returns how calls of each target went last.
func (d *Dispatcher) States() map[string]TargetState {
	out := make(map[string]TargetState, len(d.workers))
	for name, w := range d.workers {
		w.mu.Lock()
		out[name] = w.state
		w.mu.Unlock()
	}
	return out
}

// Run works until ctx ends and all calls under way have ended and are recorded.
func (d *Dispatcher) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for _, w := range d.workers {
		workers.Go(func() { w.run(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			workers.Wait()
			return nil
		case <-d.cfg.Owed:
			for _, w := range d.workers {
				select {
				case w.bell <- struct{}{}:
				default:
				}
			}
		}
	}
}

// worker carries the deliveries of one target.
type worker struct {
	DispatcherConfig
	name   string
	target Target
	bell   chan struct{}
	mu     sync.Mutex
	state  TargetState
	judged bool // our credential was taken or refused since the start
}

func (w *worker) run(ctx context.Context) {
	free, ended := perTarget, make(chan struct{}, perTarget)
	for ctx.Err() == nil {
		for range len(ended) {
			<-ended
			free++
		}
		if free == 0 { // one slow person holds one place, not the next person
			select {
			case <-ended:
				free++
			case <-ctx.Done():
			}
			continue
		}
		now := w.Clock.Now()
		owed, err := w.Queue.Claim(ctx, w.name, free, now, now.Add(leaseFor), NewID(now))
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("deliveries cannot be read", "target_id", w.name, "err", err)
		}
		more := len(owed) == free
		for _, o := range owed {
			free--
			go func() {
				w.deliver(context.WithoutCancel(ctx), o)
				ended <- struct{}{}
			}()
		}
		if !more && w.wait(ctx, now, ended) {
			free++
		}
	}
	for free < perTarget { // what is under way ends and is recorded
		<-ended
		free++
	}
}

// wait returns when something may be due, or when a call has ended, which it reports.
func (w *worker) wait(ctx context.Context, now Instant, ended <-chan struct{}) bool {
	pause := poll
	if due, err := w.Queue.NextDue(ctx, w.name); err == nil && due > now {
		pause = min(pause, due.Sub(now)) // what is due already belongs to somebody whose call is under way: its end wakes us
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.bell:
	case <-timer.C:
	case <-ended:
		return true
	}
	return false
}

// deliver calls the target once for everything owed to one person, and records how that went.
func (w *worker) deliver(ctx context.Context, owed Owed) {
	start := w.Clock.Now()
	receipt, err := w.call(ctx, owed)
	took := w.Clock.Now().Sub(start)
	s := w.judge(owed, receipt, err, start)
	s.Attempt.At, s.Attempt.Took = start, took
	w.Observer.Attempted(w.name, outcome(s, err), took)
	w.alarm(owed, &s, err, start.Add(took))

	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = w.Queue.Settle(ctx, owed, s)
	if err == nil && len(s.Alarms) > 0 && w.Raised != nil {
		w.Raised(s.Alarms)
	}
	if err != nil && len(s.Alarms)+len(s.Cleared) > 0 { // they were not committed: the next call says so again
		w.mu.Lock()
		w.judged = false
		w.mu.Unlock()
	}
	if errors.Is(err, ErrLeaseLost) {
		w.Log.Warn("somebody else took the delivery over; its result counts", "target_id", w.name, "user_id", owed.User)
	} else if err != nil {
		w.Log.Warn("result of a delivery is not recorded; it will be made again", "target_id", w.name, "user_id", owed.User, "err", err)
	}
}

// call bounds the target's time and keeps its panics from ending the process.
func (w *worker) call(ctx context.Context, owed Owed) (receipt Receipt, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error("target panicked", "target_id", w.name, "panic", fmt.Sprint(p))
			err = fmt.Errorf("target %s: internal error", w.name)
		}
	}()
	return w.target.Revoke(ctx, owed)
}

// judge says what becomes of deliveries after an attempt.
func (w *worker) judge(owed Owed, receipt Receipt, err error, now Instant) Settlement {
	if err == nil {
		return Settlement{State: DeliveryDone, Attempt: Attempt{Receipt: &receipt}}
	}
	s := Settlement{State: DeliveryDue, Attempt: Attempt{Error: shorten(err.Error())}}
	// The newest delivery sets the pace: what is owed since a moment ago is not made to wait for what failed all day.
	newest := owed.Items[len(owed.Items)-1].Delivery
	wait, park := pace(err, newest.Attempts+1, newest.FirstAt, now)
	if park {
		s.State = DeliveryParked
		return s
	}
	s.DueAt = now.Add(wait)
	return s
}

// alarm lets a person know when a target begins to refuse our credential, until it takes it again, and of what is parked.
func (w *worker) alarm(owed Owed, s *Settlement, err error, now Instant) {
	_, refused := errors.AsType[RefusedCredential](err)
	w.mu.Lock()
	first := !w.judged // an alarm of an earlier start may stand
	changed := (first || refused != w.state.Refused) && (refused || err == nil)
	if changed {
		w.state.Refused, w.judged = refused, true
	}
	if err == nil {
		w.state.SuccessAt = now
	} else {
		w.state.FailedAt, w.state.Error = now, s.Attempt.Error
	}
	w.mu.Unlock()
	credential := AlarmKey{owed.Org, AlarmCredential, w.name}
	last := owed.Items[len(owed.Items)-1]
	switch {
	case changed && refused:
		s.Alarms = append(s.Alarms, NewAlarm(credential, "target "+w.name+" refuses our credential; its deliveries wait until it is repaired", now))
	case changed:
		s.Cleared = append(s.Cleared, credential)
		if !first {
			w.Log.Info("target accepts our credential again", "target_id", w.name)
		}
	}
	switch {
	case s.State == DeliveryParked:
		s.Alarms = append(s.Alarms, NewAlarm(AlarmKey{owed.Org, AlarmParked, w.name}, "deliveries to target "+w.name+" are parked; look at them and retry", now))
		w.Log.Error("delivery parked; look at it and retry", "target_id", w.name, "user_id", owed.User, "delivery_id", last.Delivery.Name(), "err", err)
	case err != nil && last.Delivery.Attempts == 0 && !refused:
		w.Log.Warn("target did not take a revocation yet", "target_id", w.name, "user_id", owed.User, "attempt", 1, "err", err)
	}
}

func outcome(s Settlement, err error) string {
	switch {
	case err == nil:
		return string(s.Attempt.Receipt.Evidence)
	case s.State == DeliveryParked:
		return "parked"
	default:
		return "failed"
	}
}

func shorten(text string) string {
	if len(text) <= longestText {
		return text
	}
	return text[:longestText] + "…"
}
