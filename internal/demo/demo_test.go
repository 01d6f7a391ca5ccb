package demo

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// open returns a demo and the address of an imitation of Curfew that has the fault.
func open(t *testing.T, f fault, cfg Config) (d *Demo, base string) {
	t.Helper()
	client := outbound.NewMaker(outbound.Config{Version: "test"}).Configured()
	cfg.Client, cfg.Clock, cfg.Command = client, &revoke.ProcessClock{}, "curfew --config demo.yaml"
	d, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	c := newCurfew(t, f, d)
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		c.telling.Wait()
		server.Close()
		client.CloseIdleConnections()
	})
	return d, server.URL
}

func TestStoryIsToldWhenAllIsObserved(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d, base := open(t, sound, Config{Out: &out, Once: true})
	if err := d.Run(t.Context(), base); err != nil {
		t.Fatalf("Run: %v\n%s", err, &out)
	}
	for _, want := range []string{
		"iPhone in    iPad in    laptop in", "iPhone in    iPad in    laptop out", "iPhone out   iPad out   laptop out",
		"the application was told: user.blocked", "refused with 403", " ms\n", "All of it was observed",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q:\n%s", want, &out)
		}
	}
	for _, secret := range []revoke.Secret{d.secrets.directory, d.secrets.portal, d.secrets.ops, d.secrets.okta, d.secrets.hook, d.devices[0].token} {
		if strings.Contains(out.String(), secret.Reveal()) {
			t.Errorf("the story shows a secret:\n%s", &out)
		}
	}
}

func TestStoryFailsAtTheStepThatIsNotObserved(t *testing.T) {
	t.Parallel()
	for f, want := range map[fault]string{
		alwaysLive:      "step 4 ",
		neverTells:      "step 4 ",
		signsWrongly:    "step 4 ",
		believesForgery: "step 3 ",
		endsAll:         "step 4 ",
		revives:         "step 7 ",
		admitsBlocked:   "step 6 ",
		neverLifts:      "step 8 ",
		deafToOkta:      "step 9 ",
		doesNotKnow:     "step 2 ",
		forgetsEcho:     "step 3 ",
	} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			d, base := open(t, f, Config{Out: &out, Once: true, Patience: 300 * time.Millisecond})
			err := d.Run(t.Context(), base)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(out.String(), "NOT OBSERVED") {
				t.Errorf("Run with a Curfew that %s: got %v, want an error naming %q\n%s", f, err, want, &out)
			}
		})
	}
}

// watched tells the test when the invitation stands there.
type watched struct {
	bytes.Buffer
	invited chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(string(p), "Try, in another terminal") {
		close(w.invited)
	}
	return n, err
}

func TestDemoGoesOnUntilItIsStopped(t *testing.T) {
	t.Parallel()
	for _, terminal := range []bool{true, false} {
		out := &watched{invited: make(chan struct{})}
		d, base := open(t, sound, Config{Out: out, Terminal: terminal, Links: func(_ context.Context, who string) (Links, error) {
			return Links{Devices: "own-link-of-" + who, Console: "console-link", Approver: "approver-link"}, nil
		}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx, base) }()
		select {
		case <-out.invited:
		case err := <-ended:
			t.Fatalf("Run ended by itself: %v\n%s", err, out)
		}

		answer, err := call(t.Context(), d.cfg.Client, http.MethodGet, d.address()+devicesPath, "", nil)
		if got := string(answer.Body); err != nil || strings.Count(got, " in\n") != 3 {
			t.Errorf("the page of devices: got %v, %q, want three of them in", err, got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run, stopped: got %v, want nil", err)
		}
		if tries := strings.Count(out.String()[strings.Index(out.String(), "Try, "):], "\n  "); tries != 6 {
			t.Errorf("%d things to try, want six:\n%s", tries, out)
		}
		for _, secret := range []revoke.Secret{revoke.NewSecret("own-link-of-" + student), revoke.NewSecret("console-link"), revoke.NewSecret("approver-link")} {
			if shown := strings.Contains(out.String(), secret.Reveal()); shown != terminal {
				t.Errorf("on a terminal: %v; a secret is shown: %v\n%s", terminal, shown, out)
			}
		}
	}
}

func TestConfigurationNamesEverythingTheStoryUses(t *testing.T) {
	t.Parallel()
	d, _ := open(t, sound, Config{Out: io.Discard})
	defer func() { _ = d.Close() }()
	got := d.Configuration()
	for _, want := range []string{
		d.secrets.directory.Reveal(), d.secrets.portal.Reveal(), d.secrets.ops.Reveal(), d.secrets.okta.Reveal(), d.secrets.hook.Reveal(),
		d.address() + "/curfew", "okta: {type: okta", "portal: {type: webhook",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Configuration lacks %q:\n%s", want, got)
		}
	}
}

// TestSignature uses the example of another implementation of Standard Webhooks.
func TestSignature(t *testing.T) {
	t.Parallel()
	const body, signature = `{"type":"user.deleted","data":{"id":"u-1"}}`, "v1,y5rpdOdl+bKr6zkN9PKFRPDxu+HxO0QfByER0hYjWxM="
	a := newApplication(nil, fixed(revoke.InstantOf(time.Unix(1795430000, 0))), revoke.Secret{}, []byte("curfew-test-secret-0123456789abcd"))
	for _, c := range []struct {
		what, id, timestamp, signatures, body string
		want                                  bool
	}{
		{"as sent", "msg_1", "1795430000", signature, body, true},
		{"one of several", "msg_1", "1795430000", "v2,x v1,AAAA " + signature, body, true},
		{"another body", "msg_1", "1795430000", signature, body + " ", false},
		{"another id", "msg_2", "1795430000", signature, body, false},
		{"no id", "", "1795430000", signature, body, false},
		{"an old one", "msg_1", "1795429000", signature, body, false},
		{"no time", "msg_1", "", signature, body, false},
		{"none", "msg_1", "1795430000", "", body, false},
		{"another version", "msg_1", "1795430000", strings.Replace(signature, "v1", "v2", 1), body, false},
	} {
		if got := a.signed(c.id, c.timestamp, c.signatures, []byte(c.body)); got != c.want {
			t.Errorf("signed, %s: got %v, want %v", c.what, got, c.want)
		}
	}
}

type fixed revoke.Instant

func (f fixed) Now() revoke.Instant { return revoke.Instant(f) }
