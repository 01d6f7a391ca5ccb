package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// load is what a client process is asked to do: to send requests over and over on several connections. The client
// stands in a process of its own, and is as light as it can be, since it shares the cores with the server.
type load struct {
	Address  string        // host:port
	Requests [][]byte      // sent in turn, as they stand
	Expect   string        // what every answer's body must hold
	Clients  int           // connections
	For      time.Duration // how long
}

// loaded is what came of it.
type loaded struct {
	Answers int
	Error   string
}

// clientMode is the first argument of a client process: one load a line on stdin, one loaded a line on stdout.
const clientMode = "client"

func serveClient(in io.Reader, out io.Writer) error {
	lines := json.NewDecoder(in)
	for {
		var l load
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		n, err := l.run()
		done := loaded{Answers: n}
		if err != nil {
			done.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(done); err != nil {
			return err
		}
	}
}

// run returns how many answers came in time.
func (l load) run() (int, error) {
	var wg sync.WaitGroup
	counts, failures := make([]int, l.Clients), make([]error, l.Clients)
	ends := time.Now().Add(l.For)
	for i := range l.Clients {
		wg.Go(func() { counts[i], failures[i] = l.connection(i, ends) })
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, errors.Join(failures...)
}

// largestAnswer is how long an answer may be.
const largestAnswer = 1 << 20

func (l load) connection(first int, ends time.Time) (n int, err error) {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.Address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReaderSize(conn, largestAnswer)
	for time.Now().Before(ends) {
		if _, err := conn.Write(l.Requests[(first+n*l.Clients)%len(l.Requests)]); err != nil {
			return n, err
		}
		body, err := readAnswer(answers)
		if err != nil {
			return n, err
		}
		if !bytes.Contains(body, []byte(l.Expect)) {
			return n, fmt.Errorf("the answer %q lacks %q", body, l.Expect)
		}
		n++
	}
	return n, nil
}

// readAnswer reads one HTTP/1.1 answer that has a Content-Length, and returns its body.
func readAnswer(r *bufio.Reader) ([]byte, error) {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	length := -1
	switch {
	case bytes.HasPrefix(status, []byte("HTTP/1.1 200")):
	case bytes.HasPrefix(status, []byte("HTTP/1.1 204")):
		length = 0
	default:
		return nil, fmt.Errorf("the server answered %q", bytes.TrimSpace(status))
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 || length > r.Size() {
		return nil, fmt.Errorf("an answer of %d bytes, wanted 0 to %d", length, r.Size())
	}
	body, err := r.Peek(length)
	if err != nil {
		return nil, err
	}
	_, err = r.Discard(length)
	return body, err
}

// client is a client process.
type client struct{ *process }

func startClient(ctx context.Context) (client, error) {
	p, err := startProcess(ctx, "", clientMode)
	return client{p}, err
}

// send lets the process carry out a load.
func (c client) send(l load) (loaded, error) {
	var done loaded
	if err := c.ask(l, &done); err != nil {
		return done, err
	}
	if done.Error != "" {
		return done, errors.New(done.Error)
	}
	return done, nil
}

// sending is a contender that carries out a load, slice after slice.
func (c client) sending(name string, l load) contender {
	return steady(name, func(_ context.Context, slice time.Duration) (float64, error) {
		l.For = slice
		done, err := c.send(l)
		return float64(done.Answers) / slice.Seconds(), err
	})
}
