package api_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"curfew/api"
)

// hall is a listener to whom connections come from wherever a test says.
type hall struct {
	calls chan net.Conn
	once  sync.Once
	done  chan struct{}
}

type caller struct {
	net.Conn
	from net.Addr
}

func (c caller) RemoteAddr() net.Addr { return c.from }

func (h *hall) Accept() (net.Conn, error) {
	select {
	case c := <-h.calls:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}
func (h *hall) Close() error { h.once.Do(func() { close(h.done) }); return nil }
func (*hall) Addr() net.Addr { return &net.TCPAddr{} }

// call opens a connection from an address.
func (h *hall) call(from string) net.Conn {
	ours, theirs := net.Pipe()
	h.calls <- caller{theirs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 40000))}
	return ours
}

// answers reports whether somebody is there on the other side.
func answers(t *testing.T, c net.Conn) bool {
	t.Helper()
	defer time.AfterFunc(20*time.Second, func() { _ = c.Close() }).Stop()
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close() == nil && resp.StatusCode == 200
}

// TestOneAddressLeavesRoomForOthers takes as many connections as one address may have, then all there are.
func TestOneAddressLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	var cfg api.Config
	start(t, func(c *api.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
		cfg = *c
	})
	app, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	const most, mostOfOne = 9, 3
	app.Room(most, mostOfOne)
	h := &hall{calls: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- app.Serve(h) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := app.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	wait, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	var open []net.Conn
	t.Cleanup(func() {
		for _, c := range open {
			_ = c.Close()
		}
	})
	for range mostOfOne {
		open = append(open, h.call("2001:db8::7"))
	}
	ask := func(from string) bool {
		c := h.call(from)
		defer func() { _ = c.Close() }()
		return answers(t, c)
	}
	for from, want := range map[string]bool{
		"2001:db8::7": false, "2001:db8::8": false, "2001:db8:0:1::7": true, "192.0.2.7": true, "::ffff:192.0.2.8": true, "127.0.0.1": true, "198.51.100.1": true,
	} {
		if got := ask(from); got != want {
			t.Errorf("while one network holds %d connections, %s is answered: %t, want %t", mostOfOne, from, got, want)
		}
	}
	soon := func(from, what string) {
		t.Helper()
		for !ask(from) { // the server sees the end of a connection a moment later
			if wait.Err() != nil {
				t.Fatalf("%s: %s is not answered", what, from)
			}
		}
	}
	hold := func(from string, most int) { // a place is free when the server has seen the end of what held it
		t.Helper()
		for len(open) < most {
			c := h.call(from)
			if open = append(open, c); !answers(t, c) {
				open = open[:len(open)-1]
			}
			if wait.Err() != nil {
				t.Fatalf("%d connections are held, the last from %s, want %d", len(open), from, most)
			}
		}
	}
	hold("127.0.0.1", 2*mostOfOne)
	soon("127.0.0.1", "who is on this machine is held to the sum alone")
	for _, local := range open[mostOfOne:] {
		_ = local.Close()
	}
	open = open[:mostOfOne]
	_ = open[0].Close()
	soon("2001:db8::9", "after one of its network was closed")
	open = open[1:]
	hold("198.51.100.1", most) // a proxy stands for many
	if ask("192.0.2.9") {
		t.Errorf("with %d connections open another one is answered", most)
	}
	for _, c := range open {
		_ = c.Close()
	}
	soon("192.0.2.9", "after one of all was closed")
}
