package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Reading is an event that waits until its sender's API was read: the sender said only that something changed. It is written
// with the event, and gone with what the read said. Reads about one thing at one source follow each other.
type Reading struct {
	Event      ID
	Org        string
	Source     string
	About      string // what is to be read: one read answers all events that were received before it was asked
	State      ReadingState
	DueAt      Instant // of one that is parked, since when
	FirstAt    Instant // when it was first owed, or a person asked for it again; the ladder ends 7 days after it
	Attempts   int
	Lease      ID // who reads; what is said under another lease counts for nothing
	LeaseUntil Instant
	LastError  string
}

// ReadingState is where a reading stands. The set is closed.
type ReadingState string

// The states of a reading.
const (
	ReadingDue     ReadingState = "due"
	ReadingClaimed ReadingState = "claimed"
	ReadingParked  ReadingState = "parked" // waits for a person
)

// SourceNote is what was known about something at a source when it was read last, for the next read to compare with.
type SourceNote struct {
	Org, Source, About string
	Text               string
	At                 Instant // when that read was asked: an older one never takes its place
}

func (n SourceNote) key() [3]string { return [3]string{n.Org, n.Source, n.About} }

func (n SourceNote) join(other SourceNote) SourceNote {
	if other.At >= n.At {
		return other
	}
	return n
}

// MaxNote is how long the text of a note, or what is kept of an errand, may be.
const MaxNote = 4 << 10

// OwedRead is everything that waits for one read, with the lease under which it is made.
type OwedRead struct {
	Org, Source, About string
	Lease              ID
	Readings           []Reading // with their events, oldest first
	Events             []Event
	Known              string // the text of the note
}

// ReadSettlement is how a read ended that brought no answer.
type ReadSettlement struct {
	State   ReadingState // due again, or parked
	DueAt   Instant
	Error   string
	At      Instant
	Alarms  []Alarm
	Cleared []AlarmKey
}

// Reads is what those who read need of a store: rows are the queue.
type Reads interface {
	// ClaimReads leases what waits for up to n reads at a source, one of whose events is due by now, the longest waiting first; with it
	// everything else that waits for the same read, at most a few hundred events. Never are two leases out about one thing.
	ClaimReads(ctx context.Context, org, source string, n int, now, until Instant, lease ID) ([]OwedRead, error)
	// SettleRead records that a read brought no answer, if the lease is still its own; else it is [ErrLeaseLost] and nothing is
	// recorded. The events of what is parked are parked too.
	SettleRead(ctx context.Context, owed OwedRead, s ReadSettlement) error
	// NextRead returns when the source's next read is due or its next lease ends, zero when nothing waits.
	NextRead(ctx context.Context, org, source string) (Instant, error)
	// Known returns the text of a note, "" where there is none.
	Known(ctx context.Context, org, source, about string) (string, error)
	// Unread returns how much waits at each of these sources, in their order.
	Unread(ctx context.Context, org string, sources []string) ([]Unread, error)
}

// Unread is what waits to be read at a source.
type Unread struct {
	Source          string
	Waiting, Parked int
	OldestAt        Instant // since when the oldest that is not parked waits; zero when nothing does
	ParkedAt        Instant // since when the oldest is parked
}

// Unanswered says what becomes of a read that failed: it is tried again on the ladder of deliveries, and parked after 7 days. The
// newest event sets the pace.
func (o *OwedRead) Unanswered(err error, now Instant) ReadSettlement {
	newest := o.Readings[len(o.Readings)-1]
	s := ReadSettlement{State: ReadingDue, Error: shorten(err.Error()), At: now}
	wait, park := pace(err, newest.Attempts+1, newest.FirstAt, now)
	if s.DueAt = now.Add(wait); park {
		s.State, s.DueAt = ReadingParked, now
		s.Alarms = []Alarm{NewAlarm(AlarmKey{o.Org, AlarmParked, o.Source}, "events of source "+o.Source+" are parked, for its API could not be read; look at them and replay them", now)}
	}
	if _, refused := errors.AsType[RefusedCredential](err); refused {
		s.Alarms = []Alarm{NewAlarm(o.CredentialAlarm(), "the API of source "+o.Source+" refuses our credential; its events wait until it is repaired", now)}
	}
	return s
}

// CredentialAlarm is the alarm that stands while the source's API refuses our credential.
func (o *OwedRead) CredentialAlarm() AlarmKey { return AlarmKey{o.Org, AlarmCredential, o.Source} }

// ReadAnswer is what a read said. The zero value says that nothing follows.
type ReadAnswer struct {
	Signals []Signal
	Teaches Subject // who the person is, where it says no more than that
	Keep    string  // the text of the new note; empty leaves the one that is there
	Note    string
	Cleared []AlarmKey // what the read shows to be over
}

// asked counts a read from the moment it was asked: what it says has happened by then.
func (a *ReadAnswer) asked(at Instant) []Signal {
	out := make([]Signal, len(a.Signals))
	for i, sig := range a.Signals {
		if sig.OccurredAt == 0 || sig.OccurredAt > at {
			sig.OccurredAt = at
		}
		out[i] = sig
	}
	return out
}

// Answered decides what a read says, asked at an instant, in one transaction with the events that waited for it: the newest of
// them carries the decision. [ErrLeaseLost] says that somebody else reads, whose answer counts.
func (s *Service) Answered(ctx context.Context, src Source, owed OwedRead, at Instant, answer ReadAnswer) (Outcome, error) {
	ev := owed.Events[len(owed.Events)-1]
	prior := ev
	ev.State, ev.Signals = "", answer.asked(at)
	in := s.input(ctx, Actor{Kind: "source", Name: src.Name}, src, ev)
	need := in.need()
	need.addSubject(answer.Teaches.In(src.Org))
	for _, r := range owed.Readings {
		need.Readings = append(need.Readings, r.Event)
	}
	start := s.store.Clock().Now()
	var out Outcome
	err := s.decide(ctx, need, func(f *Facts) (Effects, error) {
		var done Effects
		for _, r := range owed.Readings {
			if now, ok := f.Readings[r.Event]; !ok || now.Lease != owed.Lease {
				return Effects{}, ErrLeaseLost
			}
			done.Read = append(done.Read, r.Event)
		}
		if answer.Keep != "" {
			done.Notes = []SourceNote{{Org: owed.Org, Source: owed.Source, About: owed.About, Text: answer.Keep, At: at}}
		}
		done.Cleared = answer.Cleared
		d := in.again(f, prior)
		d.write(done)
		d.event.Note = joinNotes(prior.Note, answer.Note)
		d.decided.Digest = prior.Decided.Digest // of what was sent: the read is not what a duplicate is compared with
		for _, sig := range in.event.Signals {
			d.signal(sig)
		}
		if len(answer.Teaches) > 0 && src.Learns {
			d.decided.User, _ = d.resolve(answer.Teaches.In(src.Org), at)
		}
		if len(in.event.Signals) == 0 {
			d.settle(EventIgnored, "it was read, and nothing follows")
		}
		for _, other := range owed.Events[:len(owed.Events)-1] {
			other.State, other.Note = EventIgnored, joinNotes(other.Note, "answered by the read for event "+prior.ID.String())
			d.write(Effects{Events: []Event{other}})
		}
		var effects Effects
		effects, out = d.close()
		return effects, nil
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("decide what was read for event %s: %w", prior.ID, err)
	}
	took := s.store.Clock().Now().Sub(start)
	for _, sig := range in.event.Signals {
		s.observer.Received(src.Name, sig.Kind, out.State, took)
	}
	return out, nil
}

// again is a decision about an event that is there already: it keeps its place and its times.
func (in input) again(f *Facts, prior Event) *decision {
	d := newDecision(f, in)
	d.event.ID, d.event.ReceivedAt, d.event.SenderID = prior.ID, prior.ReceivedAt, prior.SenderID
	return d
}

// owesRead notes that an event waits to be read.
func (d *decision) owesRead() {
	d.write(Effects{Readings: []Reading{{
		Event: d.event.ID, Org: d.event.Org, Source: d.event.Source, About: d.event.Read,
		State: ReadingDue, DueAt: d.f.Now, FirstAt: d.f.Now,
	}}})
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return cmp.Or(a, b)
	}
	return a + "; " + b
}

// Unread is told when something was committed that waits to be read.
func (s *Service) Unread() <-chan struct{} { return s.unread }
