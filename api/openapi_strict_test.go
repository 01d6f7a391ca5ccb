package api_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"curfew/api/apitest"
)

// TestDocumentIsSoundOpenAPI reads the document as OpenAPI 3.1.1 has it, and more strictly: nothing unknown, nothing
// unused, nothing without words, every example true.
func TestDocumentIsSoundOpenAPI(t *testing.T) {
	t.Parallel()
	b := start(t)
	r := &reader{T: t, doc: b.doc, used: map[string]bool{}, operations: map[string]bool{}, tags: map[string]bool{}}
	root := b.doc.Root
	r.members("", root, "openapi", "info", "jsonSchemaDialect", "tags", "paths", "components")
	if version, _ := root["openapi"].(string); !regexp.MustCompile(`^3\.1\.\d+$`).MatchString(version) || root["jsonSchemaDialect"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("openapi %q, dialect %v", version, root["jsonSchemaDialect"])
	}
	r.texts("/info", r.members("/info", root["info"], "title", "summary", "description", "version"), "title", "summary", "description", "version")
	for i, tag := range list(root["tags"]) {
		at := "/tags/" + strconv.Itoa(i)
		said := r.members(at, tag, "name", "description")
		r.texts(at, said, "name", "description")
		r.tags[fmt.Sprint(said["name"])] = false
	}
	components := r.members("/components", root["components"], "schemas", "responses", "parameters", "headers", "securitySchemes")
	for path, item := range object(root["paths"]) {
		r.path(path, item)
	}
	for name, scheme := range object(components["securitySchemes"]) {
		r.texts("/components/securitySchemes/"+name, r.members("/components/securitySchemes/"+name, scheme, "type", "scheme", "in", "name", "description"), "type", "description")
	}
	for _, kind := range []string{"schemas", "responses", "parameters", "headers"} {
		for name, component := range object(components[kind]) {
			at := "/components/" + kind + "/" + name
			map[string]func(string, any){"schemas": r.schema, "responses": r.response, "parameters": r.parameter, "headers": r.header}[kind](at, component)
		}
	}
	for _, kind := range []string{"schemas", "responses", "parameters", "headers"} {
		for name := range object(components[kind]) {
			if at := "/components/" + kind + "/" + name; !r.used[at] {
				t.Errorf("%s: nobody refers to it", at)
			}
		}
	}
	for name, used := range r.tags {
		if !used {
			t.Errorf("tag %s: no operation has it", name)
		}
	}
}

// reader walks a document and complains.
type reader struct {
	*testing.T
	doc                    *apitest.Document
	used, operations, tags map[string]bool // references, operation ids, tags
}

func object(value any) map[string]any { o, _ := value.(map[string]any); return o }
func list(value any) []any            { l, _ := value.([]any); return l }

// members reads an object that has only such members.
func (r *reader) members(at string, value any, allowed ...string) map[string]any {
	got, ok := value.(map[string]any)
	if !ok {
		r.Errorf("%s: is %T, not an object", at, value)
	}
	for name := range got {
		if !slices.Contains(allowed, name) {
			r.Errorf("%s: has a member %q, which OpenAPI does not, or we do not use", at, name)
		}
	}
	return got
}

func (r *reader) texts(at string, in map[string]any, names ...string) {
	for _, name := range names {
		if text, _ := in[name].(string); strings.TrimSpace(text) == "" {
			r.Errorf("%s: has no %s", at, name)
		}
	}
}

// refers reports whether a value is a reference, whose target must be there.
func (r *reader) refers(at string, value any) bool {
	ref, ok := object(value)["$ref"]
	if !ok {
		return false
	}
	target, local := strings.CutPrefix(fmt.Sprint(ref), "#")
	r.used[target] = true
	if !local || r.doc.At(target) == nil {
		r.Errorf("%s: %v leads nowhere", at, ref)
	}
	r.members(at, value, "$ref", "description", "summary")
	return true
}

func (r *reader) path(path string, value any) {
	at := "/paths/" + apitest.Escape(path)
	item := r.members(at, value, "get", "put", "post", "delete", "options", "patch", "parameters", "x-every-method")
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		r.Errorf("%s: not a path", at)
	}
	var names []string
	for i, p := range list(item["parameters"]) {
		r.parameter(fmt.Sprintf("%s/parameters/%d", at, i), p)
		names = append(names, fmt.Sprint(object(p)["name"]))
	}
	for _, match := range regexp.MustCompile(`\{(.*?)\}`).FindAllStringSubmatch(path, -1) {
		if !slices.Contains(names, match[1]) && !strings.Contains(fmt.Sprint(item), "name:"+match[1]) {
			r.Errorf("%s: nobody describes {%s}", at, match[1])
		}
	}
	for _, method := range []string{"get", "put", "post", "delete", "options", "patch"} {
		if item[method] != nil {
			r.operation(at+"/"+method, item[method])
		}
	}
}

func (r *reader) operation(at string, value any) {
	op := r.members(at, value, "operationId", "tags", "summary", "description", "security", "parameters", "requestBody", "responses")
	r.texts(at, op, "operationId", "summary", "description")
	id := fmt.Sprint(op["operationId"])
	if r.operations[id] || !regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`).MatchString(id) {
		r.Errorf("%s: operationId %q stands twice or is not a name that programs can have", at, id)
	}
	r.operations[id] = true
	for _, tag := range list(op["tags"]) {
		if _, ok := r.tags[fmt.Sprint(tag)]; !ok {
			r.Errorf("%s: tag %v is not declared", at, tag)
		}
		r.tags[fmt.Sprint(tag)] = true
	}
	security, said := op["security"].([]any)
	if !said || len(list(op["tags"])) != 1 {
		r.Errorf("%s: says not whom it lets in, or has not one tag", at)
	}
	for i, p := range list(op["parameters"]) {
		r.parameter(fmt.Sprintf("%s/parameters/%d", at, i), p)
	}
	if op["requestBody"] != nil {
		body := r.members(at+"/requestBody", op["requestBody"], "required", "content")
		for kind, media := range object(body["content"]) {
			r.media(at+"/requestBody/content/"+apitest.Escape(kind), media)
			if len(object(object(media)["examples"])) == 0 && (kind == "application/json" || kind == "application/x-www-form-urlencoded") && id[:4] != "scim" {
				r.Errorf("%s: its body has no example", at)
			}
		}
	}
	good := false
	answers := object(op["responses"])
	for status, response := range answers {
		good = good || status[0] == '2'
		r.response(at+"/responses/"+status, response)
	}
	if !good {
		r.Errorf("%s: never goes well", at)
	}
	for _, alternative := range security {
		for scheme, scopes := range object(alternative) {
			if r.doc.At("/components/securitySchemes/"+scheme) == nil {
				r.Errorf("%s: security %s is not declared", at, scheme)
			}
			if len(list(scopes)) > 0 && (answers["401"] == nil || answers["403"] == nil) {
				r.Errorf("%s: takes a token, and has no 401 or 403", at)
			}
			for _, scope := range list(scopes) {
				if !slices.Contains([]string{"scim", "sessions", "check", "revoke", "admin", "changes", "metrics"}, fmt.Sprint(scope)) {
					r.Errorf("%s: scope %v is none", at, scope)
				}
			}
		}
	}
	for _, always := range []string{"400", "408", "413", "431", "500"} {
		if answers[always] == nil {
			r.Errorf("%s: has no %s", at, always)
		}
	}
}

func (r *reader) parameter(at string, value any) {
	if r.refers(at, value) {
		return
	}
	p := r.members(at, value, "name", "in", "required", "description", "schema", "example", "x-slashes")
	r.texts(at, p, "name", "in", "description")
	if p["in"] == "path" && p["required"] != true {
		r.Errorf("%s: is in the path and not required", at)
	}
	r.schema(at+"/schema", p["schema"])
	if example, ok := p["example"]; ok {
		r.holds(at, at+"/schema", example)
	}
}

func (r *reader) header(at string, value any) {
	if r.refers(at, value) {
		return
	}
	h := r.members(at, value, "description", "required", "schema")
	r.texts(at, h, "description")
	r.schema(at+"/schema", h["schema"])
}

func (r *reader) response(at string, value any) {
	if r.refers(at, value) {
		return
	}
	response := r.members(at, value, "description", "headers", "content")
	r.texts(at, response, "description")
	for name, header := range object(response["headers"]) {
		r.header(at+"/headers/"+name, header)
	}
	for kind, media := range object(response["content"]) {
		r.media(at+"/content/"+apitest.Escape(kind), media)
	}
}

func (r *reader) media(at string, value any) {
	m := r.members(at, value, "schema", "example", "examples")
	r.schema(at+"/schema", m["schema"])
	if example, ok := m["example"]; ok {
		r.holds(at, at+"/schema", example)
	}
	for name, example := range object(m["examples"]) {
		e := r.members(at+"/examples/"+name, example, "summary", "value")
		r.texts(at+"/examples/"+name, e, "summary")
		r.holds(at+"/examples/"+name, at+"/schema", e["value"])
	}
}

// holds fails unless a value is as the schema says.
func (r *reader) holds(at, schema string, value any) {
	if err := r.doc.Validate(schema, value); err != nil {
		r.Errorf("%s: the example is not as its schema says: %v", at, err)
	}
}

// keywords are those of JSON Schema that we use.
func keywords() []string {
	return []string{
		"$ref", "description", "type", "enum", "const", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "default", "examples",
		"properties", "required", "additionalProperties", "minProperties", "maxProperties", "items", "minItems", "maxItems", "uniqueItems", "oneOf", "anyOf", "allOf",
	}
}

func (r *reader) schema(at string, value any) {
	if _, free := value.(bool); free {
		return
	}
	s := r.members(at, value, keywords()...)
	if ref, ok := s["$ref"]; ok {
		r.refers(at, map[string]any{"$ref": ref})
	} else if _, fixed := s["const"]; !fixed && s["type"] != "null" && s["enum"] == nil {
		alternative := regexp.MustCompile(`/(oneOf|anyOf)/\d+$`).MatchString(at)
		if text, _ := s["description"].(string); text == "" && !alternative {
			r.Errorf("%s: has no description", at)
		}
	}
	if _, err := r.doc.Compile(at); err != nil {
		r.Errorf("%s: %v", at, err)
	}
	for _, name := range list(s["required"]) {
		if _, ok := object(s["properties"])[fmt.Sprint(name)]; !ok && s["$ref"] == nil && s["properties"] != nil {
			r.Errorf("%s: %v is required, and not described", at, name)
		}
	}
	for i, example := range list(s["examples"]) {
		r.holds(at+"/examples/"+strconv.Itoa(i), at, example)
	}
	for name, member := range object(s["properties"]) {
		r.schema(at+"/properties/"+name, member)
	}
	for _, keyword := range []string{"oneOf", "anyOf"} {
		for i, each := range list(s[keyword]) {
			r.schema(at+"/"+keyword+"/"+strconv.Itoa(i), each)
		}
	}
	if s["items"] != nil {
		r.schema(at+"/items", s["items"])
	}
	if more := object(s["additionalProperties"]); more != nil {
		r.schema(at+"/additionalProperties", more)
	}
}
