package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"curfew/revoke"
)

const signedOutPath = "/me/signed-out"

// ownRoutes are the pages of a person's own devices.
func (c *Console) ownRoutes() []route {
	var routes []route
	for path, page := range map[string]func(*visit) error{
		"/me/devices/{device}/end": (*visit).endDevice, "/me/devices/{device}/not-me": (*visit).notMe,
		"/me/sessions/{session}/end": (*visit).endOne, "/me/end/{what}": (*visit).endMany,
	} {
		routes = append(routes,
			route{method: http.MethodGet, path: path, title: "Sign out", menu: "/me", page: page},
			route{method: http.MethodPost, path: path, menu: "/me", page: page})
	}
	return append(routes,
		route{method: http.MethodPost, path: "/me/devices/{device}/name", menu: "/me", page: (*visit).nameDevice},
		route{method: http.MethodGet, path: "/me", title: "Your devices", menu: "/me", page: (*visit).devices},
		route{method: http.MethodGet, path: "/me/not-me", title: "This wasn't me", menu: "/me", page: (*visit).afterNotMe},
		route{method: http.MethodGet, path: "/me/news", page: (*visit).latest},
		route{method: http.MethodGet, path: "/me/data", title: "Your data", menu: "/me/data", page: (*visit).data},
		route{method: http.MethodGet, path: "/me/data/sessions.json", page: (*visit).export},
		route{method: http.MethodGet, path: signedOutPath, title: "Signed out", page: (*visit).signedOut},
	)
}

const (
	devicesAtOnce = 50
	pastAtOnce    = 20
)

// ownPage is what /me shows.
type ownPage struct {
	*belongings
	Nobody   bool // the sign-in is nobody's
	News     *news
	Page     []ownDevice
	Next     string // the page of devices after this one; empty: none
	First    bool
	Past     []ended
	PastNext string
	Ask      []question
}

func (v *visit) devices() error {
	ctx, cancel := v.reading()
	defer cancel()
	b, err := v.belongings(ctx)
	if err != nil {
		return err
	}
	p := ownPage{belongings: b, Nobody: v.who.User.IsZero()}
	q := v.r.URL.Query()
	var next string
	p.Page, next = b.after(q.Get("after"), devicesAtOnce)
	if p.First = q.Get("after") == "" && q.Get("past") == ""; next != "" {
		p.Next = "/me?" + url.Values{"after": {next}}.Encode() + "#others"
	}
	if p.News, err = v.told(ctx, b, q.Get("of")); err != nil {
		return err
	}
	if err := v.lately(ctx, &p, q.Get("past")); err != nil {
		return err
	}
	p.ask(v)
	return v.show("me", p)
}

// ask prepares the dialogs for what the page shows. Where there is none its page opens instead.
func (p *ownPage) ask(v *visit) {
	if p.Here != nil {
		p.Ask = append(p.Ask, v.askDevice(p.Here, false))
	}
	if !v.recent() { // the pages ask for a proof first
		return
	}
	for i := range p.Page {
		p.Ask = append(p.Ask, v.askDevice(&p.Page[i], false), v.askDevice(&p.Page[i], true))
	}
	for i := range p.Tokens {
		p.Ask = append(p.Ask, v.askDevice(&p.Tokens[i], false))
	}
	if !p.Nobody {
		p.Ask = append(p.Ask, v.askMany(p.belongings, endOthers), v.askMany(p.belongings, endEverywhere))
	}
}

// lately fills in what ended in the last thirty days, from an instant back.
func (v *visit) lately(ctx context.Context, p *ownPage, before string) error {
	from, _ := strconv.ParseInt(before, 10, 64)
	known := map[revoke.ID]revoke.Revocation{}
	for _, s := range p.past {
		if from != 0 && int64(s.verdict.At) >= from {
			continue
		}
		if len(p.Past) == pastAtOnce {
			p.PastNext = "/me?" + url.Values{"past": {strconv.FormatInt(int64(p.Past[len(p.Past)-1].At), 10)}}.Encode() + "#past"
			return nil
		}
		by := s.verdict.Revocation
		if _, ok := known[by]; !ok && !by.IsZero() {
			r, _, err := v.c.cfg.Store.Revocation(ctx, v.who.Org, by)
			if err != nil && !errors.Is(err, revoke.ErrNotFound) {
				return fmt.Errorf("read revocation %s: %w", by, err)
			}
			known[by] = r
		}
		l := lookOf(&s.Session)
		e := ended{Name: short(60, s.Facts.DeviceName), Look: l, App: appName(s.App), On: short(60, l.on()), At: s.verdict.At, Why: whyOver(s.verdict, known[by])}
		if e.Name == "" {
			e.Name, e.On = e.On, ""
		}
		if e.Name == "" {
			e.Name = l.Thing
		}
		p.Past = append(p.Past, e)
	}
	return nil
}

// whyOver says to the person why a session is over, as the end of a sentence. It blames nobody.
func whyOver(verdict revoke.Verdict, r revoke.Revocation) string {
	switch {
	case verdict.Cause == revoke.CauseExpired:
		return "because its time was up"
	case r.Actor.Kind == "schedule" && r.Scope.Kind == revoke.ScopeSession:
		return "because it was not used for a while"
	case r.Actor.Kind == "schedule":
		return "because everybody is asked to sign in again from time to time"
	case r.Actor.Kind == "person" && r.Reason == "unrecognised":
		return "because you said that it was not you"
	case r.Actor.Kind == "person":
		return "because you signed it out"
	case r.Actor.Kind == "operator":
		return "because your organisation signed it out"
	case r.Signal == "" || r.Signal == revoke.SessionsCleared && r.Scope.Kind == revoke.ScopeSession:
		return "because it was signed out in the app"
	default:
		return "because " + revoke.PlainReason(r.Signal)
	}
}

// afterNotMe goes on from a device that was not the person's: the other ones, and the password.
func (v *visit) afterNotMe() error {
	ctx, cancel := v.reading()
	defer cancel()
	b, err := v.belongings(ctx)
	if err != nil {
		return err
	}
	n, err := v.told(ctx, b, v.r.URL.Query().Get("of"))
	if err != nil {
		return err
	}
	return v.show("notme", struct {
		News     *news
		Others   int
		Ask      question
		Password string
	}{n, len(b.Others) + len(b.Tokens), v.askMany(b, endOthers), v.c.cfg.PasswordURL})
}

func (v *visit) data() error { return v.show("data", nil) }

func (v *visit) signedOut() error { return v.show("signedout", nil) }

// exported is what a person takes along about themselves.
type exported struct {
	Person      revoke.ID         `json:"person"`
	MadeAt      revoke.Instant    `json:"made_at"`
	Identifiers []exportedName    `json:"identifiers"`
	Sessions    []exportedSession `json:"sessions"`
	Complete    bool              `json:"complete"` // nothing was left out
}

type exportedName struct {
	Namespace  string         `json:"namespace"`
	Value      string         `json:"value"`
	HeldFrom   revoke.Instant `json:"held_from"`
	ReleasedAt revoke.Instant `json:"released_at,omitzero"`
}

type exportedSession struct {
	ID         revoke.ID           `json:"id"`
	App        string              `json:"app"`
	Kind       revoke.Kind         `json:"kind"`
	Device     revoke.SessionFacts `json:"recognised_by"`
	IssuedAt   revoke.Instant      `json:"signed_in_at"`
	AuthTime   revoke.Instant      `json:"proved_at,omitzero"`
	UsedAt     revoke.Instant      `json:"last_used,omitzero"`
	ExpiresAt  revoke.Instant      `json:"expires_at"`
	Live       bool                `json:"live"`
	EndedAt    revoke.Instant      `json:"ended_at,omitzero"`
	EndedSince string              `json:"why,omitempty"`
}

// export hands the person what is kept about their sessions, as JSON.
func (v *visit) export() error {
	if v.who.User.IsZero() {
		return revoke.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), 2*readTimeout)
	defer cancel()
	members, err := v.c.cfg.Service.Members(v.who.User)
	if err != nil {
		return fmt.Errorf("find who is one person with %s: %w", v.who.User, err)
	}
	b := &belongings{members: members}
	rows, err := v.ownSessions(ctx, b)
	if err != nil {
		return err
	}
	people, err := v.c.cfg.Store.People(ctx, members)
	if err != nil {
		return fmt.Errorf("read %s: %w", v.who.User, err)
	}
	out := exported{Person: v.who.User, MadeAt: v.c.cfg.Clock.Now(), Identifiers: []exportedName{}, Sessions: []exportedSession{}, Complete: !b.More}
	for _, p := range people {
		for _, h := range p.Holdings {
			out.Identifiers = append(out.Identifiers, exportedName{h.Namespace, h.Value, h.HeldFrom, h.ReleasedAt})
		}
	}
	for i := range rows {
		s := &rows[i]
		verdict, err := v.c.cfg.Service.Judge(ctx, s)
		if err != nil {
			return fmt.Errorf("judge session %s: %w", s.ID, err)
		}
		e := exportedSession{ID: s.ID, App: s.App, Kind: s.Kind, Device: s.Facts, IssuedAt: s.IssuedAt, AuthTime: s.AuthTime, UsedAt: s.UsedAt, ExpiresAt: s.ExpiresAt, Live: verdict.Live}
		if !verdict.Live {
			e.EndedAt, e.EndedSince = verdict.At, verdict.Sentence()
		}
		out.Sessions = append(out.Sessions, e)
	}
	body, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("write the sessions of %s: %w", v.who.User, err)
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Disposition", `attachment; filename="my-sessions.json"`)
	_, _ = v.w.Write(body) // a browser that has gone needs no answer
	return nil
}

// brief says a wait in words.
func brief(d time.Duration) string {
	if d < time.Minute {
		return strconv.Itoa(max(1, int(d/time.Second))) + " s"
	}
	return span(d)
}
