package webhooks

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// jwtSettings are the keys of a signed token in a header (RFC 7519, RFC 8725).
type jwtSettings struct {
	Header       string            `yaml:"header" example:"Authorization" help:"the header that holds the token, the word Bearer before it or not; Authorization when absent"`
	JWKS         string            `yaml:"jwks" example:"https://id.example.edu/oauth2/keys" help:"where the signer publishes its keys (RFC 7517)"`
	Insecure     bool              `yaml:"insecure" example:"true" help:"read jwks over plain http from another machine"`
	Secrets      []revoke.Secret   `yaml:"secrets" example:"[\"${HOOK_KEY}\"]" help:"in place of jwks: the shared secret of HS256, HS384 or HS512, 32 characters or more"`
	Algorithms   []string          `yaml:"algorithms" example:"[RS256]" help:"what it may be signed with; [RS256] with jwks and [HS256] with secrets when absent"`
	Issuer       string            `yaml:"issuer" example:"https://id.example.edu" help:"what iss must be, exactly"`
	Audience     string            `yaml:"audience" example:"https://curfew.example.edu/hooks/NAME" help:"what aud must hold"`
	Type         string            `yaml:"type" example:"JWT" help:"what typ must be; any when absent"`
	Claims       map[string]string `yaml:"claims" example:"{azp: 11111111-2222-3333-4444-555555555555}" help:"further claims that must be these texts"`
	BodyHash     string            `yaml:"body_hash" example:"request_body_sha256" help:"the claim that holds the body's SHA-256, in hex or base64"`
	ClockLeeway  time.Duration     `yaml:"clock_leeway" example:"1m" help:"by how much the signer's clock may differ from ours; 1m when absent"`
	LongestValid time.Duration     `yaml:"longest_valid" example:"24h" help:"how far ahead exp may be, so that a token that was read somewhere is soon worth nothing; 24h when absent"`
}

const (
	maxToken      = 16 << 10
	leastHS       = 32 // bytes: no shorter than the hash (RFC 7518 section 3.2)
	longestLeeway = 10 * time.Minute
)

var (
	publicAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	sharedAlgorithms = []string{"HS256", "HS384", "HS512"}
)

// jwtVerifier checks a signed token.
type jwtVerifier struct {
	jwtSettings
	algorithms []jose.SignatureAlgorithm
	published  *keySet // nil where the key is a shared secret
}

// newJWT makes the verifier of a signed token. It calls nobody until the first token comes. A nil maker makes clients of its own.
func newJWT(s jwtSettings, clients *outbound.Maker) (verifier, error) {
	v := jwtVerifier{jwtSettings: s}
	v.Header, v.ClockLeeway = http.CanonicalHeaderKey(cmp.Or(s.Header, "Authorization")), cmp.Or(s.ClockLeeway, time.Minute)
	v.LongestValid = cmp.Or(s.LongestValid, 24*time.Hour)
	wrong := checkHeader("header", v.Header)
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: problem, Fix: fix})
	}
	allowed := publicAlgorithms
	switch {
	case (s.JWKS == "") == (len(s.Secrets) == 0):
		invalid("jwks", "or secrets must be there, and not both", "write jwks: https://id.example.edu/oauth2/keys")
	case s.JWKS != "":
		if _, err := outbound.ParseAddress("jwks", s.JWKS, s.Insecure); err != nil {
			wrong = append(wrong, err)
		}
		if clients == nil {
			clients = outbound.NewMaker(outbound.Config{})
		}
		v.published = newKeySet(s.JWKS, clients.Configured())
	default:
		allowed = sharedAlgorithms
		wrong = append(wrong, checkSecrets(s.Secrets, leastHS)...)
	}
	if len(s.Algorithms) == 0 {
		v.Algorithms = allowed[:1]
	}
	for i, a := range v.Algorithms {
		if !slices.Contains(allowed, a) {
			invalid(fmt.Sprintf("algorithms[%d]", i), "is none that such a key can be trusted with", "write one of "+strings.Join(allowed, ", "))
		}
		v.algorithms = append(v.algorithms, jose.SignatureAlgorithm(a))
	}
	if s.BodyHash == "" {
		// Whoever signs tokens signs them for many: without these a token for anybody else would open this door.
		if s.Issuer == "" {
			invalid("issuer", "is missing, and the token says nothing of the body", "write issuer: as iss in the sender's tokens")
		}
		if s.Audience == "" {
			invalid("audience", "is missing, and the token says nothing of the body", "write audience: as aud in the sender's tokens")
		}
	}
	if v.ClockLeeway < 0 || v.ClockLeeway > longestLeeway {
		invalid("clock_leeway", "is negative or over ten minutes", "write clock_leeway: 1m")
	}
	if v.LongestValid < time.Minute {
		invalid("longest_valid", "is shorter than a minute", "write longest_valid: 24h")
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return v.verify, nil
}

func (v *jwtVerifier) verify(r Request) (Evidence, error) {
	values := r.Header.Values(v.Header)
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return Evidence{}, Unverified(WhyMissing)
	}
	token := values[0]
	if scheme, rest, two := strings.Cut(token, " "); two && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if len(values) > 1 || len(token) > maxToken {
		return Evidence{}, Unverified(WhyMalformed)
	}
	signed, err := jose.ParseSignedCompact(token, v.algorithms) // refuses none, and whatever is not in the list
	if err != nil || len(signed.Signatures) != 1 {
		return Evidence{}, Unverified(WhyMalformed)
	}
	head := signed.Signatures[0].Protected
	if _, critical := head.ExtraHeaders["crit"]; critical || v.Type != "" && !sameType(head.ExtraHeaders[jose.HeaderType], v.Type) {
		return Evidence{}, Unverified(WhyMalformed)
	}
	payload, key, err := v.payload(signed, head, r.ReceivedAt)
	if err != nil {
		return Evidence{}, err
	}
	id, err := v.claims(payload, r)
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{Proof: ProvedSender, Key: key, Delivery: id}, nil
}

// sameType compares media types as RFC 7515 section 4.1.9 says: without case, and with or without application/.
func sameType(got any, want string) bool {
	text, _ := got.(string)
	bare := func(s string) string { return strings.TrimPrefix(strings.ToLower(s), "application/") }
	return bare(text) == bare(want)
}

// payload returns what was signed, and by which key.
func (v *jwtVerifier) payload(signed *jose.JSONWebSignature, head jose.Header, now revoke.Instant) (payload []byte, key string, err error) {
	if v.published == nil {
		key, ok := oneSecret(v.Secrets, func(s revoke.Secret) bool {
			got, err := signed.Verify([]byte(s.Reveal()))
			if err == nil {
				payload = got
			}
			return err == nil
		})
		if !ok {
			return nil, "", Unverified(WhyMismatch)
		}
		return payload, key, nil
	}
	keys, err := v.published.find(head.KeyID, now)
	if err != nil {
		return nil, "", err
	}
	if len(keys) == 0 {
		return nil, "", Unverified(whyKey)
	}
	for _, k := range keys {
		if k.Algorithm != "" && k.Algorithm != head.Algorithm { // a key is for one algorithm where its owner says so
			continue
		}
		if payload, err = signed.Verify(k.Key); err == nil {
			return payload, "jwks", nil
		}
	}
	return nil, "", Unverified(WhyMismatch)
}

// audiences is a text or a list of them (RFC 7519 section 4.1.3).
type audiences []string

// UnmarshalJSON reads both forms.
func (a *audiences) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

// claims checks what a token says, and returns its id.
func (v *jwtVerifier) claims(payload []byte, r Request) (string, error) {
	var c struct {
		Issuer    string    `json:"iss"`
		Audience  audiences `json:"aud"`
		Expires   *float64  `json:"exp"`
		NotBefore *float64  `json:"nbf"`
		IssuedAt  *float64  `json:"iat"`
		ID        string    `json:"jti"`
	}
	var all map[string]json.RawMessage
	if checkJSON(payload) != nil || json.Unmarshal(payload, &c) != nil || json.Unmarshal(payload, &all) != nil || all == nil {
		return "", Unverified(WhyMalformed)
	}
	switch {
	case v.Issuer != "" && c.Issuer != v.Issuer:
		return "", Unverified(whyIssuer)
	case v.Audience != "" && !slices.Contains(c.Audience, v.Audience):
		return "", Unverified(whyAudience)
	case c.Expires == nil && v.BodyHash == "":
		return "", Unverified(WhyMalformed)
	}
	for name, want := range v.Claims {
		var got string
		if json.Unmarshal(all[name], &got) != nil || got != want {
			return "", Unverified(whyAudience)
		}
	}
	if why := v.times(c.Expires, c.NotBefore, c.IssuedAt, r.ReceivedAt); why != "" {
		return "", Unverified(why)
	}
	if v.BodyHash != "" {
		var hash string
		if json.Unmarshal(all[v.BodyHash], &hash) != nil || !isHashOf(hash, r.Body) {
			return "", Unverified(WhyMismatch)
		}
	}
	return c.ID, nil
}

// times says what is wrong with the times of a token, "" when nothing is.
func (v *jwtVerifier) times(expires, notBefore, issuedAt *float64, received revoke.Instant) Why {
	now, leeway := float64(received)/1e6, v.ClockLeeway.Seconds()
	for _, at := range []*float64{expires, notBefore, issuedAt} {
		if at != nil && (math.Abs(*at) > 1e11 || math.IsNaN(*at)) { // milliseconds, or nothing at all
			return WhyMalformed
		}
	}
	switch {
	case expires != nil && now >= *expires+leeway:
		return whyStale
	case expires != nil && *expires > now+v.LongestValid.Seconds()+leeway,
		notBefore != nil && now < *notBefore-leeway,
		issuedAt != nil && now < *issuedAt-leeway:
		return whyFuture
	}
	return ""
}

// isHashOf reports whether text is the SHA-256 of a body, in hex or in one of the forms of base64.
func isHashOf(text string, body []byte) bool {
	sum := sha256.Sum256(body)
	if got, err := hex.DecodeString(text); err == nil && len(got) == len(sum) {
		return hmac.Equal(got, sum[:])
	}
	plain := strings.TrimRight(text, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if got, err := encoding.DecodeString(plain); err == nil && hmac.Equal(got, sum[:]) {
			return true
		}
	}
	return false
}
