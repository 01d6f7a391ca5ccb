package webhooks

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"curfew/revoke"
)

// staticSettings are the keys of a secret in a header.
type staticSettings struct {
	Header  string          `yaml:"header" example:"X-Curfew-Secret" help:"the header; Authorization when absent"`
	Secrets []revoke.Secret `yaml:"secrets" required:"true" example:"[\"Bearer ${HOOK_SECRET}\"]" help:"all that stands in it, the word Bearer too; two while it is changed"`
}

// newStatic makes the verifier of a secret in a header.
func newStatic(s staticSettings) (verifier, error) {
	header, err := newStaticHeader(http.CanonicalHeaderKey(cmp.Or(s.Header, "Authorization")), s.Secrets)
	if err != nil {
		return nil, err
	}
	return func(r Request) (Evidence, error) { return header.verify(r.Header) }, nil
}

// staticHeader is the weakest proof: one header that holds a secret as it is, the same in every request. It says nothing
// about the body and nothing about the time, so that a replay is known only by what the body says.
type staticHeader struct {
	name    string // canonical
	secrets []revoke.Secret
}

// newStaticHeader refuses what would never match, or would match anybody.
func newStaticHeader(name string, secrets []revoke.Secret) (staticHeader, error) {
	return staticHeader{name, secrets}, errors.Join(append(checkHeader("header", name), checkSecrets(secrets, 0)...)...)
}

// verify takes the time of comparing with all secrets, whichever matches. Two values are refused: one of them was not
// written by the sender.
func (s staticHeader) verify(h http.Header) (Evidence, error) {
	switch values := h.Values(s.name); {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return Evidence{}, Unverified(WhyMissing)
	case len(values) > 1:
		return Evidence{}, Unverified(WhyMalformed)
	default:
		return proved(oneSecret(s.secrets, func(secret revoke.Secret) bool { return secret.Equal(values[0]) }))
	}
}

// isToken reports whether name can be a header's name (RFC 9110 section 5.6.2).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
