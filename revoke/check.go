package revoke

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Question asks about a token that an application keeps no session for: whose, proved when.
type Question struct {
	Subject  Subject
	IssuedAt Instant
	AuthTime Instant // zero when not stated
	Kind     Kind
	App      string
	ClientID string // the application's own id of the session, empty when it has none
	Device   []DeviceIdentifier
}

// Leeway is by how much clocks may differ between who issues stateless tokens and us: a token from further ahead is dead, and a
// cutoff covers what was issued up to so long after it.
const Leeway = 2 * time.Second

// Check answers about tokens, in their order: whether each would live if it were a session. A subject that nobody has seen has no
// cutoff of its own; one that two people carry is dead. It is [ErrNotFresh] when we cannot know.
func (s *Service) Check(ctx context.Context, src Source, questions []Question) ([]Verdict, error) {
	who, err := s.whom(ctx, src, questions)
	if err != nil {
		return nil, err
	}
	v := s.view.Load()
	if v == nil {
		return nil, ErrNotFresh
	}
	now := s.store.Clock().Now()
	out := make([]Verdict, len(questions))
	for i := range questions {
		if who[i].terms, _, err = s.asked(ctx, v, src.Org, who[i].user, questions[i].Kind); err != nil {
			return nil, err
		}
		out[i] = questions[i].judge(src.Org, &who[i], v, now)
	}
	return out, nil
}

// asked is what had to be looked up about a question.
type asked struct {
	user    ID // zero: nobody we know
	shared  bool
	devices []ID
	session *Session // the registered one that it names
	terms   Terms    // of the policies
}

// judge makes a session of the question, as it would have been registered, and asks the one rule.
func (q *Question) judge(org string, who *asked, v *View, now Instant) Verdict {
	switch {
	case who.shared:
		return Verdict{Cause: CauseShared, Scope: ScopeUser, At: now}
	case q.IssuedAt > now.Add(Leeway):
		return Verdict{Cause: CauseFuture, Scope: ScopeSession, At: q.IssuedAt}
	}
	s := Session{Org: org, App: q.App, ClientID: q.ClientID, User: who.user, Kind: q.Kind, BornAt: q.IssuedAt, ExpiresAt: endless}
	if q.AuthTime != 0 {
		s.BornAt = min(s.BornAt, q.AuthTime)
	}
	s.BornAt = s.BornAt.Add(-Leeway)
	if who.session != nil {
		s.ID, s.EndedAt, s.EndedBy = who.session.ID, who.session.EndedAt, who.session.EndedBy
	}
	var own [1]*Personal
	s.Spared = spared(v.everybody(who.user, &own))
	if q.ClientID != "" {
		scope, _ := (SessionRef{Org: org, App: q.App, ClientID: q.ClientID}).unregistered()
		if c := v.cutNarrow(scope); c.At != 0 && s.BornAt <= c.At {
			return Verdict{Cause: CauseEnded, Scope: ScopeSession, At: c.At, Revocation: c.Revocation}
		}
	}
	if who.terms.Refused {
		return Verdict{Cause: CausePolicy, Scope: ScopeKindOf, At: now}
	}
	if who.terms.MaxAge != 0 {
		s.ExpiresAt = s.BornAt.Add(who.terms.MaxAge)
	}
	for _, device := range who.devices {
		s.Device = device
		if verdict := Live(&s, v, now); !verdict.Live {
			return verdict
		}
	}
	return Live(&s, v, now)
}

// endless is when a stateless token expires as far as we are concerned: its issuer judges that.
const endless Instant = 1<<63 - 1

// whom finds the people, the devices and the registered sessions that questions name: people from memory, or with one reading
// for all of the rest.
func (s *Service) whom(ctx context.Context, src Source, questions []Question) ([]asked, error) {
	out := make([]asked, len(questions))
	var missing []Identifier
	var missed, hard []int // hard: only the rules of DESIGN section 3 can tell
	for i := range questions {
		if len(questions[i].Subject) != 1 {
			hard = append(hard, i)
			continue
		}
		id := questions[i].Subject[0]
		id.Org = src.Org
		if id.Namespace == NamespaceCurfew {
			out[i].user, _ = ParseID(id.Value) // what is no id of ours is nobody's
			continue
		}
		l, known := s.names.get(id)
		switch out[i].user = l.user; {
		case !known:
			missing, missed = append(missing, id), append(missed, i)
		case l.many:
			hard = append(hard, i)
		}
	}
	if len(missing) > 0 {
		leads, err := s.lookUp(ctx, missing)
		if err != nil {
			return nil, err
		}
		for n, i := range missed {
			l := leads[missing[n]]
			if out[i].user = l.user; l.many {
				hard = append(hard, i)
			}
		}
	}
	if err := s.findHard(ctx, src, questions, hard, out); err != nil {
		return nil, err
	}
	return out, s.findThings(ctx, src, questions, out)
}

// lookUp reads where identifiers lead, and remembers it.
func (s *Service) lookUp(ctx context.Context, ids []Identifier) (map[Identifier]lead, error) {
	read := s.names.versions()
	rows, err := s.store.Holdings(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look up identifiers: %w", err)
	}
	leads := make(map[Identifier]lead, len(ids))
	for _, h := range rows {
		_, several := leads[h.Identifier]
		leads[h.Identifier] = lead{user: h.User, many: several}
	}
	for _, id := range ids {
		s.names.put(id, leads[id], &read)
	}
	return leads, nil
}

// findHard asks the rules about subjects of several identifiers, or of one that several people have held.
func (s *Service) findHard(ctx context.Context, src Source, questions []Question, hard []int, out []asked) error {
	if len(hard) == 0 {
		return nil
	}
	var ids []Identifier
	for _, i := range hard {
		ids = append(ids, questions[i].Subject.In(src.Org)...)
	}
	rows, err := s.store.Holdings(ctx, ids)
	if err != nil {
		return fmt.Errorf("look up identifiers: %w", err)
	}
	v := s.view.Load()
	if v == nil {
		return ErrNotFresh
	}
	f := NewFacts()
	f.Now = s.store.Clock().Now()
	var users []ID
	for _, h := range rows {
		users = append(users, v.Members(h.User)...)
	}
	slices.SortFunc(users, ID.Compare)
	people, err := s.store.People(ctx, slices.Compact(users))
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	for _, h := range rows {
		f.AddHolding(h)
	}
	for _, p := range people {
		f.addPerson(p)
	}
	for _, i := range hard {
		subject := questions[i].Subject.In(src.Org)
		m := f.find(src, subject, f.Now)
		out[i] = asked{user: m.user, shared: m.ambiguous || !m.found && len(subject) > 0 && len(m.shared) == len(subject)}
	}
	return nil
}

// addPerson adds what hangs on a user.
func (f *Facts) addPerson(p Person) {
	f.Users[p.User.ID] = p.User
	for _, h := range p.Holdings {
		f.AddHolding(h)
	}
	for _, b := range p.Blocks {
		f.AddBlock(b)
	}
	for _, j := range p.Joins {
		f.AddJoin(j)
	}
	for _, plan := range p.Plans {
		f.AddPlan(plan)
	}
}

// findThings looks up the registered sessions and the devices that questions name.
func (s *Service) findThings(ctx context.Context, src Source, questions []Question, out []asked) error {
	var refs []SessionRef
	var devices []DeviceIdentifier
	for i := range questions {
		q := &questions[i]
		if q.ClientID != "" {
			refs = append(refs, SessionRef{Org: src.Org, App: q.App, ClientID: q.ClientID})
		}
		if len(q.Device) > 0 {
			devices = append(devices, named(src.Org, q.Device)...)
		}
	}
	if len(refs) > 0 {
		sessions, err := s.store.FindSessions(ctx, refs)
		if err != nil {
			return fmt.Errorf("look up sessions: %w", err)
		}
		byName := make(map[string]*Session, 2*len(sessions)) // under no app, one that ended counts before one that did not
		for i := range sessions {
			found := &sessions[i]
			byName[SessionKey(found.App, found.ClientID)] = found
			if any := SessionKey("", found.ClientID); byName[any] == nil || found.EndedAt != 0 {
				byName[any] = found
			}
		}
		for i := range questions {
			if questions[i].ClientID != "" {
				out[i].session = byName[SessionKey(questions[i].App, questions[i].ClientID)]
			}
		}
	}
	if len(devices) == 0 {
		return nil
	}
	f := NewFacts()
	known, err := s.store.DevicesNamed(ctx, devices)
	if err != nil {
		return fmt.Errorf("look up devices: %w", err)
	}
	for _, d := range known {
		for _, name := range d.Identifiers {
			f.AddDevice(name, d.ID)
		}
	}
	for i := range questions {
		if len(questions[i].Device) > 0 {
			out[i].devices = f.devices(named(src.Org, questions[i].Device))
		}
	}
	return nil
}
