package webhooks

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"curfew/revoke"
)

// standardSettings are the keys of a signature by Standard Webhooks (its specification, as seen in November 2026), which Svix and
// those who send through it write too.
type standardSettings struct {
	Secrets []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${HOOK_SECRET}\"]" help:"the sender's secret (whsec_…) or public key (whpk_…); two while it is changed"`
}

// The prefixes of keys, and how many bytes a secret has.
const (
	sharedKey     = "whsec_"
	publicKey     = "whpk_"
	privateKey    = "whsk_"
	leastShared   = 24
	longestShared = 64
)

// standardKey is a key of a sender: a secret by which v1 is signed, or a public key by which v1a is. It never checks the other
// version, so that nobody can choose the weaker of two.
type standardKey struct {
	shared []byte
	public ed25519.PublicKey
}

func (k standardKey) signed(content []byte, version string, signature []byte) bool {
	switch {
	case version == "v1" && k.public == nil:
		mac := hmac.New(sha256.New, k.shared)
		_, _ = mac.Write(content)
		return hmac.Equal(mac.Sum(nil), signature)
	case version == "v1a" && k.public != nil:
		return ed25519.Verify(k.public, content, signature)
	}
	return false
}

// newStandard makes the verifier of Standard Webhooks.
func newStandard(s standardSettings) (verifier, error) {
	wrong := checkSecrets(s.Secrets, 0)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	keys := make([]standardKey, len(s.Secrets))
	for i, secret := range s.Secrets {
		var err error
		if keys[i], err = readStandardKey(secretName(i), secret); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return func(r Request) (Evidence, error) { return verifyStandard(r, keys) }, nil
}

func readStandardKey(field string, secret revoke.Secret) (standardKey, error) {
	invalid := func(problem, fix string) (standardKey, error) {
		return standardKey{}, revoke.Invalid{Field: field, Problem: problem, Fix: fix}
	}
	const again = "copy it from the sender once more, from whsec_ or whpk_ to its end"
	text := secret.Reveal()
	kind := sharedKey
	if !strings.HasPrefix(text, kind) {
		kind = publicKey
	}
	encoded, ok := strings.CutPrefix(text, kind)
	if strings.HasPrefix(text, privateKey) {
		return invalid("is the sender's private key, with which anybody could sign", "write the public one, which begins with whpk_, and tell the sender to make a new pair")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case !ok:
		return invalid("begins with neither whsec_ nor whpk_", again+"; a sender with secrets of another form is a case for verify: {hmac: …}")
	case err != nil:
		return invalid("is not base64 after its prefix", again)
	case kind == sharedKey && (len(key) < leastShared || len(key) > longestShared):
		return invalid(fmt.Sprintf("holds %d bytes; a secret has %d to %d", len(key), leastShared, longestShared), again)
	case kind == sharedKey:
		return standardKey{shared: key}, nil
	case len(key) != ed25519.PublicKeySize:
		return invalid(fmt.Sprintf("holds %d bytes; a public key has %d", len(key), ed25519.PublicKeySize), again)
	case anybodySigns(key):
		return invalid("is a public key for which anybody can make signatures", "ask the sender for the key that it signs with")
	}
	return standardKey{public: key}, nil
}

// anybodySigns reports whether a public key is a point of small order (RFC 8032 section 7.4 leaves them to us), such as 32 zero bytes: then one signature
// fits one message in eight or more, whoever wrote it.
func anybodySigns(key ed25519.PublicKey) bool {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1 // the neutral point, and the number zero
	for i := range 256 {
		if ed25519.Verify(key, []byte{byte(i)}, signature) {
			return true
		}
	}
	return false
}

// standardHeader returns a header of the scheme by its name or its older one. Senders that write both write the same.
func standardHeader(h http.Header, name string) (values []string, one bool) {
	values = append(h.Values("Webhook-"+name), h.Values("Svix-"+name)...)
	one = len(values) > 0
	for _, value := range values {
		one = one && value == values[0]
	}
	return values, one
}

// verifyStandard looks for one signature of a version that one of the keys makes; there may be others beside it.
func verifyStandard(r Request, keys []standardKey) (Evidence, error) {
	ids, oneID := standardHeader(r.Header, "Id")
	times, oneTime := standardHeader(r.Header, "Timestamp")
	lists, _ := standardHeader(r.Header, "Signature")
	entries := strings.Fields(strings.Join(lists, " "))
	switch {
	case len(entries) == 0 && len(ids) == 0:
		return Evidence{}, Unverified(WhyMissing)
	case len(entries) == 0 || len(entries) > maxEntries || !oneID || !oneTime:
		return Evidence{}, Unverified(WhyMalformed)
	// A full stop in either could move the border between the two and the body.
	case ids[0] == "" || len(ids[0]) > maxSigned || strings.Contains(ids[0], ".") || strings.Trim(times[0], "0123456789") != "":
		return Evidence{}, Unverified(WhyMalformed)
	}
	content := fmt.Appendf(nil, "%s.%s.%s", ids[0], times[0], r.Body)
	found, ok := "", false
	for _, entry := range entries {
		version, encoded, _ := strings.Cut(entry, ",")
		signature, err := base64.StdEncoding.DecodeString(encoded)
		for i := range keys {
			if err == nil && keys[i].signed(content, version, signature) {
				found, ok = secretName(i), true
			}
		}
	}
	evidence, err := proved(found, ok)
	if err == nil {
		err = inWindow(times[0], "s", defaultWindow, r.ReceivedAt)
	}
	if err != nil {
		return Evidence{}, err
	}
	evidence.Delivery = ids[0]
	return evidence, nil
}
