package revoke

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Provisioned is what came of a directory's request.
type Provisioned struct {
	Resource Resource
	Changed  bool // the resource was written; false for an echo of what stood there
	Restored bool // a creation that found its inactive resource again
	Signals  []SignalKind
	Outcome  // of the event that the request was, when it said something new
}

// Draft is a resource as a request would leave it, with what the request said besides. What only the core knows
// (ids, user, version, times) is ignored in it.
type Draft struct {
	Resource
	Subject    Subject // every identifier that the profile carries: by them the person is known, and they are taught
	Said       bool    // the request itself carried active
	Password   bool    // the request carried a password
	Members    MemberChange
	Attributes []string // the names of the attributes that the request changed, for the audit log
	Request    string   // the method, for the event
}

// CreateResource makes a resource, or restores the inactive one that it re-creates. A name held by an active one is
// [ErrConflict]. An inactive creation, a restoration and a creation after a deletion are signals; a first creation is none.
func (s *Service) CreateResource(ctx context.Context, actor Actor, src Source, draft Draft) (Provisioned, error) {
	return s.provision(ctx, actor, src, draft.need(src, ID{}), !draft.Active && draft.Type == TypeUser, func(d *decision) (Provisioned, error) {
		if draft.Type == TypeGroup {
			return d.createGroup(draft)
		}
		return d.create(draft)
	})
}

// UpdateResource changes a resource under its lock: change gets it as it stands and returns what the request makes of it.
// change may run more than once and must not wait. What differs in active, and a password, become signals in the same
// transaction. An unknown or deleted resource, or one of another authority, is [ErrNotFound].
func (s *Service) UpdateResource(ctx context.Context, actor Actor, src Source, id ID, change func(Resource) (Draft, error)) (Provisioned, error) {
	current, err := s.store.Resource(ctx, src.Org, src.Authority, id)
	if err != nil {
		return Provisioned{}, fmt.Errorf("read resource %s: %w", id, err)
	}
	return s.updateFrom(ctx, actor, src, current, change)
}

// DeactivateResource is [Service.UpdateResource] for a request that is expected to do no more than deactivate: that needs only the
// resource and its person, and so is decided without reading the resource before the lock. Whatever else the request turns out to
// say is decided all the same.
func (s *Service) DeactivateResource(ctx context.Context, actor Actor, src Source, id ID, change func(Resource) (Draft, error)) (Provisioned, error) {
	var current Resource
	more := false
	out, err := s.provision(ctx, actor, src, Need{Org: src.Org, Resources: []ID{id}}, true, func(d *decision) (Provisioned, error) {
		r, err := d.own(id)
		if err != nil {
			return Provisioned{}, err
		}
		draft, err := change(r)
		if err != nil {
			return Provisioned{}, err
		}
		if more = !d.onlyDeactivates(r, draft); more {
			current = r
			return Provisioned{}, errMoved
		}
		return d.update(r, draft)
	})
	if !more {
		return out, err
	}
	return s.updateFrom(ctx, actor, src, current, change)
}

// onlyDeactivates reports whether the draft of an active user leads to nobody and to no name but those that r leads to. Its names
// are its own while it is active, and what its person carries already is not taught again: nobody else need be known.
func (d *decision) onlyDeactivates(r Resource, draft Draft) bool {
	if r.Type != TypeUser || !r.Active || !r.Named || draft.Active || Fold(draft.UserName) != Fold(r.UserName) || draft.ExternalID != r.ExternalID ||
		!bytes.Equal(draft.Profile, r.Profile) {
		return false
	}
	person := d.f.person(r.User)
	return !slices.ContainsFunc(draft.Subject.In(d.in.source.Org), func(id Identifier) bool {
		return !slices.ContainsFunc(d.f.holdings[id], func(h Holding) bool { return h.ReleasedAt == 0 && d.f.person(h.User) == person })
	})
}

// updateFrom changes a resource that stood as current when it was read.
func (s *Service) updateFrom(ctx context.Context, actor Actor, src Source, current Resource, change func(Resource) (Draft, error)) (Provisioned, error) {
	id := current.ID
	// What the request will make of the resource tells what must be locked, and so must be known before the lock. When the
	// resource changed in between so that more is needed, it is tried again with what it became.
	out, moved, err := s.updateResource(ctx, actor, src, &current, change, false, 1)
	if moved {
		out, moved, err = s.updateResource(ctx, actor, src, &current, change, true, maxMoved)
	}
	if moved {
		return Provisioned{}, fmt.Errorf("resource %s changes too fast: %w", id, ErrUnavailable)
	}
	return out, err
}

// updateResource tries a change of a resource a few times, each time with what the resource was at the last, and reports
// whether it had moved at all of them.
func (s *Service) updateResource(ctx context.Context, actor Actor, src Source, current *Resource, change func(Resource) (Draft, error), alone bool, tries int) (out Provisioned, moved bool, err error) {
	id := current.ID
	defer s.turns.take(id, alone)()
	for range tries {
		draft, err := change(*current)
		if err != nil {
			return Provisioned{}, false, err
		}
		need := draft.need(src, id)
		moved = false
		hits := current.Type == TypeUser && (draft.Active != current.Active || draft.Said && !draft.Active || draft.Password || current.RefusedAt != 0)
		locked := need
		if need.Policies {
			if err := s.needMembers(ctx, &locked, id); err != nil {
				return Provisioned{}, false, err
			}
		}
		out, err = s.provision(ctx, actor, src, locked, hits, func(d *decision) (Provisioned, error) {
			r, ok := d.f.Resources[id]
			if !ok || r.Deleted() || r.Org != src.Org || r.Authority != src.Authority {
				return Provisioned{}, ErrNotFound
			}
			draft, err := change(r)
			if err != nil {
				return Provisioned{}, err
			}
			if moved = !need.covers(draft.need(src, id)); moved {
				*current = r
				return Provisioned{}, errMoved
			}
			if r.Type == TypeGroup {
				return d.updateGroup(r, draft)
			}
			return d.update(r, draft)
		})
		if !moved {
			return out, false, err
		}
	}
	return Provisioned{}, true, nil
}

// maxMoved is how often a resource may change between reading and locking it. In one process it is once or twice; see [turns].
const maxMoved = 20

// turns keep those who change one resource at once from moving it under each other again and again: whoever has to try once
// more is alone, and whoever comes for the first time waits for that. Resources share a place, which costs time and nothing else.
type turns [64]sync.RWMutex

// take returns what gives the turn back.
func (t *turns) take(resource ID, alone bool) (release func()) {
	place := &t[resource[len(resource)-1]%byte(len(t))]
	if alone {
		place.Lock()
		return place.Unlock
	}
	place.RLock()
	return place.RUnlock
}

// errUncounted ends a decision that hit somebody whom the brake did not count.
var errUncounted = errors.New("decided without the brake's count")

var errMoved = fmt.Errorf("resource moved: %w", ErrConflict)

// DeleteResource removes a resource and ends its person's sessions. A second time is [ErrNotFound].
func (s *Service) DeleteResource(ctx context.Context, actor Actor, src Source, id ID) (Provisioned, error) {
	need := Need{Org: src.Org, Resources: []ID{id}, MembersOf: []ID{id}, Policies: true}
	if err := s.needMembers(ctx, &need, id); err != nil {
		return Provisioned{}, err
	}
	memberships, err := s.store.Members(ctx, MemberQuery{Org: src.Org, Resources: []ID{id}, Limit: maxMembersAtOnce})
	if err != nil {
		return Provisioned{}, fmt.Errorf("read the groups of resource %s: %w", id, err)
	}
	for _, m := range memberships {
		need.Members = append(need.Members, m.MemberKey)
	}
	return s.provision(ctx, actor, src, need, true, func(d *decision) (Provisioned, error) {
		r, err := d.own(id)
		if err != nil {
			return Provisioned{}, err
		}
		d.event.Type = "DELETE"
		r.DeletedAt, r.UpdatedAt, r.Active, r.Named, r.Version, r.SameValues = d.f.Now, d.f.Now, false, false, r.Version+1, false
		left := d.f.memberships(id)
		for _, key := range left {
			d.moved(d.f.Members[key], false)
		}
		d.write(Effects{Resources: []Resource{r}, Left: left})
		if r.Type == TypeGroup {
			d.auditResource("delete", r, nil)
			return Provisioned{Resource: r, Changed: true}, nil
		}
		d.say(r.User, Signal{Kind: Deleted})
		d.release(r.User, nil)
		d.write(Effects{Holdings: []Holding{d.released(src.ResourceIdentifier(id))}})
		d.auditResource("delete", r, nil)
		return Provisioned{Resource: r, Changed: true}, nil
	})
}

// DeactivateRefused carries out the deactivation that a refused request contained: sessions end and the block stands, while
// the resource keeps active true; the next accepted active:true lifts. why says what was refused.
func (s *Service) DeactivateRefused(ctx context.Context, actor Actor, src Source, id ID, why string) error {
	_, err := s.provision(ctx, actor, src, Need{Org: src.Org, Resources: []ID{id}}, true, func(d *decision) (Provisioned, error) {
		r, err := d.own(id)
		if err == nil && r.Type != TypeUser {
			err = ErrNotFound
		}
		if err != nil {
			return Provisioned{}, err
		}
		d.refused(id, why)
		repeated := !r.Active || r.RefusedAt != 0
		if r.Active {
			r.RefusedAt, r.SameValues = d.f.Now, true // what it shows stays as it was, and so does its version
			d.write(Effects{Resources: []Resource{r}})
		}
		d.say(r.User, Signal{Kind: Deactivated, Repeated: repeated})
		return Provisioned{Resource: r}, nil
	})
	return err
}

// DeactivateRefusedCreation does the same for a refused creation, by the identifiers that it carried, of which nothing is
// learned. It reports false where they name nobody in particular, so that a person has to decide.
func (s *Service) DeactivateRefusedCreation(ctx context.Context, actor Actor, src Source, subject Subject, why string) (carriedOut bool, err error) {
	need := Need{Org: src.Org}
	need.addSubject(subject.In(src.Org))
	name := ResourceName{Org: src.Org, Authority: src.Authority, Type: TypeUser}
	for _, id := range subject {
		switch id.Namespace {
		case NamespaceUserName:
			name.UserName = Fold(id.Value)
		case src.IDs:
			name.ExternalID = id.Value
		}
	}
	need.Names = []ResourceName{name}
	_, err = s.provision(ctx, actor, src, need, true, func(d *decision) (Provisioned, error) {
		d.in.source.Learns = false
		d.refused(ID{}, why)
		user, ok := d.resolve(subject.In(src.Org), 0)
		if carriedOut = ok; !ok {
			return Provisioned{}, nil
		}
		repeated := d.f.blockedBy(user, src.Authority, ClassPlain)
		for _, id := range sortedKeys(d.f.Resources) {
			r, err := d.own(id)
			if err == nil && r.Type == TypeUser && r.Active && slices.Contains(d.f.members(user), r.User) {
				r.RefusedAt, r.SameValues = d.f.Now, true
				d.write(Effects{Resources: []Resource{r}})
			}
		}
		d.say(user, Signal{Kind: Deactivated, Repeated: repeated})
		return Provisioned{}, nil
	})
	return carriedOut, err
}

// refused puts on record that what follows was part of a request that was refused, and why.
func (d *decision) refused(resource ID, why string) {
	d.event.Note = "the request was refused: " + why
	d.audit("refusal", map[string]any{"event": d.event.ID, "resource": resource, "why": why, "authority": d.in.source.Authority}, nil)
}

// provision runs a directory's request as one decision: its resource, its person and what it says, all or nothing. Where it is expected
// to hit somebody the brake counts; a request that does so unexpectedly is decided on a copy first, and then once more.
func (s *Service) provision(ctx context.Context, actor Actor, src Source, need Need, hits bool, run func(*decision) (Provisioned, error)) (Provisioned, error) {
	var out Provisioned
	src.Learns = true
	in := s.input(ctx, actor, src, Event{})
	if hits && in.braked() {
		need.Brakes = []BrakeNeed{in.brake.need(in.voice())}
	}
	start := s.store.Clock().Now()
	err := s.decide(ctx, need, func(real *Facts) (Effects, error) {
		f := real
		if !hits && in.braked() {
			f = real.clone()
		}
		d := newDecision(f, in)
		var err error
		if out, err = run(d); err != nil {
			return Effects{}, err
		}
		if d.uncounted {
			return Effects{}, errUncounted
		}
		real.Now = f.Now
		out.Signals = d.said()
		if len(out.Signals) == 0 && d.event.State == "" {
			return d.e, nil
		}
		var effects Effects
		effects, out.Outcome = d.close()
		return effects, nil
	})
	if !hits && errors.Is(err, errUncounted) {
		return s.provision(ctx, actor, src, need, true, run)
	}
	if err != nil {
		return Provisioned{}, err
	}
	for _, kind := range out.Signals {
		s.observer.Received(src.Name, kind, out.State, s.store.Clock().Now().Sub(start))
	}
	return out, nil
}

// need names what a draft leads to: the people its identifiers mean, and the resources that must not have its names.
func (draft *Draft) need(src Source, self ID) Need {
	n := Need{Org: src.Org}
	n.addSubject(draft.Subject.In(src.Org))
	n.Names = []ResourceName{draft.name(src)}
	if !self.IsZero() {
		n.Resources = []ID{self}
	}
	n.Policies = n.Policies || draft.Members.Clear || len(draft.Members.order) > 0
	if draft.Members.Clear && !self.IsZero() {
		n.MembersOf = []ID{self}
	}
	n.Mentioned = draft.Members.said(true)
	if src.Rule(AccessChanged).Acts() { // then those who leave are people to decide about
		n.Resources = append(n.Resources, draft.Members.said(false)...)
	}
	for _, id := range draft.Members.order {
		if !self.IsZero() {
			n.Members = append(n.Members, MemberKey{src.Org, self, id})
		}
	}
	return n
}

func (draft *Draft) name(src Source) ResourceName {
	return ResourceName{Org: src.Org, Authority: src.Authority, Type: draft.Type, UserName: Fold(draft.UserName), ExternalID: draft.ExternalID}
}

// covers reports whether a decision that locked n may also decide what other names.
func (n *Need) covers(other Need) bool {
	return slices.Equal(n.Resources, other.Resources) && slices.Equal(n.Members, other.Members) && slices.Equal(n.MembersOf, other.MembersOf) &&
		!slices.ContainsFunc(other.Identifiers, func(id Identifier) bool { return !slices.Contains(n.Identifiers, id) }) &&
		!slices.ContainsFunc(other.Names, func(name ResourceName) bool { return !slices.Contains(n.Names, name) })
}

// own returns a resource that the source may see.
func (d *decision) own(id ID) (Resource, error) {
	r, ok := d.f.Resources[id]
	if !ok || r.Deleted() || r.Org != d.in.source.Org || r.Authority != d.in.source.Authority {
		return Resource{}, ErrNotFound
	}
	return r, nil
}

func (d *decision) create(draft Draft) (Provisioned, error) {
	src := d.in.source
	old, err := d.makeRoom(draft, ID{})
	if err != nil {
		return Provisioned{}, err
	}
	r := draft.Resource
	r.Org, r.Authority, r.Named, r.UpdatedAt, r.SameValues = src.Org, src.Authority, true, d.f.Now, false
	d.event.Type = draft.Request
	restored := !old.ID.IsZero()
	if restored {
		r.ID, r.User, r.CreatedAt, r.Version = old.ID, old.User, old.CreatedAt, old.Version+1
	} else {
		r.ID, r.CreatedAt, r.Version = d.newID(), d.f.Now, 1
	}
	subject := append(Subject{src.ResourceIdentifier(r.ID)}, draft.Subject.In(src.Org)...)
	before := false // this authority had a resource of the person, which is gone
	if restored {
		d.release(r.User, subject)
		d.learn(r.User, subject, d.f.Now)
	} else {
		r.User = d.whose(subject)
		before = slices.ContainsFunc(d.f.holdingsOf(r.User), func(h Holding) bool {
			return h.Namespace == src.scimNamespace() && h.Value != r.ID.String()
		})
	}
	d.write(Effects{Resources: []Resource{r}})
	d.auditResource("create", r, draft.Attributes)
	switch {
	case !r.Active:
		d.say(r.User, Signal{Kind: Deactivated, Repeated: restored})
	case restored, before:
		d.say(r.User, Signal{Kind: Reactivated})
	}
	return Provisioned{Resource: r, Changed: true, Restored: restored}, nil
}

// whose finds the person that a new resource is about, or makes one; either is taught what the resource carries.
// Identifiers of equal strength that name two people who are not the directory's join them: it says they are one.
func (d *decision) whose(subject Subject) ID {
	m := d.f.find(d.in.source, subject, d.f.Now)
	d.decided.Conflicts = append(d.decided.Conflicts, m.conflicts...)
	if d.decided.Known = m.found; !m.found {
		m.user = d.newUser(subject)
	}
	d.learn(m.user, subject, d.f.Now)
	return m.user
}

func (d *decision) update(r Resource, draft Draft) (Provisioned, error) {
	if _, err := d.makeRoom(draft, r.ID); err != nil {
		return Provisioned{}, err
	}
	was := r
	r.UserName, r.ExternalID, r.Active, r.Profile = draft.UserName, draft.ExternalID, draft.Active, draft.Profile
	lifts := draft.Said && draft.Active && was.Active && was.RefusedAt != 0
	if draft.Said && draft.Active {
		r.RefusedAt = 0
	}
	out := Provisioned{Resource: was}
	if r.differs(was) {
		r.Named, r.Version, r.UpdatedAt, out.Changed = true, was.Version+1, d.f.Now, true
		r.SameValues = bytes.Equal(r.Profile, was.Profile)
		subject := append(Subject{d.in.source.ResourceIdentifier(r.ID)}, draft.Subject.In(d.in.source.Org)...)
		d.release(r.User, subject)
		d.learn(r.User, subject, d.f.Now)
		d.write(Effects{Resources: []Resource{r}})
		d.auditResource("change", r, draft.Attributes)
		out.Resource = r
	}
	d.event.Type = draft.Request
	switch {
	case was.Active && !r.Active:
		d.say(r.User, Signal{Kind: Deactivated})
	case !was.Active && !r.Active && draft.Said:
		d.say(r.User, Signal{Kind: Deactivated, Repeated: true})
	case !was.Active && r.Active, lifts:
		d.say(r.User, Signal{Kind: Reactivated})
	}
	if draft.Password {
		d.say(r.User, Signal{Kind: CredentialChanged})
	}
	return out, nil
}

func (r *Resource) differs(was Resource) bool {
	return r.Active != was.Active || r.UserName != was.UserName || r.ExternalID != was.ExternalID || r.RefusedAt != was.RefusedAt ||
		!bytes.Equal(r.Profile, was.Profile)
}

// makeRoom finds out whether the draft's names are free for the resource self (zero for a new one). An active holder is a
// conflict. For a new resource an inactive holder is the one to restore, unless the external ids contradict: then it is
// another person, and no longer answers to the name.
func (d *decision) makeRoom(draft Draft, self ID) (restore Resource, err error) {
	name := draft.name(d.in.source)
	var evicted []Resource
	for _, id := range sortedKeys(d.f.Resources) {
		r := d.f.Resources[id]
		if r.ID == self || r.Deleted() || r.Org != name.Org || r.Authority != name.Authority || r.Type != name.Type {
			continue
		}
		sameName := r.Named && name.UserName != "" && Fold(r.UserName) == name.UserName
		sameID := name.ExternalID != "" && r.ExternalID == name.ExternalID
		contradicts := name.ExternalID != "" && r.ExternalID != "" && !sameID
		switch {
		case !sameName && !sameID:
		case r.Active && sameName:
			return Resource{}, fmt.Errorf("another %s has this %s: %w", strings.ToLower(r.Type), r.unique(), ErrConflict)
		case r.Active, !self.IsZero() && sameID:
			return Resource{}, fmt.Errorf("another %s has this externalId: %w", strings.ToLower(r.Type), ErrConflict)
		case sameName && (contradicts || !self.IsZero()):
			evicted = append(evicted, r)
		case restore.ID.IsZero() || sameID:
			restore = r
		}
	}
	for _, r := range evicted {
		r.Named, r.UpdatedAt, r.SameValues = false, d.f.Now, true
		d.write(Effects{Resources: []Resource{r}})
	}
	return restore, nil
}

// release notes that the person no longer carries what the directory taught and the subject leaves out.
func (d *decision) release(user ID, subject Subject) {
	for _, h := range d.f.holdingsOf(user) {
		if h.ReleasedAt == 0 && h.Authority == d.in.source.Authority && h.Namespace != d.in.source.scimNamespace() && !slices.Contains(subject, h.Identifier) {
			h.ReleasedAt = d.f.Now
			d.write(Effects{Holdings: []Holding{h}})
		}
	}
}

// released returns the newest holding of an identifier, released now.
func (d *decision) released(id Identifier) Holding {
	rows := d.f.holdings[id]
	h := rows[len(rows)-1]
	h.ReleasedAt = d.f.Now
	return h
}

// say lets a signal about a known person take its course.
func (d *decision) say(user ID, sig Signal) {
	rule := d.in.source.Rule(sig.Kind)
	if !rule.Acts() {
		d.settle(EventIgnored, "the rule for "+string(sig.Kind)+" is to do nothing")
		return
	}
	d.event.Signals = append(d.event.Signals, sig)
	d.act(sig, rule, user)
}

func (d *decision) said() []SignalKind {
	var kinds []SignalKind
	for _, sig := range d.event.Signals {
		kinds = append(kinds, sig.Kind)
	}
	return kinds
}

// auditResource writes what a directory did to a resource: names of attributes, never their values.
func (d *decision) auditResource(what string, r Resource, attributes []string) {
	d.audit("provision", map[string]any{
		"what": what, "resource": r.ID, "user": r.User, "active": r.Active, "version": r.Version, "attributes": attributes,
		"authority": r.Authority,
	}, map[string]any{"user_name": r.UserName, "external_id": r.ExternalID})
}
