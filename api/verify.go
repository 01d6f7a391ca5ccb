package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// maxCookies bounds how many cookies of one name are looked up.
const maxCookies = 4

// orgsOf returns whose sessions forward-auth knows, since a proxy names no org: those whose tokens can register any.
func orgsOf(tokens []token) []string {
	var orgs []string
	for i := range tokens {
		if tokens[i].scopes&scopeSessions != 0 {
			orgs = append(orgs, tokens[i].source.Org)
		}
	}
	slices.Sort(orgs) // the answer does not depend on the order of the settings
	return slices.Compact(orgs)
}

// verify answers a proxy that asks, before it passes a request on, whether its session is live. Every token that the
// request carries counts: if any of them is of a dead session the request is refused, because the application behind
// may read another one than we.
func (a *App) verify(c *fiber.Ctx) error {
	var wait patience
	defer wait.end()
	live, err := a.carried(&wait, c.Context())
	if err != nil {
		return err
	}
	if live == nil {
		a.cfg.Observer.Refused("verify", "unauthenticated")
		return errSignIn
	}
	h := &c.Response().Header
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set("X-Curfew-User", live.Session.User.String())
	h.Set("X-Curfew-Session", live.Session.Name())
	if len(a.orgs) > 1 { // a school never sees the word
		h.Set("X-Curfew-Org", live.Session.Org)
	}
	if live.Email != "" {
		h.Set("X-Curfew-Email", live.Email)
	}
	c.Status(fiber.StatusOK)
	return nil
}

var errSignIn = &problem{status: fiber.StatusUnauthorized, word: "unauthenticated", title: "Not signed in", detail: "Sign in again: this session is over or unknown."}

// carried returns the live session of the first token that a request carries, Authorization before cookies; nil when
// there is none, or a dead one among them.
func (a *App) carried(ctx context.Context, req *fasthttp.RequestCtx) (*revoke.Answer, error) {
	var tokens [][]byte
	value := bytes.TrimSpace(req.Request.Header.Peek(fasthttp.HeaderAuthorization))
	if string(value) == severalCredentials {
		return nil, nil
	}
	if bearer, ok := cutScheme(value, "Bearer "); ok {
		tokens = append(tokens, bearer)
	}
	asked := len(tokens)
	req.Request.Header.VisitAllCookie(func(name, value []byte) {
		if string(name) == a.cfg.Cookie && len(value) > 0 {
			tokens = append(tokens, bytes.Trim(value, `"`))
		}
	})
	if len(tokens) > asked+maxCookies {
		return nil, nil
	}
	var first *revoke.Answer
	for i, text := range tokens {
		found, err := a.askAnyOrg(ctx, sha256.Sum256(text))
		switch {
		case errors.Is(err, revoke.ErrNotFound) && i < asked:
			return nil, nil // what is offered as a session token and is none
		case errors.Is(err, revoke.ErrNotFound): // somebody else's cookie of the same name
		case err != nil:
			return nil, fmt.Errorf("ask about a session token: %w", err)
		case !found.Live:
			return nil, nil
		case first == nil:
			first = &found
		}
	}
	return first, nil
}

// askAnyOrg asks about the session of a token in every org. Where two have registered the same token a dead one counts: who
// asks cannot say which is meant, and a tenant could else bring back what another tenant's person had.
func (a *App) askAnyOrg(ctx context.Context, token revoke.TokenHash) (revoke.Answer, error) {
	if org, ok := a.homes.of(token); ok && slices.Contains(a.orgs, org) {
		found, err := a.cfg.Service.Ask(ctx, revoke.SessionRef{Org: org, Token: token})
		if !errors.Is(err, revoke.ErrNotFound) {
			return found, err
		}
	}
	var first revoke.Answer
	for _, org := range a.orgs {
		found, err := a.cfg.Service.Ask(ctx, revoke.SessionRef{Org: org, Token: token})
		switch {
		case errors.Is(err, revoke.ErrNotFound):
		case err != nil:
			return revoke.Answer{}, fmt.Errorf("ask about a session of org %s: %w", org, err)
		case !found.Live:
			return found, nil
		case first.Session == nil:
			first = found
		}
	}
	if first.Session == nil {
		return first, revoke.ErrNotFound
	}
	a.homes.keep(token, first.Session.Org)
	return first, nil
}

// homes remembers of which org the session of a token is, so that the other orgs are not asked on every request.
type homes struct {
	sync.RWMutex
	org map[revoke.TokenHash]string
}

const maxHomes = 1 << 17

func (h *homes) of(token revoke.TokenHash) (string, bool) {
	h.RLock()
	defer h.RUnlock()
	org, ok := h.org[token]
	return org, ok
}

func (h *homes) keep(token revoke.TokenHash, org string) {
	h.Lock()
	defer h.Unlock()
	if h.org == nil || len(h.org) >= maxHomes {
		h.org = map[revoke.TokenHash]string{} // they are found again at the price of a look-up each
	}
	h.org[token] = org
}
