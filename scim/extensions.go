package scim

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
)

// A custom extension is what a directory keeps with a user under a schema that this server does not have. It is kept and shown as
// it was sent. Nothing is known of it but the grammar of RFC 7644 section 3.10: a path is the extension's URI, and behind a colon
// the name of an attribute, and behind a dot that of a sub-attribute.

const (
	// maxExtensionPath bounds an extension's URI with the names behind it, in bytes: the databases index what lies there.
	maxExtensionPath = 512
	// maxExtensionValues bounds the values that a user has in all custom extensions together.
	maxExtensionValues = 1000
)

// extensionChange is one change to a custom extension.
type extensionChange struct {
	op, path string
	value    any // nil: none
}

// extension notes a change to a custom extension. A password is dropped, wherever it stands: none is ever kept.
func (n *normaliser) extension(op, path string, v any) error {
	path = strings.TrimSpace(path)
	switch {
	case strings.ContainsAny(path, "[]"):
		return badRequest(invalidPath, "The path "+quote(path)+" has a filter. Replace the attribute of a custom extension as a whole.")
	case !extensionPath(path):
		return nil // it can be no schema, and so is ignored as other unknown names are (RFC 7644 section 3.5.1)
	case len(path) > maxExtensionPath:
		return badRequest(invalidValue, "The path "+quote(path)+" is longer than 512 bytes. Use shorter names.")
	}
	value, err := n.extensionValue(path, v, true)
	if err != nil {
		return err
	}
	n.out.extensions = append(n.out.extensions, extensionChange{op, path, value})
	if n.extended++; n.extended > maxExtensionValues {
		return badRequest(tooMany, "The request has more than 1000 values in custom extensions. Leave out what nobody needs here.")
	}
	return nil
}

// extensionPath reports whether a custom extension can have the name: a URN that is not one of the protocol's own, without a password.
func extensionPath(path string) bool {
	folded := fold(path)
	for _, own := range []string{"urn:ietf:params:scim:api:", "urn:ietf:params:scim:schemas:core:"} {
		if strings.HasPrefix(folded, own) {
			return false
		}
	}
	if strings.Count(folded, ":") < 2 || strings.ContainsFunc(folded, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return false
	}
	return !slices.Contains(strings.FieldsFunc(folded, func(c rune) bool { return c == ':' || c == '.' }), "password")
}

// attributeName is the grammar of names (RFC 7643 section 2.1), and $ref.
func attributeName(name string) bool {
	for i, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '$'
		if !letter && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// extensionValue makes plain values of what was sent. Nulls and empty lists are no values (RFC 7643 section 2.5); a null right in the
// object that a change is about stays, for it takes something away.
func (n *normaliser) extensionValue(path string, v any, outermost bool) (any, error) {
	if n.extended++; n.extended > maxExtensionValues {
		return nil, badRequest(tooMany, "The request has more than 1000 values in custom extensions. Leave out what nobody needs here.")
	}
	switch v := v.(type) {
	case json.Number:
		if number, err := v.Float64(); err != nil || math.IsInf(number, 0) {
			return nil, badRequest(invalidValue, quote(path)+" is a number that is too large. Send one that fits 64 bits, or text.")
		}
		return v, nil
	case []any:
		out := make([]any, 0, len(v))
		for _, each := range v {
			value, err := n.extensionValue(path, each, false)
			if err != nil {
				return nil, err
			}
			if value != nil {
				out = append(out, value)
			}
		}
		if len(out) == 0 {
			return nil, nil
		}
		return out, nil
	case object:
		out := map[string]any{}
		for _, m := range v {
			if !attributeName(m.name) || fold(m.name) == "password" {
				continue
			}
			inner := path + "." + m.name
			if len(inner) > maxExtensionPath {
				return nil, badRequest(invalidValue, "The path "+quote(inner)+" is longer than 512 bytes. Use shorter names.")
			}
			value, err := n.extensionValue(inner, m.value, false)
			if err != nil {
				return nil, err
			}
			if value != nil || outermost {
				out[m.name] = value
			}
		}
		if len(out) == 0 && !outermost {
			return nil, nil
		}
		return out, nil
	default:
		return v, nil
	}
}

// extend carries out changes to custom extensions. The document is changed, but nothing in it; on an error it is to be thrown away.
func extend(doc map[string]any, changes []extensionChange) error {
	for _, c := range changes {
		if err := c.apply(doc); err != nil {
			return err
		}
	}
	values := 0
	for _, uri := range customIn(doc) {
		values += valuesIn(doc[uri])
	}
	if values > maxExtensionValues {
		return badRequest(invalidValue, "The user would have more than 1000 values in custom extensions. Remove what nobody needs here.")
	}
	return nil
}

// customIn names the custom extensions of a document, sorted.
func customIn(doc map[string]any) []string {
	var out []string
	for name := range doc {
		if strings.HasPrefix(fold(name), "urn:") && name != enterpriseURI {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func valuesIn(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, each := range v {
			n += valuesIn(each)
		}
	case []any:
		for _, each := range v {
			n += valuesIn(each)
		}
	default:
		n = 1
	}
	return n
}

func (c extensionChange) apply(doc map[string]any) error {
	uri, attribute, sub := c.target(doc)
	have, _ := doc[uri].(map[string]any)
	next := copyOf(have)
	given, isObject := c.value.(map[string]any)
	switch {
	case attribute != "" && sub != "":
		c.setSub(next, attribute, sub)
	case attribute != "":
		c.set(next, attribute, c.value)
	case c.op == "remove", c.value == nil:
		clear(next)
	case !isObject:
		return badRequest(invalidValue, quote(c.path)+" is an extension, and its value is no object. Send an object with the attributes to change.")
	default:
		for name, value := range given {
			c.set(next, name, value)
		}
	}
	if doc[uri] = next; len(next) == 0 {
		delete(doc, uri)
	}
	return nil
}

// target parts the path into the extension's URI and what lies in it. Only the extension's schema would tell for sure; what the user
// has tells, else what is sent: an object is an extension, unless it stands behind a URI that ends as URIs of extensions of users do.
func (c extensionChange) target(doc map[string]any) (uri, attribute, sub string) {
	path := fold(c.path)
	for _, known := range customIn(doc) {
		rest, ok := strings.CutPrefix(path, fold(known))
		if !ok || rest != "" && rest[0] != ':' || len(known) < len(uri) {
			continue
		}
		uri = known
	}
	if uri != "" {
		attribute, sub, _ = strings.Cut(strings.TrimPrefix(c.path[len(uri):], ":"), ".")
		return uri, attribute, sub
	}
	at := strings.LastIndexByte(c.path, ':')
	attribute, sub, _ = strings.Cut(c.path[at+1:], ".")
	_, isObject := c.value.(map[string]any)
	ofUser := strings.HasSuffix(fold(c.path[:at]), ":user")
	if isObject && !ofUser || !attributeName(attribute) || fold(attribute) == "user" || sub != "" && !attributeName(sub) {
		return c.path, "", ""
	}
	return c.path[:at], attribute, sub
}

// spelled is the key that a name has in a document already, in whatever letter case.
func spelled(in map[string]any, name string) string {
	if _, ok := in[name]; ok {
		return name
	}
	for each := range in {
		if fold(each) == fold(name) {
			return each
		}
	}
	return name
}

// set changes one attribute as RFC 7644 section 3.5.2 says of one whose type is what it holds: values are added to a list, an
// object takes over what it is not sent.
func (c extensionChange) set(into map[string]any, name string, v any) {
	name = spelled(into, name)
	have := into[name]
	list, isList := have.([]any)
	switch {
	case c.op == "remove" && isList && v != nil:
		gone := listOf(v)
		list = slices.DeleteFunc(slices.Clone(list), func(each any) bool { return contains(gone, each) })
		have = list
	case c.op == "remove":
		have = nil
	case c.op == "add" && isList:
		list = slices.Clone(list)
		for _, each := range listOf(v) {
			if !contains(list, each) {
				list = append(list, each)
			}
		}
		have = list
	default:
		have = merged(have, v)
	}
	if list, isList := have.([]any); have == nil || isList && len(list) == 0 {
		delete(into, name)
		return
	}
	into[name] = have
}

func listOf(v any) []any {
	if list, ok := v.([]any); ok || v == nil {
		return list
	}
	return []any{v}
}

func contains(list []any, v any) bool {
	return slices.ContainsFunc(list, func(each any) bool { return reflect.DeepEqual(each, v) })
}

// merged is what replaces a value: an object keeps the sub-attributes that are not sent.
func merged(have, v any) any {
	given, ok := v.(map[string]any)
	if !ok {
		return v
	}
	before, _ := have.(map[string]any)
	next := copyOf(before)
	for name, value := range given {
		if name = spelled(next, name); value == nil {
			delete(next, name)
		} else {
			next[name] = value
		}
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// setSub changes a sub-attribute, of every element where there are several.
func (c extensionChange) setSub(into map[string]any, attribute, sub string) {
	attribute = spelled(into, attribute)
	given := map[string]any{sub: c.value}
	if c.op == "remove" {
		given[sub] = nil
	}
	list, isList := into[attribute].([]any)
	if !isList {
		if into[attribute] = merged(into[attribute], given); into[attribute] == nil {
			delete(into, attribute)
		}
		return
	}
	next := make([]any, 0, len(list))
	for _, each := range list {
		if _, complex := each.(map[string]any); complex {
			each = merged(each, given)
		}
		if each != nil {
			next = append(next, each)
		}
	}
	if into[attribute] = next; len(next) == 0 {
		delete(into, attribute)
	}
}

// schemasOf are the schemas that a user's document uses.
func schemasOf(doc map[string]any) []string {
	schemas := []string{coreURI}
	if _, ok := doc[enterpriseURI]; ok {
		schemas = append(schemas, enterpriseURI)
	}
	return append(schemas, customIn(doc)...)
}
