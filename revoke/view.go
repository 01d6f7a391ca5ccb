package revoke

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Personal is what is known against one user, immutable once it is in a view.
type Personal struct {
	User       ID
	SparedAt   Instant // since when a break-glass person
	UnsparedAt Instant // since when not any more
	LiftedOver Instant
	Blocks     []Block
	Cutoffs    []Cutoff    // of scopes user, user_kind, user_app and user_device
	Limits     []Limit     // of scope user_kind
	Joins      []Join      // edges that touch the user, split ones too
	Joined     []*Personal // everybody who is this person, itself included; nil when alone
}

// View is what Live reads: every cutoff, block and join, and the recent ends of single sessions. It is sparse, since
// only people something happened to are in it. It is safe for concurrent use: questions about people wait for nobody, those
// about single sessions that ended take a read lock on one shard, changes come one at a time.
type View struct {
	writing    sync.Mutex             // one Apply at a time: people who are joined are rewritten together
	people     atomic.Pointer[people] // never nil
	ended      atomic.Int64           // how many ends there are in the shards: most of the time none
	shards     []viewShard
	wide       atomic.Pointer[map[Scope]Cutoff]     // everyone, kind, app; nil while there is none
	wideLimits atomic.Pointer[[]Limit]              // of scope kind
	limited    atomic.Bool                          // there is any limit at all
	policies   atomic.Pointer[map[PolicyKey]Policy] // nil while there is none
	narrow     struct {                             // devices, and sessions that nobody registered yet
		sync.RWMutex
		cutoffs map[Scope]Cutoff
		any     atomic.Bool
	}
}

type viewShard struct {
	sync.RWMutex
	ends map[ID]recentEnd
}

// people is a table of users by id that is read without a lock, since a question is asked on every request of every
// application and a lock costs more than the answer. It has one writer at a time and forgets nobody: a slot that has been
// taken stays the same user's, so that a reader on its way finds either what was known or what is known now.
type people struct {
	slots []atomic.Pointer[Personal] // a power of two, half of them free
	used  int
}

func newPeople(slots int) *people { return &people{slots: make([]atomic.Pointer[Personal], slots)} }

// find returns the slot of a user, or the one that it would have.
func (t *people) find(user ID) (*atomic.Pointer[Personal], *Personal) {
	for at := int(binary.BigEndian.Uint32(user[12:])); ; at++ { // the random end of the id: its beginning is time
		slot := &t.slots[at&(len(t.slots)-1)]
		if p := slot.Load(); p == nil || p.User == user {
			return slot, p
		}
	}
}

// with returns the table with a user's row in it, which is another one when this had no room.
func (t *people) with(p *Personal) *people {
	slot, have := t.find(p.User)
	if have == nil {
		if t.used++; 2*t.used > len(t.slots) {
			grown := newPeople(2 * len(t.slots))
			for i := range t.slots {
				if other := t.slots[i].Load(); other != nil {
					grown = grown.with(other)
				}
			}
			return grown.with(p)
		}
	}
	slot.Store(p)
	return t
}

type recentEnd struct {
	End
	known Instant
}

// NewView returns an empty view for serving.
func NewView() *View { return newView(64) }

func newView(shards int) *View {
	v := &View{shards: make([]viewShard, shards)}
	v.people.Store(newPeople(64))
	for i := range v.shards {
		v.shards[i].ends = map[ID]recentEnd{}
	}
	v.narrow.cutoffs = map[Scope]Cutoff{}
	return v
}

// shard picks by the random end of the id: its beginning is time.
func (v *View) shard(id ID) *viewShard {
	return &v.shards[int(binary.BigEndian.Uint32(id[12:])&0xffff)%len(v.shards)]
}

// Apply joins changes into the view. Order and repetition do not matter. When it returns, no later question is answered
// without them.
func (v *View) Apply(changes ...Change) {
	v.writing.Lock()
	defer v.writing.Unlock()
	for _, c := range changes {
		switch {
		case c.Cutoff != nil:
			v.applyCutoff(*c.Cutoff)
		case c.Block != nil:
			b := *c.Block
			v.change(b.User, func(p *Personal) {
				p.Blocks = upsert(p.Blocks, b, func(have Block) bool { return have.BlockKey == b.BlockKey }, Block.Join)
			})
		case c.Lift != nil:
			v.change(c.Lift.User, func(p *Personal) {
				p.LiftedOver = max(p.LiftedOver, c.Lift.At)
				p.SparedAt, p.UnsparedAt = max(p.SparedAt, c.Lift.SparedAt), max(p.UnsparedAt, c.Lift.UnsparedAt)
			})
		case c.Join != nil:
			j := *c.Join
			for _, user := range []ID{j.A, j.B} {
				v.change(user, func(p *Personal) {
					p.Joins = upsert(p.Joins, j, func(have Join) bool { return have.key() == j.key() }, Join.join)
				})
			}
			v.link(j.A)
			v.link(j.B)
		case c.Limit != nil:
			v.applyLimit(*c.Limit)
		case c.Policy != nil:
			next := map[PolicyKey]Policy{}
			if have := v.policies.Load(); have != nil {
				next = maps.Clone(*have)
			}
			next[c.Policy.PolicyKey] = next[c.Policy.PolicyKey].later(*c.Policy)
			v.policies.Store(&next)
		case c.End != nil:
			s := v.shard(c.End.Session)
			s.Lock()
			before := len(s.ends)
			s.ends[c.End.Session] = recentEnd{*c.End, c.At}
			v.ended.Add(int64(len(s.ends) - before))
			s.Unlock()
		}
	}
}

// upsert returns a copy of rows with row joined into the one that same finds, or added.
func upsert[T any](rows []T, row T, same func(T) bool, join func(a, b T) T) []T {
	rows = slices.Clone(rows)
	if at := slices.IndexFunc(rows, same); at >= 0 {
		rows[at] = join(rows[at], row)
		return rows
	}
	return append(rows, row)
}

// change replaces what is known of one user, and what the people joined with it see of it.
func (v *View) change(user ID, edit func(*Personal)) {
	next := Personal{User: user}
	if have := v.person(user); have != nil {
		next = *have
	}
	edit(&next)
	v.put(&next)
	if next.Joined != nil {
		v.link(user)
	}
}

func (v *View) put(p *Personal) {
	v.people.Store(v.people.Load().with(p))
}

// link walks the joins that stand from user and shows every person on the way the same list of all of them.
func (v *View) link(user ID) {
	seen := []ID{user}
	var all []*Personal
	for i := 0; i < len(seen); i++ {
		p := Personal{User: seen[i]}
		if have := v.person(seen[i]); have != nil {
			p = *have
		}
		all = append(all, &p)
		for _, j := range p.Joins {
			if other := j.other(seen[i]); j.stands() && !slices.Contains(seen, other) {
				seen = append(seen, other)
			}
		}
	}
	for _, p := range all {
		if p.Joined = all; len(all) == 1 {
			p.Joined = nil
		}
	}
	for _, p := range all {
		v.put(p)
	}
}

func (v *View) applyLimit(l Limit) {
	same := func(have Limit) bool { return have.LimitKey() == l.LimitKey() }
	if v.limited.Store(true); l.Kind == ScopeUserKind {
		v.change(l.User, func(p *Personal) { p.Limits = upsert(p.Limits, l, same, Limit.Join) })
		return
	}
	var next []Limit
	if have := v.wideLimits.Load(); have != nil {
		next = *have
	}
	next = upsert(next, l, same, Limit.Join)
	v.wideLimits.Store(&next)
}

func (v *View) applyCutoff(c Cutoff) {
	switch c.Kind {
	case ScopeUser, ScopeUserKind, ScopeUserApp, ScopeUserDevice:
		v.change(c.User, func(p *Personal) {
			p.Cutoffs = upsert(p.Cutoffs, c, func(have Cutoff) bool { return have.Scope == c.Scope }, Cutoff.Join)
		})
	case ScopeEveryone, ScopeKindOf, ScopeApp:
		next := map[Scope]Cutoff{}
		if have := v.wide.Load(); have != nil {
			next = maps.Clone(*have)
		}
		next[c.Scope] = c.Join(next[c.Scope])
		v.wide.Store(&next)
	case ScopeDevice, ScopeSession:
		v.narrow.Lock()
		v.narrow.cutoffs[c.Scope] = c.Join(v.narrow.cutoffs[c.Scope])
		v.narrow.any.Store(true)
		v.narrow.Unlock()
	}
}

func (v *View) person(user ID) *Personal {
	_, p := v.people.Load().find(user)
	return p
}

// everybody returns all whom user is joined with, itself included; nothing when nothing is known against any of them.
// own is room for the common case of one, so that nothing is allocated.
func (v *View) everybody(user ID, own *[1]*Personal) []*Personal {
	p := v.person(user)
	switch {
	case p == nil:
		return nil
	case p.Joined != nil:
		return p.Joined
	default:
		own[0] = p
		return own[:]
	}
}

// Members returns the users who are one person with user, user itself first.
func (v *View) Members(user ID) []ID {
	members := []ID{user}
	if p := v.person(user); p != nil {
		for _, other := range p.Joined {
			if other.User != user {
				members = append(members, other.User)
			}
		}
	}
	return members
}

func (v *View) cutNarrow(s Scope) Cutoff {
	if !v.narrow.any.Load() {
		return Cutoff{}
	}
	v.narrow.RLock()
	defer v.narrow.RUnlock()
	return v.narrow.cutoffs[s]
}

func (v *View) end(session ID) (End, bool) {
	if v.ended.Load() == 0 {
		return End{}, false
	}
	s := v.shard(session)
	s.RLock()
	end, ok := s.ends[session]
	s.RUnlock()
	return end.End, ok
}

// Forget drops ends of single sessions that became known before at: by then every cached session was read again.
func (v *View) Forget(before Instant) {
	for i := range v.shards {
		s := &v.shards[i]
		s.Lock()
		ends := len(s.ends)
		maps.DeleteFunc(s.ends, func(_ ID, end recentEnd) bool { return end.known < before })
		v.ended.Add(int64(len(s.ends) - ends))
		s.Unlock()
	}
}
