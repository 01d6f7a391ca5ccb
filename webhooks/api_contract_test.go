package webhooks_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// apiFixture is what the battery must know of a type that calls its sender's API.
type apiFixture struct {
	// Open returns the receiver of a source whose API, token endpoint included, stands at url. Its credential holds apiKey.
	Open func(url string, deps webhooks.Deps) (webhooks.Receiver, error)
	// Token answers what asks for an access token, and reports whether it did. nil: the type has no token endpoint.
	Token func(w http.ResponseWriter, r *http.Request) bool
	// Good answers like the sender. About is what an event can name there.
	Good  http.HandlerFunc
	About string
}

// apiFixtures has one entry for every registered type that calls its sender.
func apiFixtures() map[string]apiFixture {
	all := map[string]apiFixture{"entra-graph": entraGraphAPI(), "event-grid": eventGridAPI(), "okta-log": oktaLogAPI()}
	maps.Copy(all, hrAPIFixtures())
	return all
}

const (
	apiKey     = "api-key-7d19f2ac03be44"
	apiPlanted = "planted-by-the-sender-51c8"
)

func TestEveryTypeThatCallsPassesTheBattery(t *testing.T) {
	t.Parallel()
	all := apiFixtures()
	for name, f := range fixtures() {
		h, err := f.Open(revoketest.Desk{Sources: map[string][]string{"sender": {revoketest.SampleKey}}, Inbox: revoketest.NewInbox(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("open %s: %v", name, err)
		}
		if _, there := all[name]; webhooks.Calls(h.(*webhooks.Handler)) && !there {
			t.Errorf("type %s calls its sender and has no entry in apiFixtures in api_contract_test.go", name)
		}
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runAPI(t, f)
		})
	}
}

// TestTheBatteryOfCallsOnItsModel holds the battery itself to a type that is known to be right.
func TestTheBatteryOfCallsOnItsModel(t *testing.T) {
	t.Parallel()
	runAPI(t, apiFixture{
		Open: func(url string, deps webhooks.Deps) (webhooks.Receiver, error) {
			return directoryType().Open(revoke.Source{Name: "dir", IDs: "dir"}, &directorySettings{url, revoke.NewSecret(apiKey)}, deps)
		},
		Token: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/token" {
				return false
			}
			_, _ = w.Write([]byte(`{"access_token":"access","token_type":"Bearer","expires_in":3600}`))
			return true
		},
		Good: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"enabled":true,"mail":"sally@example.edu","items":[],"next":"1","id":"sub-1"}`))
		},
		About: "users/00u1",
	})
}

// called is how one call of a type ended.
type called struct {
	signals []revoke.Signal
	err     error
}

// calls are the ways in which a receiver calls its sender.
func (f apiFixture) calls(receiver webhooks.Receiver) map[string]func(context.Context) called {
	out := map[string]func(context.Context) called{}
	if e, ok := receiver.(webhooks.Enricher); ok {
		out["enrich"] = func(ctx context.Context) called {
			found, err := e.Enrich(ctx, webhooks.Ask{About: f.About, At: revoketest.Start})
			return called{found.Signals, err}
		}
	}
	if p, ok := receiver.(webhooks.Poller); ok {
		out["poll"] = func(ctx context.Context) called {
			page, err := p.Poll(ctx, webhooks.Cursor{Now: revoketest.Start, Resumed: true})
			var all []revoke.Signal
			for _, item := range page.Items {
				all = append(all, item.Signals...)
			}
			return called{all, err}
		}
	}
	if u, ok := receiver.(webhooks.Upkeeper); ok {
		out["upkeep"] = func(ctx context.Context) called {
			_, err := u.Upkeep(ctx, webhooks.Upkeep{Now: revoketest.Start})
			return called{nil, err}
		}
	}
	return out
}

// runAPI is case 47: the sender's API refuses, throttles, fails, hangs, lies or changes, and nothing follows from it.
func runAPI(t *testing.T, f apiFixture) {
	t.Helper()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"error":"` + apiPlanted + `"}`))
		}
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(text))
		}
	}
	failed := func(t *testing.T, c called) {
		t.Helper()
		if _, refused := errors.AsType[revoke.RefusedCredential](c.err); c.err == nil || refused || revoke.IsPermanent(c.err) {
			t.Errorf("got %v, want an error that is tried again", c.err)
		}
	}
	refused := func(t *testing.T, c called) {
		t.Helper()
		if _, ok := errors.AsType[revoke.RefusedCredential](c.err); !ok {
			t.Errorf("got %v, want that our credential is refused", c.err)
		}
	}
	asked := func(t *testing.T, c called) {
		t.Helper()
		if got := revoke.AskedToWait(c.err); got != 7*time.Second {
			t.Errorf("got %v with a wait of %s, want 7 s", c.err, got)
		}
	}
	nothing := func(*testing.T, called) {} // beside that no signal follows, which holds for all
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		want   func(*testing.T, called)
	}{
		"500": {status(500), failed}, "502": {status(502), failed}, "400": {status(400), failed}, "401": {status(401), refused}, "403": {status(403), refused},
		"429": {status(429, "Retry-After", "7"), asked}, "503 with a wait": {status(503, "Retry-After", "7"), asked},
		"a redirect": {status(302, "Location", other.URL), failed}, "hangs": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only behind it the server sees that we hung up
			<-r.Context().Done()
		}, failed},
		"HTML": {body("<html>" + apiPlanted + "</html>"), failed}, "cut off": {body(`{"value":[{"id":"` + apiPlanted), failed},
		"too much": {body(`{"x":"` + strings.Repeat("a", 3<<20) + `"}`), failed},
		"nothing":  {body(""), failed}, "{}": {body("{}"), nothing}, "[]": {body("[]"), nothing}, "null": {body("null"), nothing}, "a text": {body(`"x"`), nothing},
		"changed": {body(`{"value":{"accountEnabled":"no"},"id":7,"enabled":"maybe","items":{"a":1},"status":[1],"next":3}`), nothing},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if f.Token == nil || !f.Token(w, r) {
					c.answer(w, r)
				}
			}))
			t.Cleanup(server.Close)
			for how, call := range f.calls(f.open(t, server.URL)) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				got := call(ctx)
				cancel()
				if len(got.signals) > 0 {
					t.Errorf("%s: %+v follow from it", how, got.signals)
				}
				for _, secret := range []string{apiKey, apiPlanted, server.URL} {
					if got.err != nil && strings.Contains(got.err.Error(), secret) {
						t.Errorf("%s: case 48: %q shows what nobody must see", how, got.err)
					}
				}
				c.want(t, got)
			}
		})
	}
	t.Run("the sender as it is", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f.Token == nil || !f.Token(w, r) {
				f.Good(w, r)
			}
		}))
		t.Cleanup(server.Close)
		for how, call := range f.calls(f.open(t, server.URL)) {
			if got := call(t.Context()); got.err != nil {
				t.Errorf("%s: %v", how, got.err)
			}
		}
		server.Close()
		for how, call := range f.calls(f.open(t, server.URL)) {
			if got := call(t.Context()); got.err == nil {
				t.Errorf("%s: a sender that is not there is no error", how)
			}
		}
	})
	t.Cleanup(func() {
		if n := elsewhere.Load(); n > 0 {
			t.Errorf("a redirect was followed %d times", n)
		}
	})
}

func (f apiFixture) open(t *testing.T, url string) webhooks.Receiver {
	t.Helper()
	clients := outbound.NewMaker(outbound.Config{})
	clock := revoketest.NewClock(0)
	receiver, err := f.Open(url, webhooks.Deps{Clients: clients, Tokens: outbound.NewTokens(clients, clock), Clock: clock, Hook: "https://curfew.example.edu/hooks/sender"})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return receiver
}
