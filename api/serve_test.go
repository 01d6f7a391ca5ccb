package api_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"curfew/api"
)

func TestServesTLS(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, and a client that trusts it
	t.Cleanup(lender.Close)
	b := start(t, func(cfg *api.Config) {
		cfg.TLS = &tls.Config{Certificates: lender.TLS.Certificates, MinVersion: tls.VersionTLS12}
	})
	for path, body := range map[string]string{"/v1/sessions": "{}", "/scim/v2/Users": strings.Repeat("x", 1<<20)} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+b.address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := lender.Client().Do(r)
		if err != nil {
			t.Fatalf("POST %s over TLS: %v", path, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("POST %s over TLS: got %d, want 401", path, resp.StatusCode)
		}
	}
}

// TestShutdownFinishesWhatWasBegun stops the server while a decision waits for the store.
func TestShutdownFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	reached, release := b.store.Hold()
	answered := make(chan reply, 1)
	go func() {
		answered <- b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "x"}`)
	}()
	<-reached
	stopped := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() { stopped <- b.app.Shutdown(ctx) }()
	for { // until it takes nobody in
		r, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			break
		}
		_ = resp.Body.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("shutdown returned %v while a request was under way", err)
	default:
	}
	release()
	b.want("the request under way", <-answered, 201)
	if err := <-stopped; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// TestWhatMustWaitForAPersonIsHeld gives two addresses of two people as one person's.
func TestWhatMustWaitForAPersonIsHeld(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	b.register("tom@example.edu", "browser", "toms")
	both := fmt.Sprintf(`{"format": "aliases", "identifiers": [%s, %s]}`, sally, tom)
	order := b.want("order", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+both+`, "reason": "x"}`), 202)
	if order.text("held") == "" || order.header.Get("Curfew-Held") != order.text("held") {
		t.Errorf("a held order: %s %v", order.body, order.header)
	}
	news := b.want("news", b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+both+`}`), 201)
	if news.text("state") != "held" || news.header.Get("Curfew-Held") != news.text("id") {
		t.Errorf("held news: %s %v", news.body, news.header)
	}
	b.wantLive("while it is held", map[string]bool{"laptop": true, "toms": true})
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": `+both+`, "kind": "browser"}`), 409, "conflict")
}

// TestShutdownOfAClosedListener: a listener that is closed already is no reason to leave before what is under way was answered.
func TestShutdownOfAClosedListener(t *testing.T) {
	t.Parallel()
	var cfg api.Config
	start(t, func(c *api.Config) { cfg = *c })
	app, err := api.New(cfg)
	if err != nil {
		t.Fatalf("make the application: %v", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if _, err := c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatalf("ask: %v", err)
	}
	if answer, err := io.ReadAll(c); err != nil || len(answer) == 0 { // it serves by now
		t.Fatalf("no answer: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if err := app.Shutdown(t.Context()); err != nil {
		t.Errorf("shut down: %v", err)
	}
}
