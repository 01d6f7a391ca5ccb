package revoketest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"curfew/revoke"
)

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

func caseDown(s *sender) {
	items := []string{s.News("id-1", "sally"), s.News("id-2", "tom"), s.News("id-3", "ann")}
	if s.Single {
		items = items[:1]
	}
	body := s.Message(items...)
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
	n := len(items)
	s.inbox.Fail(n-1, revoke.ErrUnavailable)
	s.want(s.post(body), http.StatusServiceUnavailable, n-1, "down before the last")
	s.inbox.Fail(0, nil)
	s.want(s.post(body), s.Answer, n, "the sender's next try")
	s.open(Desk{CommitTimeout: 20 * time.Millisecond})
	release := s.inbox.Stall()
	s.want(s.post(s.Message(s.News("id-4", "tom"))), http.StatusServiceUnavailable, n, "a store that hangs")
	release()
	s.want(s.post(s.Message(s.News("id-4", "tom"))), s.Answer, n+1, "the sender's try after that")
}

func caseAnswerHeaders(s *sender) {
	w := s.post(s.Message(s.News("id-1", "sally")))
	s.want(w, s.Answer, 1, "news")
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Location") != "" || len(w.Header()["Set-Cookie"]) > 0 || strings.TrimSpace(w.Body.String()) != s.AnswerBody {
		s.t.Errorf("got headers %v and body %q, want no-store, %q and nothing else", w.Header(), w.Body, s.AnswerBody)
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
