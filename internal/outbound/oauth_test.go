package outbound_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// tokenEndpoint gives out access tokens by client credentials and remembers how it was asked.
type tokenEndpoint struct {
	*httptest.Server
	given atomic.Int32
	life  string
	form  atomic.Pointer[url.Values]
	basic atomic.Value
}

func newTokenEndpoint(t *testing.T, life string) *tokenEndpoint {
	t.Helper()
	e := &tokenEndpoint{life: life}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		e.form.Store(&r.PostForm)
		id, secret, _ := r.BasicAuth()
		e.basic.Store(id + " " + secret)
		_, _ = fmt.Fprintf(w, `{"access_token":"access-%d","token_type":"bearer"%s}`, e.given.Add(1), e.life)
	}))
	t.Cleanup(e.Close)
	return e
}

func TestTokensAreKeptUntilTheyEnd(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t, `,"expires_in":600`)
	clock := revoketest.NewClock(0)
	tokens := outbound.NewTokens(outbound.NewMaker(outbound.Config{}), clock)
	grant := outbound.Grant{URL: e.URL, ClientID: "curfew", Secret: revoke.NewSecret("s&cret"), Scope: "users.read", Extra: "audience=api&resource=x"}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := tokens.Token(t.Context(), grant); err != nil || got.Reveal() != "access-1" {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		})
	}
	all.Wait()
	form := e.form.Load()
	for key, want := range map[string]string{"grant_type": "client_credentials", "client_id": "curfew", "client_secret": "s&cret", "scope": "users.read", "audience": "api", "resource": "x"} {
		if got := form.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	want := func(what, value string) {
		t.Helper()
		if got, err := tokens.Token(t.Context(), grant); err != nil || got.Reveal() != value {
			t.Errorf("%s: got %q, %v, want %q", what, got.Reveal(), err, value)
		}
	}
	clock.Advance(8 * time.Minute)
	want("before its end", "access-1")
	clock.Advance(time.Minute)
	want("within a minute of its end", "access-2")
	tokens.Forget(grant, revoke.NewSecret("access-1"))
	want("after another one was refused", "access-2")
	tokens.Forget(grant, revoke.NewSecret("access-2"))
	want("after it was refused", "access-3")
	grant.Basic, grant.Secret = true, revoke.NewSecret("other s&cret")
	want("another secret", "access-4")
	if got := e.basic.Load(); got != "curfew other+s%26cret" || e.form.Load().Has("client_secret") {
		t.Errorf("by Basic: %q and %v", got, e.form.Load())
	}
}

func TestTokensThatAreNotGiven(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		status  int
		header  string
		body    string
		refused bool
		wait    time.Duration
	}{
		"invalid_client": {400, "", `{"error":"invalid_client","error_description":"the-secret is wrong"}`, true, 0}, "401": {401, "", "", true, 0},
		"throttled": {429, "30", "", false, 30 * time.Second}, "down": {503, "", "", false, 0}, "HTML": {200, "", "<html>", false, 0}, "no token": {200, "", "{}", false, 0},
		"another type": {200, "", `{"access_token":"x","token_type":"mac"}`, false, 0},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			t.Cleanup(server.Close)
			tokens := outbound.NewTokens(outbound.NewMaker(outbound.Config{}), revoketest.NewClock(0))
			_, err := tokens.Token(t.Context(), outbound.Grant{URL: server.URL, ClientID: "curfew", Secret: revoke.NewSecret("the-secret")})
			_, refused := errors.AsType[revoke.RefusedCredential](err)
			if err == nil || refused != c.refused || revoke.AskedToWait(err) != c.wait {
				t.Errorf("got %v, refused %v, wait %s", err, refused, revoke.AskedToWait(err))
			}
			if strings.Contains(err.Error(), "the-secret") {
				t.Errorf("%v shows what the server wrote", err)
			}
		})
	}
}

func TestWaitReadsWhatLimitsSay(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_428_000, 0)
	for what, c := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"nothing":                  {nil, 0},
		"Retry-After":              {map[string]string{"Retry-After": "7", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1795428060"}, 7 * time.Second},
		"Okta's reset":             {map[string]string{"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1795428060"}, time.Minute},
		"by the sender's clock":    {map[string]string{"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1795428060", "Date": "Mon, 23 Nov 2026 10:00:30 GMT"}, 30 * time.Second},
		"a reset that is past":     {map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795427000"}, time.Second},
		"seconds":                  {map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12 * time.Second},
		"some are left":            {map[string]string{"X-Rate-Limit-Remaining": "3", "X-Rate-Limit-Reset": "1795428060"}, 0},
		"no number":                {map[string]string{"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "soon"}, 0},
		"a number beyond all time": {map[string]string{"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "99999999999999999999"}, outbound.MaxWait},
	} {
		h := http.Header{}
		for k, v := range c.header {
			h.Set(k, v)
		}
		if got := outbound.Wait(h, now); got != c.want {
			t.Errorf("%s: got %s, want %s", what, got, c.want)
		}
	}
}
