package revoke

import "context"

// AlarmKind says what a person must look at. The set is closed.
type AlarmKind string

// The alarms.
const (
	AlarmParked       AlarmKind = "parked"             // deliveries of a target wait for a person
	AlarmCredential   AlarmKind = "refused-credential" // a target refuses ours
	AlarmHeld         AlarmKind = "held"               // an event waits for a person
	AlarmShared       AlarmKind = "shared-identifier"  // two people carry one identifier, or it was kept from one
	AlarmUnmatched    AlarmKind = "unmatched"          // a signal names a session or device that nobody registered
	AlarmUnreadable   AlarmKind = "unreadable"         // an item was kept without effect
	AlarmSameID       AlarmKind = "same-id"            // a sender used the id of an event for another one
	AlarmBreakGlass   AlarmKind = "break-glass"        // a break-glass person signed in
	AlarmClock        AlarmKind = "clock"              // the machine's clock jumped
	AlarmSettings     AlarmKind = "configuration"      // the configuration was read again, taken or not
	AlarmUnknownType  AlarmKind = "unknown-type"       // a source sends what nobody has taught us
	AlarmUpkeep       AlarmKind = "upkeep"             // what is to be done for a source again and again fails
	AlarmSilent       AlarmKind = "silent-source"      // a source says nothing for longer than usual
	AlarmLate         AlarmKind = "late-source"        // what a source sends comes late
	AlarmUnrecognised AlarmKind = "unrecognised"       // a person said that a sign-in of theirs was somebody else's
	AlarmMail         AlarmKind = "mail"               // people are not told about their own devices
)

// AlarmKinds lists every kind of alarm.
func AlarmKinds() []AlarmKind {
	return []AlarmKind{
		AlarmParked, AlarmCredential, AlarmHeld, AlarmShared, AlarmUnmatched, AlarmUnreadable, AlarmSameID, AlarmBreakGlass,
		AlarmClock, AlarmSettings, AlarmUnknownType, AlarmUpkeep, AlarmSilent, AlarmLate, AlarmUnrecognised, AlarmMail,
	}
}

// AlarmKey is by what an alarm that stands is known: a second one with the same key is the first, once more.
type AlarmKey struct {
	Org   string
	Kind  AlarmKind
	About string // the source, the target, or the user
}

// Alarm is what a person must look at. It stands until it is cleared.
type Alarm struct {
	AlarmKey
	ID        ID
	Text      string // why, in a sentence without people's names
	RaisedAt  Instant
	LastAt    Instant // when it was raised last
	Count     int     // how often it was raised
	ToldAt    Instant // when the receivers of alarms were last told of it, zero before that
	ClearedAt Instant // zero while it stands
}

// NewAlarm returns an alarm raised at an instant.
func NewAlarm(key AlarmKey, text string, at Instant) Alarm {
	return Alarm{AlarmKey: key, ID: NewID(at), Text: text, RaisedAt: at, LastAt: at, Count: 1}
}

// Join returns the alarm that was raised twice: the first with the words of the last.
func (a Alarm) Join(other Alarm) Alarm {
	if other.LastAt < a.LastAt {
		a, other = other, a
	}
	other.ID, other.RaisedAt = a.ID, min(a.RaisedAt, other.RaisedAt)
	other.Count, other.ToldAt = a.Count+other.Count, max(a.ToldAt, other.ToldAt)
	return other
}

// AlarmQuery asks for alarms, newest first; empty members match all.
type AlarmQuery struct {
	Org      string
	ID       ID // that one
	Kind     AlarmKind
	Standing bool // only those that were not cleared
	Before   ID   // only those with a smaller id: where a list goes on
	Limit    int
}

// Raised lets people know of alarms that were committed, by a decision or by the dispatcher: in the log and in the metrics at
// once, and through [Service.Alarms] those who send messages.
func (s *Service) Raised(alarms []Alarm) {
	for _, a := range alarms {
		s.log.Error("alarm", "alarm", a.Kind, "about", a.About, "org", a.Org, "text", a.Text)
		s.observer.Alarmed(a.Kind)
	}
	if len(alarms) > 0 {
		select {
		case s.alarms <- struct{}{}:
		default:
		}
	}
}

// Alarms is told when an alarm was committed.
func (s *Service) Alarms() <-chan struct{} { return s.alarms }

// Raise records an alarm that no event brought to light.
func (s *Service) Raise(ctx context.Context, key AlarmKey, text string) error {
	return s.decide(ctx, Need{Org: key.Org}, func(f *Facts) (Effects, error) {
		return Effects{Alarms: []Alarm{NewAlarm(key, text, f.Now)}}, nil
	})
}

// Clear takes an alarm back that stands no more, by a person's order.
func (s *Service) Clear(ctx context.Context, actor Actor, key AlarmKey) error {
	return s.decide(ctx, Need{Org: key.Org}, func(f *Facts) (Effects, error) {
		d := newDecision(f, input{source: Source{Name: actor.Name, Org: key.Org}, actor: actor, request: RequestIDFrom(ctx)})
		d.write(Effects{Cleared: []AlarmKey{key}})
		d.audit("alarm cleared", map[string]any{"alarm": key.Kind, "about": key.About}, nil)
		return d.e, nil
	})
}
