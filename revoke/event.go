package revoke

import (
	"encoding/json"
	"time"
)

// Source is a configured sender of news, as far as the rules care.
type Source struct {
	Name      string
	Org       string
	Type      string // "okta", "scim", "token", ...
	Authority string // whose blocks its signals set and lift
	IDs       string // the namespace of its own user ids
	Learns    bool   // a directory: it teaches identifiers; others only point
	Admin     bool   // an operator with scope admin: its blocks are the admin's, its lifts are over every authority
	Devices   bool   // an MDM or admin: a lost device ends everybody's sessions on it
	Rules     map[SignalKind]Rule
	Zone      *time.Location // where a day that it names ends; nil is UTC
}

// scimNamespace is where the ids of the source's SCIM resources stand.
func (s Source) scimNamespace() string { return namespaceSCIM + s.Authority }

// ResourceIdentifier is the identifier by which a SCIM resource's own signals find its person.
func (s Source) ResourceIdentifier(resource ID) Identifier {
	return Identifier{Org: s.Org, Namespace: s.scimNamespace(), Value: resource.String()}
}

// SignalKind is what a signal says. The set is closed (DESIGN section 3).
type SignalKind string

// The signals.
const (
	Deactivated           SignalKind = "deactivated"
	Suspended             SignalKind = "suspended"
	Deleted               SignalKind = "deleted"
	Terminated            SignalKind = "terminated"
	Reactivated           SignalKind = "reactivated"
	CredentialChanged     SignalKind = "credential-changed"
	CredentialCompromised SignalKind = "credential-compromised"
	RiskHigh              SignalKind = "risk-high"
	SessionsCleared       SignalKind = "sessions-cleared"
	DeviceLost            SignalKind = "device-lost"
	DeviceNoncompliant    SignalKind = "device-noncompliant"
	DeviceUnenrolled      SignalKind = "device-unenrolled"
	Locked                SignalKind = "locked"
	Unlocked              SignalKind = "unlocked"
	IdentifierChanged     SignalKind = "identifier-changed"
	RiskRaised            SignalKind = "risk-raised"
	AccessChanged         SignalKind = "access-changed"
)

// SignalKinds lists every kind of signal.
func SignalKinds() []SignalKind {
	return []SignalKind{
		Deactivated, Suspended, Deleted, Terminated, Reactivated, CredentialChanged, CredentialCompromised,
		RiskHigh, SessionsCleared, DeviceLost, DeviceNoncompliant, DeviceUnenrolled, Locked, Unlocked, IdentifierChanged, RiskRaised, AccessChanged,
	}
}

// When says at whose time a signal cuts.
type When string

// The times of a cut.
const (
	Never     When = ""
	AtEvent   When = "event"   // the sender's time, clamped to now
	AtReceipt When = "receipt" // now, and never before the newest session that must be covered
)

// Turn says what a signal does to the block of its authority.
type Turn string

// The turns of a block.
const (
	Keep     Turn = ""
	SetBlock Turn = "set"
	LiftIt   Turn = "lift"
)

// Rule is one row of the decision table: what a signal does.
type Rule struct {
	Cut   When
	Block Turn
	Class Class
}

// Acts reports whether the rule does anything at all.
func (r Rule) Acts() bool { return r.Cut != Never || r.Block != Keep }

// DefaultRule is the decision table of DESIGN section 3.
func DefaultRule(kind SignalKind) Rule {
	switch kind {
	case Deactivated, Suspended, Deleted, Terminated:
		return Rule{Cut: AtEvent, Block: SetBlock, Class: ClassPlain}
	case Reactivated:
		return Rule{Block: LiftIt, Class: ClassPlain}
	case CredentialChanged, SessionsCleared:
		return Rule{Cut: AtEvent}
	case CredentialCompromised, RiskHigh, DeviceLost, DeviceNoncompliant, DeviceUnenrolled:
		return Rule{Cut: AtReceipt}
	case Unlocked:
		return Rule{Block: LiftIt, Class: ClassLocked}
	case Locked, IdentifierChanged, RiskRaised, AccessChanged:
		return Rule{}
	}
	return Rule{}
}

// Rule returns what the signal does when this source sends it.
func (s Source) Rule(kind SignalKind) Rule {
	if r, ok := s.Rules[kind]; ok {
		return r
	}
	return DefaultRule(kind)
}

// Signal is one fact read from an event: what, about whom, and when it happened according to the sender.
type Signal struct {
	Kind        SignalKind
	Subject     Subject
	Device      []DeviceIdentifier // that device instead of the whole person
	Session     SessionRef         // that session instead of the whole person
	OnlyKind    Kind               // only the person's sessions of this kind
	OnlyApp     string             // only the person's sessions of this app
	Wide        ScopeKind          // everyone, kind or app: nobody in particular; the kind or app stands in OnlyKind or OnlyApp
	OccurredAt  Instant            // as sent; zero when the sender states none
	Planned     bool               // an announcement, said at OccurredAt, of what happens at EffectiveAt
	EffectiveAt Instant            // the day of what is announced; zero takes an announcement back
	Command     bool               // an order rather than news: cuts at receipt
	Block       bool               // an admin's order that also blocks
	Until       Instant            // the end of that block; zero when it has none
	Repeated    bool               // the sender wrote the state that it had written before: it counts only if a session came since
	Reason      string
	Counting    bool // the caller wants to know how many sessions it covers
	Own         bool `json:",omitempty"` // what people do themselves, such as to log out: nobody's flood
	Mass        bool `json:",omitempty"` // of an order for many, named one by one: a person has seen how many, so that the brake does not count them
}

// Meaning is what one of a sender's words says here, for people: the rule of its signal says what follows.
type Meaning struct {
	Word   string     // the sender's
	Signal SignalKind // empty: nothing follows
	Note   string     // why nothing follows, or when it is another signal
}

// EventState is what became of an event. The set is closed.
type EventState string

// The states of an event.
const (
	EventDecided   EventState = "decided"
	EventIgnored   EventState = "ignored"   // understood, and nothing follows from it
	EventUnknown   EventState = "unknown"   // a type that nobody has taught us
	EventMalformed EventState = "malformed" // could not be read; kept with its body
	EventHeld      EventState = "held"      // waits for a person
	EventReading   EventState = "reading"   // waits until its sender's API was read
	EventParked    EventState = "parked"    // its sender's API could not be read; waits for a person
)

// Event is one verified item of a message from a source. It may carry no signal: it is recorded all the same.
type Event struct {
	ID         ID
	Org        string
	Source     string
	Authority  string
	SenderID   string // the sender's id for it; empty when it has none
	Type       string // the sender's word for what happened
	ReceivedAt Instant
	OccurredAt Instant
	State      EventState
	Note       string // why it was ignored, held or could not be read; which key verified it
	Body       json.RawMessage
	Signals    []Signal `json:"-"`
	Read       string   `json:"-"` // of one that is [EventReading]: what is to be read
	Decided    Decided  // what was decided and the instants it was decided with
}

// EventKey is by what an event is known: a second one with the same key is a duplicate.
type EventKey struct{ Org, Authority, SenderID string }

// Key returns by what e is known.
func (e *Event) Key() EventKey { return EventKey{e.Org, e.Authority, e.SenderID} }

// Decided is recorded with an event and never computed again: a duplicate is answered from it, and its changes are applied
// once more before that answer.
type Decided struct {
	User        ID           `json:",omitzero"`
	Known       bool         `json:",omitempty"` // the subject led to somebody we had heard of
	Revocations []Revocation `json:",omitempty"`
	Changes     []Change     `json:",omitempty"`
	Conflicts   []Identifier `json:",omitempty"` // weaker identifiers that pointed elsewhere and cut nobody
	Covers      int          `json:",omitempty"`
	Digest      string       `json:",omitempty"` // of what the event said, so that another one under its id is noticed
	Held        bool         `json:",omitempty"` // some of it waits for a person, or did
}
