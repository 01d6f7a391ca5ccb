// Package signin lets people sign in to Curfew itself: at their organisation's OpenID Connect provider, or once by a link. Who
// signed in is a session of Curfew's own registry, app "curfew", so that whatever ends a person's sessions ends this one too.
package signin

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"curfew/revoke"
)

// The limits of a sign-in (ASVS 5.0 requirements 7.3.1 and 7.3.2).
const (
	maxAge        = 12 * time.Hour
	maxIdle       = time.Hour
	commitTimeout = 10 * time.Second
	longestForm   = 16 << 10
)

// App is the app whose sessions sign-ins are.
const App = "curfew"

// Service is what signing in needs of the core.
type Service interface {
	Register(ctx context.Context, src revoke.Source, r revoke.Registration) (revoke.Registered, error)
	Ask(ctx context.Context, ref revoke.SessionRef) (revoke.Answer, error)
	Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error)
	Raise(ctx context.Context, key revoke.AlarmKey, text string) error
}

// Config names everything a Handler depends on.
type Config struct {
	Service   Service
	Store     revoke.SignIns
	Clock     revoke.Clock
	Log       *slog.Logger
	Org       string // whose people sign in
	PublicURL string // where browsers reach the server
	Embed     string // the origin that may frame /me; empty: none

	Issuer       string // empty: by links alone
	ClientID     string
	ClientSecret revoke.Secret
	Claim        string // which names groups
	Roles        map[revoke.Role][]string
	Client       *http.Client // calls the provider
}

// Handler answers below /login, and knows who signed in. It is safe for concurrent use.
type Handler struct {
	cfg      Config
	mux      *http.ServeMux
	origin   *http.CrossOriginProtection
	provider provider
	secure   bool // browsers come by HTTPS
}

// New checks cfg. It calls nobody: the provider is asked at the first sign-in.
func New(cfg Config) (*Handler, error) {
	if cfg.Service == nil || cfg.Store == nil || cfg.Clock == nil || cfg.Log == nil || cfg.Org == "" || cfg.PublicURL == "" {
		return nil, errors.New("signin.New: Service, Store, Clock, Log, Org and PublicURL are needed")
	}
	if cfg.Issuer != "" && (cfg.Client == nil || cfg.ClientID == "" || cfg.ClientSecret.IsZero()) {
		return nil, errors.New("signin.New: an Issuer needs Client, ClientID and ClientSecret")
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("signin.New: public_url: %w", err)
	}
	h := &Handler{cfg: cfg, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), secure: u.Scheme == "https"}
	if err := h.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, fmt.Errorf("signin.New: public_url: %w", err)
	}
	h.mux.HandleFunc("GET /login", h.begin)
	h.mux.HandleFunc("GET /login/callback", h.callback)
	h.mux.HandleFunc("GET /login/link/{link}", h.landing)
	h.mux.HandleFunc("POST /login/link/{link}", h.redeem)
	h.mux.HandleFunc("POST /login/out", h.out)
	return h, nil
}

// ServeHTTP answers one request. Nothing changes that another origin asks for.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "+cmp.Or(h.framing(r), "'none'"))
	header.Set("Referrer-Policy", "no-referrer") // a link's address is the link
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if h.secure {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if err := h.origin.Check(r); err != nil {
		h.show(w, http.StatusForbidden, page{Title: "This came from another site", Text: "Nothing was changed."})
		return
	}
	if _, pattern := h.mux.Handler(r); pattern == "" {
		h.show(w, http.StatusNotFound, page{Title: "There is no such page", Text: "The address may be mistyped."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	h.mux.ServeHTTP(w, r)
}

// framing is who may frame the page that r asks for: a link to one's own devices may stand in an application's profile page.
func (h *Handler) framing(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, LinkPath) {
		return h.cfg.Embed
	}
	return ""
}

// Who returns who sent the request: [revoke.ErrUnverified] when nobody signed in, [revoke.ErrNotFresh] when we cannot know.
func (h *Handler) Who(r *http.Request) (revoke.SignIn, error) {
	ctx, cancel := context.WithTimeout(r.Context(), commitTimeout)
	defer cancel()
	ref, ok := h.ref(h.token(r))
	if !ok {
		return revoke.SignIn{}, revoke.ErrUnverified
	}
	known, err := h.cfg.Service.Ask(ctx, ref)
	switch {
	case errors.Is(err, revoke.ErrNotFound):
		return revoke.SignIn{}, revoke.ErrUnverified
	case err != nil:
		return revoke.SignIn{}, fmt.Errorf("ask whether a sign-in lives: %w", err)
	case !known.Live || known.Session.App != App: // an application's token opens nothing here
		return revoke.SignIn{}, revoke.ErrUnverified
	}
	if last := max(known.Session.UsedAt, known.Session.RegisteredAt); h.cfg.Clock.Now().Sub(last) > maxIdle {
		if err := h.end(ctx, known.Session, revoke.Actor{Kind: "source", Name: signInSource}, "not used for an hour"); err != nil {
			return revoke.SignIn{}, err
		}
		return revoke.SignIn{}, revoke.ErrUnverified
	}
	in, err := h.cfg.Store.SignIn(ctx, known.Session.ID)
	if errors.Is(err, revoke.ErrNotFound) {
		return revoke.SignIn{}, revoke.ErrUnverified
	}
	return in, err
}

// FormToken returns what every form of a sign-in carries. It is made from the cookie, so that it ends with the sign-in and is the
// same at every server.
func (h *Handler) FormToken(r *http.Request) string {
	token := h.token(r)
	if token == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte("form"))
	return hex.EncodeToString(mac.Sum(nil))
}

// cookie names: a __Host- cookie cannot be set by a neighbour of ours (RFC 6265bis section 4.1.3.2), and takes HTTPS.
func (h *Handler) cookie(name string) string {
	if h.secure {
		return "__Host-" + name
	}
	return name
}

// token returns the one sign-in that the request carries. Of two, one was tossed in by somebody else.
func (h *Handler) token(r *http.Request) string {
	all := r.CookiesNamed(h.cookie(App))
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// keep writes a sign-in's token as its cookie does, with the org where that is another than ours; ref reads it. A cookie that lies about
// its org finds no session there.
func (h *Handler) keep(token, org string) string {
	if org == h.cfg.Org {
		return token
	}
	return token + "." + base64.RawURLEncoding.EncodeToString([]byte(org))
}

func (h *Handler) ref(cookie string) (ref revoke.SessionRef, ok bool) {
	token, home, abroad := strings.Cut(cookie, ".")
	org, err := base64.RawURLEncoding.DecodeString(home)
	if ref = (revoke.SessionRef{Org: h.cfg.Org, Token: revoke.HashToken(token)}); abroad {
		ref.Org = string(org)
	}
	return ref, token != "" && err == nil && ref.Org != ""
}

func (h *Handler) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{Name: h.cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: h.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())} //nolint:gosec // not Secure only where public_url is plain http
	if name == App && h.cfg.Embed != "" && h.secure {                                                                                                               // in a frame of another site no browser sends a lax one
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// source is who registers sign-ins. It only points at people: what a provider says at a sign-in teaches nothing.
func source(org string) revoke.Source {
	return revoke.Source{Name: signInSource, Org: org, Type: revoke.TypeToken, Authority: signInSource}
}

const signInSource = "sign-in"

// admit registers a sign-in of the org that it names and gives the browser its cookie, which is new whatever the browser had before.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, in revoke.SignIn, who revoke.Subject) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commitTimeout)
	defer cancel()
	h.leave(ctx, r)
	token, now := rand.Text()+rand.Text(), h.cfg.Clock.Now()
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	agent := r.UserAgent()
	done, err := h.cfg.Service.Register(ctx, source(in.Org), revoke.Registration{
		Subject: who, App: App, Kind: revoke.Browser, Token: revoke.HashToken(token), AuthTime: in.ProvedAt, ExpiresAt: now.Add(maxAge),
		Facts: revoke.SessionFacts{IP: host, UserAgent: agent[:min(len(agent), 512)]},
	})
	if err != nil {
		return fmt.Errorf("register a sign-in: %w", err)
	}
	if in.Session = done.Session.ID; len(who) > 0 && !nobody(who) {
		in.User = done.Session.User
	}
	audit, err := h.entry(ctx, in.Org, "sign-in", map[string]any{"session": in.Session, "roles": in.Roles, "by_link": in.ByLink}, in.Name)
	if err != nil {
		return err
	}
	if err := h.cfg.Store.KeepSignIn(ctx, in, audit); err != nil {
		return err
	}
	h.setCookie(w, App, h.keep(token, in.Org), maxAge)
	return nil
}

// entry is a line of the audit log.
func (h *Handler) entry(ctx context.Context, org, kind string, what map[string]any, name string) (revoke.AuditEntry, error) {
	what["request"] = revoke.RequestIDFrom(ctx)
	line, err := json.Marshal(what)
	if err != nil {
		return revoke.AuditEntry{}, fmt.Errorf("write the audit entry: %w", err)
	}
	person, err := json.Marshal(map[string]any{"name": name})
	if err != nil {
		return revoke.AuditEntry{}, fmt.Errorf("write the audit entry: %w", err)
	}
	return revoke.AuditEntry{Org: org, At: h.cfg.Clock.Now(), Kind: kind, Entry: line, Person: person}, nil
}

// leave ends the sign-in that a request carries, if it carries one.
func (h *Handler) leave(ctx context.Context, r *http.Request) {
	who, err := h.Who(r)
	if err != nil {
		return
	}
	if err := h.end(ctx, &revoke.Session{Org: who.Org, ID: who.Session}, who.Actor(), "signed out of Curfew"); err != nil {
		h.cfg.Log.Warn("a sign-in is not ended", "session_id", who.Session, "err", err)
	}
}

func (h *Handler) end(ctx context.Context, s *revoke.Session, actor revoke.Actor, why string) error {
	_, err := h.cfg.Service.Receive(ctx, actor, source(s.Org), revoke.Event{Type: string(revoke.SessionsCleared), Signals: []revoke.Signal{{
		Kind: revoke.SessionsCleared, Session: revoke.SessionRef{Org: s.Org, ID: s.ID}, Command: true, Reason: why,
	}}})
	if err != nil {
		return fmt.Errorf("end sign-in %s: %w", s.ID, err)
	}
	return nil
}

// out ends the own sign-in.
func (h *Handler) out(w http.ResponseWriter, r *http.Request) {
	if form := h.FormToken(r); form == "" || !hmac.Equal([]byte(r.PostFormValue("form")), []byte(form)) {
		h.show(w, http.StatusForbidden, page{Title: "This form is not yours", Text: "Nothing was changed. Reload the page and try again."})
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commitTimeout)
	defer cancel()
	h.leave(ctx, r)
	h.setCookie(w, App, "", 0)
	h.show(w, http.StatusOK, page{Title: "You left Curfew", Text: "Sessions of other applications were not touched.", Link: "/login", Label: "Sign in again"})
}

// local returns next if it leads back to a page of ours, else where people begin.
func local(next string, roles []revoke.Role) string {
	u, err := url.Parse(next)
	own := err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && !strings.ContainsAny(next, "\\\t\r\n") &&
		(u.Path == "/me" || strings.HasPrefix(u.Path, "/me/") || u.Path == "/console" || strings.HasPrefix(u.Path, "/console/"))
	switch {
	case own:
		return next
	case len(roles) > 0:
		return "/console"
	default:
		return "/me"
	}
}
