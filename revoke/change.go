package revoke

import "slices"

// Change is one row of the feed: exactly one of its members is set. Changes can be applied in any order and repeatedly,
// since each is a join of facts that only move forward.
type Change struct {
	Seq    int64
	At     Instant
	Cutoff *Cutoff `json:",omitempty"`
	Block  *Block  `json:",omitempty"`
	Join   *Join   `json:",omitempty"`
	Lift   *Lift   `json:",omitempty"`
	End    *End    `json:",omitempty"`
	Limit  *Limit  `json:",omitempty"`
	Policy *Policy `json:",omitempty"`
}

// Lift is an admin's lift: every block of the user stamped before At is over.
type Lift struct {
	User       ID
	SparedAt   Instant // since when the user is a break-glass person
	UnsparedAt Instant // since when not any more
	At         Instant
}

// End is the end of one registered session by itself.
type End struct {
	Session    ID
	At         Instant
	Revocation ID
}

// Effects is what one decision writes, all of it or nothing. Blocks, cutoffs, ends and users are joined with what is
// stored; the rest are new rows.
type Effects struct {
	Users       []User
	Holdings    []Holding // new, or with ReleasedAt moved forward
	Joins       []Join    // new, or with SplitAt moved forward
	Blocks      []Block
	Cutoffs     []Cutoff
	Limits      []Limit
	Policies    []Policy // written whole
	Devices     []Device
	Sessions    []Session
	Ends        []End
	Events      []Event // new, or one that is there with the state, note and decision of its replay
	Revocations []Revocation
	Deliveries  []Delivery
	Resources   []Resource // written whole
	Members     []Member   // new; one that is there stays
	Left        []MemberKey
	Plans       []Plan     // written whole
	Alarms      []Alarm    // joined with one of the same key that stands, else new
	Cleared     []AlarmKey // alarms that stand no more, cleared before new ones are raised
	Readings    []Reading  // new, or owed once more
	Read        []ID       // events that need no read any more
	Notes       []SourceNote
	Notices     []Notice // joined with what the person is still to be told
	Audit       []AuditEntry
	Held        []Held // new, or with its verdict
	Hits        []Hit  // joined with what is stored
}

// Changes returns the rows of the feed that e makes, in a fixed order.
func (e *Effects) Changes(at Instant) []Change {
	var out []Change
	for _, u := range e.Users {
		if u.LiftedOver != 0 || u.SparedAt != 0 {
			out = append(out, Change{At: at, Lift: &Lift{User: u.ID, SparedAt: u.SparedAt, UnsparedAt: u.UnsparedAt, At: u.LiftedOver}})
		}
	}
	for _, j := range e.Joins {
		out = append(out, Change{At: at, Join: &j})
	}
	for _, b := range e.Blocks {
		out = append(out, Change{At: at, Block: &b})
	}
	for _, c := range e.Cutoffs {
		out = append(out, Change{At: at, Cutoff: &c})
	}
	for _, end := range e.Ends {
		out = append(out, Change{At: at, End: &end})
	}
	for _, l := range e.Limits {
		out = append(out, Change{At: at, Limit: &l})
	}
	for _, p := range e.Policies {
		out = append(out, Change{At: at, Policy: &p})
	}
	return out
}

// Merge folds the effects of a group into one, so that no key stands twice in a written batch: PostgreSQL refuses to
// update one row a second time in one statement.
func Merge(group ...Effects) Effects {
	var out Effects
	out.Users = folded(group, func(e *Effects) []User { return e.Users }, func(u User) ID { return u.ID }, User.join)
	out.Holdings = folded(group, func(e *Effects) []Holding { return e.Holdings }, Holding.key, Holding.join)
	out.Joins = folded(group, func(e *Effects) []Join { return e.Joins }, Join.key, Join.join)
	out.Blocks = folded(group, func(e *Effects) []Block { return e.Blocks }, func(b Block) BlockKey { return b.BlockKey }, Block.Join)
	out.Cutoffs = folded(group, func(e *Effects) []Cutoff { return e.Cutoffs }, func(c Cutoff) Scope { return c.Scope }, Cutoff.Join)
	out.Limits = folded(group, func(e *Effects) []Limit { return e.Limits }, Limit.LimitKey, Limit.Join)
	out.Policies = folded(group, func(e *Effects) []Policy { return e.Policies }, func(p Policy) PolicyKey { return p.PolicyKey }, func(_, b Policy) Policy { return b })
	out.Devices = folded(group, func(e *Effects) []Device { return e.Devices }, func(d Device) ID { return d.ID }, Device.join)
	out.Ends = folded(group, func(e *Effects) []End { return e.Ends }, func(end End) ID { return end.Session }, func(a, _ End) End { return a })
	out.Resources = folded(group, func(e *Effects) []Resource { return e.Resources }, func(r Resource) ID { return r.ID }, func(a, b Resource) Resource {
		b.SameValues = a.SameValues && b.SameValues
		return b
	})
	out.Plans = folded(group, func(e *Effects) []Plan { return e.Plans }, func(p Plan) PlanKey { return p.PlanKey }, func(_, b Plan) Plan { return b })
	out.Readings = folded(group, func(e *Effects) []Reading { return e.Readings }, func(r Reading) ID { return r.Event }, func(_, b Reading) Reading { return b })
	out.Held = folded(group, func(e *Effects) []Held { return e.Held }, func(h Held) ID { return h.ID }, func(_, b Held) Held { return b })
	out.Hits = folded(group, func(e *Effects) []Hit { return e.Hits }, func(h Hit) HitKey { return h.HitKey }, Hit.join)
	out.Notes = folded(group, func(e *Effects) []SourceNote { return e.Notes }, SourceNote.key, SourceNote.join)
	out.Notices = folded(group, func(e *Effects) []Notice { return e.Notices }, func(n Notice) NoticeKey { return n.NoticeKey }, Notice.Join)
	for _, e := range group {
		out.Members = append(slices.DeleteFunc(out.Members, func(m Member) bool { return slices.Contains(e.Left, m.MemberKey) }), e.Members...)
		out.Left = append(slices.DeleteFunc(out.Left, func(k MemberKey) bool {
			return slices.ContainsFunc(e.Members, func(m Member) bool { return m.MemberKey == k })
		}), e.Left...)
		out.Sessions = append(out.Sessions, e.Sessions...)
		out.Events = append(out.Events, e.Events...)
		out.Revocations = append(out.Revocations, e.Revocations...)
		out.Deliveries = append(out.Deliveries, e.Deliveries...)
		out.Audit = append(out.Audit, e.Audit...)
		out.Read = append(out.Read, e.Read...)
		if len(e.Cleared)+len(e.Alarms) > 0 { // what is cleared after it was raised does not stand
			out.Alarms = slices.DeleteFunc(out.Alarms, func(a Alarm) bool { return slices.Contains(e.Cleared, a.AlarmKey) })
			out.Cleared = append(out.Cleared, e.Cleared...)
			out.Alarms = folded([]Effects{{Alarms: out.Alarms}, {Alarms: e.Alarms}},
				func(e *Effects) []Alarm { return e.Alarms }, func(a Alarm) AlarmKey { return a.AlarmKey }, Alarm.Join)
		}
	}
	return out
}

type holdingKey struct {
	Identifier
	from Instant
}

func (h Holding) key() holdingKey { return holdingKey{h.Identifier, h.HeldFrom} }

func (h Holding) join(other Holding) Holding {
	h.ReleasedAt = max(h.ReleasedAt, other.ReleasedAt)
	if h.Authority == "" {
		h.Authority = other.Authority
	}
	return h
}

func (j Join) key() [2]ID { return [2]ID{j.A, j.B} }

func (j Join) join(other Join) Join {
	if other.At > j.At {
		j.At, j.Event = other.At, other.Event
	}
	j.SplitAt = max(j.SplitAt, other.SplitAt)
	return j
}

// NewJoin returns the row of two users found to be one person at an instant, in either order of the users.
func NewJoin(a, b ID, at Instant, event ID) Join {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return Join{A: a, B: b, At: at, Event: event}
}

func (j Join) other(user ID) ID {
	if j.A == user {
		return j.B
	}
	return j.A
}

// stands reports whether the two are one person.
func (j Join) stands() bool { return j.At > j.SplitAt }

// few is up to how many rows a scan finds a key sooner than a map that has to be built.
const few = 32

// folded returns the rows of a group in their order, those with one key joined at the place of the first.
func folded[T any, K comparable](group []Effects, rows func(*Effects) []T, key func(T) K, join func(a, b T) T) []T {
	n := 0
	for i := range group {
		n += len(rows(&group[i]))
	}
	if n == 0 {
		return nil
	}
	all := make([]T, 0, n)
	var at map[K]int
	if n > few {
		at = make(map[K]int, n)
	}
	for i := range group {
		for _, row := range rows(&group[i]) {
			k := key(row)
			found, ok := at[k]
			if at == nil {
				found = slices.IndexFunc(all, func(t T) bool { return key(t) == k })
				ok = found >= 0
			}
			if ok {
				all[found] = join(all[found], row)
				continue
			}
			if at != nil {
				at[k] = len(all)
			}
			all = append(all, row)
		}
	}
	return all
}
