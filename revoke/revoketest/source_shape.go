package revoketest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"curfew/revoke"
)

func caseMixedBatch(s *sender) {
	items := []string{s.News("id-1", "sally"), s.Malformed, s.Unknown("id-2"), s.twice(s.News("id-3", "tom")), s.News("id-4", "tom")}
	if s.Single { // the handler refuses what is said twice before any item is read
		items = slices.Delete(items, 3, 4)
		for i, item := range items {
			s.want(s.post(s.Message(item)), s.Answer, i+1, "one of several")
		}
	} else {
		s.want(s.post(s.Message(items...)), s.Answer, 5, "a mixed batch")
	}
	want := []revoke.EventState{revoke.EventDecided, revoke.EventMalformed, revoke.EventUnknown, revoke.EventMalformed, revoke.EventDecided}
	if s.Single {
		want = slices.Delete(want, 3, 4)
	}
	for i, e := range s.inbox.Events() {
		acts := len(e.Signals) > 0
		if e.State == revoke.EventReading { // it acts once it was read
			e.State, acts = revoke.EventDecided, e.Read != ""
		}
		if i >= len(want) || e.State != want[i] || acts != (want[i] == revoke.EventDecided) {
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
	kept := 0
	if !s.Single {
		s.want(s.post(s.Message()), s.Answer, 0, "an empty batch")
	}
	for _, body := range []string{`{}`, `[]`, `null`, `"Ping test"`, `42`, `true`} {
		n, other := s.Odd[body]
		if !other {
			n = 1
		}
		kept += n
		s.want(s.post(body), s.Answer, kept, body)
	}
}

func caseManyItems(s *sender) {
	if s.Single {
		return
	}
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
	if s.Raw {
		return // the type has samples of what it does not read
	}
	good := s.Message(s.News("id-1", "sally"))
	bad := map[string]string{
		"empty": "", "blank": " \n", "cut off": good[:len(good)-2], "two values": good + good, "form-encoded": "id=1&type=x",
		"deep": strings.Repeat("[", 100_000), "deep and closed": strings.Repeat("[", 33) + strings.Repeat("]", 33),
		"a byte order mark": "\xef\xbb\xbf" + good, "a NUL": good + "\x00", "invalid UTF-8": strings.Replace(good, "sally", "sal\xffly", 1),
		"UTF-16": "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00",
	}
	if strings.HasPrefix(good, "{") { // in a list it spoils its own item alone
		bad["a member twice"] = strings.Replace(good, "{", `{"x":1,"x":2,`, 1)
	}
	for what, body := range bad {
		s.want(s.post(body), http.StatusBadRequest, 0, what)
	}
	if n := s.refused.Count("sender"); n != len(bad) {
		s.t.Errorf("%d were counted, want all %d", n, len(bad))
	}
	fine := s.Message(strings.Replace(s.News("id-1", "sally"), "{", `{"x":1e999999,"y":"\u0000 \ud800","deep":`+strings.Repeat("[", 20)+strings.Repeat("]", 20)+`,`, 1))
	s.want(s.post(fine), s.Answer, 1, "a huge number, an escaped NUL and half a surrogate")
}

func caseMediaType(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	for _, other := range []string{"text/plain", "application/x-www-form-urlencoded", ";;", "application/json, text/plain"} {
		if slices.Contains(s.Media, other) {
			continue
		}
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
