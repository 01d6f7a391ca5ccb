package webhooks

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"curfew/revoke"
)

// mtlsSettings are the keys of a client certificate that is known by its fingerprint.
type mtlsSettings struct {
	Fingerprints []string `yaml:"fingerprints" required:"true" example:"[\"9F:86:D0:81:…\"]" help:"SHA-256 of each certificate that opens, in hex, colons or not; two while it is changed"`
	Header       string   `yaml:"header" example:"X-Client-Cert-Sha256" help:"where a proxy of trusted_proxies ends TLS: the header in which it says the fingerprint; our own TLS when absent"`
}

// newMTLS makes the verifier of a client certificate (RFC 8446 section 4.4.3): the handshake proves that the sender holds its
// key, the fingerprint that it is the one that was agreed. Who signed it does not matter then. A header counts only from a trusted
// proxy, which must take away what others sent under its name.
func newMTLS(s mtlsSettings) (verifier, error) {
	var wrong []error
	if len(s.Fingerprints) == 0 {
		wrong = append(wrong, revoke.Invalid{Field: "fingerprints", Problem: "is missing", Fix: "write the SHA-256 that openssl x509 -fingerprint -sha256 shows"})
	}
	known := make([][]byte, len(s.Fingerprints))
	for i, text := range s.Fingerprints {
		sum, ok := readFingerprint(text)
		if known[i] = sum; !ok {
			wrong = append(wrong, revoke.Invalid{
				Field: fmt.Sprintf("fingerprints[%d]", i), Problem: "is not a SHA-256 in hex", Fix: "write the 64 digits that openssl x509 -fingerprint -sha256 shows",
			})
		}
	}
	header := http.CanonicalHeaderKey(s.Header)
	if header != "" {
		wrong = append(wrong, checkHeader("header", header)...)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return func(r Request) (Evidence, error) {
		shown, err := shownFingerprint(r, header)
		if err != nil {
			return Evidence{}, err
		}
		key, ok := "", false
		for i := range known {
			if subtle.ConstantTimeCompare(known[i], shown) == 1 {
				key, ok = fmt.Sprintf("fingerprints[%d]", i), true
			}
		}
		return proved(key, ok)
	}, nil
}

// shownFingerprint returns that of the certificate that a request came with.
func shownFingerprint(r Request, header string) ([]byte, error) {
	if header == "" {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return nil, Unverified(WhyMissing)
		}
		sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
		return sum[:], nil
	}
	values := r.Header.Values(header)
	if len(values) == 0 || len(values) == 1 && values[0] == "" || !r.Proxied {
		return nil, Unverified(WhyMissing)
	}
	sum, ok := readFingerprint(values[0])
	if len(values) > 1 || !ok {
		return nil, Unverified(WhyMalformed)
	}
	return sum, nil
}

// readFingerprint reads a SHA-256 in hex as programs show it: with colons or without, with sha256: before it or not.
func readFingerprint(text string) ([]byte, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	text = strings.TrimPrefix(text, "sha256:")
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return sum, err == nil && len(sum) == sha256.Size
}
