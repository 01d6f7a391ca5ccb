package webhooks

import (
	"fmt"
	"strings"

	"curfew/revoke"
)

// verifier is one way in which a sender proves itself. It obeys the promise of [Receiver] about Verify: constant time, and
// [Unverified] for whatever it does not know. Its Evidence names a secret as it is called in the verifier's own settings.
type verifier func(r Request) (Evidence, error)

// The classes of refusal beside those of every sender.
const (
	whyStale    Why = "stale"          // signed too long ago
	whyFuture   Why = "future"         // signed by a clock that is ahead of ours
	whyKey      Why = "unknown-key"    // by a key that its owner does not publish
	whyIssuer   Why = "wrong-issuer"   // a token of somebody else
	whyAudience Why = "wrong-audience" // a token for somebody else
)

// below puts the settings of a verifier under a key of those that hold it.
func (v verifier) below(key string) verifier {
	return func(r Request) (Evidence, error) {
		e, err := v(r)
		e.Key = key + "." + e.Key
		return e, err
	}
}

// Unsigned is a [Receiver] that can be set so that its sender need not prove itself.
type Unsigned interface {
	// Unsigned reports whether it is.
	Unsigned() bool
}

// Believable refuses a receiver by which whoever reaches its address would be believed, unless transportOnly says so in as many words.
// It is [revoke.Invalid].
func Believable(r Receiver, transportOnly bool) error {
	if u, can := r.(Unsigned); can && u.Unsigned() && !transportOnly {
		return revoke.Invalid{
			Field: "verify", Problem: "is none, so that nobody could be believed", Fix: "write insecure_transport_only: true beside it to believe whoever reaches the address, or a way of verification",
		}
	}
	return nil
}

// secretName is how evidence and errors call a secret.
func secretName(i int) string { return fmt.Sprintf("secrets[%d]", i) }

// oneSecret finds the secret that matches, taking the time of all of them, and says how it is called. It reports false where
// none does.
func oneSecret(secrets []revoke.Secret, matches func(revoke.Secret) bool) (string, bool) {
	found := ""
	for i, secret := range secrets {
		if matches(secret) {
			found = secretName(i)
		}
	}
	return found, found != ""
}

// proved is what somebody who knows a secret has proved, or the refusal of whoever knows none.
func proved(key string, ok bool) (Evidence, error) {
	if !ok {
		return Evidence{}, Unverified(WhyMismatch)
	}
	return Evidence{Proof: ProvedSender, Key: key}, nil
}

// checkSecrets refuses what would never match, or would match anybody.
func checkSecrets(secrets []revoke.Secret, least int) (wrong []error) {
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
		case len(text) < least:
			wrong = append(wrong, revoke.Invalid{
				Field: secretName(i), Problem: fmt.Sprintf("is shorter than %d characters, so that it could be guessed", least), Fix: "make a longer one and give it to the sender",
			})
		}
	}
	return wrong
}

// checkHeader refuses what cannot be the name of a header that a sender chooses.
func checkHeader(field, name string) []error {
	switch strings.ToLower(name) {
	case "host", "content-length", "transfer-encoding", "connection", "content-type":
	default:
		if isToken(name) {
			return nil
		}
	}
	return []error{revoke.Invalid{
		Field: field, Problem: "is not the name of a header that a sender can choose", Fix: fmt.Sprintf("write %s: X-Curfew-Secret, or as the sender calls it", field),
	}}
}
