// Package api is the door that speaks JSON: the Fiber application with its limits, authentication and routes, and the
// place where the handlers of other packages are mounted. It decides nothing about sessions; it reads a request, calls
// revoke once and renders.
//
// A request passes four stations. [App.headerReceived] sees the head and decides how much of a body is read at all.
// [App.serve] judges credential and scope, before it is known whether the path exists. Fiber routes. A handler decodes
// strictly, calls the core and answers; whatever fails becomes an answer in one place, [App.fail].
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// Service is what the doors need of the core.
type Service interface {
	Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error)
	Preview(ctx context.Context, actor revoke.Actor, src revoke.Source, event revoke.Event) (revoke.Outcome, error)
	Register(ctx context.Context, src revoke.Source, r revoke.Registration) (revoke.Registered, error)
	RegisterMany(ctx context.Context, src revoke.Source, rs []revoke.Registration) ([]revoke.RegisteredOr, error)
	Split(ctx context.Context, actor revoke.Actor, src revoke.Source, a, b revoke.ID, reason string) error
	Check(ctx context.Context, src revoke.Source, questions []revoke.Question) ([]revoke.Verdict, error)
	Ask(ctx context.Context, ref revoke.SessionRef) (revoke.Answer, error)
	Judge(ctx context.Context, session *revoke.Session) (revoke.Verdict, error)
	Members(user revoke.ID) ([]revoke.ID, error)
	SetPolicy(ctx context.Context, actor revoke.Actor, src revoke.Source, order revoke.PolicyOrder) (revoke.Policy, error)
	PreviewPolicy(ctx context.Context, src revoke.Source, order revoke.PolicyOrder) (int, error)
	Refusal(ctx context.Context, org string, user revoke.ID, kind revoke.Kind) (string, error)
	Clear(ctx context.Context, actor revoke.Actor, key revoke.AlarmKey) error
	Held(ctx context.Context, q revoke.HeldQuery) ([]revoke.Held, error)
	Approve(ctx context.Context, who revoke.SignIn, ids []revoke.ID, reason string) (int, error)
	Reject(ctx context.Context, who revoke.SignIn, ids []revoke.ID, reason string) (int, error)
	Event(ctx context.Context, org string, id revoke.ID) (revoke.Event, error)
	Replay(ctx context.Context, actor revoke.Actor, src revoke.Source, prior revoke.Event, again revoke.Event, dry bool) (revoke.Outcome, error)
	Foresee(ctx context.Context, actor revoke.Actor, src revoke.Source, prior revoke.Event, at revoke.Instant, answer revoke.ReadAnswer) (revoke.Outcome, error)
	Hear(org, source string)
	Pulses(ctx context.Context, org string, sources []string) ([]revoke.Pulse, error)
	Retire(ctx context.Context, actor revoke.Actor, org, authority, to, reason string) (int, error)
	AddSchedule(ctx context.Context, sch revoke.Schedule, audit revoke.AuditEntry) (revoke.Schedule, revoke.Outcome, error)
	Schedule(ctx context.Context, org, name string) (revoke.Schedule, error)
	SkipSchedule(ctx context.Context, org, name string, audit revoke.AuditEntry) (revoke.Schedule, error)
	SchedulesPaused(ctx context.Context) (bool, error)
	ComingRuns(ctx context.Context, sch revoke.Schedule) ([]revoke.ComingRun, error)
	PlannedRuns(ctx context.Context, sch revoke.Schedule) ([]revoke.ComingRun, error)
	Ready() error
}

// Store is what the doors read, and what they change beside the core: whether and when deliveries are made, and which requests
// were answered already.
type Store interface {
	revoke.Reader
	revoke.Ledger
	revoke.Notes
	revoke.Overview
	revoke.Schedules
	revoke.Policies
	AddLink(ctx context.Context, l revoke.Link, audit revoke.AuditEntry) error
	Unread(ctx context.Context, org string, sources []string) ([]revoke.Unread, error)
	Errands(ctx context.Context, org string, sources []string) ([]revoke.Errand, error)
	Retry(ctx context.Context, q revoke.DeliveryQuery, now revoke.Instant, audit revoke.AuditEntry) (int, error)
}

// Logout says what an application's own log-out ends. The set is closed.
type Logout string

// What a log-out ends.
const (
	LogoutSession    Logout = "session"
	LogoutEverywhere Logout = "everywhere"
)

// Config names everything an App depends on.
type Config struct {
	Service        Service
	Store          Store
	Tokens         []Token
	SCIM           http.Handler                         // below /scim; it finds its source in the context; nil: not there
	Hooks          http.Handler                         // below /hooks; nil: not there
	HookBody       func(path string) int64              // how large a body may be that comes to a path below /hooks; nil: 1 MiB
	Senders        []Sender                             // who sends to /hooks
	Read           Senders                              // reads what they send; nil: nobody can
	Systems        []System                             // in which we revoke
	States         func() map[string]revoke.TargetState // how calls there went last; nil: nobody knows
	Metrics        http.Handler                         // at /metrics; nil: not there
	Console        http.Handler                         // at /console and /me; nil: not there
	SignIn         http.Handler                         // at /login; nil: not there
	MetricsOpen    bool                                 // /metrics asks nobody for a token
	Cookie         string                               // in which forward-auth finds the session token; "session" when empty
	TrustedProxies []netip.Prefix                       // whose X-Forwarded-For is believed
	Logout         Logout                               // "session" when empty
	Approvals      int                                  // 2: an order for many says how many it expects; the core holds it for a second person
	TLS            *tls.Config                          // nil: plain HTTP, a proxy or loopback carries TLS
	ReadTimeout    time.Duration                        // for a whole request; 10 s when zero
	Retried        func()                               // told when deliveries were made due again; may be nil
	Clock          revoke.Clock
	Observer       revoke.Observer // nil looks away
	Log            *slog.Logger
	Version        string
	PublicURL      string // where clients reach the server, as /openapi.json says; empty: where they found that
}

const (
	maxHead       = 64 << 10 // request line and headers
	maxBody       = 1 << 20  // of a request with a valid credential
	strangersBody = 16 << 10 // of any other: less than the head that it was allowed to send
	readTimeout   = 10 * time.Second
	idleTimeout   = 60 * time.Second
	writeTimeout  = 60 * time.Second
	commitTimeout = 10 * time.Second
	askTimeout    = 5 * time.Second
)

// App is the HTTP server. It is made by [New] and serves until Shutdown; [App.Replace] lets other settings answer.
type App struct {
	cfg    Config
	fiber  *fiber.App
	route  fasthttp.RequestHandler
	tokens []token
	orgs   []string // whose sessions forward-auth knows
	rules  []rule
	valid  *validator.Validate
	*lasting
}

// lasting is what outlives [App.Replace].
type lasting struct {
	answers     atomic.Pointer[App] // who does, since the last Replace
	refusals    *refusals
	chunked     sync.Map // *fasthttp.RequestHeader to door, for bodies of unknown length: see headerReceived
	counts      counts
	closed      atomic.Bool
	connections *connections
	homes       homes
}

// New checks cfg and builds the application. It opens nothing.
func New(cfg Config) (*App, error) {
	a, err := newApp(cfg, &lasting{connections: newConnections()})
	if err != nil {
		return nil, err
	}
	a.refusals = newRefusals(cfg.Clock)
	a.answers.Store(a)
	server := a.fiber.Server()
	server.Handler = func(ctx *fasthttp.RequestCtx) { a.answers.Load().serve(ctx) }
	server.HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig { return a.answers.Load().headerReceived(h) }
	server.ErrorHandler = a.unreadable
	server.CloseOnShutdown = true
	return a, nil
}

// Replace lets what cfg says answer from now on. A request that was let in before finishes as it began; one whose body is
// still being sent is judged by the new settings. TLS and ReadTimeout stay those of [New]. On an error nothing has changed.
// It is safe while the App serves.
func (a *App) Replace(cfg Config) error {
	next, err := newApp(cfg, a.lasting)
	if err != nil {
		return err
	}
	a.answers.Store(next)
	return nil
}

func newApp(cfg Config, lasting *lasting) (*App, error) {
	if cfg.Service == nil || cfg.Store == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("api.New: Service, Store, Clock and Log are needed")
	}
	if cfg.Observer == nil {
		cfg.Observer = revoke.Unobserved{}
	}
	if cfg.Cookie == "" {
		cfg.Cookie = "session"
	}
	switch cfg.Logout {
	case "":
		cfg.Logout = LogoutSession
	case LogoutSession, LogoutEverywhere:
	default:
		return nil, fmt.Errorf("api.New: Logout is %q: write session or everywhere", cfg.Logout)
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = readTimeout
	}
	tokens, err := newTokens(cfg.Tokens)
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, tokens: tokens, orgs: orgsOf(tokens), valid: newValidator(), lasting: lasting}
	a.fiber = fiber.New(fiber.Config{
		// Fiber's strings otherwise point into buffers of the next request; ours end up in maps and in the store.
		Immutable:                    true,
		CaseSensitive:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // else a form with files lands in temporary files before anybody is asked
		BodyLimit:                    strangersBody,
		ReadBufferSize:               maxHead,
		ReadTimeout:                  cfg.ReadTimeout,
		IdleTimeout:                  idleTimeout,
		WriteTimeout:                 writeTimeout,
		ErrorHandler:                 func(c *fiber.Ctx, err error) error { a.fail(c.Context(), err); return nil },
	})
	described, err := document(&cfg)
	if err != nil {
		return nil, fmt.Errorf("api.New: %w", err)
	}
	a.routes()
	a.fiber.Get("/openapi.json", openapi(described))
	a.route = a.fiber.Handler()
	return a, nil
}

// routes says where everything is. What the contract lists and this version lacks is in unbuilt, so that its scope is
// judged all the same.
func (a *App) routes() {
	a.postAnew("/v1/sessions", scopeSessions, a.registerSession, a.sessionAgain)
	a.on(fiber.MethodGet, "/v1/sessions", scopeSessions, a.listSessions)
	a.on(fiber.MethodGet, "/v1/sessions/:id", scopeSessions, a.oneSession)
	a.on(fiber.MethodDelete, "/v1/sessions/:id", scopeSessions, a.endSession)
	a.on(fiber.MethodPost, "/v1/check", scopeSessions|scopeCheck, a.checkTokens) // carried out anew each time, whatever key it has
	a.post("/v1/signals", scopeSessions, a.signal)
	a.postAnew("/v1/links", scopeSessions, a.makeLink, a.linkAgain)
	a.post("/v1/revocations", scopeAdmin|scopeRevoke|scopeSessions, a.revocation)
	a.on(fiber.MethodGet, "/v1/revocations/:id", scopeAdmin, a.oneRevocation)
	a.post("/v1/revocations/:id/pause", scopeAdmin, a.haltRevocation("pause", revoke.HaltWait))
	a.post("/v1/revocations/:id/resume", scopeAdmin, a.haltRevocation("resume", revoke.HaltNone))
	a.post("/v1/revocations/:id/stop", scopeAdmin, a.haltRevocation("stop", revoke.HaltDrop))
	a.on(fiber.MethodGet, "/v1/users", scopeAdmin, a.listUsers)
	a.on(fiber.MethodGet, "/v1/users/:id", scopeAdmin, a.oneUser)
	a.postAnew("/v1/users/:id/block", scopeAdmin, a.blockUser, a.userAgain)
	a.postAnew("/v1/users/:id/lift", scopeAdmin, a.liftUser, a.userAgain)
	a.postAnew("/v1/users/:id/split", scopeAdmin, a.splitUser, a.userAgain)
	a.on(fiber.MethodGet, "/v1/users/:id/timeline", scopeAdmin, a.timeline)
	a.on(fiber.MethodGet, "/v1/deliveries", scopeAdmin, a.listDeliveries)
	a.on(fiber.MethodGet, "/v1/deliveries/:id", scopeAdmin, a.oneDelivery)
	a.post("/v1/deliveries/retry", scopeAdmin, a.retryDeliveries)
	a.post("/v1/deliveries/:id/retry", scopeAdmin, a.retryDelivery)
	a.post("/v1/deliveries/:id/drop", scopeAdmin, a.dropDelivery)
	a.on(fiber.MethodGet, "/v1/events", scopeAdmin, a.listEvents)
	a.on(fiber.MethodGet, "/v1/events/:id", scopeAdmin, a.oneEvent)
	a.post("/v1/events/:id/replay", scopeAdmin, a.replayEvent)
	a.on(fiber.MethodGet, "/v1/sources", scopeAdmin, a.listSources)
	a.post("/v1/sources/:name/retire", scopeAdmin, a.retireSource)
	a.on(fiber.MethodPost, "/v1/sources/:name/try", scopeAdmin, a.trySource)
	a.on(fiber.MethodGet, "/v1/targets", scopeAdmin, a.listTargets)
	a.post("/v1/targets/:name/pause", scopeAdmin, a.pauseTarget("pause"))
	a.post("/v1/targets/:name/resume", scopeAdmin, a.pauseTarget("resume"))
	a.on(fiber.MethodPost, "/v1/targets/:name/check", scopeAdmin, a.checkTarget)
	a.on(fiber.MethodGet, "/v1/held", scopeAdmin, a.listHeld)
	a.post("/v1/held/approve", scopeAdmin, a.decideHeld(revoke.HeldApproved))
	a.post("/v1/held/reject", scopeAdmin, a.decideHeld(revoke.HeldRejected))
	a.post("/v1/held/:id/approve", scopeAdmin, a.decideHeld(revoke.HeldApproved))
	a.post("/v1/held/:id/reject", scopeAdmin, a.decideHeld(revoke.HeldRejected))
	a.on(fiber.MethodGet, "/v1/schedules", scopeAdmin, a.listSchedules)
	a.post("/v1/schedules", scopeAdmin, a.addSchedule)
	a.on(fiber.MethodGet, "/v1/schedules/:name", scopeAdmin, a.oneSchedule)
	a.on(fiber.MethodDelete, "/v1/schedules/:name", scopeAdmin, a.dropSchedule)
	a.post("/v1/schedules/:name/skip", scopeAdmin, a.skipSchedule)
	a.on(fiber.MethodGet, "/v1/policies", scopeAdmin, a.listPolicies)
	a.on(fiber.MethodGet, "/v1/policies/:kind", scopeAdmin, a.onePolicy)
	a.on(fiber.MethodPut, "/v1/policies/:kind", scopeAdmin, a.setPolicy)
	a.on(fiber.MethodDelete, "/v1/policies/:kind", scopeAdmin, a.removePolicy)
	a.on(fiber.MethodGet, "/v1/alarms", scopeAdmin, a.listAlarms)
	a.post("/v1/alarms/:id/clear", scopeAdmin, a.clearAlarm)
	a.on(fiber.MethodGet, "/v1/why", scopeAdmin, a.why)
	a.on(fiber.MethodPost, introspectPath, scopeSessions|scopeCheck, func(c *fiber.Ctx, t *token) error { return a.introspect(c.Context(), t) })
	a.post("/oauth2/revoke", scopeSessions, a.revokeToken)
	a.rules = append(a.rules, unbuilt()...)

	a.fiber.All("/verify", a.verify)
	a.fiber.All("/verify/*", a.verify)
	a.fiber.Get("/healthz", a.healthz)
	a.fiber.Get("/readyz", a.readyz)
	if a.cfg.SCIM != nil {
		scim := a.mount(a.cfg.SCIM, true)
		a.fiber.All("/scim/*", func(c *fiber.Ctx) error {
			if callerOf(c.Context()) == nil { // serve lets nobody else come here; a router is no lock
				return errUnauthenticated
			}
			return scim(c)
		})
	}
	if a.cfg.Metrics != nil {
		metrics := a.mount(a.cfg.Metrics, false)
		a.fiber.Get("/metrics", func(c *fiber.Ctx) error {
			if callerOf(c.Context()) == nil && !a.cfg.MetricsOpen {
				return errUnauthenticated
			}
			return metrics(c)
		})
	}
	a.page(a.cfg.Console, "/console", "/me")
	a.page(a.cfg.SignIn, "/login")
	if a.cfg.Hooks != nil {
		hooks := a.mount(a.cfg.Hooks, false)
		a.fiber.Get("/hooks/*", hooks)
		a.fiber.Post("/hooks/*", hooks)
		a.fiber.Options("/hooks/*", hooks)
	}
}

// on adds a route and the scopes that its path can be used with.
func (a *App) on(method, path string, needs scopes, handle func(*fiber.Ctx, *token) error) {
	a.rules = addRule(a.rules, path, needs)
	add := a.fiber.Add
	if method == fiber.MethodGet {
		add = func(_, path string, handlers ...fiber.Handler) fiber.Router { return a.fiber.Get(path, handlers...) } // HEAD too
	}
	add(method, path, func(c *fiber.Ctx) error {
		t := callerOf(c.Context())
		switch {
		case t == nil:
			return errUnauthenticated
		case t.signIn != nil:
			if err := t.allowsRole(method, path); err != nil {
				return err
			}
		case t.scopes&needs == 0:
			return errScope
		}
		switch {
		case method == fiber.MethodPost && strings.HasPrefix(path, "/v1/") && len(c.Request().URI().QueryString()) > 0:
			// What is ordered stands in the body: an order with ?dry_run=true behind it must not be carried out.
			if _, err := readQuery(c); err != nil {
				return err
			}
		}
		for _, name := range c.Route().Params {
			if text := pathText(c, name); !utf8.ValidString(text) || utf8.RuneCountInString(text) > longestName {
				return errNotFound
			}
		}
		return handle(c, t)
	})
}

// longestName is how many characters a name in a path may have: a delivery's is a revocation's id and a target's name.
const longestName = 600

// Serve answers on ln until [App.Shutdown]; then it returns nil. It closes ln.
func (a *App) Serve(ln net.Listener) error {
	ln = lingeringListener{ln, &a.closed, a.open}
	if a.cfg.TLS != nil {
		ln = tls.NewListener(ln, a.cfg.TLS)
	}
	if err := a.fiber.Server().Serve(ln); err != nil {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown takes no new connection and waits until what is under way was answered, or ctx ends.
func (a *App) Shutdown(ctx context.Context) error {
	a.closed.Store(true)
	if err := a.fiber.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("wait for requests under way: %w", err)
	}
	return nil
}
