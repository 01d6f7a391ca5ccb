// Package apitest holds what goes over the wire against /openapi.json: every request that is carried out and every answer
// must be as the document says. For tests only.
package apitest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document ready to be asked. It is safe for concurrent use.
type Document struct {
	Root       map[string]any // as JSON has it; numbers are json.Number
	Operations []*Operation   // by path, then method
	mu         sync.Mutex     // the compiler is for one at a time
	compiler   *jsonschema.Compiler
	compiled   map[string]*jsonschema.Schema
}

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path string
	Scopes           []string // any of which lets in; empty where no bearer token is asked for
	Parameters       []Parameter
	Body             map[string]any // the object at requestBody, nil for none
	Responses        map[string]any
	EveryMethod      bool // of a path that answers every method alike
	pointer          string
	pattern          *regexp.Regexp
}

// Parameter is one parameter of an operation.
type Parameter struct {
	Name, In    string
	Description string
	Required    bool
	Schema      string // where its schema stands
	Example     any
}

// address is under which the document is known to the compiler. Nothing is fetched from there.
const address = "https://curfew.invalid/openapi.json"

// Parse reads a document. Schemas are compiled when they are first needed, or all of them by [Document.Compile].
func Parse(text []byte) (*Document, error) {
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	root, ok := read.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the OpenAPI document is %T, not an object", read)
	}
	d := &Document{Root: root, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	d.compiler.UseRegexpEngine(ecma)
	if err := d.compiler.AddResource(address, closed(root)); err != nil {
		return nil, fmt.Errorf("take the OpenAPI document for a resource: %w", err)
	}
	for path, item := range object(root, "paths") {
		if err := d.addPath(path, item.(map[string]any)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(d.Operations, func(a, b *Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return d, nil
}

// BodySchema is where the schema of a body of a media type stands.
func (op *Operation) BodySchema(media string) string {
	return op.pointer + "/requestBody/content/" + Escape(media) + "/schema"
}

// Methods are those that a path item can describe.
func Methods() []string {
	return []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodHead, http.MethodPatch, http.MethodTrace}
}

func (d *Document) addPath(path string, item map[string]any) error {
	for _, method := range Methods() {
		described, ok := item[strings.ToLower(method)].(map[string]any)
		if !ok {
			continue
		}
		op := &Operation{Method: method, Path: path, pointer: "/paths/" + Escape(path) + "/" + strings.ToLower(method)}
		op.ID, _ = described["operationId"].(string)
		op.Responses = object(described, "responses")
		op.Body, _ = described["requestBody"].(map[string]any)
		op.EveryMethod, _ = item["x-every-method"].(bool)
		for _, alternative := range list(described, "security") {
			for _, scope := range list(alternative.(map[string]any), "bearer") {
				op.Scopes = append(op.Scopes, scope.(string))
			}
		}
		expression := regexp.QuoteMeta(path)
		for at, given := range map[string][]any{op.pointer[:strings.LastIndex(op.pointer, "/")]: list(item, "parameters"), op.pointer: list(described, "parameters")} {
			for i, each := range given {
				named, where := d.Resolve(each.(map[string]any), fmt.Sprintf("%s/parameters/%d", at, i))
				p := Parameter{Schema: where + "/schema", Example: named["example"]}
				p.Name, _ = named["name"].(string)
				p.In, _ = named["in"].(string)
				p.Description, _ = named["description"].(string)
				p.Required, _ = named["required"].(bool)
				op.Parameters = append(op.Parameters, p)
				if p.In == "path" {
					segment := "[^/]+"
					if rest, _ := named["x-slashes"].(bool); rest {
						segment = ".+"
					}
					expression = strings.ReplaceAll(expression, regexp.QuoteMeta("{"+p.Name+"}"), "("+segment+")")
				}
			}
		}
		slices.SortFunc(op.Parameters, func(a, b Parameter) int { return strings.Compare(a.In+a.Name, b.In+b.Name) })
		var err error
		if op.pattern, err = regexp.Compile("^" + expression + "/*$"); err != nil {
			return fmt.Errorf("path %s: %w", path, err)
		}
		d.Operations = append(d.Operations, op)
	}
	return nil
}

// Find returns the operation of a request, and the methods that its path has; both nil for a path that is not described,
// as one with dots in it never is. What differs by a parameter comes after what is named.
func (d *Document) Find(method, path string) (found *Operation, methods []string) {
	if slices.Contains(strings.Split(path, "/"), "..") {
		return nil, nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, op := range d.Operations {
		if !op.pattern.MatchString(path) {
			continue
		}
		methods = append(methods, op.Method)
		if (op.Method == method || op.EveryMethod) && (found == nil || strings.Count(op.Path, "{") < strings.Count(found.Path, "{")) {
			found = op
		}
	}
	return found, methods
}

// Resolve follows a $ref, and returns what it names and where that stands.
func (d *Document) Resolve(object map[string]any, pointer string) (target map[string]any, where string) {
	ref, ok := object["$ref"].(string)
	if !ok {
		return object, pointer
	}
	where = strings.TrimPrefix(ref, "#")
	target, _ = d.At(where).(map[string]any)
	return target, where
}

// At returns what stands at a JSON pointer, nil for nothing.
func (d *Document) At(pointer string) any {
	var value any = d.Root
	for segment := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		name, err := url.PathUnescape(segment)
		if err != nil {
			return nil
		}
		switch v := value.(type) {
		case map[string]any:
			value = v[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// Compile makes the schema at a pointer ready. It is not one, or a bad one: an error.
func (d *Document) Compile(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if schema, ok := d.compiled[pointer]; ok {
		return schema, nil
	}
	schema, err := d.compiler.Compile(address + "#" + pointer)
	if err != nil {
		return nil, fmt.Errorf("compile the schema at %s: %w", pointer, err)
	}
	d.compiled[pointer] = schema
	return schema, nil
}

// Validate holds a JSON value, as jsonschema.UnmarshalJSON reads it, against the schema at a pointer.
func (d *Document) Validate(pointer string, value any) error {
	schema, err := d.Compile(pointer)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Escape writes a name as one segment of a JSON pointer that stands in an address.
func Escape(name string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}

// closed copies a document so that every object has the members that are described and no others.
func closed(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v)+1)
		for name, each := range v {
			if out[name] = each; name != "allOf" { // conditions, which look at members that others describe
				out[name] = closed(each)
			}
		}
		_, properties := v["properties"].(map[string]any)
		_, refers := v["$ref"]
		if _, said := v["additionalProperties"]; properties && !refers && !said {
			out["additionalProperties"] = false
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = closed(each)
		}
		return out
	default:
		return value
	}
}

// ecma compiles a pattern as JSON Schema has them (ECMA-262), of which Go lacks \uXXXX.
func ecma(pattern string) (jsonschema.Regexp, error) {
	compiled, err := regexp.Compile(regexp.MustCompile(`\\u([0-9a-fA-F]{4})`).ReplaceAllString(pattern, `\x{$1}`))
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	return (*expression)(compiled), nil
}

type expression regexp.Regexp

func (e *expression) MatchString(text string) bool { return (*regexp.Regexp)(e).MatchString(text) }
func (e *expression) String() string               { return (*regexp.Regexp)(e).String() }

func object(in map[string]any, name string) map[string]any {
	out, _ := in[name].(map[string]any)
	return out
}

func list(in map[string]any, name string) []any {
	out, _ := in[name].([]any)
	return out
}

// Names returns the members of an object in order.
func Names(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }
