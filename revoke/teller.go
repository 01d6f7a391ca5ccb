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
	cfg   TellerConfig
	tries map[told]try // of what is still to be told
}

// told is one alarm for one receiver.
type told struct {
	alarm    ID
	receiver string
}

// try is how far telling it came.
type try struct {
	failed int     // in a row
	next   Instant // not before that
	done   int     // the count at which the receiver took it, while others are still tried
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
	return &Teller{cfg: cfg, tries: map[told]try{}}, nil
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
	open := make(map[told]try, len(alarms)*len(t.cfg.Receivers))
	for _, a := range alarms {
		all := true
		for name, receiver := range t.cfg.Receivers {
			what := told{a.ID, name}
			open[what] = t.tell(ctx, t.tries[what], name, receiver, a)
			all = all && open[what].done == a.Count
		}
		if !all {
			continue
		}
		if err := t.cfg.Notes.Told(ctx, a.Org, a.ID, now); err != nil {
			return fmt.Errorf("note that alarm %s was told: %w", a.ID, err)
		}
		for name := range t.cfg.Receivers {
			delete(open, told{a.ID, name})
		}
	}
	t.tries = open // what stands no more is forgotten
	return nil
}

// tell sends an alarm to one receiver, unless that was done or is not to be tried yet.
func (t *Teller) tell(ctx context.Context, so try, name string, receiver Receiver, a Alarm) try {
	if so.done == a.Count || t.cfg.Clock.Now() < so.next {
		return so
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	err := receiver.Tell(ctx, a)
	if err == nil {
		return try{done: a.Count}
	}
	so.failed++
	wait := max(Backoff(so.failed), AskedToWait(err), time.Second)
	so.next = t.cfg.Clock.Now().Add(wait)
	t.cfg.Log.Warn("an alarm was not taken; it is sent again", "receiver", name, "alarm_id", a.ID, "attempt", so.failed, "in", wait, "err", err)
	return so
}
