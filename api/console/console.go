// Package console is what people see: their own devices at /me, and the console for those who have a role. The pages are made
// on the server and work with links and forms alone; script only improves them.
//
// The console is a client of the JSON API: a page of an operator asks it in process, with the signed-in person's own rights,
// and so can neither show nor do what the API would not. /me belongs to people who have no rights there; it asks the core as
// the person.
//
// A request passes [Console.ServeHTTP]: headers, static files, where it comes from, who sent it, then the table of routes.
package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// SignIns knows who signed in to Curfew.
type SignIns interface {
	// Who returns who sent the request: [revoke.ErrUnverified] when nobody signed in, [revoke.ErrNotFresh] when we cannot know.
	Who(r *http.Request) (revoke.SignIn, error)
	// FormToken returns what every form of the sign-in that sent the request carries. It ends with the sign-in.
	FormToken(r *http.Request) string
}

// Service is what people's own page needs of the core.
type Service interface {
	Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error)
	Judge(ctx context.Context, session *revoke.Session) (revoke.Verdict, error)
	Members(user revoke.ID) ([]revoke.ID, error)
	Event(ctx context.Context, org string, id revoke.ID) (revoke.Event, error)
	Raise(ctx context.Context, key revoke.AlarmKey, text string) error
	DeviceNames(ctx context.Context, org string, users []revoke.ID) ([]revoke.DeviceName, error)
	NameDevice(ctx context.Context, actor revoke.Actor, n revoke.DeviceName) error
}

// Store is what people's own page reads.
type Store interface {
	SessionsOf(ctx context.Context, q revoke.SessionQuery) ([]revoke.Session, error)
	People(ctx context.Context, users []revoke.ID) ([]revoke.Person, error)
	Revocation(ctx context.Context, org string, id revoke.ID) (revoke.Revocation, []revoke.Delivery, error)
	Deliveries(ctx context.Context, q revoke.DeliveryQuery) ([]revoke.Delivery, error)
}

// API asks the JSON API in process, with the rights of who signed in.
type API func(ctx context.Context, who revoke.SignIn, method, path string, body []byte) (status int, answer []byte)

// Config names everything a Console depends on.
type Config struct {
	SignIns     SignIns
	API         API
	Service     Service
	Store       Store
	Clock       revoke.Clock
	Zone        *time.Location // in which times are shown; nil is UTC
	OrgName     string         // as people know the organisation; "Curfew" when empty
	PasswordURL string         // where people change their password; empty: nowhere that we know of
	Embed       string         // the one origin that may frame /me; empty: none
	PublicURL   string         // where browsers reach the server
	Log         *slog.Logger
}

// Console is the http.Handler of /console and /me. It is safe for concurrent use.
type Console struct {
	cfg    Config
	origin *http.CrossOriginProtection
	mux    *http.ServeMux
	pages  map[string]*template.Template
	static map[string]file
	strict bool // browsers are to come by HTTPS only
}

// New checks cfg and reads the pages. It opens nothing.
func New(cfg Config) (*Console, error) {
	if cfg.SignIns == nil || cfg.API == nil || cfg.Service == nil || cfg.Store == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("console.New: SignIns, API, Service, Store, Clock and Log are needed")
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.OrgName == "" {
		cfg.OrgName = "Curfew"
	}
	c := &Console{cfg: cfg, origin: http.NewCrossOriginProtection(), strict: strings.HasPrefix(cfg.PublicURL, "https://")}
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Host != "" { // behind a proxy that rewrites Host, Origin still names this
		if err := c.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("console.New: public_url: %w", err)
		}
	}
	var err error
	if c.static, err = readStatic(); err != nil {
		return nil, err
	}
	if c.pages, err = c.parse(); err != nil {
		return nil, err
	}
	c.mux = http.NewServeMux()
	for _, route := range c.routes() {
		c.mux.Handle(route.method+" "+route.path, page{c, route})
	}
	return c, nil
}

// ServeHTTP answers one request. Nothing but static files is answered to nobody, and nothing changes that another origin asks
// for.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.secure(w.Header(), r.URL.Path)
	if c.serveStatic(w, r) {
		return
	}
	v := &visit{c: c, w: w, r: r, form: c.cfg.SignIns.FormToken(r)}
	defer v.recover() //nolint:contextcheck // the visit carries the request
	if err := c.origin.Check(r); err != nil {
		v.refuse(http.StatusForbidden, "This came from another site", "Nothing was changed. Open the page here and try again.") //nolint:contextcheck // the visit carries the request
		return
	}
	var err error
	if v.who, err = c.cfg.SignIns.Who(r); err != nil && (!errors.Is(err, revoke.ErrUnverified) || !open(r.URL.Path)) {
		v.fail(err) //nolint:contextcheck // the visit carries the request
		return
	}
	h, pattern := c.mux.Handler(r)
	if p, ok := h.(page); ok {
		r.Pattern = pattern
		v.route = p.route
		c.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
		return
	}
	c.lost(v) //nolint:contextcheck // the visit carries the request
}

// lost answers what no route is for: 405 where another method would do.
func (c *Console) lost(v *visit) {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := v.r.Clone(v.r.Context())
		other.Method = method
		if h, _ := c.mux.Handler(other); isPage(h) {
			methods = append(methods, method)
		}
	}
	if len(methods) > 0 && !slices.Contains(methods, v.r.Method) {
		v.w.Header().Set("Allow", strings.Join(methods, ", "))
		v.refuse(http.StatusMethodNotAllowed, "This is not how this page is used", "Go back to where you came from and use the button there.")
		return
	}
	v.refuse(http.StatusNotFound, "There is no such page", "The address may be mistyped, or what it showed is gone.")
}

func isPage(h http.Handler) bool {
	_, ok := h.(page)
	return ok
}

// secure sets the headers that every answer carries.
func (c *Console) secure(h http.Header, path string) {
	framed, frames := c.cfg.Embed != "" && own(path), "'none'"
	if framed {
		frames = c.cfg.Embed
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "+
		"require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors "+frames)
	if !framed {
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if c.strict {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// own reports whether the path is of people's own page.
func own(path string) bool { return path == "/me" || strings.HasPrefix(path, "/me/") }
