package revoketest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
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
		{"case 8: an old key opens while both are there", caseRotation},
		{"case 9: an empty secret does not start", caseEmptySecret},
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
func (s *sender) credential(body, key string) http.Header {
	before, after := s.request(body), s.signed(body, key)
	maps.DeleteFunc(after.Header, func(name string, values []string) bool { return slices.Equal(before.Header[name], values) })
	return after.Header
}

func caseRefused(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	first := s.send(s.request(body))
	s.want(first, http.StatusUnauthorized, 0, "case 1, no credential")
	tries := 1
	refuse := func(what string, r *http.Request) {
		s.t.Helper()
		tries++
		w := s.send(r)
		s.want(w, http.StatusUnauthorized, 0, what)
		if w.Body.String() != first.Body.String() || fmt.Sprint(w.Header()) != fmt.Sprint(first.Header()) {
			s.t.Errorf("case 49, %s: the answer tells it apart from no credential at all: %v %s", what, w.Header(), w.Body)
		}
	}
	refuse("case 2, wrong secret", s.signed(body, "not-the-key-of-this-source"))
	refuse("case 2, wrong last character", s.signed(body, senderKey[:len(senderKey)-1]+"!"))
	refuse("case 2, wrong first character", s.signed(body, "!"+senderKey[1:]))
	refuse("case 13, another source's", s.signed(body, neighbourKey))
	for name, values := range s.credential(body, senderKey) {
		for what, value := range map[string]string{
			"empty": "", "truncated": values[0][:len(values[0])-1], "10 kB": strings.Repeat("a", 10<<10),
			"longer": values[0] + "0", "not ASCII": "\xff\xfe" + values[0],
		} {
			r := s.signed(body, senderKey)
			r.Header[name] = []string{value}
			refuse("case 4, "+what, r)
		}
	}
	r := s.request(strings.Repeat(" ", 4096))
	r.Header.Set("Content-Type", "text/plain")
	refuse("a wrong media type without credential", r)
	if counted := s.refused.Count("sender"); counted != tries {
		s.t.Errorf("%d refusals were counted, want all %d", counted, tries)
	}
}

func caseRotation(s *sender) {
	s.open(Desk{Sources: map[string][]string{"sender": {senderKey, senderOldKey}}})
	s.want(s.post(s.Message(s.News("id-1", "sally"))), s.Answer, 1, "the new key")
	s.want(s.send(s.signed(s.Message(s.News("id-2", "sally")), senderOldKey)), s.Answer, 2, "the old key")
	if kept := s.inbox.Events(); len(kept) == 2 && (!strings.Contains(kept[0].Note, "secrets[0]") || !strings.Contains(kept[1].Note, "secrets[1]")) {
		s.t.Errorf("the notes %q and %q do not name the keys", kept[0].Note, kept[1].Note)
	}
	s.open(Desk{})
	s.want(s.send(s.signed(s.Message(s.News("id-3", "sally")), senderOldKey)), http.StatusUnauthorized, 2, "the old key once it is gone")
}

func caseEmptySecret(s *sender) {
	for _, keys := range [][]string{nil, {""}, {senderKey, ""}, {" " + senderKey}} {
		_, err := s.Open(Desk{Sources: map[string][]string{"sender": keys}, Inbox: s.inbox, Log: slog.New(slog.DiscardHandler)})
		bad, ok := errors.AsType[revoke.Invalid](err)
		if !ok || !strings.HasPrefix(bad.Field, "sources.sender.") {
			s.t.Errorf("%d secrets, one of them unusable: got %v, want an Invalid below sources.sender", len(keys), err)
		}
		s.searchFor("error", fmt.Sprint(err))
	}
}

func caseReplay(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	first := s.post(body)
	s.want(first, s.Answer, 1, "the first")
	again := s.post(body)
	s.want(again, s.Answer, 1, "the replay")
	if again.Body.String() != first.Body.String() {
		s.t.Errorf("the replay is answered %q, the first was %q", again.Body, first.Body)
	}
	s.open(Desk{})
	s.want(s.post(body), s.Answer, 1, "the replay after a restart")
}

func caseConcurrent(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	answers := make([]*httptest.ResponseRecorder, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.post(body) })
	}
	all.Wait()
	for _, w := range answers {
		s.want(w, s.Answer, 1, "one of fifty")
	}
}

func caseMixedBatch(s *sender) {
	body := s.Message(s.News("id-1", "sally"), s.Malformed, s.Unknown("id-2"), s.twice(s.News("id-3", "tom")), s.News("id-4", "tom"))
	s.want(s.post(body), s.Answer, 5, "a mixed batch")
	want := []revoke.EventState{revoke.EventDecided, revoke.EventMalformed, revoke.EventUnknown, revoke.EventMalformed, revoke.EventDecided}
	for i, e := range s.inbox.Events() {
		if e.State != want[i] || (len(e.Signals) > 0) != (want[i] == revoke.EventDecided) {
			s.t.Errorf("item %d: got state %q with %d signals, want %q", i+1, e.State, len(e.Signals), want[i])
		}
		if !json.Valid(e.Body) || len(e.Body) < 2 {
			s.t.Errorf("item %d: its body %q is not kept as JSON", i+1, e.Body)
		}
	}
}

// twice gives an item the same member twice, so that two readers can take it for two different things.
func (s *sender) twice(item string) string {
	return strings.TrimSuffix(item, "}") + `,"x":"one","x":"two"}`
}

func caseOddMessages(s *sender) {
	s.want(s.post(s.Message()), s.Answer, 0, "an empty batch")
	for i, body := range []string{`{}`, `[]`, `null`, `"Ping test"`, `42`, `true`} {
		s.want(s.post(body), s.Answer, i+1, body)
	}
}

func caseManyItems(s *sender) {
	s.open(Desk{Sources: map[string][]string{"sender": {senderKey}}, MaxBody: 64 << 20})
	items := make([]string, 10_001)
	for i := range items {
		items[i] = s.News(fmt.Sprintf("id-%d", i), "sally")
	}
	s.want(s.post(s.Message(items...)), http.StatusRequestEntityTooLarge, 0, "one more than ten thousand")
	s.want(s.post(s.Message(items[:10_000]...)), s.Answer, 10_000, "ten thousand")
}

// endless is a body that never ends. It counts what was read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func caseTooLarge(s *sender) {
	large := s.Message(s.News("id-1", "sally")) + strings.Repeat(" ", 10<<20)
	s.want(s.post(large), http.StatusRequestEntityTooLarge, 0, "10 MB with Content-Length")
	var body endless
	r := s.signed("", senderKey)
	r.Body, r.ContentLength = io.NopCloser(&body), 10<<20
	s.want(s.send(r), http.StatusRequestEntityTooLarge, 0, "10 MB announced")
	if body.read > 0 {
		s.t.Errorf("%d bytes were read of a body that was announced as too large", body.read)
	}
	r = s.signed("", senderKey)
	r.Body, r.ContentLength = io.NopCloser(&body), -1
	s.want(s.send(r), http.StatusRequestEntityTooLarge, 0, "no end and no Content-Length")
	if body.read > 2<<20 {
		s.t.Errorf("%d bytes were read of a body that is too large", body.read)
	}
}

func caseNotJSON(s *sender) {
	good := s.Message(s.News("id-1", "sally"))
	for what, body := range map[string]string{
		"empty": "", "blank": " \n", "cut off": good[:len(good)-2], "two values": good + good, "form-encoded": "id=1&type=x",
		"deep": strings.Repeat("[", 100_000), "deep and closed": strings.Repeat("[", 33) + strings.Repeat("]", 33),
		"a byte order mark": "\xef\xbb\xbf" + good, "a NUL": good + "\x00", "invalid UTF-8": strings.Replace(good, "sally", "sal\xffly", 1),
		"a member twice": strings.Replace(good, "{", `{"x":1,"x":2,`, 1), "UTF-16": "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00",
	} {
		s.want(s.post(body), http.StatusBadRequest, 0, what)
	}
	if s.refused.Count("sender") != 12 {
		s.t.Errorf("%d were counted, want all 12", s.refused.Count("sender"))
	}
	fine := s.Message(strings.Replace(s.News("id-1", "sally"), "{", `{"x":1e999999,"y":"\u0000 \ud800","deep":`+strings.Repeat("[", 20)+strings.Repeat("]", 20)+`,`, 1))
	s.want(s.post(fine), s.Answer, 1, "a huge number, an escaped NUL and half a surrogate")
}

func caseMediaType(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	for _, other := range []string{"text/plain", "application/x-www-form-urlencoded", ";;", "application/json, text/plain"} {
		r := s.signed(body, senderKey)
		r.Header.Set("Content-Type", other)
		s.want(s.send(r), http.StatusUnsupportedMediaType, 0, other)
	}
	r := s.signed(body, senderKey)
	r.Header.Set("Content-Encoding", "gzip")
	s.want(s.send(r), http.StatusUnsupportedMediaType, 0, "gzip")
	r = s.signed(body, senderKey)
	r.Header.Set("Content-Type", "Application/JSON; charset=UTF-8")
	r.Header.Set("Content-Encoding", "identity")
	s.want(s.send(r), s.Answer, 1, "a charset")
}

func caseDown(s *sender) {
	body := s.Message(s.News("id-1", "sally"), s.News("id-2", "tom"), s.News("id-3", "ann"))
	for _, why := range []error{revoke.ErrUnavailable, revoke.ErrNotFresh, revoke.ErrUnknownCommit, fmt.Errorf("commit: %w", context.DeadlineExceeded)} {
		s.inbox.Fail(0, why)
		w := s.post(body)
		s.want(w, http.StatusServiceUnavailable, 0, why.Error())
		if w.Header().Get("Retry-After") == "" {
			s.t.Errorf("%v: no Retry-After", why)
		}
	}
	s.inbox.Fail(0, errors.New("a fault with "+senderKey[:6]+" in its text"))
	if w := s.post(body); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), senderKey[:6]) {
		s.t.Errorf("an unforeseen fault: got %d %s, want 500 without its text", w.Code, w.Body)
	}
	s.inbox.Fail(2, revoke.ErrUnavailable)
	s.want(s.post(body), http.StatusServiceUnavailable, 2, "down after two of three")
	s.inbox.Fail(0, nil)
	s.want(s.post(body), s.Answer, 3, "the sender's next try")
	s.open(Desk{CommitTimeout: 20 * time.Millisecond})
	release := s.inbox.Stall()
	s.want(s.post(s.Message(s.News("id-4", "tom"))), http.StatusServiceUnavailable, 3, "a store that hangs")
	release()
	s.want(s.post(s.Message(s.News("id-4", "tom"))), s.Answer, 4, "the sender's try after that")
}

func caseAnswerHeaders(s *sender) {
	w := s.post(s.Message(s.News("id-1", "sally")))
	s.want(w, s.Answer, 1, "news")
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Location") != "" || len(w.Header()["Set-Cookie"]) > 0 || w.Body.Len() > 0 {
		s.t.Errorf("got headers %v and body %q, want no-store and nothing else", w.Header(), w.Body)
	}
}

func caseHangUp(s *sender) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.want(s.send(s.signed(s.Message(s.News("id-1", "sally")), senderKey).WithContext(ctx)), s.Answer, 1, "gone before the commit")
}

func caseRoutes(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	for _, path := range []string{"/hooks/", "/hooks/nobody", "/hooks/sender/", "/hooks/sender/x", "/hooks", "/", "/x/sender"} {
		r := s.signed(body, senderKey)
		r.URL.Path = path
		s.want(s.send(r), http.StatusNotFound, 0, path)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead, "BREW"} {
		r := s.signed(body, senderKey)
		r.Method = method
		w := s.send(r)
		s.want(w, http.StatusMethodNotAllowed, 0, method)
		if w.Header().Get("Allow") == "" {
			s.t.Errorf("%s: no Allow", method)
		}
	}
}

func caseForged(s *sender) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: the same forgeries in every run, not secrets
	good := s.Message(s.News("id-1", "sally"))
	for i := range 20_000 {
		body := []byte(good)
		body[random.IntN(len(body))] = byte(random.UintN(256)) //nolint:gosec // G115: below 256
		r := s.request(string(body))
		for name, values := range s.credential(good, senderKey) {
			value := []byte(values[0])
			at := random.IntN(len(value))
			value[at] ^= byte(1 + random.UintN(255)) //nolint:gosec // G115: below 256
			r.Header[name] = []string{string(value)}
		}
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
			s.t.Fatalf("forged request %d: got %d, want 401", i, w.Code)
		}
	}
	if n := len(s.inbox.Events()); n != 0 {
		s.t.Errorf("%d events were kept", n)
	}
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
