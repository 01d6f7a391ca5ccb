package webhooks

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // G505: only where the settings say so, for senders that have nothing else
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// hmacSettings are the keys of a signature by a shared secret (RFC 2104): which header, how it is written, and what is signed.
type hmacSettings struct {
	Header          string          `yaml:"header" required:"true" example:"X-Signature" help:"the header that holds the signature"`
	Algorithm       string          `yaml:"algorithm" oneof:"sha256 sha512 sha1" example:"sha256" help:"sha256, sha512 or sha1; sha256 when absent"`
	AllowSHA1       bool            `yaml:"allow_sha1" example:"true" help:"must stand beside algorithm: sha1, which nobody should start with today"`
	Encoding        string          `yaml:"encoding" oneof:"hex base64 base64url" example:"hex" help:"hex, base64 or base64url; hex when absent"`
	Prefix          string          `yaml:"prefix" example:"\"sha256=\"" help:"what stands before the signature; without it an entry is not looked at"`
	Separator       string          `yaml:"separator" example:"\",\"" help:"what parts several signatures, of which one must be right; one signature when absent"`
	Signed          string          `yaml:"signed" example:"\"{timestamp}.{body}\"" help:"what is signed, of {body}, {timestamp}, {id} and text; {body} when absent"`
	IDHeader        string          `yaml:"id_header" example:"X-Delivery-Id" help:"the header that holds {id}"`
	TimestampHeader string          `yaml:"timestamp_header" example:"X-Timestamp" help:"the header that holds {timestamp}"`
	TimestampPrefix string          `yaml:"timestamp_prefix" example:"\"t=\"" help:"where {timestamp} is an entry of the signature's header: what it begins with"`
	TimestampUnit   string          `yaml:"timestamp_unit" oneof:"s ms rfc3339" example:"s" help:"s, ms or rfc3339; s when absent"`
	Window          time.Duration   `yaml:"window" example:"5m" help:"how far {timestamp} may be from our clock, either way; 5m when absent"`
	SecretEncoding  string          `yaml:"secret_encoding" oneof:"text base64 hex" example:"base64" help:"what the secret's text stands for: text (itself), base64 or hex; text when absent"`
	Secrets         []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${HOOK_KEY}\"]" help:"the shared secret, 8 characters or more; two while it is changed"`
}

const (
	leastHMAC     = 8    // characters; a signature can be tried against guesses by whoever has seen one message
	maxEntries    = 32   // of a signature's header
	maxSigned     = 1024 // bytes of a header that is signed
	defaultWindow = 5 * time.Minute
	longestWindow = 24 * time.Hour
)

// hmacVerifier checks a signature by a shared secret.
type hmacVerifier struct {
	hmacSettings
	algorithm func() hash.Hash
	decode    func(string) ([]byte, error)
	keys      [][]byte
	parts     []string // of what is signed: a name in braces, or text
}

// newHMAC makes the verifier of a signature by a shared secret.
func newHMAC(s hmacSettings) (verifier, error) {
	v := hmacVerifier{hmacSettings: s, algorithm: sha256.New, decode: hex.DecodeString}
	v.Signed, v.TimestampUnit, v.Window = cmp.Or(s.Signed, "{body}"), cmp.Or(s.TimestampUnit, "s"), cmp.Or(s.Window, defaultWindow)
	wrong := append(checkHeader("header", s.Header), checkSecrets(s.Secrets, leastHMAC)...)
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: problem, Fix: fix})
	}
	switch s.Algorithm {
	case "", "sha256":
	case "sha512":
		v.algorithm = sha512.New
	case "sha1":
		if v.algorithm = sha1.New; !s.AllowSHA1 {
			invalid("algorithm", "is sha1, which is refused unless it is switched on", "write algorithm: sha256 here and at the sender, or allow_sha1: true beside it")
		}
	default:
		invalid("algorithm", "is none that we know", "write algorithm: sha256")
	}
	switch s.Encoding {
	case "", "hex": // capitals too
	case "base64":
		v.decode = base64.StdEncoding.Strict().DecodeString
	case "base64url":
		v.decode = base64.URLEncoding.Strict().DecodeString
	default:
		invalid("encoding", "is none that we know", "write encoding: hex")
	}
	for i, secret := range s.Secrets {
		key, err := secretBytes(secret, s.SecretEncoding)
		if err != nil {
			invalid(secretName(i), "is not "+s.SecretEncoding, "copy it from the sender once more, or leave secret_encoding out")
		}
		v.keys = append(v.keys, key)
	}
	wrong = append(wrong, v.checkSigned()...)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return v.verify, nil
}

func secretBytes(secret revoke.Secret, encoding string) ([]byte, error) {
	switch text := secret.Reveal(); encoding {
	case "base64":
		return base64.StdEncoding.DecodeString(text)
	case "hex":
		return hex.DecodeString(text)
	default:
		return []byte(text), nil
	}
}

// checkSigned takes apart what is signed. A time or an id that is not part of it would prove nothing.
func (v *hmacVerifier) checkSigned() (wrong []error) {
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: problem, Fix: fix})
	}
	rest := v.Signed
	for rest != "" {
		text, after, found := strings.Cut(rest, "{")
		if text != "" {
			v.parts = append(v.parts, text)
		}
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		if name = "{" + name + "}"; !closed || !slices.Contains([]string{"{body}", "{timestamp}", "{id}"}, name) {
			invalid("signed", "holds a { that begins none of {body}, {timestamp} and {id}", `write signed: "{timestamp}.{body}"`)
			return wrong
		}
		v.parts, rest = append(v.parts, name), next
	}
	signs := func(name string) bool { return slices.Contains(v.parts, name) }
	if !signs("{body}") {
		invalid("signed", "leaves out {body}, so that anybody could change the message", `write signed: "{body}"`)
	}
	for _, h := range []struct{ field, name string }{{"timestamp_header", v.TimestampHeader}, {"id_header", v.IDHeader}} {
		if h.name != "" {
			wrong = append(wrong, checkHeader(h.field, h.name)...)
		}
	}
	switch timed := v.TimestampHeader != "" || v.TimestampPrefix != ""; {
	case v.TimestampHeader != "" && v.TimestampPrefix != "":
		invalid("timestamp_prefix", "stands beside timestamp_header, and the time is in one place", "leave one of them out")
	case timed && !signs("{timestamp}"):
		invalid("signed", "leaves out {timestamp}, so that anybody could change the time", `write signed: "{timestamp}.{body}"`)
	case !timed && signs("{timestamp}"):
		invalid("timestamp_header", "is missing, and {timestamp} is signed", "write timestamp_header: X-Timestamp")
	case v.TimestampPrefix != "" && v.Separator == "":
		invalid("separator", "is missing, and the time is an entry of the signature's header", `write separator: ","`)
	}
	if (v.IDHeader != "") != signs("{id}") {
		invalid("id_header", "and {id} in signed go together", `write signed: "{id}.{timestamp}.{body}" and id_header, or neither`)
	}
	if v.Window < time.Second || v.Window > longestWindow {
		invalid("window", "is shorter than a second or longer than a day", "write window: 5m")
	}
	if !slices.Contains([]string{"s", "ms", "rfc3339"}, v.TimestampUnit) {
		invalid("timestamp_unit", "is none that we know", "write timestamp_unit: s")
	}
	return wrong
}

func (v *hmacVerifier) verify(r Request) (Evidence, error) {
	entries := r.Header.Values(v.Header)
	if v.Separator != "" {
		entries = strings.Split(strings.Join(entries, v.Separator), v.Separator)
	}
	var signatures [][]byte
	sent := "" // as it was sent: its text is what is signed
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		if at, ok := strings.CutPrefix(entry, v.TimestampPrefix); ok && v.TimestampPrefix != "" && sent == "" {
			sent = at
			continue
		}
		if encoded, ok := strings.CutPrefix(entry, v.Prefix); ok && i < maxEntries {
			if signature, err := v.decode(encoded); err == nil && len(signature) == v.algorithm().Size() {
				signatures = append(signatures, signature)
			}
		}
	}
	switch {
	case len(entries) == 0 || len(entries) == 1 && entries[0] == "":
		return Evidence{}, Unverified(WhyMissing)
	case len(signatures) == 0, v.Separator == "" && len(entries) > 1:
		return Evidence{}, Unverified(WhyMalformed)
	}
	id := ""
	for _, part := range []struct {
		header string
		into   *string
	}{{v.TimestampHeader, &sent}, {v.IDHeader, &id}} {
		if part.header == "" {
			continue
		}
		values := r.Header.Values(part.header)
		if len(values) != 1 || values[0] == "" || len(values[0]) > maxSigned {
			return Evidence{}, Unverified(WhyMalformed)
		}
		*part.into = values[0]
	}
	key, ok := "", false
	for i := range v.keys {
		want := v.mac(v.keys[i], r.Body, sent, id)
		for _, got := range signatures {
			if hmac.Equal(want, got) {
				key, ok = secretName(i), true
			}
		}
	}
	evidence, err := proved(key, ok)
	if err == nil && (v.TimestampHeader != "" || v.TimestampPrefix != "") {
		if err = inWindow(sent, v.TimestampUnit, v.Window, r.ReceivedAt); err != nil {
			return Evidence{}, err
		}
	}
	if err == nil {
		evidence.Delivery = id
	}
	return evidence, err
}

func (v *hmacVerifier) mac(key, body []byte, sent, id string) []byte {
	mac := hmac.New(v.algorithm, key)
	for _, part := range v.parts {
		switch part {
		case "{body}":
			_, _ = mac.Write(body)
		case "{timestamp}":
			_, _ = fmt.Fprint(mac, sent)
		case "{id}":
			_, _ = fmt.Fprint(mac, id)
		default:
			_, _ = fmt.Fprint(mac, part)
		}
	}
	return mac.Sum(nil)
}

// inWindow refuses a sender's time that is further from now than the window. Both ends of the window are inside.
func inWindow(text, unit string, window time.Duration, now revoke.Instant) error {
	at, ok := readTime(text, unit)
	switch {
	case !ok:
		return Unverified(WhyMalformed)
	case now.Sub(at) > window:
		return Unverified(whyStale)
	case at.Sub(now) > window:
		return Unverified(whyFuture)
	}
	return nil
}
