package webhooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// Inbox is where events are decided and committed: [revoke.Service]. When Receive returns nil everything is durable.
type Inbox interface {
	Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error)
}

// Source is a configured sender.
type Source struct {
	revoke.Source // complete, but for its name: Learns already says what `learn:` or else [Type.Learns] says

	Settings              any   // what [Type.NewSettings] made, filled and validated
	MaxBody               int64 // bytes; zero takes what the type says
	InsecureTransportOnly bool  // a sender that cannot prove itself is believed all the same
}

// Config names everything that a Handler depends on.
type Config struct {
	Sources       map[string]Source // by name. One whose type the build lacks is answered with 503, so that its sender tries again
	Inbox         Inbox
	Clock         revoke.Clock
	Heard         func(org, source string) // told of every message that proved its sender; nil looks away
	Observer      revoke.Observer          // nil looks away
	Log           *slog.Logger
	CommitTimeout time.Duration             // zero is 10 s
	Lookup        func(string) (Type, bool) // nil is [Lookup]: the types that are built in
	Deps          Deps                      // for types that call their senders; Hook is filled in for each
	PublicURL     string                    // where we are reached from outside
	Proxies       []netip.Prefix            // who may say on whose behalf it calls
}

// Handler is an [http.Handler] for every path below /hooks/, to be mounted without anything stripped from the path. It limits
// its own bodies and recovers its own panics. It keeps no state: to read the configuration again, make a new one.
type Handler struct {
	seats         map[string]*seat
	inbox         Inbox
	heard         func(org, source string)
	clock         revoke.Clock
	observer      revoke.Observer
	log           *slog.Logger
	commitTimeout time.Duration
	proxies       []netip.Prefix
}

// seat is one configured source, ready to receive.
type seat struct {
	source    revoke.Source
	receiver  Receiver // nil when the build lacks its type
	early     bool     // handshakes come before authentication
	limits    Limits
	transport bool // insecure_transport_only
}

const (
	root           = "/hooks/"
	defaultBody    = 1 << 20
	defaultItems   = 10_000
	defaultTimeout = 10 * time.Second
)

// New checks cfg and makes a Handler. It has no side effects. Errors are [revoke.Invalid] below sources.NAME, joined.
func New(cfg Config) (*Handler, error) {
	if cfg.Inbox == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("webhooks.New: Inbox, Clock and Log are needed")
	}
	if cfg.Observer == nil {
		cfg.Observer = revoke.Unobserved{}
	}
	if cfg.Heard == nil {
		cfg.Heard = func(string, string) {}
	}
	if cfg.Lookup == nil {
		cfg.Lookup = Lookup
	}
	h := &Handler{
		seats: map[string]*seat{}, inbox: cfg.Inbox, heard: cfg.Heard, clock: cfg.Clock, observer: cfg.Observer, log: cfg.Log,
		commitTimeout: cmp.Or(cfg.CommitTimeout, defaultTimeout), proxies: cfg.Proxies,
	}
	var wrong []error
	for name, src := range cfg.Sources {
		deps := cfg.Deps
		deps.Hook = strings.TrimSuffix(cfg.PublicURL, "/") + root + name
		s, err := newSeat(name, src, deps, cfg.Lookup)
		if err != nil {
			wrong = append(wrong, below("sources."+name, err))
			continue
		}
		h.seats[name] = s
	}
	return h, errors.Join(wrong...)
}

func newSeat(name string, src Source, deps Deps, lookup func(string) (Type, bool)) (*seat, error) {
	src.Name = name
	switch {
	case name == "" || strings.Contains(name, "/"):
		return nil, revoke.Invalid{Problem: "is not a name that an address can end in", Fix: "use letters, digits and hyphens"}
	case src.Org == "" || src.Authority == "" || src.IDs == "":
		return nil, revoke.Invalid{Problem: "lacks org, authority or ids", Fix: "give each a name"}
	}
	t, built := lookup(src.Type)
	if !built {
		return &seat{source: src.Source, limits: Limits{}.or(src.MaxBody)}, nil
	}
	if want := reflect.PointerTo(reflect.TypeOf(t.Settings)); reflect.TypeOf(src.Settings) != want {
		return nil, fmt.Errorf("settings of type %s are %T, not the %s that NewSettings makes", t.Name, src.Settings, want)
	}
	receiver, err := t.Make(src.Source, src.Settings, deps)
	if err == nil {
		err = Believable(receiver, src.InsecureTransportOnly)
	}
	if err != nil {
		return nil, err
	}
	var limits Limits
	if l, ok := receiver.(Limiter); ok {
		limits = l.Limits()
	}
	return &seat{
		source: src.Source, receiver: receiver, early: t.HandshakeBeforeAuth,
		limits: limits.or(src.MaxBody), transport: src.InsecureTransportOnly,
	}, nil
}

// or fills what a type leaves open. The operator's max_body wins.
func (l Limits) or(maxBody int64) Limits {
	l.Body = cmp.Or(maxBody, l.Body, defaultBody)
	l.Items = cmp.Or(l.Items, defaultItems)
	if len(l.ContentTypes) == 0 {
		l.ContentTypes = []string{"application/json"}
	}
	return l
}

// below puts the fields of Invalid errors under a key.
func below(key string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, each := range joined.Unwrap() {
			out = append(out, below(key, each))
		}
		return errors.Join(out...)
	}
	if e, ok := errors.AsType[revoke.Invalid](err); ok {
		e.Field = strings.TrimSuffix(key+"."+e.Field, ".")
		return e
	}
	return fmt.Errorf("%s: %w", key, err)
}

// MaxBody returns how many bytes a message to the path may have, for a server that reads bodies before it calls handlers.
func (h *Handler) MaxBody(path string) int64 {
	if s, ok := h.seats[strings.TrimPrefix(path, root)]; ok {
		return s.limits.Body
	}
	return defaultBody
}

// ServeHTTP receives one message. It answers once everything in it is durable, or says why it is not.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, below := strings.CutPrefix(r.URL.Path, root)
	s, ok := h.seats[name]
	if !below || !ok {
		write(w, notFound())
		return
	}
	defer func() {
		if p := recover(); p != nil {
			h.panicked(s, p)
			write(w, internal()) // nothing was written before: every answer is written whole, below
		}
	}()
	write(w, h.answer(w, r, s))
}

// panicked logs where it happened. What a panic says may come from a message, so only the runtime's own words are logged.
func (h *Handler) panicked(s *seat, p any) {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	h.log.Error("receiving a message panicked", "source_id", s.source.Name, "err", what, "stack", string(debug.Stack()))
}

func write(w http.ResponseWriter, answer Response) {
	header := w.Header()
	maps.Copy(header, answer.Header)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff") // what a greeting echoes must never be taken for a page
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // the sender may be gone; what was committed stays
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, s *seat) Response {
	if s.receiver == nil {
		return unavailable("this version of Curfew lacks the source's type; send it again later", retryLater)
	}
	greeter, greets := s.receiver.(Handshaker)
	if r.Method != http.MethodPost && (!greets || r.Method != http.MethodGet && r.Method != http.MethodOptions) {
		return methodNotAllowed()
	}
	in := Request{Method: r.Method, Header: r.Header, Query: r.URL.Query(), ReceivedAt: h.clock.Now(), TLS: r.TLS, Proxied: h.proxied(r)}
	if r.Method == http.MethodPost {
		body, refusal := h.read(w, r, s)
		if refusal != nil {
			return *refusal
		}
		in.Body = body
	}
	if greets && s.early {
		if answer, done := h.greet(s, greeter, in); done {
			return answer
		}
		if r.Method != http.MethodPost {
			return methodNotAllowed()
		}
	}
	evidence, err := s.verify(in)
	if err != nil {
		return h.refuse(s, err)
	}
	if evidence.Proof != ProvedItems { // else nobody has proved anything yet
		h.heard(s.source.Org, s.source.Name)
	}
	if refusal := h.unreadable(s, in); refusal != nil {
		return *refusal
	}
	if greets && !s.early {
		if answer, done := h.greet(s, greeter, in); done {
			return answer
		}
		if r.Method != http.MethodPost {
			return methodNotAllowed()
		}
	}
	return h.receive(r.Context(), s, in, evidence)
}

// proxied reports whether the connection comes from a trusted proxy.
func (h *Handler) proxied(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}

// read reads the body up to the source's limit.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, s *seat) ([]byte, *Response) {
	refused := func(why string, answer Response) ([]byte, *Response) {
		h.observer.Refused(s.source.Name, why)
		return nil, &answer
	}
	over := fmt.Sprintf("send at most %d bytes", s.limits.Body)
	if r.ContentLength > s.limits.Body {
		return refused("too-large", tooLarge(over))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.limits.Body))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refused("too-large", tooLarge(over))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refused("timeout", timedOut())
	}
	return refused("cut-off", invalid("", "the body ended before it was complete: send it again"))
}

// verify refuses evidence that is too weak for the source.
func (s *seat) verify(in Request) (Evidence, error) {
	evidence, err := s.receiver.Verify(in)
	switch {
	case err != nil:
		return Evidence{}, err
	case evidence.Proof == ProvedSender, evidence.Proof == ProvedItems, evidence.Proof == ProvedTransport && s.transport:
		return evidence, nil
	}
	return Evidence{}, Unverified(whyTransport)
}

// refuse answers a request that proved nothing: always the same, and nothing of it is kept but a count.
func (h *Handler) refuse(s *seat, err error) Response {
	if errors.Is(err, revoke.ErrUnavailable) {
		h.log.Warn("a message could not be verified yet; its sender was asked to try again", "source_id", s.source.Name, "err", err)
		h.observer.Refused(s.source.Name, "unavailable")
		return unavailable("it could not be verified at this moment; send it again", retrySoon)
	}
	if !errors.Is(err, revoke.ErrUnverified) {
		h.log.Error("verifying a message went wrong", "source_id", s.source.Name, "err", err)
		return internal()
	}
	why := WhyMalformed
	if u, ok := errors.AsType[unverified](err); ok {
		why = u.why
	}
	h.observer.Refused(s.source.Name, string(why))
	return unauthenticated()
}

func (h *Handler) greet(s *seat, greeter Handshaker, in Request) (Response, bool) {
	answer, is, err := greeter.Handshake(in)
	if bad, ok := errors.AsType[revoke.Invalid](err); ok {
		return h.meaningless(s, bad), true
	}
	if err != nil {
		return h.refuse(s, err), true
	}
	return answer, is
}
