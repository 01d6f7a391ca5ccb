package revoketest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

// SourceFixture is what the battery must know of a type of source.
type SourceFixture struct {
	// Open returns the whole handler for a desk whose sources are all of the type, or why it cannot be.
	Open func(Desk) (http.Handler, error)
	// Sign proves a request with a key, as the sender does.
	Sign func(r *http.Request, body, key string)
	// Message wraps items as the sender does.
	Message func(items ...string) string
	// News is an item of a type that it knows, with the sender's id and about a person.
	News func(id, person string) string
	// Unknown is an item of a type that nobody has taught it; Malformed is JSON that is no item at all.
	Unknown   func(id string) string
	Malformed string
	// Answer is the status of success.
	Answer int
	// Samples is the folder of requests, NAME.http with NAME.want.json beside it, sent by a source that holds [SampleKey].
	Samples string
	// Signals are the kinds that the type can say. The samples hold each of them.
	Signals []revoke.SignalKind

	// What follows says in what a sender differs from one that posts batches of JSON with a secret beside them.

	Single     bool           // a message is one item
	PerItem    bool           // each item proves itself: a message without any proof is answered like any other, and nothing of it is kept
	Unproved   []string       // headers that Sign sets and that prove nothing
	AnyKey     bool           // whatever is not empty is a key, a blank too
	SignsBody  bool           // the proof is about the body
	Hex        bool           // the proof is hexadecimal, of whatever case
	SignedID   string         // the header with the id of a delivery, where the proof is about it
	Odd        map[string]int // how many events are kept of a message such as {}, where it is not one that cannot be read
	Raw        bool           // bodies are not checked to be JSON before the type reads them
	Media      []string       // media types that it takes beside JSON
	AnswerBody string         // what success says
	// SignAt proves a request at an instant, and Window is how far from now that may be. Sign proves it at [Start].
	SignAt func(r *http.Request, body, key string, at revoke.Instant)
	Window time.Duration
	// Foreign is an item that does not carry the secret which each item must carry.
	Foreign func(id, person string) string
}

// Desk is what a source type is opened with.
type Desk struct {
	Sources       map[string][]string // the keys of each source, by name
	Inbox         *Inbox
	Observer      revoke.Observer
	Log           *slog.Logger
	MaxBody       int64
	CommitTimeout time.Duration
}

// The keys of the battery. Every answer, log line and kept event is searched for them.
const (
	SampleKey    = "curfew-test-secret-0123456789abcd"
	senderKey    = "sender-key-e1c04a7f20b8d95366aa"
	senderOldKey = "sender-key-before-91d7c30f44e2b8"
	neighbourKey = "neighbour-key-5b2e8810c7fa4d9931"
)

// RunSource runs the battery over a type of source, against its whole handler. The numbers are those of the cases that every
// source must pass.
func RunSource(t *testing.T, f SourceFixture) {
	t.Helper()
	t.Run("samples", f.samples)
	for _, c := range []struct {
		name string
		run  func(*sender)
	}{
		{"cases 1, 2, 4, 13, 49: what proves nothing is refused alike", caseRefused},
		{"case 3: a proof of another body", caseOtherBody},
		{"case 4: a proof in capitals", caseCapitals},
		{"case 8: an old key opens while both are there", caseRotation},
		{"case 9: an empty secret does not start", caseEmptySecret},
		{"case 12: items that prove nothing", caseForeignItems},
		{"cases 15, 16, 17: times of signing", caseSignedTimes},
		{"cases 14, 18: a replay is answered like the first", caseReplay},
		{"case 19: fifty at once act once", caseConcurrent},
		{"cases 20, 21: bad items lose no good ones", caseMixedBatch},
		{"case 22: empty and odd messages", caseOddMessages},
		{"case 23: ten thousand items", caseManyItems},
		{"case 24: a body beyond the limit", caseTooLarge},
		{"case 25: what is not JSON", caseNotJSON},
		{"case 26: another media type", caseMediaType},
		{"case 43: not committed is never success", caseDown},
		{"case 50: answers carry nothing to follow or keep", caseAnswerHeaders},
		{"a sender that hangs up undoes nothing", caseHangUp},
		{"routes and methods", caseRoutes},
		{"T1: twenty thousand forged requests change nothing", caseForged},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(f.sender(t))
		})
	}
}

// sender is a sender under test with the handler that it talks to.
type sender struct {
	SourceFixture
	t       *testing.T
	inbox   *Inbox
	refused *Refusals
	log     *syncBuffer
	handler http.Handler
}

func (f SourceFixture) sender(t *testing.T) *sender {
	t.Helper()
	s := &sender{SourceFixture: f, t: t, inbox: NewInbox(), refused: &Refusals{}, log: &syncBuffer{}}
	s.open(Desk{})
	t.Cleanup(func() {
		kept, err := json.Marshal(s.inbox.Events())
		if err != nil {
			t.Errorf("events cannot be kept: %v", err)
		}
		s.searchFor("log", s.log.String())
		s.searchFor("kept events", string(kept))
	})
	return s
}

// open opens the handler anew, over the same inbox: a restart, or a second replica.
func (s *sender) open(d Desk) {
	s.t.Helper()
	if d.Sources == nil {
		d.Sources = map[string][]string{"sender": {senderKey}, "neighbour": {neighbourKey}}
	}
	d.Inbox, d.Observer, d.Log = s.inbox, s.refused, slog.New(slog.NewTextHandler(s.log, nil))
	h, err := s.Open(d)
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	s.handler = h
}

func (s *sender) searchFor(where, text string) {
	s.t.Helper()
	for _, key := range []string{SampleKey, senderKey, senderOldKey, neighbourKey} {
		if strings.Contains(text, key) {
			s.t.Errorf("case 48: the %s shows a secret", where)
		}
	}
}

func (s *sender) request(body string) *http.Request {
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "/hooks/sender", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (s *sender) signed(body, key string) *http.Request {
	r := s.request(body)
	s.Sign(r, body, key)
	return r
}

func (s *sender) send(r *http.Request) *httptest.ResponseRecorder {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	s.searchFor("answer", fmt.Sprint(w.Header(), w.Body))
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		s.t.Errorf("error %d is %q, want a problem document", w.Code, w.Header().Get("Content-Type"))
	}
	return w
}

func (s *sender) post(body string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.send(s.signed(body, senderKey))
}

func (s *sender) want(w *httptest.ResponseRecorder, status, kept int, what string) {
	s.t.Helper()
	if got := len(s.inbox.Events()); w.Code != status || got != kept {
		s.t.Errorf("%s: got status %d and %d kept events, want %d and %d", what, w.Code, got, status, kept)
	}
}

// credential returns the headers with which the sender proves body.
func (s *sender) credential(body string) http.Header {
	before, after := s.request(body), s.signed(body, senderKey)
	maps.DeleteFunc(after.Header, func(name string, values []string) bool {
		return slices.Equal(before.Header[name], values) || slices.Contains(s.Unproved, name)
	})
	return after.Header
}

// syncBuffer is a buffer that handlers may write to at once.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
