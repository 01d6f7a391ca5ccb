package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// whySession says why a session is live or dead.
type whySession struct {
	Sentence   string          `json:"sentence"`
	Live       bool            `json:"live"`
	Because    *because        `json:"because,omitempty"`
	Session    *sessionView    `json:"session"`
	Revocation *revocationView `json:"revocation,omitempty"` // which because names
}

// whyPerson says what stands now against a person whose session began at an instant.
type whyPerson struct {
	Sentence   string          `json:"sentence"`
	Known      bool            `json:"known"`
	User       revoke.ID       `json:"user,omitzero"`
	At         revoke.Instant  `json:"at"`
	Live       bool            `json:"live"` // such a session would be, as far as neither its kind, app nor device decides
	Blocked    bool            `json:"blocked"`
	Because    *because        `json:"because,omitempty"`
	Newest     *because        `json:"newest_cutoff,omitempty"` // of those on the person or on everyone, where no block stands
	Revocation *revocationView `json:"revocation,omitempty"`    // which because names, else newest_cutoff
}

// why explains one session, or what stands against one person.
func (a *App) why(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, "session", "token", "subject", "app", "at")
	if err != nil {
		return err
	}
	if _, ok := parseInstant(q["at"]); !ok {
		return meaningless(fieldError{"at", `is not a time: write RFC 3339 such as "2026-11-23T10:00:00Z"`})
	}
	var about []string
	for _, name := range []string{"session", "token", "subject"} {
		if q[name] != "" {
			about = append(about, name)
		}
	}
	switch {
	case len(about) == 0:
		return meaningless(fieldError{"session", "is missing, and so are token and subject: give one of them"})
	case len(about) > 1:
		return meaningless(fieldError{about[1], "stands beside " + about[0] + ": ask about one of them"})
	}
	for name, goesWith := range map[string]string{"app": "session", "at": "subject"} {
		if _, given := q[name]; given && about[0] != goesWith {
			return meaningless(fieldError{name, "goes with " + goesWith + " alone: leave it out"})
		}
	}
	ctx, cancel := asking()
	defer cancel()
	switch about[0] {
	case "subject":
		return a.whyPerson(ctx, c, t, q)
	case "token":
		return a.whySession(ctx, c, t, func() (revoke.Session, error) {
			return a.cfg.Store.FindSession(ctx, revoke.SessionRef{Org: t.voice.Org, Token: revoke.HashToken(q["token"])})
		})
	default:
		return a.whySession(ctx, c, t, func() (revoke.Session, error) { return a.findSession(ctx, t, q["session"], q["app"]) })
	}
}

func (a *App) whySession(ctx context.Context, c *fiber.Ctx, t *token, find func() (revoke.Session, error)) error {
	s, err := find()
	if err != nil {
		return err
	}
	shown, err := a.viewSession(ctx, &s)
	if err != nil {
		return err
	}
	view := whySession{Sentence: "the session is live: it has not expired, no block on its user stands and no cutoff covers it", Live: shown.Live, Because: shown.Because, Session: shown}
	if shown.Because != nil {
		view.Sentence = shown.Because.Sentence
	}
	if view.Revocation, err = a.caused(ctx, t, shown.Because); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, view)
}

func (a *App) whyPerson(ctx context.Context, c *fiber.Ctx, t *token, q query) error {
	who, wrong := askedSubject(q["subject"], t)
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	at := instant(q["at"])
	if at == 0 {
		at = a.cfg.Clock.Now()
	}
	// Whom a subject means is the core's to say: this is whom an order by it would hit.
	order := revoke.Event{Signals: []revoke.Signal{{Kind: revoke.SessionsCleared, Subject: who, Command: true}}}
	meant, err := a.cfg.Service.Preview(ctx, t.actor, t.voice, order)
	switch {
	case err != nil:
		return err
	case meant.State == revoke.EventHeld && meant.User.IsZero():
		return refused(revoke.ErrConflict, "this leads to two people, so an order by it waits for a person: ask about one of them by an identifier that only one has")
	}
	view := whyPerson{Known: meant.Known, At: at}
	if meant.Known {
		view.User = meant.User
	}
	now, err := a.judgePerson(ctx, t, view.User, at)
	if err != nil {
		return err
	}
	oldest, err := a.judgePerson(ctx, t, view.User, 1)
	if err != nil {
		return err
	}
	view.Live, view.Blocked, view.Because = now.Live, now.Cause == revoke.CauseBlock, becauseOf(now)
	if oldest.Cause == revoke.CauseCutoff {
		view.Newest = becauseOf(oldest)
	}
	switch {
	case view.Because != nil:
		view.Sentence = view.Because.Sentence
	case view.Newest != nil:
		view.Sentence = fmt.Sprintf("no block stands, and neither a cutoff on this person as a whole nor one on everyone ends a session that began at %s; %s", at, view.Newest.Sentence)
	default:
		view.Sentence = "no block stands, and no cutoff on this person as a whole or on everyone"
	}
	if !view.Known {
		view.Sentence = "nobody is known by this so far; " + view.Sentence
	}
	of := view.Because
	if of == nil {
		of = view.Newest
	}
	if view.Revocation, err = a.caused(ctx, t, of); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, view)
}

// judgePerson asks the one rule about a session that began at born and that only what is on the person, or on everyone,
// can end.
func (a *App) judgePerson(ctx context.Context, t *token, user revoke.ID, born revoke.Instant) (revoke.Verdict, error) {
	verdict, err := a.cfg.Service.Judge(ctx, &revoke.Session{Org: t.voice.Org, User: user, BornAt: born, ExpiresAt: never})
	if err != nil {
		return verdict, fmt.Errorf("judge user %s: %w", user, err)
	}
	return verdict, nil
}

// askedSubject reads a subject identifier, or an e-mail address that stands for one.
func askedSubject(text string, t *token) (revoke.Subject, []fieldError) {
	if strings.HasPrefix(text, "{") {
		return subject(json.RawMessage(text), t)
	}
	var who revoke.Subject
	if who.Add(revoke.NamespaceEmail, text); !revoke.LooksLikeAddress(text) || len(who) == 0 {
		return nil, []fieldError{{"subject", `is neither an e-mail address nor an object: write sally@example.edu or {"format": "email", "email": "sally@example.edu"}`}}
	}
	return who, nil
}

// caused reads the revocation that a reason names; nil where it names none.
func (a *App) caused(ctx context.Context, t *token, why *because) (*revocationView, error) {
	if why == nil || why.Revocation.IsZero() {
		return nil, nil
	}
	view, err := a.viewRevocation(ctx, t.voice.Org, why.Revocation)
	if errors.Is(err, revoke.ErrNotFound) { // what it did outlives the row
		return nil, nil
	}
	return view, err
}
