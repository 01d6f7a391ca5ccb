package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// flood: a source that asks far more than its share is told to wait, but what deactivates somebody is not. Requests go out on a
// few connections without waiting for answers, since no client of ours would be fast enough otherwise.
func flood(s *school) {
	s.do("POST", scimUsers, sallyUser).must(s.t, 201)
	first := s.do("GET", scimUsers, nil).must(s.t, 200)
	sally := first.json["Resources"].([]any)[0].(map[string]any)["id"].(string)
	phone := s.login(byDirectory, "sally@example.edu")
	for range 50 { // two seconds' worth of what Entra asks for, at once
		s.do("GET", scimUsers+"/"+sally, nil).must(s.t, 200)
	}
	defer s.pour(byDirectory)()
	s.throttled(byDirectory, "GET", scimUsers, "")
	s.throttled(byDirectory, "PATCH", scimUsers+"/"+sally, operations(`{"op": "replace", "path": "title", "value": "Dr"}`))
	s.do("PATCH", scimUsers+"/"+sally, setActiveTo("false")).must(s.t, 200)
	s.mustBe(phone, false, "a deactivation in a flood")
	s.do("PUT", scimUsers+"/"+sally, strings.Replace(sallyUser, "true,", `"False",`, 1)).must(s.t, 200)
	s.as(bySibling, "GET", scimUsers+"/"+sally, "").must(s.t, 200)
	s.do("POST", scimBulk, `{"Operations": [{"method": "DELETE", "path": "/Users/`+sally+`"}]}`).must(s.t, 200)
	s.do("DELETE", scimUsers+"/"+sally, nil).must(s.t, 404)
}

// guesses: who tries one token after the other is told to wait, while whoever has a valid one is served from the same address.
func guesses(s *school) {
	sally := s.do("POST", scimUsers, sallyUser).must(s.t, 201).id()
	phone := s.login(byDirectory, "sally@example.edu")
	defer s.pour(byGuess)()
	s.throttled(byGuess, "PATCH", scimUsers+"/"+sally, setActiveTo("false"))
	s.mustBe(phone, true, "guesses")
	s.do("PATCH", scimUsers+"/"+sally, setActiveTo("false")).must(s.t, 200)
	s.mustBe(phone, false, "a deactivation among guesses")
}

// throttled sends one request until it meets the flood, and looks at the answer.
func (s *school) throttled(by, method, target, body string) {
	s.t.Helper()
	for range 1000 {
		if got := s.as(by, method, target, body); got.status == http.StatusTooManyRequests {
			if got.header.Get("Retry-After") == "" {
				s.t.Errorf("%s %s: 429 without Retry-After", method, target)
			}
			return
		}
	}
	s.t.Errorf("%s %s is never told to wait", method, target)
}

// pour asks again and again on two connections. It returns when somebody is told to wait, and goes on until stop is called.
func (s *school) pour(by string) (stop func()) {
	s.t.Helper()
	stopped, waits := make(chan struct{}), make(chan struct{}, 1)
	var floods sync.WaitGroup
	for range 2 {
		floods.Go(func() {
			if err := s.pourOn(by, stopped, waits); err != nil {
				s.t.Error(err)
			}
		})
	}
	select {
	case <-waits:
	case <-time.After(time.Minute):
		s.t.Error("nobody was told to wait")
	}
	return func() {
		close(stopped)
		floods.Wait()
	}
}

func (s *school) pourOn(by string, stopped <-chan struct{}, waits chan<- struct{}) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.r.base, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const atOnce = 200
	request := strings.Repeat("HEAD /scim/v2/ServiceProviderConfig HTTP/1.1\r\nHost: x\r\nAuthorization: "+s.credential(by)+"\r\n\r\n", atOnce)
	answers := bufio.NewScanner(conn) // of lines: a head ends with an empty one, and HEAD has no body
	for {
		select {
		case <-stopped:
			return nil
		default:
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			return err
		}
		for ended := 0; ended < atOnce; {
			switch {
			case !answers.Scan():
				return fmt.Errorf("the connection ended: %w", errors.Join(io.EOF, answers.Err()))
			case len(answers.Bytes()) == 0:
				ended++
			case strings.HasPrefix(answers.Text(), "HTTP/1.1 429"):
				select {
				case waits <- struct{}{}:
				default:
				}
			}
		}
	}
}
