package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// keptLine is what is kept of the answer to one line of an import: which of them live is asked anew.
type keptLine struct {
	Number  int             `json:"n"`
	Session revoke.ID       `json:"s,omitzero"`
	Created bool            `json:"c,omitempty"`
	Refused json.RawMessage `json:"r,omitempty"` // the whole line
}

// keepLines notes what it takes to answer an import again.
func keepLines(c *fiber.Ctx, lines []line, done []revoke.RegisteredOr) {
	if c.Context().UserValue(onceKey{}) == nil {
		return
	}
	kept := make([]keptLine, len(lines))
	for i, l := range lines {
		if kept[i].Number = l.number; l.refused != nil {
			kept[i].Refused = appendRefused(nil, l)
			continue
		}
		kept[i].Session, kept[i].Created = done[l.at].Session.ID, done[l.at].Created
	}
	remember(c, string(encode(kept)))
}

// importAgain answers an import as it was answered, but for what has ended since.
func (a *App) importAgain(ctx context.Context, c *fiber.Ctx, t *token, text string) error {
	var kept []keptLine
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return fmt.Errorf("read the answer to an import: %w", err)
	}
	var refs []revoke.SessionRef
	for _, l := range kept {
		if !l.Session.IsZero() {
			refs = append(refs, revoke.SessionRef{Org: t.voice.Org, ID: l.Session})
		}
	}
	found, err := a.cfg.Store.FindSessions(ctx, refs)
	if err != nil {
		return fmt.Errorf("find the sessions of an import: %w", err)
	}
	sessions := map[revoke.ID]revoke.Session{}
	for _, s := range found {
		sessions[s.ID] = s
	}
	var b []byte
	for _, l := range kept {
		if l.Session.IsZero() {
			b = append(append(b, l.Refused...), '\n')
			continue
		}
		s, ok := sessions[l.Session]
		if !ok {
			return errNotFound
		}
		one := revoke.RegisteredOr{Registered: revoke.Registered{Session: s, Created: l.Created}}
		if b, err = a.appendRegistered(ctx, b, line{number: l.Number}, &one); err != nil {
			return err
		}
	}
	answerLines(c, b)
	return nil
}
