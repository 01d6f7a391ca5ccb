package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"curfew/internal/outbound"
)

// build builds the product as it ships.
func (b *bench) build(ctx context.Context) error {
	b.progress("building curfew")
	return goBuild(ctx, b.binary(), "curfew/cmd/curfew")
}

// goBuild builds a program as it ships, but for what the flags say.
func goBuild(ctx context.Context, to, program string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", to}, flags, []string{program})...) // #nosec G204 -- our own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return nil
}

func (b *bench) binary() string { return filepath.Join(b.dir, "curfew") }

// server is the real program, serving.
type server struct {
	cmd     *exec.Cmd
	address string // host:port
	client  *http.Client
	secrets map[string]string // of tokens, by their name
	sink    *httptest.Server
	said    bytes.Buffer
}

// start serves the database without the brake, with so many webhook targets that take whatever they are told.
func (b *bench) start(ctx context.Context, d *database, targets int) (*server, error) {
	return b.startWith(ctx, d, targets, "off")
}

// startWith serves the database with a brake as the configuration has it.
func (b *bench) startWith(ctx context.Context, d *database, targets int, brake string) (_ *server, err error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{
		address: fmt.Sprintf("127.0.0.1:%d", port), secrets: map[string]string{},
		client: outbound.NewMaker(outbound.Config{Version: "bench"}).Configured(),
		sink: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNoContent)
		})),
	}
	for _, name := range append(slices.Clone(connectors), "portal", "gateway", "ops", "okta") {
		s.secrets[name] = rand.Text()
	}
	var cfg strings.Builder
	fmt.Fprintf(&cfg, "listen: %q\npublic_url: %q\ndatabase: %q\ntokens:\n", s.address, "http://"+s.address, d.url)
	for _, name := range connectors {
		fmt.Fprintf(&cfg, "  - {name: %s, scopes: [scim], authority: %s, ids: okta, secret: %q}\n", name, directory.Authority, s.secrets[name])
	}
	fmt.Fprintf(&cfg, "  - {name: portal, scopes: [sessions], app: portal, secret: %q}\n", s.secrets["portal"])
	fmt.Fprintf(&cfg, "  - {name: gateway, scopes: [check], app: \"*\", secret: %q}\n", s.secrets["gateway"])
	fmt.Fprintf(&cfg, "  - {name: ops, scopes: [admin], secret: %q}\n", s.secrets["ops"])
	fmt.Fprintf(&cfg, "brake: %s\nsources:\n  okta: {type: okta, authority: %s, ids: okta, secrets: [%q]}\n", brake, directory.Authority, s.secrets["okta"])
	if targets > 0 {
		cfg.WriteString("targets:\n")
	}
	for i := range targets { // not those of the store's measurements, to whom much is owed by now
		fmt.Fprintf(&cfg, "  hook-%d: {type: webhook, url: %q, secret: %q}\n", i+1, s.sink.URL, "whsec_Y3VyZmV3LXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk")
	}
	file := filepath.Join(d.home, "curfew.yaml")
	if err := os.WriteFile(file, []byte(cfg.String()), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, b.binary(), "serve", "--config", file) // #nosec G204 -- our own program
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, s.stop(), fmt.Errorf("curfew said: %s", &s.said))
	}
	return s, nil
}

func (s *server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		answer, err := s.call(ctx, http.MethodGet, "/readyz", "", nil)
		if err == nil && answer.Status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("curfew is not ready: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *server) stop() error {
	defer s.sink.Close()
	s.client.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// call sends JSON under a token's secret.
func (s *server) call(ctx context.Context, method, path, token string, body any) (outbound.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, nil)
	if err != nil {
		return outbound.Answer{}, err
	}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return outbound.Answer{}, err
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+s.secrets[token])
	}
	return outbound.Do(s.client, r, 1<<20)
}

// make sends a POST that must make something, and reads what came back.
func (s *server) make(ctx context.Context, path, token string, body, made any) error {
	answer, err := s.call(ctx, http.MethodPost, path, token, body)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusCreated {
		return fmt.Errorf("POST %s: %d %s", path, answer.Status, answer.Body)
	}
	return json.Unmarshal(answer.Body, made)
}

// raw is a request as a client process sends it.
func (s *server) raw(method, path, secret, contentType, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, s.address, secret, contentType, len(body), body)
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
