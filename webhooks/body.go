package webhooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"curfew/revoke"
)

// maxDepth is how deep a message may nest (SECURITY, Limits).
const maxDepth = 32

// checkJSON says in a sentence why a body is not JSON that we read, nil when it is.
func checkJSON(body []byte) error {
	bad := func(problem, fix string) error { return revoke.Invalid{Problem: problem, Fix: fix} }
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return bad("the body is empty", "send a JSON object")
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return bad("the body begins with a byte order mark", "send JSON without one (RFC 8259 section 8.1)")
	case !utf8.Valid(body):
		return bad("the body is not valid UTF-8", "send JSON in UTF-8 (RFC 8259 section 8.1)")
	case bytes.IndexByte(body, 0) >= 0:
		return bad("the body holds a NUL byte", `write it as \u0000 inside a string`)
	case depth(body) > maxDepth:
		return bad(fmt.Sprintf("the body nests deeper than %d levels", maxDepth), "send a flatter message")
	case !json.Valid(body):
		return bad("the body is not JSON", "send one JSON object and nothing after it")
	}
	if key, twice := duplicateKey(body, 1); twice {
		return revoke.Invalid{Field: plain(key), Problem: "stands twice in the message", Fix: "send every member once"}
	}
	return nil
}

// depth returns how deep arrays and objects nest, without parsing: a hundred thousand brackets cost one pass.
func depth(body []byte) int {
	open, deepest, text, escaped := 0, 0, false, false
	for _, c := range body {
		switch {
		case escaped:
			escaped = false
		case text && c == '\\':
			escaped = true
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// duplicateKey returns a member's name that stands twice in one object of valid JSON, looking levels deep. Two readers of
// such a message can understand two different things by it.
func duplicateKey(body []byte, levels int) (string, bool) {
	type level struct {
		seen map[string]bool // nil in an array, and deeper than is looked
		name bool            // the next text is a member's name
	}
	var stack []level
	for at := 0; at < len(body); at++ {
		top := len(stack) - 1
		switch body[at] {
		case '{':
			l := level{name: len(stack) < levels}
			if l.name {
				l.seen = map[string]bool{}
			}
			stack = append(stack, l)
		case '[':
			stack = append(stack, level{})
		case '}', ']':
			if top < 0 {
				return "", false // never: the body was found valid before
			}
			stack = stack[:top]
		case ',':
			if top >= 0 {
				stack[top].name = stack[top].seen != nil
			}
		case '"':
			begin := at
			for at++; at < len(body) && body[at] != '"'; at++ {
				if body[at] == '\\' {
					at++
				}
			}
			if top < 0 || !stack[top].name || at >= len(body) {
				continue
			}
			name := textOf(body[begin : at+1])
			if stack[top].seen[name] {
				return name, true
			}
			stack[top].seen[name], stack[top].name = true, false
		}
	}
	return "", false
}

// textOf is what a JSON text says.
func textOf(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // of a valid body
	return text
}

// digest is by what an item without an id is known (DESIGN section 3, Once).
func digest(source string, item json.RawMessage, at revoke.Instant) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:%s %d:", len(source), source, len(item))
	_, _ = h.Write(item)
	_, _ = fmt.Fprintf(h, " %d", int64(at))
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// maxText bounds what is kept of a sender's words outside the body.
const maxText = 300

// plain makes a sender's words safe for a log, a page and a database column: one line of at most 300 bytes of printable text.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.TrimSpace(text)
}

// quoted returns a text as a JSON string.
func quoted(text []byte) json.RawMessage {
	out, _ := json.Marshal(strings.ToValidUTF8(string(text), "\uFFFD")) // a string always encodes
	return out
}
