package webhooks

import (
	"cmp"
	"errors"
	"strings"

	"curfew/revoke"
)

// querySettings are the keys of a secret in the address, for a sender that can hold nothing but an address.
type querySettings struct {
	Parameter string          `yaml:"parameter" example:"key" help:"what stands before the secret in the address, ?key=…; key when absent"`
	Secrets   []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${HOOK_SECRET}\"]" help:"what stands after it, 16 characters or more; two while it is changed"`
}

// leastQuery is how long a secret in an address must be. An address is seen by more eyes than a header: the sender's pages, the
// log of every proxy on the way.
const leastQuery = 16

// newQuery makes the verifier of a secret in the address. The address of a request reaches no log and no error of ours.
func newQuery(s querySettings) (verifier, error) {
	name := cmp.Or(s.Parameter, "key")
	wrong := checkSecrets(s.Secrets, leastQuery)
	if strings.ContainsAny(name, "&=#%+; ?") || !isToken(name) {
		wrong = append(wrong, revoke.Invalid{Field: "parameter", Problem: "is not a name that stands in an address as it is", Fix: "write parameter: key"})
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return func(r Request) (Evidence, error) {
		switch values := r.Query[name]; {
		case len(values) == 0 || len(values) == 1 && values[0] == "":
			return Evidence{}, Unverified(WhyMissing)
		case len(values) > 1:
			return Evidence{}, Unverified(WhyMalformed)
		default:
			return proved(oneSecret(s.Secrets, func(secret revoke.Secret) bool { return secret.Equal(values[0]) }))
		}
	}, nil
}
