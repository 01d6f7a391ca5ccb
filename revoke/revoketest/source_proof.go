package revoketest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	"curfew/revoke"
)

func caseRefused(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	first := s.send(s.request(body))
	s.want(first, s.unproved(), 0, "case 1, no credential")
	tries := 1
	refuse := func(what string, r *http.Request) {
		s.t.Helper()
		tries++
		w := s.send(r)
		s.want(w, s.unproved(), 0, what)
		if w.Body.String() != first.Body.String() || fmt.Sprint(w.Header()) != fmt.Sprint(first.Header()) {
			s.t.Errorf("case 49, %s: the answer tells it apart from no credential at all: %v %s", what, w.Header(), w.Body)
		}
	}
	refuse("case 2, wrong secret", s.signed(body, "not-the-key-of-this-source"))
	refuse("case 2, wrong last character", s.signed(body, senderKey[:len(senderKey)-1]+"!"))
	refuse("case 2, wrong first character", s.signed(body, "!"+senderKey[1:]))
	refuse("case 13, another source's", s.signed(body, neighbourKey))
	for name, values := range s.credential(body) {
		for what, value := range map[string]string{
			"empty": "", "truncated": values[0][:len(values[0])-1], "10 kB": strings.Repeat("a", 10<<10),
			"longer": values[0] + "0", "not ASCII": "\xff\xfe" + values[0],
		} {
			r := s.signed(body, senderKey)
			r.Header[name] = []string{value}
			refuse("case 4, "+what, r)
		}
	}
	if !s.PerItem {
		r := s.request(strings.Repeat(" ", 4096))
		r.Header.Set("Content-Type", "text/plain")
		refuse("a wrong media type without credential", r)
	}
	if counted := s.refused.Count("sender"); counted != tries {
		s.t.Errorf("%d refusals were counted, want all %d", counted, tries)
	}
}

// unproved is how a message is answered that proves nothing.
func (s *sender) unproved() int {
	if s.PerItem {
		return s.Answer
	}
	return http.StatusUnauthorized
}

func caseRotation(s *sender) {
	s.open(Desk{Sources: map[string][]string{"sender": {senderKey, senderOldKey}}})
	s.want(s.post(s.Message(s.News("id-1", "sally"))), s.Answer, 1, "the new key")
	s.want(s.send(s.signed(s.Message(s.News("id-2", "sally")), senderOldKey)), s.Answer, 2, "the old key")
	if kept := s.inbox.Events(); len(kept) == 2 && (!strings.Contains(kept[0].Note, "secrets[0]") || !strings.Contains(kept[1].Note, "secrets[1]")) {
		s.t.Errorf("the notes %q and %q do not name the keys", kept[0].Note, kept[1].Note)
	}
	s.open(Desk{})
	s.want(s.send(s.signed(s.Message(s.News("id-3", "sally")), senderOldKey)), s.unproved(), 2, "the old key once it is gone")
}

func caseEmptySecret(s *sender) {
	wrong := [][]string{nil, {""}, {senderKey, ""}, {" " + senderKey}}
	if s.AnyKey {
		wrong = wrong[:3]
	}
	for _, keys := range wrong {
		_, err := s.Open(Desk{Sources: map[string][]string{"sender": keys}, Inbox: s.inbox, Log: slog.New(slog.DiscardHandler)})
		bad, ok := errors.AsType[revoke.Invalid](err)
		if !ok || !strings.HasPrefix(bad.Field, "sources.sender.") {
			s.t.Errorf("%d secrets, one of them unusable: got %v, want an Invalid below sources.sender", len(keys), err)
		}
		s.searchFor("error", fmt.Sprint(err))
	}
}

func caseOtherBody(s *sender) {
	if !s.SignsBody {
		return // the secret stands beside the body
	}
	body := s.Message(s.News("id-1", "sally"))
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		s.t.Fatal(err)
	}
	again, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	for what, other := range map[string]string{
		"one byte": strings.Replace(body, "sally", "salty", 1), "a line break at its end": body + "\n", "a blank before it": " " + body,
		"written anew": string(again), "CRLF": body + "\r\n", "cut off": body[:len(body)-1], "nothing": "",
	} {
		r := s.request(other)
		s.Sign(r, body, senderKey)
		s.want(s.send(r), http.StatusUnauthorized, 0, "case 3, "+what)
	}
	s.want(s.post(body), s.Answer, 1, "the body that was signed")
}

func caseCapitals(s *sender) {
	if !s.Hex {
		return
	}
	body := s.Message(s.News("id-1", "sally"))
	r := s.signed(body, senderKey)
	hexadecimal := regexp.MustCompile("[0-9a-f]{40,}")
	for name, values := range s.credential(body) {
		r.Header[name] = []string{hexadecimal.ReplaceAllStringFunc(values[0], strings.ToUpper)}
	}
	s.want(s.send(r), s.Answer, 1, "case 4, capitals")
	r = s.signed(body, senderKey)
	for name, values := range s.credential(body) {
		r.Header[name] = []string{hexadecimal.ReplaceAllStringFunc(values[0], func(h string) string { return strings.Repeat("z", len(h)) })}
	}
	s.want(s.send(r), http.StatusUnauthorized, 1, "case 4, not hexadecimal")
}

func caseForeignItems(s *sender) {
	if s.Foreign == nil {
		return // the whole message proves itself, or nothing does
	}
	s.want(s.post(s.Message(s.Foreign("id-1", "tom"), s.News("id-2", "sally"))), s.Answer, 1, "case 12, one of two")
	if kept := s.inbox.Events(); len(kept) == 1 && strings.Contains(string(kept[0].Body), "tom") {
		s.t.Errorf("case 12: the item that proves nothing was kept: %s", kept[0].Body)
	}
	s.want(s.post(s.Message(s.Foreign("id-3", "tom"))), s.Answer, 1, "case 12, it alone: the answer does not tell")
	if n := s.refused.Count("sender"); n != 2 {
		s.t.Errorf("case 12: %d items were counted as refused, want 2", n)
	}
}

func caseSignedTimes(s *sender) {
	body := s.Message(s.News("id-1", "sally"))
	if s.SignedID != "" {
		r := s.signed(body, senderKey)
		r.Header.Set(s.SignedID, "another-delivery")
		s.want(s.send(r), http.StatusUnauthorized, 0, "case 15, another id under the same signature")
	}
	if s.SignAt == nil {
		return
	}
	at := func(moved time.Duration) *httptest.ResponseRecorder {
		r := s.request(body)
		s.SignAt(r, body, senderKey, Start.Add(moved))
		return s.send(r)
	}
	for _, off := range []time.Duration{-s.Window - time.Second, s.Window + time.Second, -24 * time.Hour, 24 * time.Hour, -Start.Time().Sub(time.Unix(0, 0)) - time.Second} {
		s.want(at(off), http.StatusUnauthorized, 0, "case 16, signed at "+off.String())
	}
	s.want(at(-s.Window+time.Second), s.Answer, 1, "case 16, just in time")
	s.want(at(0), s.Answer, 1, "case 17, the sender's next try, signed anew")
	s.want(at(s.Window-time.Second), s.Answer, 1, "case 16, a clock that is a little ahead")
}

func caseForged(s *sender) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: the same forgeries in every run, not secrets
	good := s.Message(s.News("id-1", "sally"))
	for i := range 20_000 {
		body := []byte(good)
		body[random.IntN(len(body))] ^= byte(1 + random.UintN(255)) //nolint:gosec // G115: below 256
		r := s.request(string(body))
		for name, values := range s.credential(good) {
			value := []byte(values[0])
			at := random.IntN(len(value))
			value[at] ^= byte(1 + random.UintN(255)) //nolint:gosec // G115: below 256
			r.Header[name] = []string{string(value)}
		}
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, r); w.Code != s.unproved() && (!s.PerItem || w.Code != http.StatusBadRequest) {
			s.t.Fatalf("forged request %d: got %d, want 401", i, w.Code)
		}
	}
	if n := len(s.inbox.Events()); n != 0 {
		s.t.Errorf("%d events were kept", n)
	}
}
