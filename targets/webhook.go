package targets

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

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
	name    string
	url     *url.URL
	keys    []revoke.Secret // the bytes that sign
	line    *Line
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
	keys, err := signingKeys(s)
	if err != nil {
		return nil, err
	}
	return &webhook{name: d.Name, url: address, keys: keys, line: d.Line(s.Common), clients: d.Clients, clock: d.Clock}, nil
}

const (
	secretPrefix         = "whsec_"
	leastKey, longestKey = 24, 64 // bytes, by the standard
)

func signingKeys(s WebhookSettings) ([]revoke.Secret, error) {
	fields := []string{"secret"}
	secrets := []revoke.Secret{s.Secret}
	if s.Secret.IsZero() {
		fields, secrets = nil, nil
	}
	for i, secret := range s.Secrets {
		fields, secrets = append(fields, fmt.Sprintf("secrets[%d]", i)), append(secrets, secret)
	}
	const fix = "make one by `openssl rand -base64 32` and write whsec_ before it"
	if len(secrets) == 0 {
		return nil, revoke.Invalid{Field: "secret", Problem: "is missing", Fix: fix}
	}
	var keys []revoke.Secret
	var invalid error
	for i, secret := range secrets {
		text, prefixed := strings.CutPrefix(secret.Reveal(), secretPrefix)
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if !prefixed || err != nil || len(key) < leastKey || len(key) > longestKey {
			invalid = errors.Join(invalid, revoke.Invalid{Field: fields[i], Problem: "is not whsec_ and the base64 of 24 to 64 bytes", Fix: fix})
			continue
		}
		keys = append(keys, revoke.NewSecret(string(key)))
	}
	return keys, invalid
}

// Covers obeys [revoke.Target].
func (w *webhook) Covers() revoke.Coverage { return webhookCovers() }

// Check connects, and for https lets the application prove its name. It sends no message: there is none that an
// application could not take for an order.
func (w *webhook) Check(ctx context.Context) error {
	if err := w.clients.Connect(ctx, w.url); err != nil {
		return fmt.Errorf("target %s %w", w.name, err)
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

// readAnswer bounds the answer that we read: nothing in it matters but whether it is a page for people.
const readAnswer = 64 << 10

func (w *webhook) send(ctx context.Context, owed revoke.Owed, item *revoke.OwedItem) (outbound.Answer, error) {
	body, err := json.Marshal(newMessage(owed, item))
	if err != nil {
		return outbound.Answer{}, fmt.Errorf("write message %s: %w", item.Delivery.Name(), err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), bytes.NewReader(body))
	if err != nil {
		return outbound.Answer{}, fmt.Errorf("target %s: its address makes no request: %w", w.name, errors.Unwrap(err))
	}
	id, at := item.Delivery.Name(), w.clock.Now().Time()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, */*;q=0.1")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	// The same id may come twice, so that net/http may send the request anew over another connection when the application
	// had closed an idle one. As nil it marks the request and is not sent.
	r.Header["X-Idempotency-Key"] = nil
	r.Header.Set("Webhook-Signature", signatures(w.keys, id, at, body))

	answer, err := w.line.Do(ctx, r, readAnswer)
	switch {
	case err != nil && answer.Status/100 == 2 && errors.Is(err, outbound.ErrTooLarge):
		// It said yes; that it went on talking changes nothing.
	case err != nil && answer.Status/100 == 2 || answer.Status == 0:
		return answer, err
	}
	if err := w.line.Fate(answer); err != nil {
		return answer, err
	}
	if isPage(answer) {
		return answer, w.page(answer.Status, item.Delivery.Attempts)
	}
	return answer, nil
}

// signatures returns one v1 signature for each key, over what makes the message this one: its id, this attempt's time, its body.
func signatures(keys []revoke.Secret, id string, at time.Time, body []byte) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		_, _ = fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
		_, _ = mac.Write(body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

// isPage reports whether a 2xx came from something that shows pages to people (a sign-in page, a captive portal, a "we
// will be back soon") and not from the application. Many frameworks call every answer text/html, so the body decides.
func isPage(a outbound.Answer) bool {
	return strings.HasPrefix(strings.TrimSpace(a.Header.Get("Content-Type")), "text/html") &&
		bytes.HasPrefix(bytes.TrimLeft(a.Body, "\ufeff \t\r\n"), []byte("<"))
}

// pagesBorne is how many attempts may meet a page before a person must look: half an hour of the ladder, which a
// maintenance page seldom outlives.
const pagesBorne = 10

func (w *webhook) page(status, attempts int) error {
	err := fmt.Errorf("target %s answered %d with a web page, so that the message did not reach the application: "+
		"take away the sign-in or portal before this target's url", w.name, status)
	if attempts >= pagesBorne {
		return revoke.Permanent(err)
	}
	return err
}

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
