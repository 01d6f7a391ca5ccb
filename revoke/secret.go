package revoke

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is a value that never prints: fmt, JSON, text and slog show "[secret]". Only Reveal gives it away. It is held by a
// pointer because fmt walks into the unexported fields of a struct without asking Format: there it finds an address.
type Secret struct{ value *string }

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{&value} }

const hidden = "[secret]"

// Reveal returns the value, for the one call that must send or hash it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret at all. An empty secret is a configuration error, never an open door.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal compares in constant time; both sides are hashed first, so that the length does not show either.
func (s Secret) Equal(candidate string) bool {
	want, got := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && !s.IsZero()
}

// String hides the value.
func (s Secret) String() string { return hidden }

// Format hides the value under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the value in JSON and wherever text is asked for.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the value in slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
