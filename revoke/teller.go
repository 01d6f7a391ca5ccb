package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
// What was raised and not told is a row, so that no stop loses it.
type Teller struct {
	cfg    TellerConfig
	failed map[told]int // tries in a row of one receiver for one alarm
	next   map[told]Instant
	done   map[told]bool // by some receivers, while others are still tried
}

type told struct {
	alarm    ID
	count    int
	receiver string
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
	return &Teller{cfg: cfg, failed: map[told]int{}, next: map[told]Instant{}, done: map[told]bool{}}, nil
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
	for _, a := range alarms {
		all := true
		for name, receiver := range t.cfg.Receivers {
			all = t.tell(ctx, told{a.ID, a.Count, name}, receiver, a) && all
		}
		if !all {
			continue
		}
		if err := t.cfg.Notes.Told(ctx, a.Org, a.ID, now); err != nil {
			return fmt.Errorf("note that alarm %s was told: %w", a.ID, err)
		}
		for name := range t.cfg.Receivers {
			delete(t.done, told{a.ID, a.Count, name})
		}
	}
	return nil
}

// tell sends an alarm to one receiver, unless that was done or is not to be tried yet.
func (t *Teller) tell(ctx context.Context, what told, receiver Receiver, a Alarm) bool {
	switch {
	case t.done[what]:
		return true
	case t.cfg.Clock.Now() < t.next[what]:
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	err := receiver.Tell(ctx, a)
	if err == nil {
		delete(t.failed, what)
		delete(t.next, what)
		t.done[what] = true
		return true
	}
	t.failed[what]++
	wait := max(Backoff(t.failed[what]), time.Second)
	t.next[what] = t.cfg.Clock.Now().Add(wait)
	t.cfg.Log.Warn("an alarm was not taken; it is sent again", "receiver", what.receiver, "alarm_id", a.ID, "attempt", t.failed[what], "in", wait, "err", err)
	return false
}
