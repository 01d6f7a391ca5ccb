package apitest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Exchange is one request and its answer.
type Exchange struct {
	Method, Path, Query string // the path as sent, percent-encoded
	Sent                http.Header
	SentBody            []byte
	Status              int
	Header              http.Header
	Body                []byte
}

// Check returns what of an exchange is not as the document says, nil when all of it is. A request is held against it only
// when it was carried out: what is refused may be anything.
func (d *Document) Check(x Exchange) error {
	op, methods := d.Find(x.Method, x.Path)
	var err error
	if op == nil {
		err = d.checkElsewhere(&x, methods)
	} else {
		err = d.checkAnswer(&x, op)
		if x.Status < 300 && !op.EveryMethod {
			err = errors.Join(err, d.checkRequest(&x, op))
		}
	}
	if err != nil {
		return fmt.Errorf("not as /openapi.json says: %s %s answered %d %s: %w", x.Method, x.Path, x.Status, clip(x.Body), err)
	}
	return nil
}

func clip(text []byte) string { return string(text[:min(len(text), 600)]) }

// elsewhere is what a path that is not described, or a method of it, may be answered with.
func elsewhere() []int {
	return []int{400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 500, 503}
}

// checkElsewhere checks an answer of no operation: a refusal, in the form of some protocol of ours.
func (d *Document) checkElsewhere(x *Exchange, methods []string) error {
	switch {
	case !slices.Contains(elsewhere(), x.Status):
		return errors.New("this path or method is not described")
	case x.Status == http.StatusMethodNotAllowed && (x.Header.Get("Allow") == "" || len(methods) == 0):
		return errors.New("405 without Allow, or at a path that is not described")
	case x.Method == http.MethodHead:
		return nil
	}
	var err error
	for _, form := range [][2]string{{"application/problem+json", "Problem"}, {"application/json", "OAuthError"}, {"application/scim+json", "ScimError"}} {
		if media(x.Header) == form[0] {
			return d.checkJSON("/components/schemas/"+form[1], x.Body)
		}
	}
	return errors.Join(err, fmt.Errorf("a refusal of type %q", media(x.Header)))
}

func media(header http.Header) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return header.Get("Content-Type")
	}
	return kind
}

func (d *Document) checkAnswer(x *Exchange, op *Operation) error {
	described, ok := op.Responses[strconv.Itoa(x.Status)].(map[string]any)
	if !ok {
		return fmt.Errorf("%s describes no answer %d", op.ID, x.Status)
	}
	response, where := d.Resolve(described, op.pointer+"/responses/"+strconv.Itoa(x.Status))
	problems := []error{d.checkHeaders(x, object(response, "headers"), where)}
	contents := object(response, "content")
	switch _, any := contents["*/*"]; {
	case x.Method == http.MethodHead, any:
	case len(contents) == 0 && len(x.Body) > 0:
		problems = append(problems, errors.New("a body, and none is described"))
	case len(contents) == 0:
	case contents[media(x.Header)] == nil:
		problems = append(problems, fmt.Errorf("type %q is none of those described: %v", x.Header.Get("Content-Type"), Names(contents)))
	case media(x.Header) == "application/x-ndjson":
		for line := range bytes.Lines(x.Body) {
			problems = append(problems, d.checkJSON(where+"/content/"+Escape(media(x.Header))+"/schema", line))
		}
	case strings.HasSuffix(media(x.Header), "json"):
		problems = append(problems, d.checkJSON(where+"/content/"+Escape(media(x.Header))+"/schema", x.Body))
	}
	return errors.Join(problems...)
}

func (d *Document) checkHeaders(x *Exchange, described map[string]any, where string) error {
	var problems []error
	for _, name := range Names(described) {
		header, at := d.Resolve(described[name].(map[string]any), where+"/headers/"+Escape(name))
		values := x.Header.Values(name)
		if required, _ := header["required"].(bool); required && len(values) == 0 {
			problems = append(problems, fmt.Errorf("no header %s", name))
		}
		for _, value := range values {
			if err := d.Validate(at+"/schema", value); err != nil {
				problems = append(problems, fmt.Errorf("header %s: %w", name, err))
			}
		}
	}
	for name := range x.Header {
		ours := strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "Curfew-") || slices.Contains([]string{"Location", "Etag", "Retry-After", "Www-Authenticate"}, name)
		_, known := described[name]
		if ours && !known && name != "X-Content-Type-Options" && !slices.ContainsFunc(Names(described), func(n string) bool { return strings.EqualFold(n, name) }) {
			problems = append(problems, fmt.Errorf("header %s is not described", name))
		}
	}
	return errors.Join(problems...)
}

func (d *Document) checkJSON(schema string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	return d.Validate(schema, value)
}

func (d *Document) checkRequest(x *Exchange, op *Operation) error {
	return errors.Join(d.checkParameters(x, op), d.checkSent(x, op))
}

func (d *Document) checkParameters(x *Exchange, op *Operation) error {
	query, err := url.ParseQuery(x.Query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	values := op.pattern.FindStringSubmatch(x.Path)[1:]
	var problems []error
	for _, p := range op.Parameters {
		var given []string
		switch p.In {
		case "query":
			given = query[p.Name]
			delete(query, p.Name)
		case "header":
			given = x.Sent.Values(p.Name)
		case "path": // patterns have one group a parameter, and no path of ours has two
			text, err := url.PathUnescape(values[0])
			problems, given = append(problems, err), []string{text}
		}
		if len(given) == 0 && p.Required || len(given) > 1 {
			problems = append(problems, fmt.Errorf("parameter %s stands %d times", p.Name, len(given)))
		}
		for _, text := range given {
			if err := d.ValidateText(p.Schema, text); err != nil {
				problems = append(problems, fmt.Errorf("parameter %s: %w", p.Name, err))
			}
		}
	}
	for name := range query {
		problems = append(problems, fmt.Errorf("parameter %s is not described, and was accepted", name))
	}
	return errors.Join(problems...)
}

// ValidateText holds a parameter against the schema at a pointer, as a number where that asks for one.
func (d *Document) ValidateText(schema, text string) error {
	if of, _ := d.At(schema).(map[string]any); of["type"] != "integer" {
		return d.Validate(schema, text)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("not a number: %w", err)
	}
	if strings.Trim(text, "0123456789") != "" {
		return errors.New("a number in another form than digits")
	}
	return d.Validate(schema, value)
}

func (d *Document) checkSent(x *Exchange, op *Operation) error {
	contents := object(op.Body, "content")
	required, _ := op.Body["required"].(bool)
	switch {
	case op.Body == nil && len(x.SentBody) > 0 && x.Method == http.MethodPost:
		return errors.New("a body was sent, and none is described")
	case op.Body == nil, len(x.SentBody) == 0 && !required:
		return nil
	}
	kind := media(x.Sent)
	if kind == "" { // may be left out where there is but one
		kind = Names(contents)[0]
	}
	where := op.BodySchema(kind)
	switch {
	case contents[kind] == nil && contents["*/*"] == nil:
		return fmt.Errorf("a body of type %q was accepted, and %v are described", kind, Names(contents))
	case contents[kind] == nil: // anything is
		return nil
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(x.SentBody))
		if err != nil {
			return nil //nolint:nilerr // a percent sign that escapes nothing is taken for itself, which url does not
		}
		value := map[string]any{}
		for name, given := range form {
			value[name] = given[0]
		}
		return d.Validate(where, value)
	case kind == "application/x-ndjson": // a line that was refused may be anything
		return nil
	case strings.HasSuffix(kind, "json"):
		return d.checkJSON(where, x.SentBody)
	}
	return nil
}
