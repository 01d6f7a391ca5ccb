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
	Devices     []Device
	Sessions    []Session
	Ends        []End
	Events      []Event // new, or one that is there with the state, note and decision of its replay
	Revocations []Revocation
	Deliveries  []Delivery
	Resources   []Resource // written whole
	Plans       []Plan     // written whole
	Alarms      []Alarm    // joined with one of the same key that stands, else new
	Cleared     []AlarmKey // alarms that stand no more, cleared before new ones are raised
	Audit       []AuditEntry
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
	return out
}

// Merge folds the effects of a group into one, so that no key stands twice in a written batch: PostgreSQL refuses to
// update one row a second time in one statement.
func Merge(group ...Effects) Effects {
	var out Effects
	for _, e := range group {
		out.Users = fold(out.Users, e.Users, func(u User) ID { return u.ID }, User.join)
		out.Holdings = fold(out.Holdings, e.Holdings, Holding.key, Holding.join)
		out.Joins = fold(out.Joins, e.Joins, Join.key, Join.join)
		out.Blocks = fold(out.Blocks, e.Blocks, func(b Block) BlockKey { return b.BlockKey }, Block.Join)
		out.Cutoffs = fold(out.Cutoffs, e.Cutoffs, func(c Cutoff) Scope { return c.Scope }, Cutoff.Join)
		out.Devices = fold(out.Devices, e.Devices, func(d Device) ID { return d.ID }, Device.join)
		out.Sessions = append(out.Sessions, e.Sessions...)
		out.Ends = fold(out.Ends, e.Ends, func(end End) ID { return end.Session }, func(a, _ End) End { return a })
		out.Events = append(out.Events, e.Events...)
		out.Revocations = append(out.Revocations, e.Revocations...)
		out.Deliveries = append(out.Deliveries, e.Deliveries...)
		out.Resources = fold(out.Resources, e.Resources, func(r Resource) ID { return r.ID }, func(_, b Resource) Resource { return b })
		out.Plans = fold(out.Plans, e.Plans, func(p Plan) PlanKey { return p.PlanKey }, func(_, b Plan) Plan { return b })
		for _, key := range e.Cleared {
			out.Alarms = slices.DeleteFunc(slices.Clone(out.Alarms), func(a Alarm) bool { return a.AlarmKey == key })
		}
		out.Alarms = fold(out.Alarms, e.Alarms, func(a Alarm) AlarmKey { return a.AlarmKey }, Alarm.Join)
		out.Cleared = append(out.Cleared, e.Cleared...)
		out.Audit = append(out.Audit, e.Audit...)
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

// fold adds rows to all, joining those whose key stands there already. Groups are at most a few hundred rows; a scan from
// the end finds a key near its own kind sooner than a map is built.
func fold[T any, K comparable](all, rows []T, key func(T) K, join func(a, b T) T) []T {
	for _, row := range rows {
		at := slices.IndexFunc(all, func(t T) bool { return key(t) == key(row) })
		if at < 0 {
			all = append(all, row)
		} else {
			all[at] = join(all[at], row)
		}
	}
	return all
}
