package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

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
	LastUsed     revoke.Instant `json:"last_used,omitzero"` // as far as it is stored
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

func (a *App) viewSession(ctx context.Context, s *revoke.Session) (*sessionView, error) {
	verdict, err := a.cfg.Service.Judge(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("judge session %s: %w", s.ID, err)
	}
	view := &sessionView{
		ID: s.Name(), CurfewID: s.ID, App: s.App, Kind: s.Kind, User: s.User, Device: viewDevice(s), SID: s.SID, IP: s.Facts.IP, UserAgent: s.Facts.UserAgent,
		IssuedAt: s.IssuedAt, AuthTime: s.AuthTime, ExpiresAt: s.ExpiresAt, RegisteredAt: s.RegisteredAt, LastUsed: s.UsedAt,
		Live: verdict.Live, Because: becauseOf(verdict),
	}
	return view, nil
}

// viewDevice shows the device that a session was registered on; nil where none was named.
func viewDevice(s *revoke.Session) *deviceView {
	if s.Device.IsZero() {
		return nil
	}
	return &deviceView{s.Facts.DeviceID, s.Facts.DeviceName, s.Facts.Platform}
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
	return paged(c, rows, limit, func(s *revoke.Session) (*sessionView, error) { return a.viewSession(ctx, s) }, func(s *revoke.Session) any { return sessionCursor{int64(s.BornAt), s.ID} })
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
	view, err := a.viewSession(ctx, &s)
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
		out, err := a.cfg.Service.Receive(ctx, t.actor, t.voice, endOf(&s, ""))
		if err != nil {
			return err
		}
		heldHeader(c, &out[0])
		if s, err = a.cfg.Store.FindSession(ctx, revoke.SessionRef{Org: s.Org, ID: s.ID}); err != nil {
			return fmt.Errorf("read the ended session: %w", err)
		}
	}
	view, err := a.viewSession(ctx, &s)
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
