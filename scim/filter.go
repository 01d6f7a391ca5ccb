package scim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	filter "github.com/scim2/filter-parser/v2"

	"curfew/revoke"
)

const (
	maxFilter      = 2048 // bytes
	maxFilterDepth = 10   // of parentheses and brackets
	maxTerms       = 20
)

// compile makes a filter (RFC 7644 section 3.4.2.2) into what stores answer. A name that nobody knows is refused in words: to take
// it for one without a value would answer wrongly.
func (a *attributes) compile(text string) (revoke.Filter, error) {
	c := compiler{names: a}
	return c.compile(text)
}

// compileAmong compiles a filter that is put to several types of resource: what this one does not have has no value (RFC 7644 section
// 3.4.2.1). The names of that are returned, for a name that no type has is to be refused.
func (a *attributes) compileAmong(text string) (f revoke.Filter, without []string, err error) {
	c := compiler{names: a, among: true}
	f, err = c.compile(text)
	return f, c.without, err
}

func (c *compiler) compile(text string) (revoke.Filter, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return revoke.Filter{}, nil
	}
	quoted, err := quoteValues(text)
	if err != nil {
		return revoke.Filter{}, err
	}
	expression, err := parseFilter(quoted)
	if err != nil {
		return revoke.Filter{}, badRequest(invalidFilter, "The filter cannot be read. Write for example userName eq \"sally@example.edu\".")
	}
	return c.expression(expression, nil)
}

// parseFilter keeps a panic of the parser out of the rest.
func parseFilter(text string) (e filter.Expression, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("the filter parser panicked")
		}
	}()
	if plain, ok := plainEquality(text); ok {
		return plain, nil
	}
	return filter.ParseFilter([]byte(text))
}

// plainEquality reads the filter by which every connector looks for one user, userName eq "x", as the parser would, which takes
// two thirds of the time of such a question.
func plainEquality(text string) (*filter.AttributeExpression, bool) {
	name, rest, _ := strings.Cut(text, " ")
	operator, value, _ := strings.Cut(rest, " ")
	if fold(operator) != string(filter.EQ) || len(operator) != len(filter.EQ) || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return nil, false
	}
	value = value[1 : len(value)-1]
	for i, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return nil, false
		}
	}
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return nil, false
		}
	}
	return &filter.AttributeExpression{AttributePath: filter.AttributePath{AttributeName: name}, Operator: filter.EQ, CompareValue: value}, name != ""
}

type compiler struct {
	names   *attributes
	terms   int
	among   bool     // other types of resource are asked too
	without []string // what this one does not have
}

// unknown is a term about what the resource does not have.
func (c *compiler) unknown(what string) (revoke.Filter, error) {
	if !c.among {
		return revoke.Filter{}, unknownInFilter(what)
	}
	c.without = append(c.without, what)
	return revoke.Filter{Op: revoke.FilterOr}, nil // of no terms: met by nothing
}

// unvalued is a comparison with what the resource does not have: it is met where no value is the answer.
func (c *compiler) unvalued(e *filter.AttributeExpression) (revoke.Filter, error) {
	f, err := c.unknown(e.AttributePath.String())
	if operator := operatorOf(e); operator == "ne" && e.CompareValue != nil || operator == "eq" && e.CompareValue == nil {
		f.Op = revoke.FilterAnd // of no terms: met by everything
	}
	return f, err
}

// expression compiles one; within brackets of is the attribute whose elements it is about.
func (c *compiler) expression(e filter.Expression, of *place) (revoke.Filter, error) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		op := revoke.FilterAnd
		if e.Operator == filter.OR {
			op = revoke.FilterOr
		}
		return c.both(op, e, of)
	case *filter.NotExpression:
		term, err := c.expression(e.Expression, of)
		return revoke.Filter{Op: revoke.FilterNot, Terms: []revoke.Filter{term}}, err
	case *filter.ValuePath:
		return c.brackets(e, of)
	case *filter.AttributeExpression: // what joins terms is none
		if c.terms++; c.terms > maxTerms {
			return revoke.Filter{}, badRequest(tooMany, "The filter has more than 20 terms. Ask in several requests.")
		}
		if of != nil {
			return c.inElement(e, of)
		}
		return c.compare(e)
	default:
		return revoke.Filter{}, badRequest(invalidFilter, "The filter cannot be read. Write for example userName eq \"sally@example.edu\".")
	}
}

func (c *compiler) both(op revoke.FilterOp, e *filter.LogicalExpression, of *place) (revoke.Filter, error) {
	left, err := c.expression(e.Left, of)
	if err != nil {
		return left, err
	}
	right, err := c.expression(e.Right, of)
	return revoke.Filter{Op: op, Terms: []revoke.Filter{left, right}}, err
}

func (c *compiler) brackets(e *filter.ValuePath, of *place) (revoke.Filter, error) {
	uri, err := c.uri(e.AttributePath.URI())
	if err != nil {
		return revoke.Filter{}, err
	}
	p := c.names.point(uri, e.AttributePath.AttributeName, "", "")
	if of != nil || p.meaning != someAttribute || !p.attribute.MultiValued() || !p.attribute.complex() {
		return c.unknown(e.AttributePath.String() + "[…]")
	}
	term, err := c.expression(e.ValueFilter, &p)
	return revoke.Filter{Op: revoke.FilterAny, Attribute: p.canonical(), Terms: []revoke.Filter{term}}, err
}

// inElement compares a sub-attribute of an element.
func (c *compiler) inElement(e *filter.AttributeExpression, of *place) (revoke.Filter, error) {
	sub, ok := of.attribute.sub(e.AttributePath.AttributeName)
	if !ok || e.AttributePath.SubAttribute != nil {
		return revoke.Filter{}, unknownInFilter(of.canonical() + "[" + e.AttributePath.String() + "]")
	}
	return comparison(of.canonical()+"."+sub.Name(), kindOf(sub), e)
}

// compare compares an attribute. A complex one stands for its value, where it has one (RFC 7643 section 2.4).
func (c *compiler) compare(e *filter.AttributeExpression) (revoke.Filter, error) {
	path := e.AttributePath
	uri, err := c.uri(path.URI())
	if err != nil {
		return revoke.Filter{}, err
	}
	p := c.names.point(uri, path.AttributeName, "", path.SubAttributeName())
	switch {
	case p.meaning == somePassword:
		return revoke.Filter{}, badRequest(invalidFilter, "Nobody can filter by password, since none is kept. Name another attribute.")
	case p.meaning == resourceID && path.SubAttribute == nil:
		return comparison("id", compared{exact: true}, e)
	case p.meaning == serverOwned && fold(path.AttributeName) == "meta":
		return ofMeta(fold(path.SubAttributeName()), e)
	case p.meaning == serverOwned && fold(path.AttributeName) == "groups":
		return revoke.Filter{}, badRequest(invalidFilter, "Nobody can filter users by their groups. Ask for the group: /Groups?filter=members eq \"the user's id\".")
	case p.meaning != someAttribute:
		return c.unvalued(e)
	}
	if !p.attribute.complex() {
		return comparison(p.canonical(), kindOf(p.attribute.CoreAttribute), e)
	}
	if p.sub == "" && p.attribute.hasValue() {
		p.sub = "value"
	}
	if def, ok := p.attribute.sub(p.sub); ok {
		return comparison(p.canonical(), kindOf(def), e)
	}
	if operatorOf(e) != string(filter.PR) {
		return revoke.Filter{}, badRequest(invalidFilter, quote(path.String())+" has no value of its own. Name one of its sub-attributes.")
	}
	any := revoke.Filter{Op: revoke.FilterOr}
	for _, def := range p.attribute.SubAttributes() {
		any.Terms = append(any.Terms, revoke.Filter{Op: revoke.FilterPr, Attribute: p.canonical() + "." + def.Name()})
	}
	return any, nil
}

// ofMeta compares what the server says of a resource.
func ofMeta(sub string, e *filter.AttributeExpression) (revoke.Filter, error) {
	switch sub {
	case "created":
		return comparison("meta.created", compared{kind: "dateTime"}, e)
	case "lastmodified":
		return comparison("meta.lastModified", compared{kind: "dateTime"}, e)
	case "resourcetype":
		return comparison("meta.resourceType", compared{exact: true}, e)
	default:
		return revoke.Filter{}, unknownInFilter(e.AttributePath.String())
	}
}

// compared is how values of an attribute are compared.
type compared struct {
	kind  string // boolean, dateTime, decimal, integer; anything else is text
	exact bool
}

func kindOf(def interface {
	AttributeType() string
	CaseExact() bool
},
) compared {
	return compared{def.AttributeType(), def.CaseExact()}
}

func operatorOf(e *filter.AttributeExpression) string { return fold(string(e.Operator)) }

var operators = []revoke.FilterOp{
	revoke.FilterEq, revoke.FilterCo, revoke.FilterSw, revoke.FilterEw, revoke.FilterGt, revoke.FilterGe, revoke.FilterLt, revoke.FilterLe,
}

// comparison is one term. What is not equal is the opposite of what is.
func comparison(path string, of compared, e *filter.AttributeExpression) (revoke.Filter, error) {
	f := revoke.Filter{Op: revoke.FilterOp(operatorOf(e)), Attribute: path, Exact: of.exact}
	negated := f.Op == "ne"
	if negated {
		f.Op = revoke.FilterEq
	}
	if f.Op == revoke.FilterPr {
		f.Exact = false
		return f, nil
	}
	if !slices.Contains(operators, f.Op) {
		return f, badRequest(invalidFilter, "The operator "+quote(string(e.Operator))+" is unknown. Use eq, ne, co, sw, ew, gt, ge, lt, le or pr.")
	}
	sent := unescape(e.CompareValue)
	if sent == nil { // RFC 7643 section 2.5: null is no value
		if f.Op != revoke.FilterEq {
			return f, badRequest(invalidFilter, "null is compared with eq and ne only. Write one of them, or pr.")
		}
		present := revoke.Filter{Op: revoke.FilterPr, Attribute: path}
		if negated {
			return present, nil
		}
		return revoke.Filter{Op: revoke.FilterNot, Terms: []revoke.Filter{present}}, nil
	}
	if err := compareWith(&f, of, sent); err != nil {
		return revoke.Filter{}, err
	}
	if negated {
		return revoke.Filter{Op: revoke.FilterNot, Terms: []revoke.Filter{f}}, nil
	}
	return f, nil
}

// compareWith sets what f compares with, in the attribute's own type.
func compareWith(f *revoke.Filter, of compared, sent any) error {
	text, isText := sent.(string)
	wrong := func(fix string) error {
		return badRequest(invalidFilter, f.Attribute+" is compared with something of another type. "+fix)
	}
	switch of.kind {
	case "boolean":
		value, ok := truth(sent)
		if !ok || f.Op != revoke.FilterEq { // RFC 7644 section 3.4.2.2: no other operator means anything
			return wrong("Write eq true or eq false.")
		}
		f.Text, f.Exact = strconv.FormatBool(value), true
	case "dateTime":
		at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		if err != nil || f.Op == revoke.FilterCo || f.Op == revoke.FilterSw || f.Op == revoke.FilterEw {
			return wrong("Write eq, gt, ge, lt or le and a time such as \"2026-11-23T10:00:00Z\".")
		}
		f.Numeric, f.Number, f.Exact = true, float64(revoke.InstantOf(at)), false
	case "integer", "decimal":
		number, err := strconv.ParseFloat(fmt.Sprint(sent), 64)
		if err != nil {
			return wrong("Write a number.")
		}
		f.Numeric, f.Number, f.Exact = true, number, false
	default:
		if !isText {
			return wrong("Write text in quotes.")
		}
		f.Text = text
	}
	return nil
}

func unknownInFilter(what string) error {
	return badRequest(invalidFilter, "Nobody can filter by "+quote(what)+": it is no attribute of this resource. Name one that /scim/v2/Schemas lists.")
}

// uri is the schema's own spelling of a URI in a filter.
func (c *compiler) uri(sent string) (string, error) {
	switch p := c.names.find(sent); {
	case sent == "":
		return "", nil
	case p.meaning == wholeSchema:
		return p.uri, nil
	default:
		return "", badRequest(invalidFilter, "Nobody can filter by "+quote(sent)+": attributes of custom extensions are kept and shown, but not searched. Filter by userName, externalId or id.")
	}
}
