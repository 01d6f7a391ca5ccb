package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"curfew/revoke"
)

// staticHeader is the weakest proof: one header that holds a secret as it is, the same in every request. It says nothing
// about the body and nothing about the time, so that a replay is known only by what the body says.
type staticHeader struct {
	name    string // canonical
	secrets []revoke.Secret
}

// newStaticHeader refuses what would never match, or would match anybody.
func newStaticHeader(name string, secrets []revoke.Secret) (staticHeader, error) {
	var wrong []error
	if !isToken(name) || name == "Host" || name == "Content-Length" || name == "Transfer-Encoding" {
		wrong = append(wrong, revoke.Invalid{
			Field: "header", Problem: "is not the name of a header that a sender can choose", Fix: "write header: X-Curfew-Secret, or leave it out for Authorization",
		})
	}
	if len(secrets) == 0 {
		wrong = append(wrong, revoke.Invalid{Field: "secrets", Problem: "is missing", Fix: `write secrets: ["${HOOK_SECRET}"]`})
	}
	for i, secret := range secrets {
		switch text := secret.Reveal(); {
		case text == "":
			wrong = append(wrong, revoke.Invalid{Field: secretName(i), Problem: "is empty, which would let anybody in", Fix: "set the variable or the file that it comes from"})
		case strings.TrimSpace(text) != text || strings.ContainsAny(text, "\r\n\x00"):
			wrong = append(wrong, revoke.Invalid{
				Field: secretName(i), Problem: "begins or ends with a blank or holds a line break, which no header can carry", Fix: "take it out here and at the sender",
			})
		}
	}
	return staticHeader{name, secrets}, errors.Join(wrong...)
}

// secretName is how evidence and errors call a secret.
func secretName(i int) string { return fmt.Sprintf("secrets[%d]", i) }

// verify takes the time of comparing with all secrets, whichever matches. Two values are refused: one of them was not
// written by the sender.
func (s staticHeader) verify(h http.Header) (Evidence, error) {
	values := h.Values(s.name)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return Evidence{}, Unverified(WhyMissing)
	case len(values) > 1:
		return Evidence{}, Unverified(WhyMalformed)
	}
	match := -1
	for i, secret := range s.secrets {
		if secret.Equal(values[0]) {
			match = i
		}
	}
	if match < 0 {
		return Evidence{}, Unverified(WhyMismatch)
	}
	return Evidence{Proof: ProvedSender, Key: secretName(match)}, nil
}

// isToken reports whether name can be a header's name (RFC 9110 section 5.6.2).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
