package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"curfew/internal/outbound"
	"curfew/revoke"
)

func init() {
	Register(Type{
		Name: "webhook", Docs: "docs/targets/webhook.md", Settings: WebhookSettings{}, Covers: webhookCovers(),
		New: func(s Settings, d Deps) (revoke.Target, error) { return newWebhook(s.(WebhookSettings), d) },
	})
}

// WebhookSettings is `{type: webhook, url: …, secret: whsec_…}`. During a rotation secrets holds the old and the new one:
// every message is then signed with each, and the application accepts either.
type WebhookSettings struct {
	Common  `yaml:",inline"`
	Secret  revoke.Secret   `yaml:"secret"`
	Secrets []revoke.Secret `yaml:"secrets"`
}

// webhook tells an application, signed as Standard Webhooks 1.0.0 asks
// (github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, seen 2026-11), what is over.
// The application ends the sessions; its 2xx is all that we learn, so a receipt is never more than accepted.
type webhook struct {
	mail    *signed
	clients *outbound.Maker
	clock   revoke.Clock
}

func webhookCovers() revoke.Coverage {
	return revoke.Coverage{
		WebSessions: true, Tokens: true, OneDevice: true, OneSession: true, Everyone: true, Block: true,
		Note: "the application is told and ends its sessions itself; its yes cannot be read back",
	}
}

func newWebhook(s WebhookSettings, d Deps) (*webhook, error) {
	address, err := s.address()
	if err != nil {
		address = nil // Open reports it
	}
	keys, err := signingKeys(s.Secret, s.Secrets)
	if err != nil {
		return nil, err
	}
	mail := &signed{url: address, keys: keys, line: d.Line(s.Common), clock: d.machine()}
	return &webhook{mail: mail, clients: d.Clients, clock: d.Clock}, nil
}

// Covers obeys [revoke.Target].
func (w *webhook) Covers() revoke.Coverage { return webhookCovers() }

// Check connects, and for https lets the application prove its name. It sends no message: there is none that an
// application could not take for an order.
func (w *webhook) Check(ctx context.Context) error {
	if err := w.clients.Connect(ctx, w.mail.url); err != nil {
		return fmt.Errorf("%s %w", w.mail.line.name, err)
	}
	return nil
}

// Revoke sends one message for each owed item, in order, and stops at the first that is not taken: a lift must not
// overtake its block. What was taken before is sent again with the rest, under the same webhook-id, and is known there.
func (w *webhook) Revoke(ctx context.Context, owed revoke.Owed) (revoke.Receipt, error) {
	receipt := revoke.Receipt{Evidence: revoke.Accepted, At: w.clock.Now()}
	for i := range owed.Items {
		answer, err := w.send(ctx, owed, &owed.Items[i])
		if err != nil {
			return revoke.Receipt{}, err
		}
		receipt.Status, receipt.RequestID, receipt.At = answer.Status, requestID(answer.Header), w.clock.Now()
	}
	return receipt, nil
}

func (w *webhook) send(ctx context.Context, owed revoke.Owed, item *revoke.OwedItem) (outbound.Answer, error) {
	body, err := json.Marshal(newMessage(owed, item))
	if err != nil {
		return outbound.Answer{}, fmt.Errorf("write message %s: %w", item.Delivery.Name(), err)
	}
	answer, err := w.mail.post(ctx, item.Delivery.Name(), body)
	if _, page := errors.AsType[webPage](err); page && item.Delivery.Attempts >= pagesBorne {
		err = revoke.Permanent(err)
	}
	return answer, err
}

// pagesBorne is how many attempts may meet a page before a person must look: half an hour of the ladder, which a
// maintenance page seldom outlives.
const pagesBorne = 10

// requestID returns the application's id of the exchange, if it names one that can be shown as it is.
func requestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	if len(id) > 100 || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:", r)
	}) {
		return ""
	}
	return id
}
