package scim

import (
	"encoding/json"
	"strings"
)

// unescape reads the JSON escapes of a filter's text, which the parser leaves as they were sent.
func unescape(v any) any {
	text, ok := v.(string)
	if !ok || !strings.Contains(text, `\`) {
		return v
	}
	var out string
	if err := json.Unmarshal([]byte(`"`+text+`"`), &out); err != nil {
		return v
	}
	return out
}

// quoteValues puts quotes around bare values (Entra's older examples and Microsoft's request collection leave them out), moves the
// sub-attribute behind a bracket into it, since the grammar of RFC 7644 has emails[type eq "work"].value only in paths and
// Entra filters by it, and refuses what is too long or too deep to be read safely.
func quoteValues(text string) (string, error) {
	if len(text) > maxFilter {
		return "", badRequest(invalidFilter, "The filter is longer than 2048 bytes. Ask in several requests.")
	}
	var b strings.Builder
	words, depth := 0, 0 // words since the last term began: name, operator, value
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '"':
			end := endOfQuoted(text, i)
			b.WriteString(text[i:end])
			i, words = end, 0
		case '(', '[':
			if depth++; depth > maxFilterDepth {
				return "", badRequest(invalidFilter, "The filter is nested too deeply. Leave out parentheses that change nothing.")
			}
			b.WriteByte(c)
			i, words = i+1, 0
		case ')':
			depth--
			b.WriteByte(c)
			i, words = i+1, 0
		case ']':
			depth--
			rest, term := subBehindBracket(text[i+1:])
			b.WriteString(term + "]")
			i, words = len(text)-len(rest), 0
		case ' ', '\t':
			b.WriteByte(' ')
			i++
		default:
			end := i
			for end < len(text) && !strings.ContainsRune(" \t()[]\"", rune(text[end])) {
				end++
			}
			word := text[i:end]
			switch words++; {
			case words == 3:
				if fold(word) == "null" {
					b.WriteString("null")
					words = 0
					break
				}
				raw, err := json.Marshal(word)
				if err != nil {
					return "", badRequest(invalidFilter, "The filter cannot be read. Write for example userName eq \"sally@example.edu\".")
				}
				b.Write(raw)
				words = 0
			case words == 1 && (fold(word) == "and" || fold(word) == "or" || fold(word) == "not"), words == 2 && fold(word) == "pr":
				b.WriteString(fold(word))
				words = 0
			case words == 2:
				b.WriteString(fold(word))
			default:
				b.WriteString(word)
			}
			i = end
		}
	}
	return b.String(), nil
}

func endOfQuoted(text string, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// subBehindBracket reads `.value eq "x"` behind a bracket as the term ` and value eq "x"` inside it.
func subBehindBracket(text string) (rest, term string) {
	if !strings.HasPrefix(text, ".") {
		return text, ""
	}
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return text, ""
	}
	value := strings.TrimLeft(text[1:], " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, fields[0][1:]), " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, fields[1]), " \t")
	end := len(value)
	if strings.HasPrefix(value, `"`) {
		end = endOfQuoted(value, 0)
	} else if at := strings.IndexAny(value, " \t)]"); at >= 0 {
		end = at
	}
	shown := value[:end]
	if !strings.HasPrefix(shown, `"`) {
		raw, err := json.Marshal(shown)
		if err != nil {
			return text, ""
		}
		shown = string(raw)
	}
	return value[end:], " and " + fields[0][1:] + " " + fold(fields[1]) + " " + shown
}
