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

// registerSession records a session, or with a body of lines many.
func (a *App) registerSession(c *fiber.Ctx, t *token) error {
	if saysUTF8(&c.Request().Header, linesType) {
		return a.importSessions(c, t)
	}
	if err := asJSON(&c.Request().Header); err != nil {
		return err
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	r, token, err := a.readRegistration(ctx, string(c.BodyRaw()), t)
	if err != nil {
		return err
	}
	return a.register(ctx, c, t, r, token)
}

// readRegistration returns what the core is to record, and the session's token as it was sent. Whether the person may have a
// session at all is answered before members that could be left out are found fault with: an application must not learn of a
// block only after it has mended its user agent.
func (a *App) readRegistration(ctx context.Context, body string, t *token) (r revoke.Registration, sessionToken string, err error) {
	if r, sessionToken, ok := scanRegistration(body, t); ok {
		return r, sessionToken, nil
	}
	return a.readGenerally(ctx, []byte(body), t)
}

func (a *App) readGenerally(ctx context.Context, body []byte, t *token) (r revoke.Registration, sessionToken string, err error) {
	var in registration
	err = decodeJSON(body, &in)
	var wrong []fieldError
	if p, ok := errors.AsType[*problem](err); ok && p.status == 422 {
		wrong = p.errors
	} else if err != nil {
		return r, "", err
	}
	who, app, more, err := a.checkRegistration(&in, t, wrong == nil)
	if err != nil {
		return r, "", err
	}
	if wrong = append(wrong, more...); len(wrong) > 0 {
		if who == nil {
			who, app = essentials(body, &in, t)
		}
		if who != nil {
			if err := a.prejudge(ctx, t, who, app, &in); err != nil {
				return r, "", err
			}
		}
		return r, "", meaningless(wrong...)
	}
	return in.meant(who, app), in.Token, nil
}

// meant returns what the core is to record.
func (in *registration) meant(who revoke.Subject, app string) revoke.Registration {
	r := revoke.Registration{
		Subject: who, App: app, Kind: revoke.Kind(in.Kind), ClientID: in.ID, SID: in.SID,
		IssuedAt: instant(in.IssuedAt), AuthTime: instant(in.AuthTime), ExpiresAt: instant(in.ExpiresAt),
		Facts: revoke.SessionFacts{IP: in.IP, UserAgent: in.UserAgent},
	}
	in.Device.describe(&r)
	return r
}

// describe writes the device into a registration.
func (d *device) describe(r *revoke.Registration) {
	r.Facts.DeviceName, r.Facts.Platform = d.Name, d.Platform
	if r.Device = d.identifiers(); len(r.Device) > 0 {
		r.Facts.DeviceID = r.Device[0].Value
	}
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
		verdict, err := a.cfg.Service.Judge(ctx, &revoke.Session{Org: t.voice.Org, App: app, User: users[0], Kind: revoke.Kind(in.Kind), BornAt: born, ExpiresAt: never})
		switch {
		case err != nil:
			return fmt.Errorf("judge a registration: %w", err)
		case verdict.Cause == revoke.CauseBlock:
			return refused(revoke.ErrBlocked, verdict.Sentence())
		}
		why, err := a.cfg.Service.Refusal(ctx, t.voice.Org, users[0], revoke.Kind(in.Kind))
		switch {
		case err != nil:
			return fmt.Errorf("judge a registration: %w", err)
		case why != "":
			return refused(revoke.ErrKindNotAllowed, why)
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
func (a *App) register(ctx context.Context, c *fiber.Ctx, t *token, r revoke.Registration, sessionToken string) error {
	made := ""
	switch sessionToken {
	case "":
	case newToken:
		made = makeToken()
		r.Token = revoke.HashToken(made)
	default:
		r.Token = revoke.HashToken(sessionToken)
	}
	done, err := a.cfg.Service.Register(ctx, t.voice, r)
	if made != "" && r.ClientID != "" && errors.Is(err, revoke.ErrConflict) {
		// The session may be there already, with the token that was made and shown then.
		made, r.Token = "", revoke.TokenHash{}
		done, err = a.cfg.Service.Register(ctx, t.voice, r)
	}
	if err != nil {
		return notRegistered(err)
	}
	view, err := a.viewSession(ctx, &done.Session)
	if err != nil {
		return err
	}
	remember(c, done.Session.ID.String())
	if !done.Created {
		return answer(c, fiber.StatusOK, view)
	}
	view.Token = made
	c.Location("/v1/sessions/" + url.PathEscape(done.Session.Name()))
	return answer(c, fiber.StatusCreated, view)
}

// notRegistered is the answer to a registration that the core did not take, in the core's words where it refused it.
func notRegistered(err error) error {
	for _, why := range []error{revoke.ErrBlocked, revoke.ErrKindNotAllowed, revoke.ErrOver, revoke.ErrConflict} {
		if errors.Is(err, why) {
			return refused(why, reason(err, why))
		}
	}
	return err
}

// sessionAgain shows a session as it is now, to whoever asks again for the answer to its registration. A token that was made is
// never shown again.
func (a *App) sessionAgain(c *fiber.Ctx, t *token, id string) error {
	ctx, cancel := asking()
	defer cancel()
	if strings.HasPrefix(id, "[") {
		return a.importAgain(ctx, c, t, id)
	}
	s, err := a.findSession(ctx, t, id, "")
	if err != nil {
		return err
	}
	view, err := a.viewSession(ctx, &s)
	if err != nil {
		return err
	}
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
