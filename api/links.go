package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// linkPath is where people open links.
const linkPath = "/login/link/"

// linkBody is the body of POST /v1/links.
type linkBody struct {
	Subject  json.RawMessage `json:"subject" validate:"required"`
	AuthTime string          `json:"auth_time" validate:"instant"`
}

// linkView is a link, which is shown once.
type linkView struct {
	URL       string         `json:"url,omitempty"` // absent when the request is repeated: a secret is shown once
	ExpiresAt revoke.Instant `json:"expires_at"`
}

// makeLink makes a link by which the person at an application's profile page gets to their own devices: once, and soon. Whoever holds
// it is that person there.
func (a *App) makeLink(c *fiber.Ctx, t *token) error {
	var in linkBody
	if err := decode(c, &in); err != nil {
		return err
	}
	wrong := a.check(&in)
	var who revoke.Subject
	if len(in.Subject) > 0 {
		s, bad := subject(in.Subject, t)
		who, wrong = s, append(wrong, bad...)
	}
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	now := a.cfg.Clock.Now()
	link, secret := revoke.NewLink(revoke.Link{
		Org: t.source.Org, Subject: who, ExpiresAt: now.Add(revoke.AppLinkLife), App: t.name, ProvedAt: min(instant(in.AuthTime), now),
	})
	audit, err := a.entry(c, t, "link", "", map[string]any{"app": t.app, "expires_at": link.ExpiresAt})
	if err != nil {
		return err
	}
	if audit.Person, err = json.Marshal(map[string]any{"subject": who}); err != nil {
		return fmt.Errorf("write the personal part of the audit entry: %w", err)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	if err := a.cfg.Store.AddLink(ctx, link, audit); err != nil {
		return err
	}
	remember(c, strconv.FormatInt(int64(link.ExpiresAt), 10))
	base := a.cfg.PublicURL
	if base == "" {
		base = c.BaseURL()
	}
	return answer(c, fiber.StatusCreated, linkView{strings.TrimSuffix(base, "/") + linkPath + secret, link.ExpiresAt})
}

// linkAgain answers a request whose link was shown.
func (a *App) linkAgain(c *fiber.Ctx, _ *token, expires string) error {
	at, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return fmt.Errorf("read when the link ends: %w", err)
	}
	return answer(c, fiber.StatusCreated, linkView{ExpiresAt: revoke.Instant(at)})
}
