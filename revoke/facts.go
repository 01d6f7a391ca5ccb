package revoke

import (
	"cmp"
	"maps"
	"slices"
)

// Facts is what a decision sees: everything its [Need] leads to, read after the locks were taken, with what earlier
// decisions of the same transaction wrote. A store fills the maps and, through the Add methods, what is looked up by more
// than one key; only [Facts.Apply] changes it afterwards.
type Facts struct {
	Now       Instant // the decision's own; it may move it on, and the next decision's is later than where it was left
	Users     map[ID]User
	Cutoffs   map[Scope]Cutoff
	Newest    map[ID]Newest     // by user
	NewestOf  map[Scope]Instant // present for every scope that a need named, zero where there is no session
	Sessions  map[ID]Session
	Devices   map[DeviceIdentifier][]ID // every device that carries it, oldest first
	Events    map[EventKey]Event
	Resources map[ID]Resource
	Members   map[MemberKey]Member
	Policies  map[PolicyKey]Policy
	Limits    map[LimitKey]Limit
	Groups    map[ID][]ID    // by user: the groups with a policy that the user is in
	Readings  map[ID]Reading // by event, with the lease that is out now
	Held      map[ID]Held    // those that a need named, decided ones too
	Tallies   map[VoiceKey]Tally
	Hits      map[HitKey]Hit // of the users and devices here, by the voices that are counted

	holdings map[Identifier][]Holding // oldest first
	held     map[ID][]Identifier
	joins    map[ID][]Join
	blocks   map[ID][]Block
	plans    map[ID][]Plan
	byClient map[clientKey]ID // sessions by what a registration names
	byToken  map[knownKey]ID
	waiting  map[ID][]Held // what waits for a person, by user, where voices are counted

	deviceNames map[ID][]DeviceIdentifier
}

type clientKey struct{ org, app, clientID string }

// Newest is the newest session of a user, whatever became of it.
type Newest struct {
	Born       Instant
	Registered Instant
}

// NewFacts returns empty facts.
func NewFacts() *Facts {
	return &Facts{
		Users: map[ID]User{}, Cutoffs: map[Scope]Cutoff{}, Newest: map[ID]Newest{},
		NewestOf: map[Scope]Instant{}, Sessions: map[ID]Session{}, Devices: map[DeviceIdentifier][]ID{},
		Events: map[EventKey]Event{}, Resources: map[ID]Resource{}, Members: map[MemberKey]Member{}, Readings: map[ID]Reading{},
		Held: map[ID]Held{}, Tallies: map[VoiceKey]Tally{}, Hits: map[HitKey]Hit{}, waiting: map[ID][]Held{},
		Policies: map[PolicyKey]Policy{}, Limits: map[LimitKey]Limit{}, Groups: map[ID][]ID{},
		holdings: map[Identifier][]Holding{}, held: map[ID][]Identifier{}, joins: map[ID][]Join{}, blocks: map[ID][]Block{},
		plans: map[ID][]Plan{}, byClient: map[clientKey]ID{}, byToken: map[knownKey]ID{}, deviceNames: map[ID][]DeviceIdentifier{},
	}
}

// AddHolding adds a holding of a user here or of an identifier in the need. The same one twice is joined.
func (f *Facts) AddHolding(h Holding) {
	rows := upsert(f.holdings[h.Identifier], h, func(have Holding) bool { return have.key() == h.key() }, Holding.join)
	slices.SortFunc(rows, func(a, b Holding) int { return cmp.Compare(a.HeldFrom, b.HeldFrom) })
	f.holdings[h.Identifier] = rows
	if !slices.Contains(f.held[h.User], h.Identifier) {
		f.held[h.User] = append(f.held[h.User], h.Identifier)
	}
}

// AddJoin adds a join of two users here, a split one too.
func (f *Facts) AddJoin(j Join) {
	for _, user := range []ID{j.A, j.B} {
		f.joins[user] = upsert(f.joins[user], j, func(have Join) bool { return have.key() == j.key() }, Join.join)
	}
}

// AddBlock adds a block of a user here.
func (f *Facts) AddBlock(b Block) {
	f.blocks[b.User] = upsert(f.blocks[b.User], b, func(have Block) bool { return have.BlockKey == b.BlockKey }, Block.Join)
}

// AddPlan adds a plan of a user here.
func (f *Facts) AddPlan(p Plan) {
	f.plans[p.User] = upsert(f.plans[p.User], p, func(have Plan) bool { return have.PlanKey == p.PlanKey }, func(_, b Plan) Plan { return b })
}

// AddDevice adds a name of a device that carries an identifier of the need: each of its names.
func (f *Facts) AddDevice(name DeviceIdentifier, device ID) {
	devices := f.Devices[name]
	if at, there := slices.BinarySearchFunc(devices, device, ID.Compare); !there {
		f.Devices[name] = slices.Insert(slices.Clone(devices), at, device)
		f.deviceNames[device] = append(slices.Clip(f.deviceNames[device]), name)
	}
	if scope := DeviceScope(name.Org, device); f.NewestOf[scope] == 0 {
		f.NewestOf[scope] = 0 // so that Apply keeps it
	}
}

// Apply lets later decisions of the transaction see what e wrote.
func (f *Facts) Apply(e Effects) {
	for _, u := range e.Users {
		have, ok := f.Users[u.ID]
		if ok {
			u = u.join(have)
		}
		f.Users[u.ID] = u
	}
	for _, h := range e.Holdings {
		f.AddHolding(h)
	}
	for _, j := range e.Joins {
		f.AddJoin(j)
	}
	for _, b := range e.Blocks {
		f.AddBlock(b)
	}
	for _, c := range e.Cutoffs {
		f.Cutoffs[c.Scope] = c.Join(f.Cutoffs[c.Scope])
	}
	for _, l := range e.Limits {
		f.Limits[l.LimitKey()] = f.Limits[l.LimitKey()].Join(l)
	}
	for _, p := range e.Policies {
		f.Policies[p.PolicyKey] = p
	}
	for _, d := range e.Devices {
		for _, id := range d.Identifiers {
			f.AddDevice(id, d.ID)
		}
	}
	for _, s := range e.Sessions {
		f.AddSession(s)
		n := f.Newest[s.User]
		f.Newest[s.User] = Newest{Born: max(n.Born, s.BornAt), Registered: max(n.Registered, s.RegisteredAt)}
		for _, scope := range s.wideScopes() {
			if have, ok := f.NewestOf[scope]; ok {
				f.NewestOf[scope] = max(have, s.BornAt)
			}
		}
	}
	for _, end := range e.Ends {
		if s, ok := f.Sessions[end.Session]; ok && s.EndedAt == 0 {
			s.EndedAt, s.EndedBy = end.At, end.Revocation
			f.Sessions[end.Session] = s
		}
	}
	for _, ev := range e.Events {
		if ev.SenderID != "" {
			f.Events[ev.Key()] = ev
		}
	}
	for _, r := range e.Resources {
		f.Resources[r.ID] = r
	}
	for _, key := range e.Left {
		user := f.Members[key].User
		f.Groups[user] = slices.DeleteFunc(slices.Clone(f.Groups[user]), func(g ID) bool { return g == key.Group })
		delete(f.Members, key)
	}
	for _, m := range e.Members {
		f.Members[m.MemberKey] = m
		if !m.User.IsZero() {
			f.Groups[m.User] = append(slices.Clone(f.Groups[m.User]), m.Group)
		}
	}
	for _, p := range e.Plans {
		f.AddPlan(p)
	}
	for _, h := range e.Held {
		f.AddWaiting(h)
	}
	for _, h := range e.Hits {
		last := f.Hits[h.HitKey]
		if t, ok := f.Tallies[h.VoiceKey]; ok {
			f.Tallies[h.VoiceKey] = t.hit(last, h)
		}
		f.Hits[h.HitKey] = h.join(last)
	}
}

// wideScopes are the scopes of many people that cover s.
func (s *Session) wideScopes() []Scope {
	return []Scope{
		{Org: s.Org, Kind: ScopeEveryone},
		{Org: s.Org, Kind: ScopeKindOf, Key: string(s.Kind)},
		{Org: s.Org, Kind: ScopeApp, Key: s.App},
		DeviceScope(s.Org, s.Device),
	}
}

// members returns everybody who is one person with user, sorted, user included.
func (f *Facts) members(user ID) []ID {
	seen := []ID{user}
	for i := 0; i < len(seen); i++ {
		for _, j := range f.joins[seen[i]] {
			if other := j.other(seen[i]); j.stands() && !slices.Contains(seen, other) {
				seen = append(seen, other)
			}
		}
	}
	slices.SortFunc(seen, ID.Compare)
	return seen
}

// person returns one name for everybody who is one person with user.
func (f *Facts) person(user ID) ID { return f.members(user)[0] }

// personal returns what stands against the members of a person, in the form that the rules read.
func (f *Facts) personal(user ID) []*Personal {
	var out []*Personal
	for _, member := range f.members(user) {
		u := f.Users[member]
		out = append(out, &Personal{User: member, SparedAt: u.SparedAt, UnsparedAt: u.UnsparedAt, LiftedOver: u.LiftedOver, Blocks: f.blocks[member]})
	}
	return out
}

// blocked returns the block that keeps the person out, if one stands.
func (f *Facts) blocked(user ID) (Block, bool) {
	if b := standing(f.personal(user)); b != nil {
		return *b, true
	}
	return Block{}, false
}

// blockedBy reports whether the authority's own block of the class stands on the person.
func (f *Facts) blockedBy(user ID, authority string, classes ...Class) bool {
	people := f.personal(user)
	for _, p := range people {
		p.Blocks = slices.DeleteFunc(slices.Clone(p.Blocks), func(b Block) bool { return b.Authority != authority })
		for i := range p.Blocks {
			if len(classes) > 0 && !slices.Contains(classes, p.Blocks[i].Class) {
				p.Blocks[i].BlockedAt = 0 // its lift counts all the same
			}
		}
	}
	ok := standing(people) != nil
	return ok
}

// view builds what Live reads out of these facts.
func (f *Facts) view() *View {
	v := newView(1)
	var all Effects
	for _, u := range f.Users {
		all.Users = append(all.Users, u)
	}
	for _, joins := range f.joins {
		all.Joins = append(all.Joins, joins...)
	}
	for _, blocks := range f.blocks {
		all.Blocks = append(all.Blocks, blocks...)
	}
	for _, c := range f.Cutoffs {
		all.Cutoffs = append(all.Cutoffs, c)
	}
	all.Limits = slices.Collect(maps.Values(f.Limits))
	v.Apply(all.Changes(f.Now)...)
	return v
}

// viewOf is view with only what can be about one session, for where thousands are judged.
func (f *Facts) viewOf(s *Session) *View {
	v := newView(1)
	var all Effects
	scopes := []Scope{
		{Org: s.Org, Kind: ScopeEveryone},
		{Org: s.Org, Kind: ScopeKindOf, Key: string(s.Kind)},
		{Org: s.Org, Kind: ScopeApp, Key: s.App},
		DeviceScope(s.Org, s.Device),
	}
	for _, member := range f.members(s.User) {
		if u, ok := f.Users[member]; ok {
			all.Users = append(all.Users, u)
		}
		all.Joins = append(all.Joins, f.joins[member]...)
		all.Blocks = append(all.Blocks, f.blocks[member]...)
		scopes = append(scopes, Scope{Org: s.Org, Kind: ScopeUser, User: member}, Scope{Org: s.Org, Kind: ScopeUserKind, User: member, Key: string(s.Kind)},
			Scope{Org: s.Org, Kind: ScopeUserApp, User: member, Key: s.App}, Scope{Org: s.Org, Kind: ScopeUserDevice, User: member, Device: s.Device})
	}
	for _, scope := range scopes {
		if c, ok := f.Cutoffs[scope]; ok {
			all.Cutoffs = append(all.Cutoffs, c)
		}
	}
	for key, l := range f.Limits {
		if slices.Contains(scopes, key.Scope) {
			all.Limits = append(all.Limits, l)
		}
	}
	v.Apply(all.Changes(f.Now)...)
	return v
}

// session returns the session that ref points at by the application's id or the token.
func (f *Facts) session(ref SessionRef) (Session, bool) {
	id, ok := f.byClient[clientKey{ref.Org, ref.App, ref.ClientID}]
	if !ref.Token.IsZero() {
		id, ok = f.byToken[knownKey{ref.Org, ref.Token}]
	}
	return f.Sessions[id], ok
}

// AddSession adds a session that the need leads to.
func (f *Facts) AddSession(s Session) {
	f.Sessions[s.ID] = s
	if s.ClientID != "" {
		f.byClient[clientKey{s.Org, s.App, s.ClientID}] = s.ID
	}
	if !s.Token.IsZero() {
		f.byToken[knownKey{s.Org, s.Token}] = s.ID
	}
}

// newest returns the newest birth and registration among the person's sessions.
func (f *Facts) newest(user ID) Newest {
	var n Newest
	for _, member := range f.members(user) {
		n.Born, n.Registered = max(n.Born, f.Newest[member].Born), max(n.Registered, f.Newest[member].Registered)
	}
	return n
}

// live counts which of these sessions live.
func (f *Facts) live() int {
	v, n := f.view(), 0
	for _, s := range f.Sessions {
		if Live(&s, v, f.Now).Live {
			n++
		}
	}
	return n
}
