package scim

import (
	"encoding/json"
	"fmt"
	"strings"

	filter "github.com/scim2/filter-parser/v2"

	"curfew/revoke"
)

const (
	maxFilter      = 2048 // bytes
	maxFilterDepth = 5    // of parentheses and brackets
	maxTerms       = 20
)

// compile makes a filter into what stores can answer. Until the full grammar has its compiler these are equalities, joined by
// "and", of userName, externalId, id and emails; anything else is refused in words, never answered wrongly.
func (a *attributes) compile(text string) (out revoke.Filter, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	quoted, err := quoteValues(text)
	if err != nil {
		return nil, err
	}
	expression, err := parseFilter(quoted)
	if err != nil {
		return nil, badRequest(invalidFilter, "The filter cannot be read. Write for example userName eq \"sally@example.edu\".")
	}
	c := compiler{names: a}
	if err := c.add(expression); err != nil {
		return nil, err
	}
	return c.out, nil
}

// parseFilter keeps a panic of the parser out of the rest.
func parseFilter(text string) (e filter.Expression, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("the filter parser panicked")
		}
	}()
	return filter.ParseFilter([]byte(text))
}

type compiler struct {
	names  *attributes
	out    revoke.Filter
	emails bool // a term about emails was seen
	terms  int
}

func (c *compiler) add(e filter.Expression) error {
	if c.terms++; c.terms > maxTerms {
		return badRequest(tooMany, "The filter has more than 20 terms.")
	}
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator != filter.AND {
			return unsupportedFilter(`"or"`)
		}
		if err := c.add(e.Left); err != nil {
			return err
		}
		return c.add(e.Right)
	case *filter.AttributeExpression:
		return c.compare(e)
	case *filter.ValuePath:
		if p := c.names.point(e.AttributePath.URI(), e.AttributePath.AttributeName, "", ""); p.attribute.Name() != "emails" {
			return unsupportedFilter("a filter in brackets on anything but emails")
		}
		if err := c.oneAddress(); err != nil {
			return err
		}
		return c.address(e.ValueFilter)
	default:
		return unsupportedFilter(`"not"`)
	}
}

func (c *compiler) compare(e *filter.AttributeExpression) error {
	path := e.AttributePath
	p := c.names.point(c.uri(path.URI()), path.AttributeName, "", path.SubAttributeName())
	switch {
	case p.meaning == somePassword:
		return badRequest(invalidFilter, "Nobody can filter by password.")
	case p.meaning == resourceID && path.SubAttributeName() == "":
		return c.equal("id", e)
	case p.meaning != someAttribute || p.attribute.uri != "":
		return unsupportedFilter(quote(path.String()))
	}
	switch name := p.attribute.Name(); name {
	case "userName", "externalId":
		return c.equal(name, e)
	case "emails":
		if err := c.oneAddress(); err != nil {
			return err
		}
		if p.sub == "" {
			p.sub = "value" // RFC 7643 section 2.4: the value is what is meant
		}
		return c.email(p.sub, e)
	default:
		return unsupportedFilter(quote(path.String()))
	}
}

// uri is the schema's own spelling of a URI in a filter.
func (c *compiler) uri(sent string) string {
	if sent == "" {
		return ""
	}
	if p := c.names.find(sent); p.meaning == wholeSchema {
		return p.uri
	}
	return sent
}

// oneAddress keeps a second term about emails out: two terms may be about two addresses, and a [revoke.Filter] is about one.
func (c *compiler) oneAddress() error {
	if c.emails {
		return unsupportedFilter("more than one term about emails")
	}
	c.emails = true
	return nil
}

func (c *compiler) address(e filter.Expression) error {
	if c.terms++; c.terms > maxTerms {
		return badRequest(tooMany, "The filter has more than 20 terms.")
	}
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator != filter.AND {
			return unsupportedFilter(`"or"`)
		}
		if err := c.address(e.Left); err != nil {
			return err
		}
		return c.address(e.Right)
	case *filter.AttributeExpression:
		return c.email(fold(e.AttributePath.AttributeName), e)
	default:
		return unsupportedFilter(`"not"`)
	}
}

func (c *compiler) email(sub string, e *filter.AttributeExpression) error {
	if sub != "value" && sub != "type" {
		return unsupportedFilter(quote("emails." + sub))
	}
	return c.equal("emails."+sub, e)
}

func (c *compiler) equal(name string, e *filter.AttributeExpression) error {
	if e.Operator != filter.EQ {
		return unsupportedFilter(name + " with the operator " + quote(string(e.Operator)))
	}
	text, ok := unescape(e.CompareValue).(string)
	if !ok {
		return badRequest(invalidFilter, name+" is compared with something that is not text.")
	}
	c.out = append(c.out, revoke.Condition{Attribute: name, Value: text})
	return nil
}

func unsupportedFilter(what string) refusal {
	return badRequest(invalidFilter, "This server cannot filter by "+what+" yet. It can by userName, externalId, id and emails with eq, joined by and.")
}

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
		return "", badRequest(invalidFilter, "The filter is longer than 2048 bytes.")
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
				return "", badRequest(invalidFilter, "The filter is nested too deeply.")
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
				raw, err := json.Marshal(word)
				if err != nil {
					return "", badRequest(invalidFilter, "The filter cannot be read.")
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
