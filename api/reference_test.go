package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/api/apitest"
)

// writePages writes docs/api.md from the document: go test ./api -run TestReference -write-pages
var writePages = flag.Bool("write-pages", false, "write docs/api.md from the OpenAPI document")

const referencePage = "../docs/api.md"

// TestReference keeps docs/api.md what /openapi.json says.
func TestReference(t *testing.T) {
	t.Parallel()
	want := reference(start(t).doc)
	if *writePages {
		if err := os.WriteFile(referencePage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("docs/api.md is not what the document says: run go test ./api -run TestReference -write-pages\n%s", diff[:min(len(diff), 3000)])
	}
}

// page writes the reference.
type page struct {
	bytes.Buffer
	doc *apitest.Document
}

func (p *page) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format+"\n", args...)
}

// reference is the document for people: first what is the same everywhere, then the doors by topic, then their objects.
func reference(doc *apitest.Document) string {
	p := &page{doc: doc}
	info := object(doc.Root["info"])
	p.line("# The HTTP API\n")
	p.line("%s Programs read the same at `/openapi.json`, from which this page is made.\n", info["summary"])
	p.line("%s", info["description"])
	p.line("Any request may be answered with one of these; an operation says of itself what is more.\n\n| answer | type | |\n|---|---|---|")
	for _, name := range []string{"Malformed", "Unauthenticated", "Scope", "Slow", "TooLarge", "MediaType", "Invalid", "HeadTooLarge", "Throttled", "Internal", "Unavailable"} {
		response := object(doc.At("/components/responses/" + name))
		example := object(object(object(response["content"])["application/problem+json"])["example"])
		p.line("| %v %s | `%v` | %s |", example["status"], http.StatusText(statusOf(fmt.Sprint(example["status"]))), example["type"], cell(fmt.Sprint(response["description"])))
	}
	p.line("\n| operation | scope | |\n|---|---|---|")
	for _, tag := range list(doc.Root["tags"]) {
		for _, op := range p.of(tag) {
			p.line("| [`%s %s`](#%s) | %s | %s |", op.method(), op.Path, op.anchor(), op.scopes(), p.said(op)["summary"])
		}
	}
	for _, tag := range list(doc.Root["tags"]) {
		p.line("\n## %s\n\n%s", object(tag)["name"], object(tag)["description"])
		for _, op := range p.of(tag) {
			p.operation(op)
		}
	}
	p.line("\n## Objects\n\nMembers in bold are always there.")
	schemas := object(object(doc.Root["components"])["schemas"])
	for _, name := range apitest.Names(schemas) {
		if shown(object(schemas[name])) {
			p.object(name, object(schemas[name]))
		}
	}
	return p.String()
}

// onceHeader is the parameter that every POST has.
const onceHeader = "Idempotency-Key"

// operation is one of the document, as the page shows it.
type operation struct{ *apitest.Operation }

func (p *page) of(tag any) (found []operation) {
	for _, op := range p.doc.Operations {
		if slices.Contains(list(p.said(operation{op})["tags"]), object(tag)["name"]) {
			found = append(found, operation{op})
		}
	}
	return found
}

func (p *page) said(op operation) map[string]any {
	return object(object(object(p.doc.Root["paths"])[op.Path])[strings.ToLower(op.Method)])
}

func (op operation) method() string {
	if op.EveryMethod {
		return "any"
	}
	return op.Method
}

func (op operation) anchor() string { return strings.ToLower(op.ID) }

func (op operation) scopes() string {
	var quoted []string
	for _, scope := range op.Scopes {
		if !slices.Contains(quoted, "`"+scope+"`") {
			quoted = append(quoted, "`"+scope+"`")
		}
	}
	return strings.Join(quoted, ", ")
}

func (p *page) operation(op operation) {
	said := p.said(op)
	p.line("\n<a id=\"%s\"></a>\n### %s\n\n`%s %s`%s\n\n%s", op.anchor(), said["summary"], op.method(), op.Path, prefixed(", scope ", op.scopes()), strings.TrimSpace(fmt.Sprint(said["description"])))
	if slices.ContainsFunc(op.Parameters, func(param apitest.Parameter) bool { return param.Name != onceHeader }) {
		p.line("\n| parameter | in | type | |\n|---|---|---|---|")
		for _, param := range op.Parameters {
			if param.Name == onceHeader { // the page says it above
				continue
			}
			p.line("| %s | %s | %s | %s |", strong(param.Name, param.Required), param.In, p.kind(object(p.doc.At(param.Schema))), cell(param.Description))
		}
	}
	for _, kind := range apitest.Names(object(op.Body["content"])) {
		media := object(object(op.Body["content"])[kind])
		p.line("\nBody, `%s`: %s", kind, p.kind(object(media["schema"])))
		for _, name := range apitest.Names(object(media["examples"])) {
			example := object(object(media["examples"])[name])
			if kind == "application/json" {
				p.line("\n%s:\n\n```json\n%s\n```", example["summary"], indented(example["value"]))
			}
		}
	}
	p.line("\n| answer | | |\n|---|---|---|")
	var examples []string
	for _, status := range apitest.Names(op.Responses) {
		response, _ := p.doc.Resolve(object(op.Responses[status]), "")
		description := response["description"]
		if own, ok := object(op.Responses[status])["description"]; ok {
			description = own
		}
		what := ""
		for kind, media := range object(response["content"]) {
			if kind == "application/json" || kind == "application/scim+json" {
				what = p.kind(object(object(media)["schema"]))
			}
			if example, ok := object(media)["example"]; ok && status < "300" {
				examples = append(examples, fmt.Sprintf("\n`%s` looks like this:\n\n```json\n%s\n```", status, indented(example)))
			}
		}
		if common(status) && object(op.Responses[status])["$ref"] != nil && status != "404" {
			continue
		}
		p.line("| %s %s | %s | %s |", status, http.StatusText(statusOf(status)), what, cell(fmt.Sprint(description)))
	}
	for _, example := range examples {
		p.line("%s", example)
	}
}

// common reports whether any operation may be answered so, which the page says once.
func common(status string) bool {
	return slices.Contains([]string{"400", "401", "403", "408", "413", "415", "422", "429", "431", "500", "503"}, status)
}

func statusOf(text string) (status int) {
	_, _ = fmt.Sscan(text, &status)
	return status
}

// shown reports whether a schema has a place of its own on the page: objects and closed sets of words.
func shown(schema map[string]any) bool {
	return schema["properties"] != nil || len(list(schema["enum"])) > 3 || len(list(schema["oneOf"])) > 0
}

func (p *page) object(name string, schema map[string]any) {
	p.line("\n<a id=\"the-%s\"></a>\n### %s\n\n%s", strings.ToLower(name), name, schema["description"])
	if words := list(schema["enum"]); len(words) > 0 {
		var quoted []string
		for _, word := range words {
			quoted = append(quoted, fmt.Sprintf("`%v`", word))
		}
		p.line("\nOne of %s.", strings.Join(quoted, ", "))
	}
	if ways := list(schema["oneOf"]); len(ways) > 0 {
		var kinds []string
		for _, way := range ways {
			kinds = append(kinds, p.kind(object(way)))
		}
		p.line("\nOne of %s.", strings.Join(kinds, ", "))
	}
	properties, required := object(schema["properties"]), list(schema["required"])
	if properties != nil {
		p.line("\n| member | type | |\n|---|---|---|")
	}
	for _, needed := range []bool{true, false} {
		for _, member := range apitest.Names(properties) {
			if described := object(properties[member]); slices.Contains(required, any(member)) == needed {
				p.line("| %s | %s | %s |", strong(member, needed), p.kind(described), cell(p.description(described)))
			}
		}
	}
}

// description is what a schema says of itself, or else what the one says that it refers to.
func (p *page) description(schema map[string]any) string {
	if text, ok := schema["description"].(string); ok {
		return text
	}
	if target, _ := p.doc.Resolve(schema, ""); target["description"] != nil {
		return fmt.Sprint(target["description"])
	}
	return ""
}

// kind says in a word or a link what a value is.
func (p *page) kind(schema map[string]any) string {
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		target, _ := p.doc.Resolve(schema, "")
		if shown(target) {
			return fmt.Sprintf("[%s](#the-%s)", name, strings.ToLower(name))
		}
		return p.kind(bounded(target, schema))
	}
	if word, ok := schema["const"]; ok {
		return "`" + strings.TrimSpace(compact(word)) + "`"
	}
	if words := list(schema["enum"]); len(words) > 0 {
		var quoted []string
		for _, word := range words {
			if word != nil && word != "" {
				quoted = append(quoted, fmt.Sprintf("`%v`", word))
			}
		}
		return strings.Join(quoted, ", ")
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		var kinds []string
		for _, way := range list(schema[keyword]) {
			target, _ := p.doc.Resolve(object(way), "")
			if kind := p.kind(object(way)); kind != "" && target["type"] != "null" && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		if len(kinds) > 0 {
			return strings.Join(kinds, " or ")
		}
	}
	return p.plain(schema)
}

// bounded is a schema with the bounds that a reference to it adds.
func bounded(target, reference map[string]any) map[string]any {
	out := map[string]any{}
	for _, each := range []map[string]any{target, reference} {
		for name, value := range each {
			if name != "$ref" {
				out[name] = value
			}
		}
	}
	return out
}

// plain says what a value is that is neither a reference nor one of several.
func (p *page) plain(schema map[string]any) string {
	kind, _ := schema["type"].(string)
	for _, each := range list(schema["type"]) {
		if each != "null" {
			kind = fmt.Sprint(each)
		}
	}
	null := ""
	if slices.Contains(list(schema["type"]), any("null")) && schema["maxLength"] == nil && schema["properties"] == nil {
		null = " or null"
	}
	switch kind {
	case "string":
		word := "text"
		switch schema["format"] {
		case "date-time":
			return "time"
		case "uuid":
			return "id"
		case "ipv4", "ipv6":
			return "IP address"
		}
		if most, ok := schema["maxLength"]; ok {
			word += fmt.Sprintf(", up to %v characters", most)
		}
		return word + null
	case "array":
		return "list of " + p.kind(object(schema["items"]))
	case "integer", "number":
		word := map[string]string{"integer": "whole number", "number": "number"}[kind]
		if low, high := schema["minimum"], schema["maximum"]; low != nil && high != nil && len(fmt.Sprint(high)) < 10 {
			word += fmt.Sprintf(" from %v to %v", low, high)
		}
		return word + null
	case "boolean":
		return "true or false"
	case "object":
		var members []string
		for _, name := range apitest.Names(object(schema["properties"])) {
			members = append(members, fmt.Sprintf("`%s`: %s", name, p.kind(object(object(schema["properties"])[name]))))
		}
		return strings.TrimSuffix("an object with "+strings.Join(members, "; "), " with ")
	}
	return ""
}

func strong(name string, required bool) string {
	if required {
		return "**`" + name + "`**"
	}
	return "`" + name + "`"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func compact(value any) string {
	var out bytes.Buffer
	writer := json.NewEncoder(&out)
	writer.SetEscapeHTML(false)
	_ = writer.Encode(value) // never fails on what was JSON
	return out.String()
}

func indented(value any) string {
	var out bytes.Buffer
	writer := json.NewEncoder(&out)
	writer.SetEscapeHTML(false)
	writer.SetIndent("", "  ")
	_ = writer.Encode(value) // never fails on what was JSON
	return strings.TrimSpace(out.String())
}
