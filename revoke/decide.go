package revoke

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// input is one event on its way to a decision.
type input struct {
	source  Source
	actor   Actor
	request string // the request's id, for the audit entry
	event   Event
	targets []TargetName
	brake   *Brake // nil where it was asked before, or nobody asks it
	// replayed: the actor asks for it, and the source said it.
	replayed bool
}

// input is one event of a source, on which the brake looks.
func (s *Service) input(ctx context.Context, actor Actor, src Source, ev Event) input {
	return input{source: src, actor: actor, request: RequestIDFrom(ctx), event: ev, targets: *s.targets.Load(), brake: s.brake.Load()}
}

// need names what the decision will look at.
func (in input) need() Need {
	n := Need{Org: in.source.Org}
	if in.event.SenderID != "" {
		n.Events = []EventKey{{in.source.Org, in.source.Authority, in.event.SenderID}}
	}
	for _, sig := range in.event.Signals {
		n.addSubject(sig.Subject.In(in.source.Org))
		if !sig.Session.IsZero() {
			sig.Session.Org = in.source.Org
			n.Sessions = append(n.Sessions, sig.Session)
		}
		n.Devices = append(n.Devices, named(in.source.Org, sig.Device)...)
		if sig.Wide != "" {
			n.NewestOf = append(n.NewestOf, sig.wideScope(in.source.Org))
		}
		n.Cutoffs, n.SessionsOf = n.Cutoffs || sig.Counting, n.SessionsOf || sig.Counting
		if in.braked() && len(n.Brakes) == 0 && !sig.Mass && !sig.Own && sig.Wide == "" && (in.source.Rule(sig.Kind).Acts() || sig.Block) {
			n.Brakes = []BrakeNeed{in.brake.need(in.voice())}
		}
	}
	return n
}

// add lets n lead to what other leads to as well.
func (n *Need) add(other Need) {
	n.Identifiers = append(n.Identifiers, other.Identifiers...)
	n.Users = append(n.Users, other.Users...)
	n.Sessions = append(n.Sessions, other.Sessions...)
	n.Devices = append(n.Devices, other.Devices...)
	n.Events = append(n.Events, other.Events...)
	n.Resources, n.Mentioned = append(n.Resources, other.Resources...), append(n.Mentioned, other.Mentioned...)
	n.Members, n.MembersOf = append(n.Members, other.Members...), append(n.MembersOf, other.MembersOf...)
	n.NewestOf = append(n.NewestOf, other.NewestOf...)
	n.Policies, n.SetsPolicy = n.Policies || other.Policies, n.SetsPolicy || other.SetsPolicy
	n.Readings = append(n.Readings, other.Readings...)
	n.Held = append(n.Held, other.Held...)
	for _, b := range other.Brakes {
		if !slices.Contains(n.Brakes, b) {
			n.Brakes = append(n.Brakes, b)
		}
	}
	n.Cutoffs, n.SessionsOf, n.Waiting = n.Cutoffs || other.Cutoffs, n.SessionsOf || other.SessionsOf, n.Waiting || other.Waiting
}

func (n *Need) addSubject(subject Subject) {
	for _, id := range subject {
		if id.Namespace != NamespaceCurfew {
			n.Identifiers = append(n.Identifiers, id)
		} else if user, err := ParseID(id.Value); err == nil {
			n.Users = append(n.Users, user)
		}
	}
}

func (s *Signal) wideScope(org string) Scope {
	scope := Scope{Org: org, Kind: s.Wide}
	switch s.Wide {
	case ScopeKindOf:
		scope.Key = string(s.OnlyKind)
	case ScopeApp:
		scope.Key = s.OnlyApp
	case ScopeEveryone, ScopeUser, ScopeUserKind, ScopeUserApp, ScopeDevice, ScopeUserDevice, ScopeSession:
	}
	return scope
}

// decision collects what one event does. It writes nothing that can still fail: whatever makes an event fail is found
// before its first write, because later decisions of the transaction see each write at once.
type decision struct {
	in      input
	f       *Facts
	e       Effects
	event   Event
	decided Decided
	alarm   AlarmKind
	ids     byte
	held    *Held // what of it waits for a person, nil when nothing does
	// uncounted: it hit somebody, and the brake had not been asked for.
	uncounted bool
}

func newDecision(f *Facts, in input) *decision {
	d := &decision{in: in, f: f, event: in.event}
	d.event.ID = d.newID()
	d.event.Org, d.event.Source, d.event.Authority = in.source.Org, in.source.Name, in.source.Authority
	d.event.ReceivedAt = f.Now
	return d
}

// newID returns an id that sorts after those that the decision made before.
func (d *decision) newID() ID {
	id := NewID(d.f.Now)
	id[8] = 0x80 | min(d.ids, 0x3f)
	d.ids++
	return id
}

// write adds to what the decision does, and lets what follows see it.
func (d *decision) write(e Effects) {
	d.f.Apply(e)
	d.e = Merge(d.e, e)
}

// decide is the one place where news becomes consequences.
func (in input) decide(f *Facts) (Effects, Outcome) {
	if prior, ok := f.Events[EventKey{in.source.Org, in.source.Authority, in.event.SenderID}]; ok && in.event.SenderID != "" {
		return in.repeated(f, prior)
	}
	d := newDecision(f, in)
	d.decided.Digest = in.event.digest()
	if d.event.State == EventReading {
		d.owesRead()
	}
	counting := slices.ContainsFunc(in.event.Signals, func(s Signal) bool { return s.Counting })
	before := 0
	if counting {
		before = f.live()
	}
	for _, sig := range in.event.Signals {
		d.signal(sig)
	}
	if counting {
		d.decided.Covers = before - f.live()
	}
	return d.close()
}

// repeated answers a duplicate from what was decided then. One that says something else under the same id changes nothing, but
// a person must hear of it: a sender that numbers badly, or somebody who forges.
func (in input) repeated(f *Facts, prior Event) (Effects, Outcome) {
	d := newDecision(f, in)
	if prior.Decided.Digest != "" && prior.Decided.Digest != in.event.digest() {
		d.raise(AlarmSameID, in.source.Name+" used the id of an earlier event for a different one; only the first counts")
	}
	out := prior.answered()
	out.Alarms = d.e.Alarms
	return d.e, out
}

// digest tells apart what events mean, in however many ways they may be written.
func (e *Event) digest() string {
	said, _ := json.Marshal(e.Signals) // plain values always encode
	said = append(said, e.Read...)
	sum := sha256.Sum256(said)
	return hex.EncodeToString(sum[:8])
}

// close records the event with everything that was decided.
func (d *decision) close() (Effects, Outcome) {
	switch {
	case d.event.State == "":
		d.event.State = EventIgnored
	case d.alarm == "" && len(d.event.Signals) == 0 && (d.event.State == EventHeld || d.event.State == EventMalformed):
		d.raise(AlarmUnreadable, "an item of "+d.in.source.Name+" was kept without effect: "+d.event.Note)
	case d.event.State == EventUnknown:
		d.raise(AlarmUnknownType, d.in.source.Name+" sends what nobody has taught us; its types stand in the list of sources")
	}
	d.decided.Revocations, d.decided.Changes = d.e.Revocations, d.e.Changes(d.f.Now)
	if d.held != nil {
		d.held.HeldAt, d.decided.Held = d.f.Now, true
		d.write(Effects{Held: []Held{*d.held}})
	}
	d.event.Decided = d.decided
	d.e.Events = append(d.e.Events, d.event)
	out := d.event.answered()
	out.Duplicate, out.Alarms = false, d.e.Alarms
	return d.e, out
}

// settle moves the event to a state; what was decided for one of its signals is never hidden by another that was not.
func (d *decision) settle(state EventState, note string) {
	if d.event.State != EventDecided {
		d.event.State = state
	}
	if note != "" {
		if d.event.Note != "" {
			d.event.Note += "; "
		}
		d.event.Note += note
	}
}

// hold keeps the event for a person: it is stored and answered like any other, but nothing follows from it yet.
func (d *decision) hold(why string) {
	d.settle(EventHeld, why)
	d.raise(AlarmHeld, "an event of "+d.in.source.Name+" waits for a person: "+why)
}

// raise tells people that they must look at the source.
func (d *decision) raise(kind AlarmKind, text string) { d.raiseAbout(kind, d.in.source.Name, text) }

func (d *decision) raiseAbout(kind AlarmKind, about, text string) {
	d.alarm = kind
	d.write(Effects{Alarms: []Alarm{NewAlarm(AlarmKey{d.in.source.Org, kind, about}, text, d.f.Now)}})
}

// signal finds whom a signal means and does what its rule says.
func (d *decision) signal(sig Signal) {
	rule := d.in.source.Rule(sig.Kind)
	if sig.Command && sig.Kind != Reactivated {
		rule.Cut = AtReceipt
	}
	if sig.Block {
		rule.Block, rule.Class = SetBlock, ClassPlain
		if sig.Until != 0 {
			rule.Class = ClassTimed
		}
	}
	if !rule.Acts() {
		d.settle(EventIgnored, "the rule for "+string(sig.Kind)+" is to do nothing")
		return
	}
	if sig.OccurredAt < 0 || sig.OccurredAt > d.f.Now.Add(Ahead) {
		sig.OccurredAt = 0 // a clock that far off tells no time
	}
	subject := sig.Subject.In(d.in.source.Org)
	sig.Session.Org = d.in.source.Org
	switch {
	case sig.Wide != "":
		if !d.waitsForSecond(sig, rule, ID{}) {
			d.wide(sig)
		}
	case len(subject) > 0:
		if user, ok := d.resolve(subject, sig.OccurredAt); ok {
			d.act(sig, rule, user)
		}
	case !sig.Session.IsZero(), len(sig.Device) > 0 && d.in.source.Devices:
		d.act(sig, rule, ID{})
	default:
		d.settle(EventMalformed, "names nobody that we could read")
		d.raise(AlarmUnreadable, "an event of "+d.in.source.Name+" names nobody that we could read")
	}
}

// act does what the rule says to a person, or holds it. With no person it is about a session or a device alone.
func (d *decision) act(sig Signal, rule Rule, user ID) {
	d.decided.User = user
	if !d.waitsForSecond(sig, rule, user) && !d.brake(sig, rule, user) {
		d.carryOut(sig, rule, user)
	}
}

// carryOut does what the rule says.
func (d *decision) carryOut(sig Signal, rule Rule, user ID) {
	switch {
	case user.IsZero() && !sig.Session.IsZero():
		d.sessions(rule.timed(sig), user)
	case user.IsZero():
		d.lost(rule.timed(sig), user)
	case sig.Planned && rule.Block == SetBlock:
		d.plan(sig, rule, user)
	case rule.Block == SetBlock:
		d.block(sig, rule, user)
	case rule.Block == LiftIt:
		d.lift(sig, rule, user)
	case !sig.Session.IsZero():
		d.sessions(rule.timed(sig), user)
	case len(sig.Device) > 0:
		d.lost(rule.timed(sig), user)
	default:
		sig = rule.timed(sig)
		scope := Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}
		switch {
		case sig.OnlyKind != "":
			scope.Kind, scope.Key = ScopeUserKind, string(sig.OnlyKind)
		case sig.OnlyApp != "":
			scope.Kind, scope.Key = ScopeUserApp, sig.OnlyApp
		}
		d.cut(sig, scope, d.f.newest(user).Born)
	}
}

// timed returns sig without the sender's time where it cuts at receipt.
func (r Rule) timed(sig Signal) Signal {
	if r.Cut == AtReceipt {
		sig.OccurredAt = 0
	}
	return sig
}

// cutAt returns the instant of a cut: the sender's time, clamped to now; without one now, and never before the newest
// session that it must cover.
func (d *decision) cutAt(occurred, newest Instant) Instant {
	if occurred != 0 {
		return min(occurred.wholeSecond(), d.f.Now)
	}
	return max(d.f.Now, newest)
}

// cut ends what the scope covers, and what further ones cover of the same revocation.
func (d *decision) cut(sig Signal, scope Scope, newest Instant, further ...Scope) {
	at := d.cutAt(sig.OccurredAt, newest)
	r := d.record(d.revocation(sig, RevocationEnd, scope, at))
	for _, s := range append([]Scope{scope}, further...) {
		d.write(Effects{Cutoffs: []Cutoff{{Scope: s, At: at, Revocation: r.ID}}})
	}
	d.owe(r, PrioritySingle)
}

// wide ends the sessions of many people, sparing break-glass people, who are hit only when they are named.
func (d *decision) wide(sig Signal) {
	scope := sig.wideScope(d.in.source.Org)
	at := max(d.f.Now, d.f.NewestOf[scope])
	r := d.record(d.revocation(sig, RevocationEnd, scope, at))
	d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, SparedAt: at, SparedBy: r.ID}}})
	d.owe(r, PriorityMass)
}

// sessions ends the named session. One that is not there, or not the named person's, is remembered and the signal is
// widened to that person.
func (d *decision) sessions(sig Signal, user ID) {
	ended, by := false, ID{}
	for _, id := range sortedKeys(d.f.Sessions) {
		s := d.f.Sessions[id]
		if !sig.Session.Matches(&s) || !user.IsZero() && d.f.person(s.User) != d.f.person(user) {
			continue
		}
		ended = true
		if s.EndedAt != 0 {
			continue
		}
		r := d.revocation(sig, RevocationEnd, Scope{Org: s.Org, Kind: ScopeSession, User: s.User, Key: SessionKey(s.App, s.ClientID)}, d.f.Now)
		r.Session = s.ID
		d.record(r)
		d.write(Effects{Ends: []End{{Session: s.ID, At: d.f.Now, Revocation: r.ID}}})
		d.owe(r, PrioritySingle)
		by = r.ID
	}
	if ended {
		d.settle(EventDecided, "")
		// Another application may report a session of the same sign-in only later.
		if scope, ok := (SessionRef{Org: d.in.source.Org, SID: sig.Session.SID}).unregistered(); ok {
			d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: d.f.Now, Revocation: by}}})
		}
		return
	}
	d.raise(AlarmUnmatched, "a signal of "+d.in.source.Name+" names a session that is not registered")
	d.settle(EventDecided, "the session that it names is not registered")
	if scope, ok := sig.Session.unregistered(); ok {
		r := d.record(d.revocation(sig, RevocationEnd, scope, d.f.Now))
		d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: d.f.Now, Revocation: r.ID}}})
	}
	if !user.IsZero() && !d.in.source.Admin {
		d.cut(sig, Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}, d.f.newest(user).Born)
	}
}

// revocation is the decision itself, not yet written.
func (d *decision) revocation(sig Signal, kind RevocationKind, scope Scope, at Instant) Revocation {
	return Revocation{
		ID: d.newID(), Event: d.event.ID, Org: d.in.source.Org, Kind: kind, Signal: sig.Kind, Scope: scope, At: at,
		Reason: sig.Reason, Actor: d.in.actor, CreatedAt: d.f.Now,
	}
}

// record writes a revocation and its line in the audit log, after the block that it may have made.
func (d *decision) record(r Revocation) Revocation {
	if !r.Scope.User.IsZero() {
		_, r.Blocked = d.f.blocked(r.Scope.User)
	}
	d.settle(EventDecided, "")
	d.write(Effects{Revocations: []Revocation{r}})
	d.audit("revocation", map[string]any{
		"revocation": r.ID, "event": r.Event, "kind": r.Kind, "signal": r.Signal, "scope": r.Scope.Kind, "key": r.Scope.Key, "device": r.Scope.Device,
		"session": r.Session, "user": r.Scope.User, "at": r.At, "blocked": r.Blocked, "authority": d.in.source.Authority,
	}, map[string]any{"reason": r.Reason, "identifiers": d.f.subject(r.Scope.User)})
	return r
}

// owe makes one delivery for every target that holds people of the org.
func (d *decision) owe(r Revocation, priority Priority) {
	var owed []Delivery
	for _, t := range d.in.targets {
		if t.Org == r.Org {
			owed = append(owed, Delivery{
				Revocation: r.ID, Target: t.Name, Org: r.Org, User: r.Scope.User, Ord: d.f.Now,
				State: DeliveryDue, Priority: priority, DueAt: d.f.Now, FirstAt: d.f.Now,
			})
		}
	}
	d.write(Effects{Deliveries: owed})
}

// audit writes a line of the audit log: what happened in entry, and in person what may have to be erased one day.
func (d *decision) audit(kind string, entry, person map[string]any) {
	entry["source"], entry["actor"], entry["request"] = d.in.source.Name, d.in.actor, d.in.request
	// Maps of plain values always encode, with their keys sorted.
	line, _ := json.Marshal(entry)
	who, _ := json.Marshal(person)
	d.write(Effects{Audit: []AuditEntry{{Org: d.in.source.Org, At: d.f.Now, Kind: kind, Entry: line, Person: who}}})
}

func sortedKeys[V any](m map[ID]V) []ID {
	keys := make([]ID, 0, len(m))
	for id := range m {
		keys = append(keys, id)
	}
	slices.SortFunc(keys, ID.Compare)
	return keys
}
