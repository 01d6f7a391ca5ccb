package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// registration is the body of POST /v1/sessions.
type registration struct {
	Subject   json.RawMessage `json:"subject" validate:"required"`
	Kind      string          `json:"kind" validate:"required,oneof=browser mobile desktop api device"`
	App       string          `json:"app" validate:"max=200,plain"`
	Device    device          `json:"device"`
	ID        string          `json:"id" validate:"max=512,plain"`
	Token     string          `json:"token" validate:"max=16384"`
	IssuedAt  string          `json:"issued_at" validate:"instant"`
	AuthTime  string          `json:"auth_time" validate:"instant"`
	ExpiresAt string          `json:"expires_at" validate:"instant"`
	SID       string          `json:"sid" validate:"max=512,plain"`
	IP        string          `json:"ip" validate:"omitempty,ip"`
	UserAgent string          `json:"user_agent" validate:"max=2048,plain"`
}

// device names a thing that people hold in their hands.
type device struct {
	ID       string `json:"id" validate:"max=512,plain"`
	Name     string `json:"name" validate:"max=512,plain"`
	Platform string `json:"platform" validate:"max=512,plain"`
	Serial   string `json:"serial" validate:"max=512,plain"`
	UDID     string `json:"udid" validate:"max=512,plain"`
	MDM      string `json:"mdm" validate:"max=512,plain"`
}

// identifiers returns the device's names, the application's own id first.
func (d *device) identifiers() []revoke.DeviceIdentifier {
	var out []revoke.DeviceIdentifier
	for _, each := range []revoke.DeviceIdentifier{
		{Namespace: revoke.NamespaceDeviceID, Value: d.ID},
		{Namespace: "serial", Value: d.Serial},
		{Namespace: "udid", Value: d.UDID},
		{Namespace: "mdm", Value: d.MDM},
	} {
		if each.Value != "" {
			out = append(out, each)
		}
	}
	return out
}

// newToken as the token of a registration asks us to make one.
const newToken = "new"

// registerSession records a session. Whether the person may have one at all is answered before members that could be
// left out are found fault with: an application must not learn of a block only after it has mended its user agent.
func (a *App) registerSession(c *fiber.Ctx, t *token) error {
	var in registration
	err := decode(c, &in)
	var wrong []fieldError
	if p, ok := errors.AsType[*problem](err); ok && p.status == 422 {
		wrong = p.errors
	} else if err != nil {
		return err
	}
	who, app, more, err := a.checkRegistration(&in, t, wrong == nil)
	if err != nil {
		return err
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	if wrong = append(wrong, more...); len(wrong) > 0 {
		if who == nil {
			who, app = essentials(c.BodyRaw(), &in, t)
		}
		if who != nil {
			if err := a.prejudge(ctx, t, who, app, &in); err != nil {
				return err
			}
		}
		return meaningless(wrong...)
	}
	return a.register(ctx, c, t, in, who, app)
}

// checkRegistration returns whom a registration is about and the app, or what is wrong with it.
func (a *App) checkRegistration(in *registration, t *token, decoded bool) (revoke.Subject, string, []fieldError, error) {
	if !decoded {
		return nil, "", nil, nil
	}
	app, err := t.allows(in.App)
	if err != nil {
		return nil, "", nil, err
	}
	wrong := a.check(in)
	if app == "" {
		wrong = append(wrong, fieldError{"app", "is missing: name the application whose session it is"})
	}
	if len(in.Subject) == 0 {
		return nil, app, wrong, nil
	}
	who, bad := subject(in.Subject, t)
	return who, app, append(wrong, bad...), nil
}

// essentials reads what a refusal depends on out of a body of which something else cannot be read.
func essentials(body []byte, in *registration, t *token) (revoke.Subject, string) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members)
	text := func(name string) (s string) { _ = json.Unmarshal(members[name], &s); return s }
	*in = registration{Subject: members["subject"], Kind: text("kind"), App: text("app"), IssuedAt: text("issued_at"), AuthTime: text("auth_time")}
	app, err := t.allows(in.App)
	if err != nil || len(in.Subject) == 0 {
		return nil, ""
	}
	who, wrong := subject(in.Subject, t)
	if len(wrong) > 0 {
		return nil, ""
	}
	return who, app
}

// prejudge refuses what would be refused whatever the optional members say.
func (a *App) prejudge(ctx context.Context, t *token, who revoke.Subject, app string, in *registration) error {
	if !slices.Contains(revoke.Kinds(), revoke.Kind(in.Kind)) {
		return nil
	}
	for _, id := range who.In(t.voice.Org) {
		users, err := a.cfg.Store.Holders(ctx, []revoke.Identifier{id})
		if own, bad := revoke.ParseID(id.Value); id.Namespace == revoke.NamespaceCurfew && bad == nil {
			users, err = []revoke.ID{own}, nil
		}
		if err != nil {
			return fmt.Errorf("find whose session it would be: %w", err)
		}
		if len(users) != 1 {
			continue
		}
		born := never
		for _, text := range []string{in.IssuedAt, in.AuthTime} {
			if at, ok := parseInstant(text); ok && at != 0 {
				born = min(born, at)
			}
		}
		verdict, err := a.cfg.Service.Judge(&revoke.Session{Org: t.voice.Org, App: app, User: users[0], Kind: revoke.Kind(in.Kind), BornAt: born, ExpiresAt: never})
		switch {
		case err != nil:
			return fmt.Errorf("judge a registration: %w", err)
		case verdict.Cause == revoke.CauseBlock:
			return refused(revoke.ErrBlocked, verdict.Sentence())
		case verdict.Cause == revoke.CauseCutoff:
			return refused(revoke.ErrOver, verdict.Sentence()+"; sign in again")
		}
		return nil
	}
	return nil
}

// never is later than every cutoff.
const never revoke.Instant = 1<<63 - 1

// register hands a sound registration to the core.
func (a *App) register(ctx context.Context, c *fiber.Ctx, t *token, in registration, who revoke.Subject, app string) error {
	r := revoke.Registration{
		Subject: who, App: app, Kind: revoke.Kind(in.Kind), ClientID: in.ID, SID: in.SID,
		IssuedAt: instant(in.IssuedAt), AuthTime: instant(in.AuthTime), ExpiresAt: instant(in.ExpiresAt),
		Facts: revoke.SessionFacts{DeviceName: in.Device.Name, Platform: in.Device.Platform, IP: in.IP, UserAgent: in.UserAgent},
	}
	if names := in.Device.identifiers(); len(names) > 0 {
		r.Device, r.Facts.DeviceID = names[0], names[0].Value
	}
	made := ""
	switch in.Token {
	case "":
	case newToken:
		made = makeToken()
		r.Token = revoke.HashToken(made)
	default:
		r.Token = revoke.HashToken(in.Token)
	}
	done, err := a.cfg.Service.Register(ctx, t.voice, r)
	if made != "" && r.ClientID != "" && errors.Is(err, revoke.ErrConflict) {
		// The session may be there already, with the token that was made and shown then.
		made, r.Token = "", revoke.TokenHash{}
		done, err = a.cfg.Service.Register(ctx, t.voice, r)
	}
	switch {
	case errors.Is(err, revoke.ErrBlocked):
		return refused(revoke.ErrBlocked, reason(err, revoke.ErrBlocked))
	case errors.Is(err, revoke.ErrOver):
		return refused(revoke.ErrOver, reason(err, revoke.ErrOver))
	case errors.Is(err, revoke.ErrConflict):
		return refused(revoke.ErrConflict, reason(err, revoke.ErrConflict))
	case err != nil:
		return err
	}
	view, err := a.viewSession(&done.Session)
	if err != nil {
		return err
	}
	if !done.Created {
		return answer(c, fiber.StatusOK, view)
	}
	view.Token = made
	c.Location("/v1/sessions/" + url.PathEscape(done.Session.Name()))
	return answer(c, fiber.StatusCreated, view)
}

// makeToken makes a session token of 256 random bits.
func makeToken() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // crypto/rand.Read never fails (Go 1.24)
	return "cft_" + base64.RawURLEncoding.EncodeToString(secret[:])
}

// refused is the answer to a registration that the core refuses, with the core's sentence.
func refused(why error, sentence string) error {
	p := *problemOf(why)
	if sentence != "" {
		p.detail = strings.ToUpper(sentence[:1]) + sentence[1:] + "."
	}
	return &p
}

// reason returns the sentence that stands directly around why. What is wrapped around that is for the log.
func reason(err, why error) string {
	for err != nil {
		inner := errors.Unwrap(err)
		if inner == why { //nolint:errorlint // the very link of the chain is looked for
			return strings.TrimSuffix(err.Error(), ": "+why.Error())
		}
		err = inner
	}
	return ""
}

// sessionView is a session as the API shows it.
type sessionView struct {
	ID           string         `json:"id"`        // as the application knows it: its own id, or ours where it gave none
	CurfewID     revoke.ID      `json:"curfew_id"` // ours, which no other session has
	App          string         `json:"app"`
	Kind         revoke.Kind    `json:"kind"`
	User         revoke.ID      `json:"user"`
	Device       *deviceView    `json:"device,omitempty"`
	SID          string         `json:"sid,omitempty"`
	IP           string         `json:"ip,omitempty"`
	UserAgent    string         `json:"user_agent,omitempty"`
	IssuedAt     revoke.Instant `json:"issued_at"`
	AuthTime     revoke.Instant `json:"auth_time,omitzero"`
	ExpiresAt    revoke.Instant `json:"expires_at"`
	RegisteredAt revoke.Instant `json:"registered_at"`
	Live         bool           `json:"live"`
	Because      *because       `json:"because,omitempty"`
	Token        string         `json:"token,omitempty"` // once, when it was made here
}

type deviceView struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
	Platform string `json:"platform,omitempty"`
}

// because says why a session is dead.
type because struct {
	Sentence   string           `json:"sentence"`
	Scope      revoke.ScopeKind `json:"scope"`
	At         revoke.Instant   `json:"at"`
	Revocation revoke.ID        `json:"revocation,omitzero"`
	Authority  string           `json:"authority,omitempty"` // of the block
}

func becauseOf(v revoke.Verdict) *because {
	if v.Live {
		return nil
	}
	return &because{v.Sentence(), v.Scope, v.At, v.Revocation, v.Authority}
}

func (a *App) viewSession(s *revoke.Session) (*sessionView, error) {
	verdict, err := a.cfg.Service.Judge(s)
	if err != nil {
		return nil, fmt.Errorf("judge session %s: %w", s.ID, err)
	}
	view := &sessionView{
		ID: s.Name(), CurfewID: s.ID, App: s.App, Kind: s.Kind, User: s.User, SID: s.SID, IP: s.Facts.IP, UserAgent: s.Facts.UserAgent,
		IssuedAt: s.IssuedAt, AuthTime: s.AuthTime, ExpiresAt: s.ExpiresAt, RegisteredAt: s.RegisteredAt,
		Live: verdict.Live, Because: becauseOf(verdict),
	}
	if !s.Device.IsZero() {
		view.Device = &deviceView{s.Facts.DeviceID, s.Facts.DeviceName, s.Facts.Platform}
	}
	return view, nil
}

type sessionCursor struct {
	BornAt int64     `json:"b"`
	ID     revoke.ID `json:"i"`
}

// listSessions lists sessions of the people that a look-up finds, or without one all that the token may see.
func (a *App) listSessions(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, append(lookUps(), "app", "limit", "cursor")...)
	if err != nil {
		return err
	}
	app, err := t.allows(q["app"])
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	users, named, err := a.people(ctx, t.voice.Org, q)
	if err != nil {
		return err
	}
	var rows []revoke.Session
	if !named || len(users) > 0 {
		ask := revoke.SessionQuery{Org: t.voice.Org, Users: users, App: app, Limit: limit + 1}
		var at sessionCursor
		if more, err := q.cursor(&at); err != nil {
			return err
		} else if more {
			ask.After = &revoke.SessionCursor{BornAt: revoke.Instant(at.BornAt), ID: at.ID}
		}
		if rows, err = a.cfg.Store.SessionsOf(ctx, ask); err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
	}
	return paged(c, rows, limit, a.viewSession, func(s *revoke.Session) any { return sessionCursor{int64(s.BornAt), s.ID} })
}

func (a *App) oneSession(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "app")
	if err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	s, err := a.findSession(ctx, t, pathID(c), q["app"])
	if err != nil {
		return err
	}
	view, err := a.viewSession(&s)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, view)
}

// findSession finds a session by our id or by the application's own. Where two applications use the same id an admin
// says which one is meant; other tokens see one application's only.
func (a *App) findSession(ctx context.Context, t *token, name, app string) (revoke.Session, error) {
	app, err := t.allows(app)
	if err != nil {
		return revoke.Session{}, err
	}
	if id, bad := revoke.ParseID(name); bad == nil {
		s, err := a.cfg.Store.FindSession(ctx, revoke.SessionRef{Org: t.voice.Org, ID: id, App: app})
		if !errors.Is(err, revoke.ErrNotFound) {
			return s, err
		}
	}
	s, err := a.cfg.Store.FindSession(ctx, revoke.SessionRef{Org: t.voice.Org, ClientID: name, App: app})
	if errors.Is(err, revoke.ErrConflict) {
		return s, refused(revoke.ErrConflict, "sessions of two applications have this id: add ?app= with the one that is meant, or use its curfew_id")
	}
	if err != nil {
		return s, fmt.Errorf("find session: %w", err)
	}
	return s, nil
}

// endSession ends exactly one session. Ending it again is the same answer.
func (a *App) endSession(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "app")
	if err != nil {
		return err
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	s, err := a.findSession(ctx, t, pathID(c), q["app"])
	if err != nil {
		return err
	}
	if s.EndedAt == 0 {
		if _, err := a.cfg.Service.Receive(ctx, t.actor, t.voice, endOf(&s, "")); err != nil {
			return err
		}
		if s, err = a.cfg.Store.FindSession(ctx, revoke.SessionRef{Org: s.Org, ID: s.ID}); err != nil {
			return fmt.Errorf("read the ended session: %w", err)
		}
	}
	view, err := a.viewSession(&s)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, view)
}

// endOf is the order to end one session.
func endOf(s *revoke.Session, why string) revoke.Event {
	return revoke.Event{Type: string(revoke.SessionsCleared), Signals: []revoke.Signal{{
		Kind: revoke.SessionsCleared, Session: revoke.SessionRef{Org: s.Org, ID: s.ID}, Command: true, Reason: why,
	}}}
}
