package webhooks

import (
	"encoding/base64"
	"errors"
	"strings"

	"curfew/revoke"
)

// basicSettings are the keys of HTTP Basic (RFC 7617).
type basicSettings struct {
	User    string          `yaml:"user" required:"true" example:"curfew" help:"the name that the sender signs in with"`
	Secrets []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${HOOK_PASSWORD}\"]" help:"its password; two while it is changed"`
}

// newBasic makes the verifier of a name and a password. It proves no more than a static header does: nothing of the body, nothing
// of the time.
func newBasic(s basicSettings) (verifier, error) {
	wrong := checkSecrets(s.Secrets, 0)
	if s.User == "" || strings.ContainsAny(s.User, ":\r\n\x00") {
		wrong = append(wrong, revoke.Invalid{Field: "user", Problem: "is missing or holds a colon, which ends a name (RFC 7617 section 2)", Fix: "write user: curfew"})
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	whole := make([]revoke.Secret, len(s.Secrets))
	for i, secret := range s.Secrets {
		whole[i] = revoke.NewSecret(s.User + ":" + secret.Reveal())
	}
	return func(r Request) (Evidence, error) {
		values := r.Header.Values("Authorization")
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			return Evidence{}, Unverified(WhyMissing)
		}
		scheme, encoded, _ := strings.Cut(values[0], " ")
		given, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if len(values) > 1 || scheme != "Basic" || err != nil {
			return Evidence{}, Unverified(WhyMalformed)
		}
		return proved(oneSecret(whole, func(s revoke.Secret) bool { return s.Equal(string(given)) }))
	}, nil
}
