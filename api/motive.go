package api

import (
	"encoding/json"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// motive is the body of an order that says nothing but why.
type motive struct {
	Reason string `json:"reason" validate:"required,max=1000,plain"`
}

// readMotive reads why somebody orders what the path says.
func (a *App) readMotive(c *fiber.Ctx) (string, error) {
	var in motive
	if err := decode(c, &in); err != nil {
		return "", err
	}
	if wrong := a.check(&in); len(wrong) > 0 {
		return "", meaningless(wrong...)
	}
	return in.Reason, nil
}

// entry is the line of the audit log about an order that the core does not decide. The reason may name people.
func (a *App) entry(c *fiber.Ctx, t *token, kind, reason string, what map[string]any) (revoke.AuditEntry, error) {
	what["source"], what["actor"], what["request"] = t.name, t.actor, a.requestID(c.Context())
	line, err := json.Marshal(what)
	if err != nil {
		return revoke.AuditEntry{}, fmt.Errorf("write the audit entry: %w", err)
	}
	person, err := json.Marshal(map[string]any{"reason": reason})
	if err != nil {
		return revoke.AuditEntry{}, fmt.Errorf("write the personal part of the audit entry: %w", err)
	}
	return revoke.AuditEntry{Org: t.voice.Org, At: a.cfg.Clock.Now(), Kind: kind, Entry: line, Person: person}, nil
}
