package revoke

import (
	"cmp"
	"context"
	"fmt"
)

// Registration is a session as an application reports it. Zero members were not sent.
type Registration struct {
	Subject   Subject
	App       string
	Kind      Kind
	ClientID  string // the application's own id for it
	Token     TokenHash
	Device    []DeviceIdentifier
	SID       string
	IssuedAt  Instant
	AuthTime  Instant
	ExpiresAt Instant
	Facts     SessionFacts
}

// Registered is what came of it.
type Registered struct {
	Session Session
	Created bool // false: the same session had been registered before
}

// Register records a session. The same id or token again is the session as it was first registered; with other facts it is
// [ErrConflict]. A person under a block is [ErrBlocked]; a kind that a
// policy refuses is [ErrKindNotAllowed]; a session born at or before a cutoff that covers it is [ErrOver]; an
// end that lies before its beginning is [Invalid].
func (s *Service) Register(ctx context.Context, src Source, r Registration) (Registered, error) {
	var out Registered
	need := r.need(src)
	err := s.decide(ctx, need, func(f *Facts) (Effects, error) {
		d := newDecision(f, input{source: src, request: RequestIDFrom(ctx)})
		var err error
		out, err = d.register(r)
		return d.e, err
	})
	if err != nil {
		return Registered{}, fmt.Errorf("register a session of app %s: %w", r.App, err)
	}
	return out, nil
}

// RegisteredOr is what came of one registration among many, or why it was refused.
type RegisteredOr struct {
	Registered
	Err error
}

// RegisterMany records sessions in one transaction, in their order; one that is refused, as by [Service.Register], refuses only
// itself. On an error nothing is recorded.
func (s *Service) RegisterMany(ctx context.Context, src Source, rs []Registration) ([]RegisteredOr, error) {
	need := Need{Org: src.Org}
	for i := range rs {
		need.add(rs[i].need(src))
	}
	out := make([]RegisteredOr, len(rs))
	err := s.decide(ctx, need, func(f *Facts) (Effects, error) {
		all := make([]Effects, len(rs))
		for i, r := range rs {
			d := newDecision(f, input{source: src, request: RequestIDFrom(ctx)})
			if out[i].Registered, out[i].Err = d.register(r); out[i].Err == nil {
				all[i] = d.e
			}
			f.Now++ // each has an instant of its own
		}
		return Merge(all...), nil
	})
	if err != nil {
		return nil, fmt.Errorf("register %d sessions: %w", len(rs), err)
	}
	return out, nil
}

// need names what the registration leads to, and puts its members into the org.
func (r *Registration) need(src Source) Need {
	r.Subject, r.Device = r.Subject.In(src.Org), named(src.Org, r.Device)
	n := Need{Org: src.Org, Cutoffs: true, Policies: true, Devices: r.Device, Sessions: r.refs(src.Org)}
	if r.SID != "" {
		n.Sessions = append(n.Sessions, SessionRef{Org: src.Org, SID: r.SID}) // its end may have been remembered
	}
	n.addSubject(r.Subject)
	return n
}

// refs points at the session if it was registered before.
func (r *Registration) refs(org string) []SessionRef {
	var refs []SessionRef
	if r.ClientID != "" {
		refs = append(refs, SessionRef{Org: org, App: r.App, ClientID: r.ClientID})
	}
	if !r.Token.IsZero() {
		refs = append(refs, SessionRef{Org: org, Token: r.Token})
	}
	return refs
}

func (d *decision) register(r Registration) (Registered, error) {
	f, src, subject := d.f, d.in.source, r.Subject
	src.Learns, d.in.source.Learns = false, false // an application points, whatever else its token may do
	m := f.find(src, subject, f.Now)
	for _, ref := range r.refs(src.Org) {
		if s, ok := f.session(ref); ok {
			return d.again(r, m, s)
		}
	}
	switch {
	case m.ambiguous:
		return Registered{}, fmt.Errorf("the subject's identifiers name two people; register with the strongest one alone: %w", ErrConflict)
	case !m.found && len(m.shared) == len(subject):
		return Registered{}, fmt.Errorf("two people carry this identifier; register with one that only this person has: %w", ErrConflict)
	}
	s := Session{
		Org: src.Org, App: r.App, ClientID: r.ClientID, Kind: r.Kind, SID: r.SID, Token: r.Token,
		IssuedAt: r.IssuedAt, AuthTime: r.AuthTime, ExpiresAt: r.ExpiresAt, Facts: r.Facts, RegisteredAt: f.Now,
	}
	s.Facts.IssuedSent = r.IssuedAt != 0
	if m.found {
		s.User, s.Spared = m.user, spared(f.personal(m.user))
		if b, ok := f.blocked(m.user); ok {
			return Registered{}, fmt.Errorf("%s blocked this user at %s; the user signs in again once it is lifted: %w", b.Authority, b.BlockedAt, ErrBlocked)
		}
	}
	terms, by := f.terms(src.Org, r.Kind, s.User)
	if s.Spared {
		terms = Terms{}
	}
	if terms.Refused {
		return Registered{}, fmt.Errorf("%s: %w", by.refusal(), ErrKindNotAllowed)
	}
	device, made := d.device(r.Device, r.Facts.DeviceName, r.Facts.Platform)
	s.Device = device
	if err := d.born(&s, r, terms); err != nil {
		return Registered{}, err
	}
	s.ID = d.newID()
	if !m.found {
		s.User = d.newUser(subject)
	}
	d.write(Effects{Sessions: []Session{s}, Devices: made})
	if s.Spared {
		d.raiseAbout(AlarmBreakGlass, s.User.String(), "a break-glass person signed in")
	}
	return Registered{Session: s, Created: true}, nil
}

// born sets the instants of a session that is being registered and judges it against the cutoffs that cover it, and writes
// into it what the policies ask.
func (d *decision) born(s *Session, r Registration, terms Terms) error {
	v := d.f.viewOf(s)
	var own [1]*Personal
	people := v.everybody(s.User, &own)
	if s.Facts.IssuedSent {
		s.IssuedAt = min(s.IssuedAt, d.f.Now)
	} else { // a fresh login is born after every cutoff that covers it, so never dead
		_, newest, _ := covering(s, people, v)
		for _, end := range d.remembered(s, r) {
			newest = max(newest, end.At)
		}
		s.IssuedAt = max(d.f.Now, newest+1)
	}
	s.BornAt = s.IssuedAt
	if s.AuthTime != 0 {
		s.BornAt = min(s.BornAt, s.AuthTime)
	}
	terms = terms.Join(v.terms(s, people))
	s.Idle = terms.Idle
	if s.ExpiresAt == 0 {
		s.ExpiresAt = s.IssuedAt.Add(cmp.Or(terms.DefaultLifetime, DefaultLifetime))
	} else if s.ExpiresAt <= s.IssuedAt {
		return Invalid{"expires_at", "lies before the session begins", "leave it out, or give a time after issued_at"}
	}
	if over := s.BornAt.Add(terms.MaxAge); terms.MaxAge != 0 && over < s.ExpiresAt {
		s.ExpiresAt, s.Facts.ExpiresSent = over, r.ExpiresAt
	}
	if s.ExpiresAt <= d.f.Now {
		return fmt.Errorf("the session has expired already; sign in again: %w", ErrOver)
	}
	if scope, at, _ := covering(s, people, v); at != 0 {
		return fmt.Errorf("%s; sign in again: %w", Verdict{Cause: CauseCutoff, Scope: scope, At: at}.Sentence(), ErrOver)
	}
	for _, c := range d.remembered(s, r) {
		if s.BornAt <= c.At {
			return fmt.Errorf("this session, or its device, was ended before it was registered; sign in again: %w", ErrOver)
		}
	}
	return nil
}

// remembered returns the ends that became known before there was a session like s: of its id, of the provider's, and of every
// device that carries one of its device's names.
func (d *decision) remembered(s *Session, r Registration) []Cutoff {
	scopes := make([]Scope, 0, 4)
	for _, ref := range []SessionRef{{Org: s.Org, App: s.App, ClientID: s.ClientID}, {Org: s.Org, SID: s.SID}} {
		if scope, ok := ref.unregistered(); ok {
			scopes = append(scopes, scope)
		}
	}
	for _, device := range d.f.devices(r.Device) {
		scopes = append(scopes, DeviceScope(s.Org, device))
		for _, member := range d.f.members(s.User) {
			scopes = append(scopes, Scope{Org: s.Org, Kind: ScopeUserDevice, User: member, Device: device})
		}
	}
	var out []Cutoff
	for _, scope := range scopes {
		if c, ok := d.f.Cutoffs[scope]; ok {
			out = append(out, c)
		}
	}
	return out
}

// again answers a registration of a session that is there: what was sent must agree with it.
func (d *decision) again(r Registration, m match, s Session) (Registered, error) {
	differs := func(field string) (Registered, error) {
		return Registered{}, fmt.Errorf("a session with this id or token is registered with another %s; use a new id: %w", field, ErrConflict)
	}
	switch {
	case s.App != r.App:
		return differs("app")
	case m.found && d.f.person(m.user) != d.f.person(s.User), !m.found && len(m.shared) == 0:
		return differs("subject")
	case s.Kind != r.Kind:
		return differs("kind")
	case r.ClientID != "" && s.ClientID != r.ClientID:
		return differs("id")
	case !r.Token.IsZero() && s.Token != r.Token:
		return differs("token")
	case len(r.Device) > 0 && r.Facts.DeviceID != s.Facts.DeviceID:
		return differs("device")
	case r.SID != "" && s.SID != r.SID:
		return differs("sid")
	case r.IssuedAt != 0 && s.Facts.IssuedSent && s.IssuedAt != min(r.IssuedAt, s.RegisteredAt), r.IssuedAt != 0 && !s.Facts.IssuedSent:
		return differs("issued_at")
	case r.AuthTime != 0 && s.AuthTime != r.AuthTime:
		return differs("auth_time")
	case r.ExpiresAt != 0 && cmp.Or(s.Facts.ExpiresSent, s.ExpiresAt) != r.ExpiresAt:
		return differs("expires_at")
	}
	return Registered{Session: s}, nil
}
