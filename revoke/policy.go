package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Terms are what is asked of sessions. The zero value asks nothing.
type Terms struct {
	Refused         bool          `json:"refused,omitempty"`  // none may be registered
	MaxAge          time.Duration `json:"max_age,omitempty"`  // after its birth a session is over
	Idle            time.Duration `json:"idle,omitempty"`     // unused for so long it is over
	DefaultLifetime time.Duration `json:"lifetime,omitempty"` // of one whose application names no end
}

// Join returns the stricter of both, member by member.
func (t Terms) Join(other Terms) Terms {
	return Terms{
		Refused: t.Refused || other.Refused, MaxAge: shorter(t.MaxAge, other.MaxAge), Idle: shorter(t.Idle, other.Idle),
		DefaultLifetime: shorter(t.DefaultLifetime, other.DefaultLifetime),
	}
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// PolicyKey is whose sessions a policy is about: those of a kind, of everybody or of the members of one group. Members are the
// people in the group itself, not those of a group in it.
type PolicyKey struct {
	Org   string
	Kind  Kind
	Group ID // zero: everybody
}

func (k PolicyKey) scope() Scope { return Scope{Org: k.Org, Kind: ScopeKindOf, Key: string(k.Kind)} }

func (k PolicyKey) scopeOf(user ID) Scope {
	return Scope{Org: k.Org, Kind: ScopeUserKind, User: user, Key: string(k.Kind)}
}

// Policy is what an org asks of sessions. Of several that apply to somebody the strictest counts, member by member.
type Policy struct {
	PolicyKey
	Terms
	Removed bool // nothing is asked any more; the row stays, so that whoever hears of it late learns that
	Reason  string
	Actor   Actor
	SetAt   Instant
	Owed    *Carrying // what its group's members were not told yet
}

// Carrying is a change of a group's policy on its way through the members, in their order.
type Carrying struct {
	Terms         // the stricter of what was asked before and after
	Ends  bool    // those sessions end at the targets too; else they are only never accepted again
	At    Instant // when the policy was set
	After ID      // up to this resource it was carried out
	Why   string
}

// later returns the newer of two states of a policy.
func (p Policy) later(other Policy) Policy {
	if other.SetAt >= p.SetAt {
		return other
	}
	return p
}

// Limit is a cutoff that moves by itself: what its scope covers and was born at or before At is over at MaxAge, and after it was
// not used for Idle. It is how a stricter policy is carried out on what exists: exactly on time, with one write, by every replica,
// and whatever is set later. At only moves forward and no limit is ever taken back, so what a limit ended stays dead when the
// policy is loosened: until then everything in its scope is bound by it. Break-glass people are spared, as by every order for many.
type Limit struct {
	Scope      // kind, or user_kind
	MaxAge     time.Duration
	Idle       time.Duration
	At         Instant
	Revocation ID
}

// LimitKey is by what limits are joined.
type LimitKey struct {
	Scope
	MaxAge, Idle time.Duration
}

// LimitKey returns it.
func (l Limit) LimitKey() LimitKey { return LimitKey{l.Scope, l.MaxAge, l.Idle} }

// Join returns the later of both.
func (l Limit) Join(other Limit) Limit {
	if other.At > l.At {
		return other
	}
	return l
}

// binds reports whether l is about s.
func (l *Limit) binds(s *Session) bool {
	return l.Key == string(s.Kind) && s.BornAt <= l.At && (l.Kind == ScopeUserKind || !s.Spared)
}

// limits calls each with every limit that binds s.
func (v *View) limits(s *Session, people []*Personal, each func(*Limit)) {
	for _, p := range people {
		for i := range p.Limits {
			if l := &p.Limits[i]; l.binds(s) {
				each(l)
			}
		}
	}
	if wide := v.wideLimits.Load(); wide != nil {
		for i := range *wide {
			if l := &(*wide)[i]; l.Org == s.Org && l.binds(s) {
				each(l)
			}
		}
	}
}

// terms returns what limits ask of s.
func (v *View) terms(s *Session, people []*Personal) (t Terms) {
	v.limits(s, people, func(l *Limit) { t = t.Join(Terms{MaxAge: l.MaxAge, Idle: l.Idle}) })
	return t
}

// aged returns since when s is too old, zero when it is not, and the revocation that says so.
func (v *View) aged(s *Session, people []*Personal, now Instant) (at Instant, by ID) {
	v.limits(s, people, func(l *Limit) {
		if l.MaxAge == 0 {
			return
		}
		if over := s.BornAt.Add(l.MaxAge); now >= over && (at == 0 || over < at) {
			at, by = over, l.Revocation
		}
	})
	return at, by
}

// idleLimit returns for how long s may lie idle, zero for ever.
func (v *View) idleLimit(s *Session) time.Duration {
	if !v.limited.Load() {
		return s.Idle
	}
	var own [1]*Personal
	return shorter(s.Idle, v.terms(s, v.everybody(s.User, &own)).Idle)
}

// terms returns what the policies ask of a kind of session of who is in the groups, and the key of the one that refuses it.
func termsOf(policies map[PolicyKey]Policy, org string, kind Kind, groups []ID) (t Terms, refuses PolicyKey) {
	for _, group := range append([]ID{{}}, groups...) {
		if p, ok := policies[PolicyKey{org, kind, group}]; ok && !p.Removed {
			if p.Refused && !t.Refused {
				refuses = p.PolicyKey
			}
			t = t.Join(p.Terms)
		}
	}
	return t, refuses
}

// refusal says why a kind of session is refused.
func (k PolicyKey) refusal() string {
	if k.Group.IsZero() {
		return fmt.Sprintf("%s sessions are not allowed here", k.Kind)
	}
	return fmt.Sprintf("%s sessions are not allowed for a group that this user is in", k.Kind)
}

// terms returns what is asked of a new session of a user, who may be unknown.
func (f *Facts) terms(org string, kind Kind, user ID) (Terms, PolicyKey) {
	var groups []ID
	if !user.IsZero() {
		for _, member := range f.members(user) {
			groups = append(groups, f.Groups[member]...)
		}
	}
	return termsOf(f.Policies, org, kind, groups)
}

// PolicyOrder is what somebody wants a policy to be.
type PolicyOrder struct {
	Key    PolicyKey
	Terms  Terms
	Remove bool
	Reason string
}

// Policies answers what is asked of sessions.
type Policies interface {
	// Policies returns the policies of an org, those that ask nothing any more too, by kind and group.
	Policies(ctx context.Context, org string) ([]Policy, error)
	// GroupsOf returns in which groups that a policy is about these users are. A user who is in none is left out.
	GroupsOf(ctx context.Context, org string, users []ID) (map[ID][]ID, error)
	// GroupsNamed returns at most ten groups of an org with an id, or with a displayName without regard to case, by id.
	GroupsNamed(ctx context.Context, org string, id ID, name string) ([]Resource, error)
}

// SetPolicy sets or removes a policy. What it makes stricter is over, or will be at its age, before it returns, but for groups whose
// members [Service.Run] goes on with when ctx ends first; what it loosens was bound by the old policy and stays so.
func (s *Service) SetPolicy(ctx context.Context, actor Actor, src Source, order PolicyOrder) (Policy, error) {
	order.Key.Org = src.Org
	var out Policy
	need := Need{Org: src.Org, SetsPolicy: true, NewestOf: []Scope{order.Key.scope()}}
	for {
		if err := s.carryPolicies(ctx, order.Key); err != nil {
			return Policy{}, err
		}
		err := s.decide(ctx, need, func(f *Facts) (Effects, error) {
			if f.Policies[order.Key].Owed != nil {
				return Effects{}, errMoved
			}
			d := newDecision(f, input{source: src, actor: actor, request: RequestIDFrom(ctx), targets: *s.targets.Load()})
			out = d.setPolicy(order)
			if d.event.State == "" {
				return Effects{}, nil
			}
			e, _ := d.close()
			return e, nil
		})
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return Policy{}, fmt.Errorf("set the policy for %s sessions: %w", order.Key.Kind, err)
		}
		if err := s.carryPolicies(ctx, order.Key); err != nil {
			s.log.Warn("the members of a group are told of its policy later", "err", err)
		}
		return out, nil
	}
}

// setPolicy writes a policy and what carries it out: what the stricter of before and after asks binds everything born by now.
func (d *decision) setPolicy(order PolicyOrder) Policy {
	have, known := d.f.Policies[order.Key]
	if have.Removed {
		have.Terms = Terms{}
	}
	if order.Remove {
		order.Terms = Terms{}
	}
	if !known && order.Remove || known && have.Terms == order.Terms && have.Removed == order.Remove {
		return have
	}
	p := Policy{PolicyKey: order.Key, Terms: order.Terms, Removed: order.Remove, Reason: order.Reason, Actor: d.in.actor, SetAt: d.f.Now}
	d.event.Type = "policy"
	d.settle(EventDecided, "")
	d.audit("policy", map[string]any{
		"kind": p.Kind, "group": p.Group, "removed": p.Removed, "refused": p.Refused, "max_age": p.MaxAge.String(), "idle": p.Idle.String(),
		"default_lifetime": p.DefaultLifetime.String(), "event": d.event.ID,
	}, map[string]any{"reason": p.Reason})
	bound := have.Join(p.Terms)
	bound.Refused = have.Refused != p.Refused
	sig := Signal{Kind: SessionsCleared, Reason: order.Reason, Command: true, Wide: ScopeKindOf, OnlyKind: order.Key.Kind}
	if !p.Group.IsZero() {
		p.Owed = &Carrying{Terms: bound, Ends: p.Refused, At: d.f.Now, Why: order.Reason}
		d.write(Effects{Policies: []Policy{p}})
		return p
	}
	d.write(Effects{Policies: []Policy{p}})
	scope := p.scope()
	at := max(d.f.Now, d.f.NewestOf[scope])
	switch {
	case bound.Refused && p.Refused:
		d.wide(sig)
	case bound.Refused: // whoever kept a token since then must not find it accepted again
		r := d.record(d.revocation(sig, RevocationEnd, scope, at))
		d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, SparedAt: at, SparedBy: r.ID}}})
	}
	if bound.MaxAge != 0 || bound.Idle != 0 {
		r := d.record(d.revocation(sig, RevocationEnd, scope, 0))
		d.write(Effects{Limits: []Limit{{Scope: scope, MaxAge: bound.MaxAge, Idle: bound.Idle, At: at, Revocation: r.ID}}})
	}
	return p
}

// bind lets one member of a group be bound by what its policy asks, at an instant.
func (d *decision) bind(key PolicyKey, user ID, c *Carrying) {
	if spared(d.f.personal(user)) {
		return
	}
	scope := key.scopeOf(user)
	at := c.At
	if c.Ends {
		at = max(at, d.f.newest(user).Born)
	}
	if c.Refused {
		r := d.record(d.revocation(Signal{Kind: SessionsCleared, Reason: c.Why}, RevocationEnd, scope, at))
		d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: at, Revocation: r.ID}}})
		if c.Ends {
			d.owe(r, PriorityMass)
		}
	}
	if c.MaxAge != 0 || c.Idle != 0 {
		d.write(Effects{Limits: []Limit{{Scope: scope, MaxAge: c.MaxAge, Idle: c.Idle, At: at}}})
		d.settle(EventDecided, "")
	}
}

// moved lets who came into a group, or left it, be bound by its policies: by then they stood.
func (d *decision) moved(m Member, comes bool) {
	why := "joined a group for which this is not allowed"
	if !comes {
		why = "left a group for which this is not allowed"
	}
	for _, kind := range Kinds() {
		p, ok := d.f.Policies[PolicyKey{m.Org, kind, m.Group}]
		if !ok || p.Removed && p.Owed == nil || m.User.IsZero() {
			continue
		}
		c := Carrying{Terms: p.Terms, Ends: comes && p.Refused, At: d.f.Now, Why: why}
		if p.Owed != nil {
			c.Terms = c.Join(p.Owed.Terms)
		}
		d.bind(p.PolicyKey, m.User, &c)
	}
}

// membersAtOnce is to how many members of a group a policy is carried in one decision.
const membersAtOnce = 200

// carryPolicies goes on with what the members of groups were not told yet: of one policy, or with a zero key of all. However many
// servers try, each member is told once; after a stop it goes on where it was.
func (s *Service) carryPolicies(ctx context.Context, only PolicyKey) error {
	v := s.view.Load()
	if v == nil {
		return ErrNotFresh
	}
	for _, p := range v.Policies() {
		if only != (PolicyKey{}) && p.PolicyKey != only {
			continue
		}
		for p.Owed != nil {
			next, err := s.carryOne(ctx, p)
			if err != nil {
				return fmt.Errorf("carry the policy for %s sessions to the members of group %s: %w", p.Kind, p.Group, err)
			}
			p = next
		}
	}
	return nil
}

// carryOne tells the next members of a group, and returns the policy as it is then.
func (s *Service) carryOne(ctx context.Context, p Policy) (Policy, error) {
	members, err := s.store.Members(ctx, MemberQuery{
		Org: p.Org, Group: p.Group, After: MemberKey{Org: p.Org, Group: p.Group, Resource: p.Owed.After}, Limit: membersAtOnce,
	})
	if err != nil {
		return p, fmt.Errorf("list the members: %w", err)
	}
	need := Need{Org: p.Org, SetsPolicy: true}
	for _, m := range members {
		if !m.User.IsZero() {
			need.Users = append(need.Users, m.User)
		}
	}
	src := Source{Name: AdminAuthority, Org: p.Org, Authority: AdminAuthority, Admin: true}
	err = s.decide(ctx, need, func(f *Facts) (Effects, error) {
		now := f.Policies[p.PolicyKey]
		if now.SetAt != p.SetAt || now.Owed == nil || now.Owed.After != p.Owed.After {
			p = now // another server was faster
			return Effects{}, nil
		}
		d := newDecision(f, input{source: src, actor: now.Actor, targets: *s.targets.Load()})
		d.event.Type = "policy"
		next := *now.Owed
		for _, user := range need.Users {
			d.bind(p.PolicyKey, user, now.Owed)
			d.ids = 0
			f.Now++ // each revocation has an instant, and so an id, of its own
		}
		if now.Owed = &next; len(members) > 0 {
			next.After = members[len(members)-1].Resource
		}
		if len(members) < membersAtOnce {
			now.Owed = nil
		}
		p = now
		d.write(Effects{Policies: []Policy{now}})
		if d.event.State == "" {
			return d.e, nil
		}
		e, _ := d.close()
		return e, nil
	})
	return p, err
}

// PreviewPolicy counts the live sessions that would end now with a policy: those that are not allowed any more, those that are too
// old, and those that lie idle for too long. It looks at each session of the kind.
func (s *Service) PreviewPolicy(ctx context.Context, src Source, order PolicyOrder) (int, error) {
	v := s.view.Load()
	if v == nil {
		return 0, ErrNotFresh
	}
	if order.Key.Org = src.Org; order.Remove {
		return 0, nil
	}
	n, now := 0, s.store.Clock().Now()
	count := func(session *Session) {
		t := order.Terms
		over := t.Refused || t.MaxAge != 0 && now >= session.BornAt.Add(t.MaxAge) || session.unused(t.Idle, s.known.lastUse(session), now)
		if over && session.Kind == order.Key.Kind && !session.Spared && Live(session, v, now).Live &&
			!session.unused(v.idleLimit(session), s.known.lastUse(session), now) {
			n++
		}
	}
	if order.Key.Group.IsZero() {
		if err := s.store.EachSession(ctx, order.Key.scope(), now, count); err != nil {
			return 0, fmt.Errorf("count the %s sessions: %w", order.Key.Kind, err)
		}
		return n, nil
	}
	var people []ID
	q := MemberQuery{Org: src.Org, Group: order.Key.Group, After: MemberKey{Org: src.Org, Group: order.Key.Group}, Limit: 1000}
	for {
		members, err := s.store.Members(ctx, q)
		if err != nil {
			return 0, fmt.Errorf("list the members of group %s: %w", order.Key.Group, err)
		}
		for _, m := range members {
			if !m.User.IsZero() {
				people = append(people, v.Members(m.User)...)
			}
		}
		if len(members) < q.Limit {
			break
		}
		q.After = members[len(members)-1].MemberKey
	}
	slices.SortFunc(people, ID.Compare)
	for some := range slices.Chunk(slices.Compact(people), membersAtOnce) {
		page := SessionQuery{Org: src.Org, Users: some, Limit: 1000}
		for {
			sessions, err := s.store.SessionsOf(ctx, page)
			if err != nil {
				return 0, fmt.Errorf("list the sessions of a group's members: %w", err)
			}
			for i := range sessions {
				count(&sessions[i])
			}
			if len(sessions) < page.Limit {
				break
			}
			last := &sessions[len(sessions)-1]
			page.After = &SessionCursor{last.BornAt, last.ID}
		}
	}
	return n, nil
}

// Policies returns the policies of every org that the view knows, removed ones too, by org, kind and group.
func (v *View) Policies() []Policy {
	have := v.policies.Load()
	if have == nil {
		return nil
	}
	var out []Policy
	for _, p := range *have {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Policy) int { return a.Compare(b.PolicyKey) })
	return out
}

// Compare orders keys by org, kind and group.
func (k PolicyKey) Compare(other PolicyKey) int {
	return cmp.Or(cmp.Compare(k.Org, other.Org), cmp.Compare(k.Kind, other.Kind), k.Group.Compare(other.Group))
}

// groupPolicies reports whether any policy of an org is about a group's sessions of the kind; an empty kind is any.
func (v *View) groupPolicies(org string, kind Kind) bool {
	have := v.policies.Load()
	if have == nil {
		return false
	}
	for key, p := range *have {
		if key.Org == org && !key.Group.IsZero() && (kind == "" || key.Kind == kind) && (!p.Removed || p.Owed != nil) {
			return true
		}
	}
	return false
}

// Refusal returns the sentence with which a new session of the kind would be refused, empty when it would not be. A break-glass
// person is refused by no policy.
func (s *Service) Refusal(ctx context.Context, org string, user ID, kind Kind) (string, error) {
	v := s.view.Load()
	if v == nil {
		return "", ErrNotFresh
	}
	terms, by, err := s.asked(ctx, v, org, user, kind)
	if err != nil || !terms.Refused {
		return "", err
	}
	return by.refusal(), nil
}

// asked returns what the policies that stand ask of one person's sessions of a kind.
func (s *Service) asked(ctx context.Context, v *View, org string, user ID, kind Kind) (Terms, PolicyKey, error) {
	have := v.policies.Load()
	if have == nil {
		return Terms{}, PolicyKey{}, nil
	}
	var own [1]*Personal
	if !user.IsZero() && spared(v.everybody(user, &own)) {
		return Terms{}, PolicyKey{}, nil
	}
	var groups []ID
	if !user.IsZero() && v.groupPolicies(org, kind) {
		members := v.Members(user)
		of, err := s.store.GroupsOf(ctx, org, members)
		if err != nil {
			return Terms{}, PolicyKey{}, fmt.Errorf("read the groups of user %s: %w", user, err)
		}
		for _, member := range members {
			groups = append(groups, of[member]...)
		}
	}
	terms, by := termsOf(*have, org, kind, groups)
	return terms, by, nil
}

// needMembers lets a decision about a group's members, or the group itself, lead to the people in it, where a policy is about a group
// of the org: those who come and go are bound by it.
func (s *Service) needMembers(ctx context.Context, need *Need, group ID) error {
	v := s.view.Load()
	if v == nil {
		return ErrNotFresh
	}
	if !v.groupPolicies(need.Org, "") {
		return nil
	}
	members, err := s.store.Members(ctx, MemberQuery{Org: need.Org, Groups: []ID{group}})
	if err != nil {
		return fmt.Errorf("read the members of group %s: %w", group, err)
	}
	for _, m := range members {
		if !m.User.IsZero() {
			need.Users = append(need.Users, m.User)
		}
	}
	need.Resources = append(need.Resources, need.Mentioned...)
	return nil
}
