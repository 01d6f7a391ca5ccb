package signin

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"curfew/revoke"
)

const (
	stateCookie = "curfew-login"
	stateLife   = 10 * time.Minute
	// proofSlack is by how much a provider's clock may differ.
	proofSlack = 2 * time.Minute
)

// provider is the OpenID Connect provider, found when it is first needed: it may be down when we start.
type provider struct {
	sync.Mutex
	found *oidc.Provider
}

// discover returns the provider. Its keys are fetched and kept by it.
func (h *Handler) discover(ctx context.Context) (*oidc.Provider, error) {
	h.provider.Lock()
	defer h.provider.Unlock()
	if h.provider.found != nil {
		return h.provider.found, nil
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, h.cfg.Client), h.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask the provider %s how it is reached: %w", h.cfg.Issuer, err)
	}
	h.provider.found = found
	return found, nil
}

func (h *Handler) client(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: h.cfg.ClientID, ClientSecret: h.cfg.ClientSecret.Reveal(), Endpoint: p.Endpoint(),
		RedirectURL: h.cfg.PublicURL + "/login/callback", Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// attempt is a sign-in under way, as the browser keeps it, sealed.
type attempt struct {
	State, Nonce, Verifier, Next string
	StepUp                       bool
	At                           revoke.Instant
}

// begin sends the browser to the provider.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) {
	if h.cfg.Issuer == "" {
		h.show(w, http.StatusOK, page{Title: "Sign in by a link", Text: "Whoever runs this server makes one with: curfew link. An identity provider is named by sign_in in its configuration."})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), commitTimeout)
	defer cancel()
	p, err := h.discover(ctx)
	if err != nil {
		h.cfg.Log.Error("the identity provider does not answer", "err", err)
		w.Header().Set("Retry-After", "30")
		h.show(w, http.StatusServiceUnavailable, page{Title: "Your identity provider does not answer", Text: "Try again in a minute. Until it answers, whoever runs this server can let somebody in with: curfew link.", Link: "/login", Label: "Try again"})
		return
	}
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: r.URL.Query().Get("next"), StepUp: r.URL.Query().Get("step_up") == "1", At: h.cfg.Clock.Now()}
	if len(a.Next) > 1024 {
		a.Next = ""
	}
	sealed, err := h.seal(a)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.setCookie(w, stateCookie, sealed, stateLife)
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if a.StepUp {
		options = append(options, oauth2.SetAuthURLParam("max_age", "0"), oauth2.SetAuthURLParam("prompt", "login"))
	}
	http.Redirect(w, r, h.client(p).AuthCodeURL(a.State, options...), http.StatusSeeOther)
}

// callback takes the provider's answer.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commitTimeout)
	defer cancel()
	sealed := r.CookiesNamed(h.cookie(stateCookie))
	h.setCookie(w, stateCookie, "", 0)
	refuse := func(text string) {
		h.show(w, http.StatusBadRequest, page{Title: "You are not signed in", Text: text, Link: "/login", Label: "Sign in"})
	}
	if h.cfg.Issuer == "" || len(sealed) != 1 {
		refuse("This sign-in was not begun in this browser.")
		return
	}
	a, err := h.open(sealed[0].Value)
	q := r.URL.Query()
	switch now := h.cfg.Clock.Now(); {
	case err != nil, now.Sub(a.At) > stateLife, !hmac.Equal([]byte(a.State), []byte(q.Get("state"))):
		refuse("This sign-in was not begun in this browser, or took too long.")
		return
	case q.Has("iss") && q.Get("iss") != h.cfg.Issuer: // RFC 9207: another provider's answer
		refuse("The answer came from another provider.")
		return
	case q.Get("error") != "":
		h.cfg.Log.Warn("the identity provider refused a sign-in", "error_code", q.Get("error"))
		refuse("Your identity provider did not let you in.")
		return
	}
	in, who, err := h.prove(ctx, a, q.Get("code"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	in.Org = h.cfg.Org
	if err := h.admit(w, r, in, who); err != nil {
		h.fail(w, r, err)
		return
	}
	http.Redirect(w, r, local(a.Next, in.Roles), http.StatusSeeOther)
}

// prove exchanges the code and reads who it is.
func (h *Handler) prove(ctx context.Context, a attempt, code string) (in revoke.SignIn, who revoke.Subject, err error) {
	p, err := h.discover(ctx)
	if err != nil {
		return in, nil, err
	}
	ctx = oidc.ClientContext(ctx, h.cfg.Client)
	answer, err := h.client(p).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return in, nil, fmt.Errorf("exchange the code at the provider: %w", err)
	}
	raw, _ := answer.Extra("id_token").(string)
	now := h.cfg.Clock.Now()
	token, err := p.Verifier(&oidc.Config{ClientID: h.cfg.ClientID, Now: now.Time}).Verify(ctx, raw)
	if err != nil {
		return in, nil, fmt.Errorf("verify the provider's token: %w", err)
	}
	if !hmac.Equal([]byte(token.Nonce), []byte(a.Nonce)) {
		return in, nil, errors.New("the provider's token carries another nonce: it was not made for this sign-in")
	}
	var claims struct {
		Email    string   `json:"email"`
		Verified bool     `json:"email_verified"`
		Name     string   `json:"preferred_username"`
		AuthTime *float64 `json:"auth_time"`
	}
	var all map[string]json.RawMessage
	if err := errors.Join(token.Claims(&claims), token.Claims(&all)); err != nil {
		return in, nil, fmt.Errorf("read the provider's token: %w", err)
	}
	in.ProvedAt = revoke.InstantOf(token.IssuedAt)
	if claims.AuthTime != nil {
		in.ProvedAt = revoke.InstantOf(time.Unix(int64(*claims.AuthTime), 0))
	} else if a.StepUp {
		return in, nil, errors.New("the provider does not say when the person proved who they are (auth_time): it must, for what needs a fresh proof")
	}
	in.ProvedAt = min(in.ProvedAt, now)
	if a.StepUp && in.ProvedAt < a.At.Add(-proofSlack) {
		return in, nil, errors.New("the provider did not ask the person again, though max_age=0 said so")
	}
	who.Add(revoke.NamespaceIssuer, h.cfg.Issuer+" "+token.Subject)
	in.Name = token.Subject
	if claims.Email != "" && claims.Verified {
		who.Add(revoke.NamespaceEmail, claims.Email)
		in.Name = claims.Email
	}
	in.Roles = h.roles(all)
	return in, who, nil
}

// roles reads the groups of the claim, which is one text or several.
func (h *Handler) roles(claims map[string]json.RawMessage) (out []revoke.Role) {
	var groups []string
	if raw := claims[h.cfg.Claim]; json.Unmarshal(raw, &groups) != nil {
		var one string
		if json.Unmarshal(raw, &one) == nil {
			groups = []string{one}
		}
	}
	for _, role := range revoke.Roles() {
		for _, want := range h.cfg.Roles[role] {
			if slices.Contains(groups, want) {
				out = append(out, role)
				break
			}
		}
	}
	return out
}

// sealer is made of the client's secret, so that any server of ours reads what another one sealed.
func (h *Handler) sealer() (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, []byte(h.cfg.ClientSecret.Reveal()))
	_, _ = mac.Write([]byte("curfew sign-in under way"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("seal a sign-in: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (h *Handler) seal(a attempt) (string, error) {
	aead, err := h.sealer()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("seal a sign-in: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, text, nil)), nil //nolint:gosec // it draws a nonce of its own
}

func (h *Handler) open(sealed string) (a attempt, err error) {
	aead, err := h.sealer()
	if err != nil {
		return a, err
	}
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil {
		text, err = aead.Open(nil, nil, text, nil)
	}
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}
