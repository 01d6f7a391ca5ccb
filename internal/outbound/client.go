// Package outbound is the only maker of an [http.Client]. What it makes bounds every phase of a call and every byte of an
// answer, follows no redirect, asks no proxy of the environment, and says who calls. A client for addresses that do not
// stand in the configuration refuses, when it connects, everything that is not on the public internet.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The bounds of a call. A caller's context usually ends it sooner; these hold for one that has no deadline.
const (
	connectWithin = 5 * time.Second
	shakeWithin   = 5 * time.Second  // TLS
	answerWithin  = 10 * time.Second // from the request's last byte to the answer's header
	callWithin    = 30 * time.Second // the answer's body included
	maxHeader     = 64 << 10
	maxBody       = 1 << 20
)

// ErrTooLarge says that an answer's body is longer than the caller bears.
var ErrTooLarge = errors.New("the answer is too large")

// Config is what all clients of a process share.
type Config struct {
	Version  string         // of Curfew, for the User-Agent
	Roots    *x509.CertPool // who may vouch for a server; nil: the system's
	Resolver *net.Resolver  // nil: the system's
	Patience time.Duration  // how long an answer may take to begin, where 10 s are too short; zero: 10 s
}

// Maker makes clients. It is safe for concurrent use.
type Maker struct{ cfg Config }

// NewMaker returns a Maker.
func NewMaker(cfg Config) *Maker {
	if cfg.Patience == 0 {
		cfg.Patience = answerWithin
	}
	return &Maker{cfg}
}

// Configured returns a client for addresses that stand in the configuration and passed [ParseAddress]: they are called
// as they stand, private networks included. It has connections of its own; close them with CloseIdleConnections.
func (m *Maker) Configured() *http.Client {
	return m.client(&net.Dialer{Timeout: connectWithin, Resolver: m.cfg.Resolver}, false)
}

// Guarded returns a client for addresses from anywhere else: discovery documents, keys, callbacks, sent data. It speaks
// https only and refuses with [ErrRefused], on the resolved address of each connection, what is not public.
func (m *Maker) Guarded() *http.Client {
	return m.client(&net.Dialer{Timeout: connectWithin, Resolver: m.cfg.Resolver, Control: refuseNonPublic}, true)
}

func (m *Maker) client(dialer *net.Dialer, guarded bool) *http.Client {
	return &http.Client{
		Timeout: m.cfg.Patience + callWithin - answerWithin,
		// A redirect would carry the message, and its proof, to an address that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &transport{
			agent:   "Curfew/" + m.cfg.Version,
			guarded: guarded,
			next: &http.Transport{
				Proxy:                  nil, // one of the environment would hide the real peer from the guard
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: m.cfg.Roots},
				TLSHandshakeTimeout:    shakeWithin,
				ResponseHeaderTimeout:  m.cfg.Patience,
				IdleConnTimeout:        90 * time.Second,
				MaxIdleConnsPerHost:    8,
				MaxResponseHeaderBytes: maxHeader,
				DisableCompression:     true, // a bomb stays as small as it was sent
				ForceAttemptHTTP2:      true,
			},
		},
	}
}

// transport is what every request of ours passes.
type transport struct {
	agent   string
	guarded bool
	next    *http.Transport
}

// RoundTrip obeys [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.guarded {
		if err := refuseURL(r.URL); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", t.agent)
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] reach the connections.
func (t *transport) CloseIdleConnections() { t.next.CloseIdleConnections() }

// bounded is a body that ends with ErrTooLarge instead of filling our memory.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read obeys [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), ErrTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// Answer is what a server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends r and reads its answer, at most limit bytes of body. A body that is longer is [ErrTooLarge] and one that breaks
// off an error, both beside an Answer with the status and what was read. Errors are a [Failure] whose text names neither
// the address nor anything that the server sent.
func Do(client *http.Client, r *http.Request, limit int) (Answer, error) {
	resp, err := client.Do(r) //nolint:gosec // the client is one of ours: configured addresses, or guarded
	if err != nil {
		return Answer{}, failure(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err == nil && len(a.Body) > limit {
		a.Body, err = a.Body[:limit], ErrTooLarge
	}
	if err != nil {
		return a, failure(err)
	}
	return a, nil
}

// Connect reports whether the server at u takes connections and, for https, proves its name. It sends no request.
func (m *Maker) Connect(ctx context.Context, u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	address := net.JoinHostPort(u.Hostname(), port)
	dialer := &net.Dialer{Timeout: connectWithin, Resolver: m.cfg.Resolver}
	ctx, cancel := context.WithTimeout(ctx, connectWithin+shakeWithin)
	defer cancel()
	var conn net.Conn
	var err error
	if u.Scheme == "https" {
		secure := &tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: m.cfg.Roots}}
		conn, err = secure.DialContext(ctx, "tcp", address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return failure(err)
	}
	_ = conn.Close()
	return nil
}
