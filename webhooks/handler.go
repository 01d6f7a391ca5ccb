package webhooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
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
	Observer      revoke.Observer // nil looks away
	Log           *slog.Logger
	CommitTimeout time.Duration             // zero is 10 s
	Lookup        func(string) (Type, bool) // nil is [Lookup]: the types that are built in
}

// Handler is an [http.Handler] for every path below /hooks/, to be mounted without anything stripped from the path. It limits
// its own bodies and recovers its own panics. It keeps no state: to read the configuration again, make a new one.
type Handler struct {
	seats         map[string]*seat
	inbox         Inbox
	clock         revoke.Clock
	observer      revoke.Observer
	log           *slog.Logger
	commitTimeout time.Duration
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
	if cfg.Lookup == nil {
		cfg.Lookup = Lookup
	}
	h := &Handler{
		seats: map[string]*seat{}, inbox: cfg.Inbox, clock: cfg.Clock, observer: cfg.Observer, log: cfg.Log,
		commitTimeout: cmp.Or(cfg.CommitTimeout, defaultTimeout),
	}
	var wrong []error
	for name, src := range cfg.Sources {
		s, err := newSeat(name, src, cfg.Lookup)
		if err != nil {
			wrong = append(wrong, below("sources."+name, err))
			continue
		}
		h.seats[name] = s
	}
	return h, errors.Join(wrong...)
}

func newSeat(name string, src Source, lookup func(string) (Type, bool)) (*seat, error) {
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
	receiver, err := t.New(src.Source, src.Settings)
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
	for name, values := range answer.Header {
		header[name] = values
	}
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
	in := Request{Method: r.Method, Header: r.Header, Query: r.URL.Query(), ReceivedAt: h.clock.Now()}
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
	case evidence.Proof == ProvedSender, evidence.Proof == ProvedTransport && s.transport:
		return evidence, nil
	}
	return Evidence{}, Unverified(whyTransport)
}

// refuse answers a request that proved nothing: always the same, and nothing of it is kept but a count.
func (h *Handler) refuse(s *seat, err error) Response {
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

// unreadable says why a verified message is not in a form that the source takes, nil when it is.
func (h *Handler) unreadable(s *seat, in Request) *Response {
	if in.Method != http.MethodPost {
		return nil
	}
	refused := func(why string, answer Response) *Response {
		h.observer.Refused(s.source.Name, why)
		return &answer
	}
	for _, coding := range in.Header.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return refused("media-type", mediaType("send the body without Content-Encoding"))
		}
	}
	kind := s.limits.ContentTypes[0]
	if sent := in.Header.Get("Content-Type"); sent != "" {
		parsed, _, err := mime.ParseMediaType(sent)
		if err != nil || !slices.Contains(s.limits.ContentTypes, parsed) {
			return refused("media-type", mediaType("send Content-Type "+strings.Join(s.limits.ContentTypes, " or ")))
		}
		kind = parsed
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	if err := checkJSON(in.Body); err != nil {
		bad, _ := errors.AsType[revoke.Invalid](err)
		answer := h.meaningless(s, bad)
		return &answer
	}
	return nil
}

func (h *Handler) meaningless(s *seat, bad revoke.Invalid) Response {
	h.observer.Refused(s.source.Name, "invalid")
	return invalid(bad.Field, bad.Error())
}

// receive hands the items on and answers once they are durable.
func (h *Handler) receive(ctx context.Context, s *seat, in Request, evidence Evidence) Response {
	items, err := s.receiver.Items(in)
	if bad, ok := errors.AsType[revoke.Invalid](err); ok {
		return h.meaningless(s, bad)
	}
	if err != nil {
		h.log.Error("reading a message went wrong", "source_id", s.source.Name, "err", err)
		return internal()
	}
	if len(items) > s.limits.Items {
		h.observer.Refused(s.source.Name, "too-large")
		return tooLarge(fmt.Sprintf("send at most %d items in one message", s.limits.Items))
	}
	events := make([]revoke.Event, len(items))
	for i := range items {
		events[i] = event(s.source, items[i], evidence)
	}
	// A sender that hangs up, or a shutdown that begins, must not undo what is being committed: it would be neither done nor
	// sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.commitTimeout)
	defer cancel()
	outcomes, err := h.inbox.Receive(ctx, revoke.Actor{Kind: "source", Name: s.source.Name}, s.source, events...)
	if err != nil {
		return h.notCommitted(s, err)
	}
	return s.respond(outcomes)
}

// notCommitted answers with what makes the sender try again. Some of the first items may be durable; they are known as
// duplicates then.
func (h *Handler) notCommitted(s *seat, err error) Response {
	for _, passing := range []error{revoke.ErrUnavailable, revoke.ErrNotFresh, revoke.ErrUnknownCommit, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, passing) {
			h.log.Warn("a message could not be committed; its sender was asked to try again", "source_id", s.source.Name, "err", err)
			return unavailable("it could not be stored at this moment; send it again", retrySoon)
		}
	}
	h.log.Error("a message could not be committed", "source_id", s.source.Name, "err", err)
	return internal()
}

// respond answers what is durable. Held items are named, so that a sender's log shows what waits for a person.
func (s *seat) respond(outcomes []revoke.Outcome) Response {
	answer := Response{Status: http.StatusNoContent}
	if r, ok := s.receiver.(Responder); ok {
		answer = r.Respond(outcomes)
	}
	if answer.Header == nil {
		answer.Header = http.Header{}
	}
	for _, o := range outcomes {
		if o.State == revoke.EventHeld {
			answer.Header.Add("Curfew-Held", o.Event.String())
		}
	}
	return answer
}

// event is an item as the core takes it.
func event(src revoke.Source, item Item, evidence Evidence) revoke.Event {
	e := revoke.Event{
		Org: src.Org, Source: src.Name, Authority: src.Authority, SenderID: item.ID, Type: plain(item.Type),
		OccurredAt: item.OccurredAt, State: item.State, Signals: item.Signals,
	}
	notes := []string{"verified by " + evidence.Key}
	if evidence.Proof == ProvedTransport {
		notes[0] = "not verified: insecure_transport_only"
	}
	if evidence.Delivery != "" {
		notes = append(notes, "delivery "+plain(evidence.Delivery))
	}
	body, err := canonical(item.Body)
	if err != nil {
		// Kept as text: what has two meanings as JSON must not get a third one from a database that reads it once more.
		body = quoted(item.Body)
		e.State, e.Signals, item.Note = revoke.EventMalformed, nil, err.Error()
	}
	e.Body = body
	switch {
	case plain(item.ID) != item.ID:
		e.SenderID = digest(src.Name, body, item.OccurredAt)
		notes = append(notes, "its id is unprintable or over 300 bytes long, so it is known by its digest")
	case item.ID == "" && item.OccurredAt != 0:
		e.SenderID = digest(src.Name, body, item.OccurredAt)
	}
	if item.Note != "" {
		notes = append(notes, item.Note)
	}
	e.Note = strings.Join(notes, "; ")
	for i := range e.Signals {
		e.Signals[i].Reason = plain(e.Signals[i].Reason)
	}
	return e
}
