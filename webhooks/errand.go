package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"curfew/revoke"
)

// errand runs one errand of one source, if no other server does.
type errand struct {
	AttendantConfig
	seat *seat
	name revoke.ErrandName
	turn func(ctx context.Context, at revoke.Errand)
	ran  bool // since the start
	bell chan struct{}
}

const (
	pollEvery   = time.Minute
	upkeepEvery = time.Hour
	errandLook  = 15 * time.Second // how often an errand is looked at that another server may have let go
)

func (e *errand) run(ctx context.Context) {
	key := revoke.ErrandKey{Org: e.seat.source.Org, Source: e.seat.source.Name, Name: e.name}
	for ctx.Err() == nil {
		now := e.Clock.Now()
		at, taken, err := e.Rows.TakeErrand(ctx, key, now, now.Add(attendLease), revoke.NewID(now))
		switch {
		case err != nil && ctx.Err() == nil:
			e.Log.Warn("it is not known whether something has to be done for a source", "source_id", key.Source, "errand", key.Name, "err", err)
		case taken:
			e.turn(ctx, at)
			continue // when the next turn is
		}
		pause := errandLook
		if next := max(at.NextAt, at.LeaseUntil); err == nil && next > now {
			pause = min(pause, next.Sub(now))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-e.bell:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// poll reads pages until there is no more. The cursor moves only behind what is durable.
func (e *errand) poll(ctx context.Context, poller Poller, at revoke.Errand) {
	last := context.WithoutCancel(ctx)
	for {
		page, err := e.page(ctx, poller, Cursor{At: at.Kept, Resumed: !e.ran, Now: e.Clock.Now()})
		if err == nil {
			err = e.take(last, page.Items)
		}
		if err == nil && (len(page.Next) > revoke.MaxNote || page.More && (page.Next == "" || page.Next == at.Kept)) {
			err = errors.New("the type says that there is more, and not where")
		}
		switch {
		case ctx.Err() != nil && err != nil: // stopping: what failed by that says nothing
			at.LeaseUntil = 0
			e.keep(last, at, nil, nil)
			return
		case err != nil:
			e.failed(last, at, err)
			return
		}
		e.ran = true
		e.Handler.heard(at.Org, at.Source) // it answered, and would have said
		at.Kept = cmp.Or(page.Next, at.Kept)
		now := e.Clock.Now()
		next := now.Add(max(cmp.Or(page.Wait, pollEvery), time.Second))
		if page.More {
			next = now
		}
		done, over := at.Done(now, next)
		if at = done; page.More && ctx.Err() == nil {
			at.LeaseUntil = now.Add(attendLease)
		}
		if !e.keep(last, at, nil, over) || at.LeaseUntil == 0 {
			return
		}
	}
}

// page bounds the type's time and keeps its panics from ending the process.
func (e *errand) page(ctx context.Context, poller Poller, from Cursor) (page Page, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollWithin)
	defer cancel()
	defer e.Handler.unharmed(e.seat, &err)
	return poller.Poll(ctx, from)
}

// take receives what a poll brought.
func (e *errand) take(ctx context.Context, items []Item) error {
	events := e.Handler.events(e.seat, items, Evidence{Proof: ProvedSender, Key: "asking its sender"})
	if len(events) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.Handler.commitTimeout)
	defer cancel()
	src := e.seat.source
	_, err := e.Core.Receive(ctx, revoke.Actor{Kind: "source", Name: src.Name}, src, events...)
	if err != nil {
		return fmt.Errorf("what was polled is not decided: %w", err)
	}
	return nil
}

// upkeep lets the type do what is due.
func (e *errand) upkeep(ctx context.Context, upkeeper Upkeeper, at revoke.Errand) {
	kept, err := e.tend(ctx, upkeeper, Upkeep{State: remembered(at.Kept), Now: e.Clock.Now()})
	if len(kept.State) > revoke.MaxNote || kept.State != nil && !json.Valid(kept.State) {
		kept.State, err = nil, errors.Join(err, errors.New("the type would keep what is not JSON, or too long"))
	}
	if kept.State != nil {
		at.Kept = string(kept.State)
	}
	at.ExpiresAt, at.Health = max(kept.ExpiresAt, at.ExpiresAt), cmp.Or(plain(kept.Health), at.Health)
	if err != nil {
		e.failed(ctx, at, err)
		return
	}
	at.ExpiresAt, at.Health = kept.ExpiresAt, plain(kept.Health)
	now := e.Clock.Now()
	next := now.Add(upkeepEvery)
	if kept.Next > now {
		early := rand.Int64N(int64(kept.Next.Sub(now))/10 + 1) //nolint:gosec // G404: only that many do not come at once
		next = kept.Next.Add(-time.Duration(early))
	}
	e.ran = true
	done, over := at.Done(now, next)
	e.keep(ctx, done, nil, over)
}

func (e *errand) tend(ctx context.Context, upkeeper Upkeeper, u Upkeep) (kept Kept, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	defer e.Handler.unharmed(e.seat, &err)
	return upkeeper.Upkeep(ctx, u)
}

func (e *errand) failed(ctx context.Context, at revoke.Errand, err error) {
	at, alarms := at.Failed(err, e.Clock.Now())
	if at.Failures == 1 {
		e.Log.Warn("what has to be done for a source failed; it is tried again", "source_id", at.Source, "errand", at.Name, "err", err)
	}
	e.keep(ctx, at, alarms, nil)
}

// keep writes how a turn went, and reports whether the errand is still ours.
func (e *errand) keep(ctx context.Context, at revoke.Errand, raised []revoke.Alarm, over []revoke.AlarmKey) bool {
	ctx, cancel := context.WithTimeout(ctx, e.Handler.commitTimeout)
	defer cancel()
	err := e.Rows.KeepErrand(ctx, at, raised, over)
	if err != nil {
		e.Log.Warn("how it went for a source is not recorded; it is done again", "source_id", at.Source, "errand", at.Name, "err", err)
		return false
	}
	e.Core.Raised(raised)
	return true
}
