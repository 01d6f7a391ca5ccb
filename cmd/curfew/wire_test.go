package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
	"curfew/webhooks"
)

// wired opens the real wiring in this process, on a free port and a database of its own.
func wired(t *testing.T, more string) *server {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "curfew.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndatabase: %q\n%s", "sqlite:"+filepath.Join(folder, "curfew.db"), more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := load(settingsInput{file: file, lookup: lookupIn(canarySettings)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := openServer(t.Context(), loaded, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serve runs s until the test ends.
func (s *server) serve(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: got %v, want nil after its context ended", err)
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := selfSigned(t)
	s := wired(t, fmt.Sprintf("tls: {cert: %q, key: %q}\n", cert, key))
	s.serve(t)
	if !strings.HasPrefix(s.publicURL, "https://127.0.0.1:") {
		t.Errorf("public_url with tls: got %s, want https", s.publicURL)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	resp, err := client.Get(s.publicURL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
		t.Errorf("readyz over TLS: got %d", resp.StatusCode)
	}
	plain, err := http.Get("http" + strings.TrimPrefix(s.publicURL, "https") + "/readyz")
	if err == nil {
		if _ = plain.Body.Close(); plain.StatusCode == http.StatusOK {
			t.Error("a server with tls answers without it")
		}
	}
	client.CloseIdleConnections()
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "curfew test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cert, key, pool = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"), x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(certPEM)
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key, pool
}

func TestCertificateAndKeyMustGoTogether(t *testing.T) {
	t.Parallel()
	cert, _, _ := selfSigned(t)
	_, key, _ := selfSigned(t)
	_, err := loadText(t, fmt.Sprintf("tls: {cert: %q, key: %q}", cert, key))
	if err == nil || !strings.Contains(err.Error(), "go together") {
		t.Errorf("got %v, want a mistake", err)
	}
}

// TestAPartThatEndsEndsTheRest: a server whose door is gone must not go on as if it were there.
func TestAPartThatEndsEndsTheRest(t *testing.T) {
	t.Parallel()
	s := wired(t, "")
	ended := make(chan error, 1)
	go func() { ended <- s.run(t.Context(), nil) }()
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("run ended without an error although its listener was gone")
	}
}

func TestATakenAddressIsSaid(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	folder := t.TempDir()
	loaded, err := loadText(t, fmt.Sprintf("listen: %s\ndatabase: %q\n", taken.Addr(), "sqlite:"+filepath.Join(folder, "curfew.db")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = openServer(t.Context(), loaded, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("got %v, want what to do about it", err)
	}
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("a server without an address touched the database: %v", left)
	}
}

// TestUnbuiltSourceAsksToTryAgain: an event for a type that comes with a later version must not be lost.
func TestUnbuiltSourceAsksToTryAgain(t *testing.T) {
	t.Parallel()
	s := wired(t, "sources: {hr: {type: rippling, secrets: [\"${A_SECRET}\"]}}\n")
	s.serve(t)
	resp, err := http.Post(s.publicURL+"/hooks/hr", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %d with Retry-After %q, want 503 with one", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

// silentInbox takes nothing.
type silentInbox struct{ got *int }

func (i silentInbox) Receive(context.Context, revoke.Actor, revoke.Source, ...revoke.Event) ([]revoke.Outcome, error) {
	*i.got++
	return nil, revoke.ErrUnavailable
}

// TestNoSettingsBelieveAnybody: whatever is written, an event without a proof is never believed, unless
// insecure_transport_only says so in as many words (SECURITY T34).
func TestNoSettingsBelieveAnybody(t *testing.T) {
	t.Parallel()
	good := 0
	rapid.Check(t, func(t *rapid.T) {
		var keys []string
		for _, k := range []struct {
			key    string
			oneIn  int // keys that no type knows are rare, or nothing would be good
			values []string
		}{
			{"secrets", 1, []string{`["${A_SECRET}"]`, `["${A_SECRET}", "${B_SECRET}"]`, `[""]`, `[" "]`, `["${EMPTY}"]`, `["", "${A_SECRET}"]`, `[]`, `null`}},
			{"header", 2, []string{`Authorization`, `X-Any`, `""`, `"*"`}},
			{"learn", 2, []string{"true", "false"}},
			{"insecure_transport_only", 3, []string{"false"}},
			{"verify", 2, []string{"none", `{static: {secrets: ["${A_SECRET}"]}}`, `{query: {secrets: ["${A_SECRET}"]}}`, `{static: {secrets: [""]}}`, "{}", "null"}},
			{"map", 2, []string{"[{signal: locked, email: body.e}]"}},
			{"max_body", 3, []string{"1KiB"}},
			{"ids", 3, []string{"okta"}},
			{"secret", 20, []string{`""`, `"${A_SECRET}"`}},
			{"strict", 20, []string{"true"}},
			{"insecure", 20, []string{"true"}},
		} {
			if rapid.IntRange(1, k.oneIn).Draw(t, "with "+k.key) == 1 {
				keys = append(keys, k.key+": "+rapid.SampledFrom(k.values).Draw(t, k.key))
			}
		}
		names := []string{}
		for _, each := range webhooks.Types() {
			names = append(names, each.Name)
		}
		text := "sources: {s: {type: " + rapid.SampledFrom(names).Draw(t, "type") + ", " + strings.Join(keys, ", ") + "}}"
		env := map[string]string{"EMPTY": "", "A_SECRET": canarySettings["A_SECRET"], "B_SECRET": canarySettings["B_SECRET"]}
		loaded, err := loadBytes(text, env)
		if err != nil {
			return
		}
		good++
		got := 0
		handler, err := webhooks.New(webhooks.Config{Sources: loaded.senders(), Inbox: silentInbox{&got}, Clock: &revoke.ProcessClock{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("%s: check says that it is good, the handler says %v", text, err)
		}
		for _, header := range []string{"", " ", "Bearer ", "Bearer", canary, env["A_SECRET"][:20]} {
			r := httptest.NewRequest(http.MethodPost, "/hooks/s", bytes.NewReader([]byte(`{"data": {"events": []}}`)))
			r.Header.Set("Content-Type", "application/json")
			r.Header["Authorization"], r.Header["X-Any"] = []string{header}, []string{header}
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized || got != 0 {
				t.Fatalf("%s: an event with %q as its proof is answered with %d", text, header, w.Code)
			}
		}
	})
	if good == 0 {
		t.Error("none of the settings was good, so that nothing was tried")
	}
}

// loadBytes loads settings that stand in no file.
func loadBytes(text string, env map[string]string) (*Loaded, error) {
	out := &Loaded{Config: defaults(), Origins: map[string]origin{}}
	d := &decoder{lookup: lookupIn(env), origins: out.Origins}
	d.document("curfew.yaml", []byte(text), &out.Config, true)
	out.settle(d)
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return out, nil
}

// TestUnsignedIsSpelledOut: a sender that proves nothing is a mistake with its place, unless insecure_transport_only stands beside it,
// and then every start names it.
func TestUnsignedIsSpelledOut(t *testing.T) {
	t.Parallel()
	const text = "sources:\n  s:\n    type: custom\n    map: [{signal: locked, email: body.e}]\n    verify: none\n"
	for _, beside := range []string{"", "    insecure_transport_only: false\n"} {
		_, err := loadBytes(text+beside, nil)
		bad, ok := errors.AsType[badConfig](err)
		if !ok || len(bad) != 1 || bad[0].key != "sources.s.verify" || bad[0].at.line != 5 {
			t.Errorf("%q beside it: got %v, want one mistake at sources.s.verify in line 5", beside, err)
		}
	}
	loaded, err := loadBytes(text+"    insecure_transport_only: true\n", nil)
	if err != nil || !slices.ContainsFunc(loaded.Warnings, func(w string) bool { return strings.Contains(w, "source s ") && strings.Contains(w, "is believed") }) {
		t.Errorf("spelled out: got %v and %v, want a warning that names the source", err, loaded)
	}
}
