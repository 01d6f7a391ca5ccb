package targets

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

const (
	secretPrefix         = "whsec_"
	leastKey, longestKey = 24, 64 // bytes, by the standard
)

// signingKeys returns the bytes that sign. Errors are [revoke.Invalid].
func signingKeys(one revoke.Secret, more []revoke.Secret) ([]revoke.Secret, error) {
	fields, secrets := []string{"secret"}, []revoke.Secret{one}
	if one.IsZero() {
		fields, secrets = nil, nil
	}
	for i, secret := range more {
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

// signed sends messages as Standard Webhooks 1.0.0 asks
// (github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, seen 2026-11). It is safe for
// concurrent use.
type signed struct {
	url   *url.URL
	keys  []revoke.Secret // the bytes that sign; none: messages go unsigned
	line  *Line
	clock revoke.Clock // the machine's: after it was ahead for a while, ours still is, and every receiver would refuse us
}

// readAnswer bounds the answer that we read: nothing in it matters but whether it is a page for people.
const readAnswer = 64 << 10

// post sends one message under its id and returns the answer of a receiver that took it. Errors are those of [Line.Do] and
// [Line.Fate], and webPage.
func (s *signed) post(ctx context.Context, id string, body []byte) (outbound.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return outbound.Answer{}, fmt.Errorf("%s: its address makes no request: %w", s.line.name, errors.Unwrap(err))
	}
	at := s.clock.Now().Time()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, */*;q=0.1")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	// The same id may come twice, so that net/http may send the request anew over another connection when the receiver
	// had closed an idle one. As nil it marks the request and is not sent.
	r.Header["X-Idempotency-Key"] = nil
	if len(s.keys) > 0 {
		r.Header.Set("Webhook-Signature", signatures(s.keys, id, at, body))
	}

	answer, err := s.line.Do(ctx, r, readAnswer)
	switch {
	case err != nil && answer.Status/100 == 2 && errors.Is(err, outbound.ErrTooLarge):
		// It said yes; that it went on talking changes nothing.
	case err != nil && answer.Status/100 == 2 || answer.Status == 0:
		return answer, err
	}
	if err := s.line.Fate(answer); err != nil {
		return answer, err
	}
	if isPage(answer) {
		return answer, webPage{s.line.name, answer.Status}
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

// webPage is a yes that came from a page for people.
type webPage struct {
	name   string
	status int
}

// Error says what to do.
func (p webPage) Error() string {
	return fmt.Sprintf("%s answered %d with a web page, so that the message did not reach the application: "+
		"take away the sign-in or portal before its url", p.name, p.status)
}
