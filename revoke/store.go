package revoke

import (
	"context"
)

// Need names what a decision must see. The store locks every user it leads to, and every identifier in it, before it reads:
// what is decided on is never older than the lock.
type Need struct {
	Org         string
	Identifiers []Identifier
	Users       []ID
	Sessions    []SessionRef
	Devices     []DeviceIdentifier // every device that carries one, with the newest session on it
	Events      []EventKey
	Resources   []ID           // SCIM resources by id, and the people they are of
	Mentioned   []ID           // SCIM resources of which only matters that they are there; they are not locked
	Names       []ResourceName // SCIM resources by what must be unique, deleted and inactive ones too
	Members     []MemberKey    // those of them that are there
	MembersOf   []ID           // every member of these groups
	Policies    bool           // also the policies of the org, and in which of their groups these users are; none of them is set meanwhile
	SetsPolicy  bool           // the same, and nobody decides by the policies of the org meanwhile
	Cutoffs     bool           // also the cutoffs on these users, these devices and these sessions' ids, and on everyone, kinds and apps
	SessionsOf  bool           // also every session of these users that has not ended or expired
	Waiting     bool           // also what waits for a person about these users
	NewestOf    []Scope        // also the newest session in these scopes of many people (everyone, kind, app, device)
	Readings    []ID           // events that wait to be read, locked, with the lease that is out now
	Held        []ID           // what is held, locked, decided or not
	Brakes      []BrakeNeed    // voices whose hits are counted; they are locked, and what waits for a person about these users is read too
}

// ResourceName is by what a resource of an authority is looked up when one is created or renamed. Either may be empty.
type ResourceName struct {
	Org, Authority, Type string
	UserName             string // folded
	ExternalID           string
}

// Decision decides on facts. It may run more than once, so it has no effect but its result: when it returns an error nothing
// is written. It runs inside a transaction and must not wait for anything. It may move Now on, one microsecond for each thing
// that it decides; the store then goes on from there.
type Decision func(*Facts) (Effects, error)

// Decider carries out decisions. Errors are the decision's own, [ErrUnavailable] when nothing was done, or
// [ErrUnknownCommit].
type Decider interface {
	// Decide locks and reads what need names, calls decide, and commits all that it returned. Decisions that wait for each
	// other share a transaction; a later one sees what the one before decided. When it returns nil all is durable.
	Decide(ctx context.Context, need Need, decide Decision) error
}

// Reader answers questions that decide nothing. Times and orders are stable; nothing found is [ErrNotFound] or an empty list.
type Reader interface {
	// LoadView calls apply with every cutoff, block, join and admin's lift there is.
	LoadView(ctx context.Context, apply func(...Change)) error
	// FindSession returns the one session that ref points at; more than one is [ErrConflict].
	FindSession(ctx context.Context, ref SessionRef) (Session, error)
	// SessionsOf returns the sessions of users, newest birth first, after the cursor.
	SessionsOf(ctx context.Context, q SessionQuery) ([]Session, error)
	// Holders returns the users that an identifier leads to by itself: the present carriers, else the last holder.
	Holders(ctx context.Context, ids []Identifier) ([]ID, error)
	// Users returns users of an org that q matches, by id, after the cursor.
	Users(ctx context.Context, q UserQuery) ([]User, error)
	// People returns users with what hangs on them. Unknown ones are left out.
	People(ctx context.Context, users []ID) ([]Person, error)
	// Revocation returns one with its deliveries.
	Revocation(ctx context.Context, org string, id ID) (Revocation, []Delivery, error)
	// Deliveries returns deliveries, oldest first, after the cursor.
	Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error)
	// AttemptsOf returns the calls made for a delivery, oldest first, at most a thousand.
	AttemptsOf(ctx context.Context, org string, revocation ID, target string) ([]Attempt, error)
	// EachSession calls each with every session in a scope of many people that has neither ended by itself nor expired by
	// now. The session is each's only for the call.
	EachSession(ctx context.Context, scope Scope, now Instant, each func(*Session)) error
	// Resource returns a SCIM resource that is not deleted.
	Resource(ctx context.Context, org, authority string, id ID) (Resource, error)
	// Resources returns a page and, if asked, how many there are in all.
	Resources(ctx context.Context, q ResourceQuery) ([]Resource, int, error)
	// Ping asks whether the store answers.
	Ping(ctx context.Context) error
}

// SessionQuery asks for the sessions of the users, or with none for all of the org.
type SessionQuery struct {
	Org   string
	Users []ID
	App   string // empty: any
	After *SessionCursor
	Limit int
}

// SessionCursor is where a list of sessions goes on.
type SessionCursor struct {
	BornAt Instant
	ID     ID
}

// UserQuery asks for users by identifier, or by a text that an identifier begins with.
type UserQuery struct {
	Org        string
	Namespace  string // empty: any; [AnyOwnID]: any that is somebody's own ids
	Value      string // exact, folded
	Prefix     string // instead of Value
	After      ID
	Limit      int
	EveryoneIn bool // no condition at all
}

// AnyOwnID as a namespace means every one but user_name, email, phone and account.
const AnyOwnID = "*"

// Person is a user with what hangs on it.
type Person struct {
	User     User
	Holdings []Holding
	Blocks   []Block
	Cutoffs  []Cutoff
	Joins    []Join
	Plans    []Plan
}

// DeliveryQuery asks for deliveries; empty members match all.
type DeliveryQuery struct {
	Org        string
	Target     string
	State      DeliveryState
	User       ID
	Revocation ID
	After      *DeliveryCursor
	Limit      int
}

// DeliveryCursor is where a list of deliveries goes on.
type DeliveryCursor struct {
	Revocation ID
	Target     string
}

// EventQuery asks for events, newest first; empty members match all.
type EventQuery struct {
	Org    string
	ID     ID // that one
	Source string
	State  EventState
	Type   string
	Before ID // only those with a smaller id: where a list goes on
	Limit  int
}

// RevocationQuery asks for the revocations of users, newest first.
type RevocationQuery struct {
	Org    string
	Users  []ID
	Before ID // only those with a smaller id: where a list goes on
	Limit  int
}

// SourceNews is what was heard from a source.
type SourceNews struct {
	Source  string
	LastAt  Instant // zero: nothing yet
	Unknown []UnknownType
}

// UnknownType is a word of a sender that nobody has taught us.
type UnknownType struct {
	Type   string
	Count  int
	LastAt Instant
	Sample ID // the newest event of it
}

// Backlog is what waits at a target.
type Backlog struct {
	Target               string
	Due, Claimed, Parked int
	OldestAt             Instant // since when the oldest of those due or claimed is owed; zero when nothing is
}

// Ledger answers what people ask about the past and the present state of the flow.
type Ledger interface {
	// Events returns events with what was decided.
	Events(ctx context.Context, q EventQuery) ([]Event, error)
	// Revocations returns the revocations of users.
	Revocations(ctx context.Context, q RevocationQuery) ([]Revocation, error)
	// Alarms returns alarms.
	Alarms(ctx context.Context, q AlarmQuery) ([]Alarm, error)
	// Heard returns what was heard from each of these sources, in their order. At most a hundred unknown types are listed for one.
	Heard(ctx context.Context, org string, sources []string) ([]SourceNews, error)
	// Backlogs returns what waits at each of these targets, in their order.
	Backlogs(ctx context.Context, org string, targets []string) ([]Backlog, error)
	// Holdings returns every holding of these identifiers, released ones too, oldest first of each.
	Holdings(ctx context.Context, ids []Identifier) ([]Holding, error)
	// FindSessions returns the sessions that refs point at, in no order; what is not there is left out.
	FindSessions(ctx context.Context, refs []SessionRef) ([]Session, error)
	// Due returns people for whom something has to happen by itself by now, the longest waiting first: timed blocks whose end has
	// come and that nobody lifted, and plans whose day has come and that were not carried out.
	Due(ctx context.Context, now Instant, limit int) ([]Due, error)
	// DevicesNamed returns the devices that carry one of the names, with all their names.
	DevicesNamed(ctx context.Context, names []DeviceIdentifier) ([]Device, error)
	// LeftBehind returns users on whom a block of the authority was set, or for whom it has a plan that was not carried out, by id
	// after one.
	LeftBehind(ctx context.Context, org, authority string, after ID, limit int) ([]ID, error)
	// Spared returns the users who are break-glass people now.
	Spared(ctx context.Context, org string) ([]User, error)
}

// Roster answers who is in which group.
type Roster interface {
	// Members returns memberships, those of one group or of some resources, by group and resource.
	Members(ctx context.Context, q MemberQuery) ([]Member, error)
}

// Use says that a session was used.
type Use struct {
	Org     string
	Session ID
	At      Instant
}

// Key is an Idempotency-Key with the answer that belongs to it.
type Key struct {
	Org, Source, Name string
	Request           [32]byte // hash of what was asked with it
	Status            int      // of the answer; zero while it is being worked on
	Answer            string
	At                Instant // when it was taken
}

// Notes is what is written beside the decisions: what was used, answered, told, and ordered about deliveries.
type Notes interface {
	// Used moves the last use of sessions forward.
	Used(ctx context.Context, uses []Use) error
	// TakeKey writes the key and returns it, or returns the one that is there and was taken after the instant.
	TakeKey(ctx context.Context, k Key, after Instant) (have Key, taken bool, err error)
	// AnswerKey writes the answer beside the key.
	AnswerKey(ctx context.Context, k Key) error
	// DropKeys forgets the keys that were taken before an instant, at most a few thousand at a time, and says how many.
	DropKeys(ctx context.Context, before Instant) (int, error)
	// Untold returns alarms that stand and of which the receivers were not told, or were told before again and that were raised
	// since.
	Untold(ctx context.Context, again Instant, limit int) ([]Alarm, error)
	// Told notes that the receivers of alarms were told.
	Told(ctx context.Context, org string, alarm ID, at Instant) error
	// Pause makes a target wait, by a person's order, or with at zero lets it go on.
	Pause(ctx context.Context, target string, at Instant, audit AuditEntry) error
	// Halt keeps open deliveries back, lets them go on or drops them, by a person's order. One whose call is under way ends first:
	// a good end counts. Parked ones can only be dropped. It returns how many changed.
	Halt(ctx context.Context, q DeliveryQuery, halt Halt, now Instant, audit AuditEntry) (int, error)
	// Paused returns the targets that wait, and since when.
	Paused(ctx context.Context) (map[string]Instant, error)
}

// Ears is what is kept of when sources were heard, and of what they went through.
type Ears interface {
	// Hear joins in which minutes sources were heard with what is kept. It may be lost with the last half minute.
	Hear(ctx context.Context, hearings []Hearing) error
	// Hearings returns what is kept of each of these sources, in their order: the hours of [HearingWeeks] and one more before its
	// last one, and how late its last [EventsTimed] events came, of those that state a time.
	Hearings(ctx context.Context, org string, sources []string) ([]Heard, error)
	// DropHearings forgets hours that began before an instant, but for each source's last, at most a few thousand at a time, and
	// says how many.
	DropHearings(ctx context.Context, before Instant) (int, error)
	// BeginSpell writes that a spell began, and raises alarms with it, unless one of its kind stands or ended then or later. It
	// reports whether it did: of all who say so at once, one does.
	BeginSpell(ctx context.Context, spell Spell, alarms []Alarm) (bool, error)
	// EndSpell writes that a spell ended, and clears alarms with it, unless none stands or it began later. It reports whether it
	// did.
	EndSpell(ctx context.Context, spell Spell, cleared []AlarmKey) (bool, error)
}

// Queue is what the dispatcher needs of a store: rows are the queue.
type Queue interface {
	// Claim leases everything that is owed to up to n people at a target and due by now, single people first. Never are two
	// leases out for one person at one target.
	Claim(ctx context.Context, target string, n int, now, until Instant, lease ID) ([]Owed, error)
	// Settle records an attempt for every item of owed and moves them to their next state, if the lease is still theirs;
	// else it is [ErrLeaseLost] and nothing is recorded.
	Settle(ctx context.Context, owed Owed, s Settlement) error
	// NextDue returns when the target's next delivery is due or its next lease ends, zero when nothing is open.
	NextDue(ctx context.Context, target string) (Instant, error)
	// Retry makes parked and waiting deliveries due at once, by a person's order. It returns how many changed.
	Retry(ctx context.Context, q DeliveryQuery, now Instant, audit AuditEntry) (int, error)
}

// Settlement is how an attempt ended.
type Settlement struct {
	State   DeliveryState // done, parked, or due again
	DueAt   Instant       // when State is due
	Attempt Attempt
	Alarms  []Alarm // raised with it
	Cleared []AlarmKey
}

// Store is all of it, as the two databases and the memory of the tests implement it.
type Store interface {
	Decider
	Reader
	Ledger
	Roster
	Notes
	Ears
	Queue
	Reads
	Errands
	Schedules
	DeviceNames
	SignIns
	Holds
	Policies
	Notices
	Overview
	// Clock is the one clock: the database's on PostgreSQL, the process's with a stored mark on SQLite.
	Clock() Clock
	Close() error
}
