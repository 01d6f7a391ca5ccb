package webhooks

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"

	"curfew/revoke"
)

// Receiver reads the messages of one source. It is safe for concurrent use and keeps no state. It may also be a [Limiter],
// a [Handshaker], a [Responder], a [Rereader], an [Enricher], a [Poller] and an [Upkeeper].
type Receiver interface {
	// Verify reports [Unverified] unless r carries one of the source's secrets. It reads only headers, query and raw bytes,
	// and compares in constant time. [revoke.ErrUnavailable] says that it cannot know now, so that the sender tries again.
	Verify(r Request) (Evidence, error)
	// Items reads the items of a verified request in the sender's order, each decoded on its own. One bad item does not lose
	// the good ones, and none at all is not an error. An error is [revoke.Invalid] and refuses the whole message with 400;
	// most senders never send again what was refused so, which is why a message that is only odd is an item that is malformed.
	Items(r Request) ([]Item, error)
}

// Request is what a sender sent.
type Request struct {
	Method     string
	Header     http.Header
	Query      url.Values // secrets may stand here; it is in no log and no error
	Body       []byte     // raw; empty unless Method is POST
	ReceivedAt revoke.Instant
	TLS        *tls.ConnectionState // of the connection to us; nil where it has none
	Proxied    bool                 // the connection comes from a trusted proxy, whose headers about the sender count
}

// Proof says what a request proved. The zero value is nothing at all. The set is closed.
type Proof int

// The proofs.
const (
	ProvedNothing   Proof = iota
	ProvedSender          // the request carries the source's secret, or a signature by it
	ProvedTransport       // the sender cannot prove itself: accepted only with `insecure_transport_only: true`
	ProvedItems           // each item proves itself and has [Item.Key], or it is refused
)

// Evidence is what a verified request proved, by which key, and the sender's id of this delivery. Key and Delivery stand in
// the note of each of its events.
type Evidence struct {
	Proof    Proof
	Key      string // the secret's place in the settings, such as secrets[0]; never the secret
	Delivery string
}

// Item is one thing that a message says. It speaks by its signals, or names what must be read before there are any, or has the
// state that says why it has none.
//
// An announcement for a day (a plan) is a signal with Planned set: said at OccurredAt, carried out at EffectiveAt, taken back by
// EffectiveAt zero.
type Item struct {
	ID         string            // the sender's id for it, stable over retries; empty when it has none
	Type       string            // the sender's word for what happened
	OccurredAt revoke.Instant    // as sent; zero when not stated
	State      revoke.EventState // ignored, unknown, malformed or held; empty when Signals say it
	Note       string            // why it has that state
	Body       json.RawMessage   // what is kept of it: JSON, with secrets removed
	Signals    []revoke.Signal
	Read       string // what an [Enricher] must read before anything follows: one text for all that one read answers, such as users/00u1
	Refused    Why    // it proves nothing itself, where each item must: it is counted, nothing of it is kept, its neighbours act
	Key        string // the secret that it proved itself by, where each item must ([ProvedItems])
}

// Limits is what a source takes. A zero member means the default.
type Limits struct {
	Body         int64    // bytes; 1 MiB. `max_body:` wins over it
	Items        int      // 10,000
	ContentTypes []string // application/json; one ending in json has its body checked to be JSON
	Raw          bool     // but not here: the type reads bytes that only look like JSON, such as lines of it
}

// Limiter is a Receiver with limits of its own.
type Limiter interface {
	Limits() Limits
}

// Handshaker is a Receiver whose sender greets us, to see that we want its messages.
type Handshaker interface {
	// Handshake answers r when it is a greeting and reports whether it was. A greeting emits no signals and leaves no state.
	// [Unverified] refuses the request with 401, [revoke.Invalid] with 400. With [Type.HandshakeBeforeAuth] it is called
	// before Verify, else after it; GET and OPTIONS reach it like POST.
	Handshake(r Request) (Response, bool, error)
}

// Responder is a Receiver whose sender wants something else than 204 and an empty body as success.
type Responder interface {
	// Respond answers for outcomes that are durable, a duplicate like its first.
	Respond(outcomes []revoke.Outcome) Response
}

// Response is an answer to a sender.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Why is the class of a refusal. It goes to a counter and never to the sender. The set is closed.
type Why string

// The classes of refusal.
const (
	WhyMissing   Why = "missing"   // no credential at all
	WhyMalformed Why = "malformed" // not in the form that the sender uses
	WhyMismatch  Why = "mismatch"  // not one of our secrets
	whyTransport Why = "transport-only"
)

// unverified is [revoke.ErrUnverified] with its class.
type unverified struct{ why Why }

func (u unverified) Error() string { return "unverified: " + string(u.why) }
func (u unverified) Unwrap() error { return revoke.ErrUnverified }

// Unverified returns a [revoke.ErrUnverified] of the class.
func Unverified(why Why) error { return unverified{why} }
