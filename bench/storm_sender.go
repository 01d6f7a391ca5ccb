package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// storm is what a process beside the server is asked to send: every event once, and what forgers send meanwhile.
type storm struct {
	Address string // host:port
	Secret  string // of the Okta hook
	People  []int  // whom the events suspend, one each
	First   int    // number of the first event
	Batch   int    // events in one request
	Clients int    // connections
	Forged  int    // requests a second under a wrong secret
}

// stormed is what came of it.
type stormed struct {
	Took    time.Duration
	Answers []time.Duration // how long each request took until it was acknowledged
	Again   int             // requests that were answered 503 and sent again
	Forged  int             // forgeries that were refused
	Error   string
}

// stormMode is the first argument of a process that sends storms: one storm a line on stdin, one stormed a line on stdout.
const stormMode = "storm"

func serveStorms(in io.Reader, out io.Writer) error {
	lines := json.NewDecoder(in)
	for {
		var s storm
		if err := lines.Decode(&s); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		done, err := s.run()
		if err != nil {
			done.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(done); err != nil {
			return err
		}
	}
}

// run sends everything; what is rendered is rendered before the clock starts.
func (s *storm) run() (stormed, error) {
	requests := s.requests()
	forged := bytes.Repeat(s.request("a guess", s.People[:1], 0), forgedAtOnce)
	done := stormed{Answers: make([]time.Duration, len(requests))}
	var next, again, refused atomic.Int64
	var forgers sync.WaitGroup
	over, failed := make(chan struct{}), make(chan error, 1)
	if s.Forged > 0 {
		forgers.Go(func() {
			if err := s.forge(forged, over, &refused); err != nil {
				failed <- err
			}
		})
	}
	start := time.Now()
	_, err := spread(s.Clients, func(int, *atomic.Int64) error {
		conn, err := net.Dial("tcp", s.Address) //nolint:noctx // this process ends with the run
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		answers := bufio.NewReader(conn)
		for {
			i := int(next.Add(1)) - 1
			if i >= len(requests) {
				return nil
			}
			begun := time.Now()
			for status := 0; status/100 != 2; {
				if status, err = exchange(conn, answers, requests[i], 1); err != nil {
					return err
				}
				switch {
				case status == http.StatusServiceUnavailable:
					again.Add(1)
				case status/100 != 2:
					return fmt.Errorf("a valid message was answered %d", status)
				}
			}
			done.Answers[i] = time.Since(begun)
		}
	})
	done.Took = time.Since(start)
	close(over)
	forgers.Wait()
	select {
	case wrong := <-failed:
		err = errors.Join(err, fmt.Errorf("forging: %w", wrong))
	default:
	}
	done.Again, done.Forged = int(again.Load()), int(refused.Load())
	return done, err
}

// forgedAtOnce is how many forgeries go out together: nobody who floods waits for answers.
const forgedAtOnce = 50

// forge sends forgeries at their rate, as far as the server takes them.
func (s *storm) forge(burst []byte, over <-chan struct{}, refused *atomic.Int64) error {
	conn, err := net.Dial("tcp", s.Address) //nolint:noctx // this process ends with the run
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for start, sent := time.Now(), 0; ; sent += forgedAtOnce {
		due := time.Duration(sent) * time.Second / time.Duration(s.Forged)
		select {
		case <-over:
			return nil
		case <-time.After(due - time.Since(start)):
		}
		status, err := exchange(conn, answers, burst, forgedAtOnce)
		if err != nil {
			return err
		}
		if status != http.StatusUnauthorized {
			return fmt.Errorf("a forgery was answered %d", status)
		}
		refused.Add(forgedAtOnce)
	}
}

// exchange writes requests and reads as many answers. It returns their status, the highest where they differ.
func exchange(conn net.Conn, answers *bufio.Reader, requests []byte, n int) (status int, err error) {
	written := make(chan error, 1)
	if n > 1 { // else both sides may wait for the other to read
		go func() { _, err := conn.Write(requests); written <- err }()
	} else {
		_, err := conn.Write(requests)
		written <- err
	}
	for range n {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err = cmp.Or(err, answer.Body.Close()); err != nil {
			return 0, err
		}
		status = max(status, answer.StatusCode)
	}
	return status, <-written
}

// requests are all events, as many to a request as a batch has.
func (s *storm) requests() [][]byte {
	var out [][]byte
	for at := 0; at < len(s.People); at += s.Batch {
		out = append(out, s.request(s.Secret, s.People[at:min(at+s.Batch, len(s.People))], s.First+at))
	}
	return out
}

func (s *storm) request(secret string, people []int, first int) []byte {
	return hookRequest(s.Address, secret, oktaMessage(first, len(people), func(i int) (id, login string) {
		return fmt.Sprintf("00u%017d", people[i]), address(people[i])
	}))
}

// hookRequest is a message to the Okta hook as Okta sends it.
func hookRequest(host, secret string, body []byte) []byte {
	return fmt.Appendf(nil, "POST /hooks/okta HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		host, secret, len(body), body)
}

// stormID is the id of an event, which no other measurement gives.
func stormID(n int) string { return fmt.Sprintf("storm-%d", n) }

// oktaMessage suspends n people with one delivery, in the members that Okta writes, as many as matter and about as long.
func oktaMessage(first, n int, who func(i int) (id, login string)) []byte {
	var m bytes.Buffer
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	fmt.Fprintf(&m, `{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","cloudEventsVersion":"0.1","contentType":"application/json","eventId":"delivery-%d",`+
		`"eventTime":%q,"source":"https://acme.example/api/v1/eventHooks/who1","data":{"events":[`, first, at)
	for i := range n {
		if i > 0 {
			m.WriteByte(',')
		}
		id, login := who(i)
		fmt.Fprintf(&m, `{"uuid":%q,"published":%q,"eventType":"user.lifecycle.suspend","version":"0","severity":"INFO","displayMessage":"Suspend Okta user",`+
			`"client":{"userAgent":null,"zone":null,"device":null,"id":null,"ipAddress":"192.0.2.7"},"outcome":{"result":"SUCCESS","reason":null},`+
			`"actor":{"id":"00uADMIN","type":"User","alternateId":"admin@acme.example","displayName":"Ad Min"},`+
			`"target":[{"id":%q,"type":"User","alternateId":%q,"displayName":"somebody","detailEntry":null}],`+
			`"transaction":{"type":"WEB","id":"YT%d","detail":{}},"debugContext":{"debugData":{"requestUri":"/api/v1/users/%s/lifecycle/suspend"}},`+
			`"authenticationContext":{"authenticationStep":0,"externalSessionId":"102-admin"},"securityContext":{"isProxy":false}}`,
			stormID(first+i), at, id, login, first+i, id)
	}
	m.WriteString("]}}")
	return m.Bytes()
}
