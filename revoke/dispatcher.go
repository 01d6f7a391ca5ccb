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
	Observer Observer        // nil looks away
	Log      *slog.Logger
}

// Dispatcher carries deliveries to their targets: at least once, or visibly parked. Each target has a worker of its own,
// so that a sick one slows no other.
type Dispatcher struct {
	cfg DispatcherConfig
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
	return &Dispatcher{cfg}, nil
}

// Run works until ctx ends and all calls under way have ended and are recorded.
func (d *Dispatcher) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	bells := make([]chan struct{}, 0, len(d.cfg.Targets))
	for name, target := range d.cfg.Targets {
		w := &worker{DispatcherConfig: d.cfg, name: name, target: target, bell: make(chan struct{}, 1)}
		bells = append(bells, w.bell)
		workers.Go(func() { w.run(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			workers.Wait()
			return nil
		case <-d.cfg.Owed:
			for _, bell := range bells {
				select {
				case bell <- struct{}{}:
				default:
				}
			}
		}
	}
}

// worker carries the deliveries of one target.
type worker struct {
	DispatcherConfig
	name    string
	target  Target
	bell    chan struct{}
	mu      sync.Mutex
	refused bool // our credential is refused there; the alarm was raised
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
	w.alarm(owed, s, err)

	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := w.Queue.Settle(ctx, owed, s); errors.Is(err, ErrLeaseLost) {
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
	wait := Backoff(newest.Attempts + 1)
	if asked := AskedToWait(err); asked > 0 {
		wait = min(asked, longestWait)
	}
	_, refused := errors.AsType[RefusedCredential](err)
	switch {
	case refused:
		wait = min(wait, refusedWait)
	case IsPermanent(err), now.Sub(newest.FirstAt) > keepTrying:
		s.State = DeliveryParked
		return s
	}
	s.DueAt = now.Add(wait)
	return s
}

// alarm tells a person once when a target begins to refuse our credential, and whenever something is parked.
func (w *worker) alarm(owed Owed, s Settlement, err error) {
	_, refused := errors.AsType[RefusedCredential](err)
	w.mu.Lock()
	changed := refused != w.refused && (refused || err == nil)
	if changed {
		w.refused = refused
	}
	w.mu.Unlock()
	switch {
	case changed && refused:
		w.Log.Error("target refuses our credential; its deliveries wait until it is repaired", "target_id", w.name, "err", err)
	case changed:
		w.Log.Info("target accepts our credential again", "target_id", w.name)
	}
	switch last := owed.Items[len(owed.Items)-1]; {
	case s.State == DeliveryParked:
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
