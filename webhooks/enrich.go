package webhooks

import (
	"context"
	"encoding/json"
	"time"

	"curfew/revoke"
)

// Enricher is a [Receiver] whose sender says of some things only that they changed: an item with [Item.Read] is committed,
// acknowledged, and then read at the sender's API by this.
//
// Errors say what becomes of the read: a plain one is tried again on the ladder of deliveries and parked after 7 days, one with
// [revoke.RetryAfter] no sooner than asked, [revoke.Permanent] parks at once, [revoke.RefusedCredential] raises an alarm and is
// tried again until the credential is repaired. Error texts hold nothing that the sender wrote.
type Enricher interface {
	// Enrich reads once and returns what follows. It changes nothing at the sender and concludes nothing from what is not in the
	// answer, unless the API says that it is gone.
	Enrich(ctx context.Context, ask Ask) (Finding, error)
}

// Ask is what a read is to answer.
type Ask struct {
	About  string          // [Item.Read] of the events
	Events []revoke.Event  // all that wait for this read and came before it was asked, oldest first
	At     revoke.Instant  // when it is asked: it counts from this moment
	Known  json.RawMessage // [Finding.Keep] of the read before about the same; nil at first
}

// Finding is what a read says. It may be empty: nothing follows then.
type Finding struct {
	// Signals are decided in one transaction with the events' state. One without a time, or with one later than [Ask.At], is given
	// that: a read lifts only what was blocked before it was asked.
	Signals []revoke.Signal
	// Teaches is who the person is, where the read says no more than that; only a source that learns is believed.
	Teaches revoke.Subject
	// Keep takes the place of what is known about the same, for the next read to compare with; nil leaves it. JSON, at most 4 KiB,
	// no secrets.
	Keep json.RawMessage
	Note string // a sentence for the event
}

// Poller is a [Receiver] whose sender is asked for its news. One poller runs for a source, whatever the number of servers.
// Errors are those of [Enricher]; nothing is parked.
type Poller interface {
	// Poll reads one page after a cursor. Its items are received like those of a message, and the next cursor is kept only once
	// they are durable, so that a page can come again: its items need ids that say so.
	Poll(ctx context.Context, from Cursor) (Page, error)
}

// Cursor is where a poll goes on.
type Cursor struct {
	At      string         // [Page.Next] of the page before; empty at the very first
	Resumed bool           // the first poll since a start or a change of the settings: go back by what the sender may have been late with
	Now     revoke.Instant // when the page is asked for
}

// Page is what a poll brought.
type Page struct {
	Items []Item
	Next  string        // at most 4 KiB; empty leaves the cursor where it is
	More  bool          // there is more at once
	Wait  time.Duration // until the next poll when there is no more; zero is a minute
}

// Upkeeper is a [Receiver] that keeps something alive at its sender, such as a subscription that ends unless it is renewed. One
// runs for a source, whatever the number of servers. Errors are those of [Enricher]; nothing is parked. An alarm is raised
// before the end if it keeps failing.
type Upkeeper interface {
	// Upkeep does what is due. State that it returns is kept even beside an error. Calling it again with the same state is harmless.
	Upkeep(ctx context.Context, u Upkeep) (Kept, error)
}

// Upkeep is what an [Upkeeper] is told.
type Upkeep struct {
	State json.RawMessage // [Kept.State] of the time before; nil at first
	Now   revoke.Instant
}

// Kept is how upkeep went.
type Kept struct {
	State     json.RawMessage // JSON, at most 4 KiB, no secrets; nil leaves it
	Next      revoke.Instant  // when to be called again; a little is taken off, so that many do not come at once. Zero is an hour on
	ExpiresAt revoke.Instant  // when what is kept alive ends; zero when it does not
	Health    string          // how it is, in a sentence for people
}
