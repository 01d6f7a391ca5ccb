package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Receiver is a configured place to which alarms are told. It is safe for concurrent use.
type Receiver interface {
	// Tell sends the alarm; the same one again, at the same count, is harmless. It retries nothing itself.
	Tell(ctx context.Context, a Alarm) error
}

// TellerConfig names everything a Teller depends on.
type TellerConfig struct {
	Notes     Notes
	Clock     Clock
	Receivers map[string]Receiver // by a name for the log
	Woken     <-chan struct{}     // told when alarms were raised; nil: it looks now and then
	Log       *slog.Logger
}

// Teller tells the receivers of alarms what stands: each alarm once, and again at most every hour while it keeps being raised.
// What was raised and not told is a row, so that no stop loses it. Each receiver is told by itself: one that takes nothing, or
// answers slowly, holds up no other for longer than one message.
type Teller struct {
	cfg  TellerConfig
	mu   sync.Mutex
	told map[telling]progress // of alarms that not every receiver has taken yet
}

type telling struct {
	alarm    ID
	receiver string
}

// progress is how far one receiver is with one alarm.
type progress struct {
	at     Instant // when it took it last, zero before that
	failed int     // tries in a row
	next   Instant // not before that
}

const (
	tellAgain   = time.Hour        // how soon an alarm that keeps being raised is told again
	tellEvery   = 5 * time.Second  // how often rows are looked at even if nobody told us
	tellTimeout = 10 * time.Second // of one message
	tellAtOnce  = 100
)

// NewTeller checks cfg.
func NewTeller(cfg TellerConfig) (*Teller, error) {
	if cfg.Notes == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("revoke.NewTeller: Notes, Clock and Log are needed")
	}
	return &Teller{cfg: cfg, told: map[telling]progress{}}, nil
}

// Run tells until ctx ends.
func (t *Teller) Run(ctx context.Context) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		if err := t.turn(ctx); err != nil && ctx.Err() == nil {
			t.cfg.Log.Warn("alarms are not told yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.cfg.Woken:
		case <-tick.C:
		}
	}
}

// turn tells what was not told. An alarm is told when every receiver took it.
func (t *Teller) turn(ctx context.Context) error {
	now := t.cfg.Clock.Now()
	alarms, err := t.cfg.Notes.Untold(ctx, now.Add(-tellAgain), tellAtOnce)
	if err != nil {
		return fmt.Errorf("read alarms: %w", err)
	}
	var receivers sync.WaitGroup
	for name, receiver := range t.cfg.Receivers {
		receivers.Go(func() {
			for _, a := range alarms {
				if !t.tell(ctx, telling{a.ID, name}, receiver, a) {
					return // the others wait for the next turn, which passes this one over
				}
			}
		})
	}
	receivers.Wait()
	still := map[telling]progress{}
	for _, a := range alarms {
		all := true
		for name := range t.cfg.Receivers {
			all = all && t.told[telling{a.ID, name}].took(a, now)
		}
		if all {
			if err := t.cfg.Notes.Told(ctx, a.Org, a.ID, now); err != nil {
				return fmt.Errorf("note that alarm %s was told: %w", a.ID, err)
			}
			continue
		}
		for name := range t.cfg.Receivers {
			what := telling{a.ID, name}
			still[what] = t.told[what]
		}
	}
	if len(alarms) < tellAtOnce {
		t.told = still // what was cleared, or is told by now, needs no memory
	}
	return nil
}

// took reports whether a receiver need not be told of the alarm at an instant: it was, and not since when it was raised last, or
// less than an hour ago.
func (p progress) took(a Alarm, now Instant) bool {
	return p.at != 0 && (p.at >= a.LastAt || p.at > now.Add(-tellAgain))
}

// tell sends an alarm to one receiver, unless that was done or is not to be tried yet. It reports false when the receiver did
// not take it.
func (t *Teller) tell(ctx context.Context, what telling, receiver Receiver, a Alarm) bool {
	now := t.cfg.Clock.Now()
	t.mu.Lock()
	p := t.told[what]
	t.mu.Unlock()
	if p.took(a, now) || now < p.next {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	err := receiver.Tell(ctx, a)
	if now = t.cfg.Clock.Now(); err == nil {
		p = progress{at: now}
	} else {
		p.failed++
		wait := max(Backoff(p.failed), min(AskedToWait(err), longestWait), time.Second)
		p.next = now.Add(wait)
		t.cfg.Log.Warn("an alarm was not taken; it is sent again", "receiver", what.receiver, "alarm_id", a.ID, "attempt", p.failed, "in", wait, "err", err)
	}
	t.mu.Lock()
	t.told[what] = p
	t.mu.Unlock()
	return err == nil
}
