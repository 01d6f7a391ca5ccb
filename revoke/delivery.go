package revoke

import (
	"errors"
	"strings"
	"time"
)

// DeliveryState is where a delivery stands. The set is closed.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryDue     DeliveryState = "due"
	DeliveryClaimed DeliveryState = "claimed"
	DeliveryDone    DeliveryState = "done"
	DeliveryParked  DeliveryState = "parked"  // waits for a person
	DeliveryDropped DeliveryState = "dropped" // a person decided that it is not to be made
)

// Halt is a person's order about a delivery that is open. The set is closed.
type Halt string

// The orders.
const (
	HaltNone Halt = ""      // it takes its course
	HaltWait Halt = "pause" // it is not claimed until it may go on
	HaltDrop Halt = "drop"  // it is dropped, after the call that may be under way
)

// Priority orders deliveries of one target: single people overtake mass runs.
type Priority int

// The priorities.
const (
	PrioritySingle Priority = 0
	PriorityMass   Priority = 1
)

// Delivery is one revocation owed to one target.
type Delivery struct {
	Revocation ID
	Target     string
	Org        string
	User       ID      // zero for everyone, kind and app
	Ord        Instant // orders the deliveries of one person at one target; no two are equal
	State      DeliveryState
	Halt       Halt
	Priority   Priority
	DueAt      Instant
	Attempts   int
	FirstAt    Instant // when it was first owed, or a person retried it; the ladder ends 7 days after it
	Lease      ID      // who works on it; a result under another lease counts for nothing
	LeaseUntil Instant
	LastError  string // what the target said, in words, without secrets
	Receipt    *Receipt
	DoneAt     Instant
}

// Name is the delivery's id outside: the revocation's and the target's. It stays the same on every retry.
func (d *Delivery) Name() string { return d.Revocation.String() + ":" + d.Target }

// ParseDeliveryName reads what Name writes; anything else is [ErrNotFound].
func ParseDeliveryName(name string) (revocation ID, target string, err error) {
	id, target, _ := strings.Cut(name, ":")
	if revocation, err = ParseID(id); err != nil || target == "" {
		return ID{}, "", ErrNotFound
	}
	return revocation, target, nil
}

// Evidence is how sure a receipt is. The set is closed.
type Evidence string

// The evidence of a receipt.
const (
	Confirmed    Evidence = "confirmed"     // read back
	Accepted     Evidence = "accepted"      // it said yes and cannot be asked
	NothingThere Evidence = "nothing there" // the person, or any session, is unknown there
)

// Receipt is a target's evidence of what ended there.
type Receipt struct {
	Evidence  Evidence `json:"evidence"`
	RequestID string   `json:"request_id,omitempty"` // the target's own
	Status    int      `json:"status,omitempty"`
	Ended     int      `json:"ended,omitempty"` // sessions or tokens, where it says how many
	At        Instant  `json:"at"`
}

// Attempt is one call made for a delivery, kept for ever beside it.
type Attempt struct {
	Revocation ID
	Target     string
	Number     int
	At         Instant
	Took       time.Duration
	Error      string // empty when it went well
	Receipt    *Receipt
}

// ladder is how long after one try the next follows (DESIGN section 5); then hourly until keepTrying has passed.
var ladder = [...]time.Duration{
	0, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
}

// keepTrying is how long a delivery is tried before it is parked.
const keepTrying = 7 * 24 * time.Hour

// pace returns how long after a failed attempt the next one follows, and whether none does: what is owed is parked then. A refused
// credential parks nothing, and is tried again soon: it may be repaired at any moment.
func pace(err error, attempts int, firstAt, now Instant) (wait time.Duration, park bool) {
	wait = Backoff(attempts)
	if asked := AskedToWait(err); asked > 0 {
		wait = min(asked, longestWait)
	}
	if _, refused := errors.AsType[RefusedCredential](err); refused {
		return min(wait, refusedWait), false
	}
	return wait, IsPermanent(err) || now.Sub(firstAt) > keepTrying
}

// Backoff returns how long to wait after the given number of failed attempts.
func Backoff(attempts int) time.Duration {
	if attempts < 0 {
		attempts = 0
	}
	if attempts < len(ladder) {
		return ladder[attempts]
	}
	return time.Hour
}
