package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"curfew/revoke"
)

// Grant asks a token endpoint for an access token by client credentials (RFC 6749 section 4.4).
type Grant struct {
	URL      string // of the token endpoint; it stands in the configuration
	ClientID string
	Secret   revoke.Secret
	Scope    string
	Extra    string // further parameters, as a query: audience=…
	Basic    bool   // the secret goes into the Authorization header (RFC 6749 section 2.3.1), else into the form
	// Assert makes the assertion that takes the place of the secret (RFC 7523 section 2.2); Secret is then the key that signs it.
	Assert func(now time.Time) (string, error)
}

// Tokens keeps access tokens in memory until they end. Who asks for the same one while it is being fetched waits for that. It is
// safe for concurrent use.
type Tokens struct {
	client *http.Client
	clock  revoke.Clock
	mu     sync.Mutex
	kept   map[tokenKey]*keptToken
}

type tokenKey struct {
	url, client, scope, extra string
	secret                    revoke.TokenHash
}

type keptToken struct {
	mu    sync.Mutex
	value revoke.Secret
	until revoke.Instant
}

const (
	maxToken   = 64 << 10
	tokenSpare = time.Minute // taken off a token's life, so that none ends on its way
	tokenLife  = 5 * time.Minute
)

// NewTokens returns Tokens that calls with clients of the maker.
func NewTokens(m *Maker, clock revoke.Clock) *Tokens {
	return &Tokens{client: m.Configured(), clock: clock, kept: map[tokenKey]*keptToken{}}
}

// Token returns an access token. What the endpoint refuses is [revoke.RefusedCredential]; when it asks us to wait, the error
// carries [revoke.RetryAfter]. No error shows what the endpoint wrote.
func (t *Tokens) Token(ctx context.Context, g Grant) (revoke.Secret, error) {
	k := t.of(g)
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.clock.Now() < k.until {
		return k.value, nil
	}
	value, life, err := t.fetch(ctx, g)
	if err != nil {
		return revoke.Secret{}, fmt.Errorf("ask %s for an access token: %w", host(g.URL), err)
	}
	k.value, k.until = value, t.clock.Now().Add(life-min(tokenSpare, life/2))
	return value, nil
}

// Forget drops a token that its API refused, so that the next call asks for a new one. Another one that was fetched since stays.
func (t *Tokens) Forget(g Grant, refused revoke.Secret) {
	k := t.of(g)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value.Equal(refused.Reveal()) {
		k.until = 0
	}
}

func (t *Tokens) of(g Grant) *keptToken {
	key := tokenKey{g.URL, g.ClientID, g.Scope, g.Extra, revoke.HashToken(g.Secret.Reveal())}
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.kept[key]
	if !ok {
		k = &keptToken{}
		t.kept[key] = k
	}
	return k
}

func (t *Tokens) fetch(ctx context.Context, g Grant) (revoke.Secret, time.Duration, error) {
	form, err := url.ParseQuery(g.Extra)
	if err != nil {
		return revoke.Secret{}, 0, errors.New("the further parameters are no query")
	}
	form.Set("grant_type", "client_credentials")
	if g.Scope != "" {
		form.Set("scope", g.Scope)
	}
	switch {
	case g.Assert != nil:
		assertion, err := g.Assert(t.clock.Now().Time())
		if err != nil {
			return revoke.Secret{}, 0, errors.New("our key cannot sign for it")
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	case !g.Basic:
		form.Set("client_id", g.ClientID)
		form.Set("client_secret", g.Secret.Reveal())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return revoke.Secret{}, 0, errors.New("its address cannot be called")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if g.Basic && g.Assert == nil {
		r.SetBasicAuth(url.QueryEscape(g.ClientID), url.QueryEscape(g.Secret.Reveal()))
	}
	a, err := Do(t.client, r, maxToken)
	if err != nil {
		return revoke.Secret{}, 0, fmt.Errorf("it %w", err)
	}
	if err := Judge(a, t.clock.Now().Time()); err != nil {
		if a.Status == http.StatusBadRequest { // RFC 6749 section 5.2: invalid_client may come so
			err = revoke.RefusedCredential{Err: err}
		}
		return revoke.Secret{}, 0, err
	}
	var answer struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
		Life  int64  `json:"expires_in"`
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil || answer.Token == "" || answer.Type != "" && !strings.EqualFold(answer.Type, "bearer") {
		return revoke.Secret{}, 0, errors.New("it answered without a bearer token")
	}
	life := tokenLife // RFC 6749 section 5.1 leaves it out where it is said elsewhere
	if answer.Life > 0 {
		life = time.Duration(min(answer.Life, int64(MaxWait/time.Second))) * time.Second
	}
	return revoke.NewSecret(answer.Token), life, nil
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the token endpoint"
	}
	return u.Hostname()
}

// Judge returns nil for success, and for any other status the error that [revoke.Target] and senders' APIs share: refused
// credentials, asked to wait, or plain.
func Judge(a Answer, now time.Time) error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	err := fmt.Errorf("it answered %d", a.Status)
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden {
		return revoke.RefusedCredential{Err: err}
	}
	if wait := Wait(a.Header, now); wait > 0 {
		return revoke.RetryAfter(err, wait)
	}
	return err
}

// Wait returns how long an answer asks us to wait: by Retry-After, or by the headers of a limit that is used up, which several
// APIs send in its place (X-Rate-Limit-Remaining and -Reset, or without the second hyphen; the reset is a Unix time, or seconds).
func Wait(h http.Header, now time.Time) time.Duration {
	if wait := RetryAfter(h, now); wait > 0 {
		return wait
	}
	for _, prefix := range []string{"X-Rate-Limit-", "X-RateLimit-", "RateLimit-"} {
		reset := strings.TrimSpace(h.Get(prefix + "Reset"))
		if h.Get(prefix+"Remaining") != "0" || reset == "" || strings.Trim(reset, "0123456789") != "" {
			continue
		}
		if len(reset) < 10 { // seconds from now
			return seconds(reset)
		}
		at, err := strconv.ParseInt(reset, 10, 64)
		if err != nil {
			return MaxWait
		}
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		return min(max(time.Unix(at, 0).Sub(now), time.Second), MaxWait)
	}
	return 0
}
