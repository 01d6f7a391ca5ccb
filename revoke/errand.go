package revoke

import "context"

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
