package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// maxCookies bounds how many cookies of one name are looked up.
const maxCookies = 4

// forwardOrg is whose sessions forward-auth knows: a proxy names no org.
const forwardOrg = "main"

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
		found, err := a.cfg.Service.Ask(ctx, revoke.SessionRef{Org: forwardOrg, Token: sha256.Sum256(text)})
		switch {
		case errors.Is(err, revoke.ErrNotFound) && i < asked:
			return nil, nil // what is offered as a session token and is none
		case errors.Is(err, revoke.ErrNotFound): // somebody else's cookie of the same name
		case err != nil:
			return nil, fmt.Errorf("ask about a session token: %w", err)
		case !found.Live || found.Session.Org != forwardOrg:
			return nil, nil
		case first == nil:
			first = &found
		}
	}
	return first, nil
}
