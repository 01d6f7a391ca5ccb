package revoke

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errand is what is done for a source by ourselves, again and again: asking it for its news, or keeping a subscription there
// alive. There is one of a name for a source, whatever the number of servers.
type Errand struct {
	ErrandKey
	Kept       string  // what the next turn begins with: a cursor, or what is known of the subscription
	NextAt     Instant // of the next turn
	DoneAt     Instant // of the last turn that went well, zero before that
	FailedAt   Instant // of the last that did not
	Failures   int     // in a row
	LastError  string  // of the last failure; empty since a turn went well
	ExpiresAt  Instant // when what is kept alive ends, zero when it does not
	Health     string  // how it is, in a sentence
	Lease      ID      // who is at it; what is kept under another lease counts for nothing
	LeaseUntil Instant
}

// ErrandKey is by what an errand is known.
type ErrandKey struct {
	Org, Source string
	Name        ErrandName
}

// ErrandName is what an errand does. The set is closed.
type ErrandName string

// The errands.
const (
	ErrandPoll   ErrandName = "poll"
	ErrandUpkeep ErrandName = "upkeep"
)

// errandWait is the longest that a failing errand waits unless it is asked to: what it brings is news.
const errandWait = 5 * time.Minute

// Failed returns e after a turn that failed, with the alarms that follow.
func (e Errand) Failed(err error, now Instant) (Errand, []Alarm) {
	e.Failures++
	e.FailedAt, e.LastError, e.LeaseUntil = now, shorten(err.Error()), 0
	wait, _ := pace(err, e.Failures, now, now)
	if AskedToWait(err) == 0 {
		wait = min(wait, errandWait)
	}
	e.NextAt = now.Add(wait)
	if _, refused := errors.AsType[RefusedCredential](err); refused {
		return e, []Alarm{NewAlarm(e.Alarms()[1], "the API of source "+e.Source+" refuses our credential ("+string(e.Name)+")", now)}
	}
	if e.Failures < 3 && (e.ExpiresAt == 0 || e.ExpiresAt.Sub(now) > 24*time.Hour) {
		return e, nil
	}
	text := "the " + string(e.Name) + " of source " + e.Source + " fails"
	if e.ExpiresAt != 0 {
		text += "; what it keeps alive ends at " + e.ExpiresAt.String()
	}
	return e, []Alarm{NewAlarm(e.Alarms()[0], text+": "+e.LastError, now)}
}

// Done returns e after a turn that went well, with the alarms that are over.
func (e Errand) Done(now, next Instant) (Errand, []AlarmKey) {
	var over []AlarmKey
	if e.Failures > 0 {
		over = e.Alarms()
	}
	e.Failures, e.LastError, e.DoneAt, e.NextAt, e.LeaseUntil = 0, "", now, next, 0
	return e, over
}

// Alarms are what can stand about an errand.
func (e *Errand) Alarms() []AlarmKey {
	about := e.Source + " " + string(e.Name)
	return []AlarmKey{{e.Org, AlarmUpkeep, about}, {e.Org, AlarmCredential, about}}
}

// Ailment is something that is not as it should be with what we do for a source.
type Ailment struct {
	State string // parked, unread or failing
	Since Instant
	Text  string
}

// slowRead is from when on something waits too long to be read.
const slowRead = time.Minute

// Ailments says all that is not as it should be with a source's reads and errands, the worst first.
func Ailments(now Instant, unread Unread, errands []Errand) []Ailment {
	var out []Ailment
	if n := unread.Parked; n > 0 {
		out = append(out, Ailment{"parked", unread.ParkedAt, fmt.Sprintf("%d events could not be read at its API for 7 days, or never can be: look at /v1/events?state=parked, and replay them", n)})
	}
	for _, e := range errands {
		if e.Failures == 0 {
			continue
		}
		text := fmt.Sprintf("its %s failed %d times in a row: %s", e.Name, e.Failures, e.LastError)
		if e.ExpiresAt != 0 {
			text += "; what it keeps alive ends at " + e.ExpiresAt.String()
		}
		since := e.DoneAt
		if since == 0 {
			since = e.FailedAt
		}
		out = append(out, Ailment{"failing", since, text})
	}
	if n := unread.Waiting; n > 0 && now.Sub(unread.OldestAt) > slowRead {
		out = append(out, Ailment{"unread", unread.OldestAt, fmt.Sprintf("%d events wait to be read at its API: see whether that answers, and whether our credential is accepted there", n)})
	}
	return out
}

// Errands is what those who run errands need of a store.
type Errands interface {
	// TakeErrand leases an errand that is due by now and that nobody is at, and reports whether it did. One that is not there yet is
	// due. The errand is returned in both cases.
	TakeErrand(ctx context.Context, key ErrandKey, now, until Instant, lease ID) (e Errand, taken bool, err error)
	// KeepErrand writes an errand whole, with alarms, if the lease in it is still its own, else it is [ErrLeaseLost] and nothing is
	// written. With LeaseUntil zero the lease ends.
	KeepErrand(ctx context.Context, e Errand, raised []Alarm, cleared []AlarmKey) error
	// Errands returns the errands of these sources, by source and name.
	Errands(ctx context.Context, org string, sources []string) ([]Errand, error)
}
