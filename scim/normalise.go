package scim

import (
	"net/http"
	"strings"

	"github.com/elimity-com/scim/schema"
)

// maxOperations bounds one PATCH, objects without a path counted by their members.
const maxOperations = 1000

// normalised is a body in the one form that the library accepts, with what was taken out of it on the way.
type normalised struct {
	body            map[string]any
	password        bool // one was sent; it is not in body, and nowhere else
	said            bool // active was sent
	clearExternalID bool // externalId was sent as null or ""
	extensions      []extensionChange
	operations      int
}

// normaliser turns what clients send into what RFC 7644 says, or into a refusal that names the attribute.
type normaliser struct {
	names   *attributes
	id      string // of the resource in the path, empty for POST
	filters int    // bytes of filters in paths so far
	// values in custom extensions so far
	extended int
	out      normalised
}

// user reads the body of a POST or PUT.
func (n *normaliser) user(body any) error {
	o, ok := body.(object)
	switch {
	case !ok:
		return badRequest(invalidSyntax, "The body is not a JSON object. Send one user.")
	case listResponse(o):
		return badRequest(invalidSyntax, "The body is a ListResponse. Send one user, as GET /scim/v2/Users/{id} shows it.")
	}
	n.out.body = map[string]any{"schemas": []any{coreURI}}
	if err := n.members(o, ""); err != nil {
		return err
	}
	if _, ok := n.out.body[enterpriseURI]; ok {
		n.out.body["schemas"] = []any{coreURI, enterpriseURI}
	}
	name, _ := n.out.body["userName"].(string)
	if strings.TrimSpace(name) == "" {
		return badRequest(invalidValue, "userName is missing or empty. Every user needs one (RFC 7643 section 4.1.1).")
	}
	return nil
}

func (n *normaliser) members(o object, uri string) error {
	for _, m := range o {
		name := m.name
		if uri != "" && !strings.HasPrefix(fold(name), "urn:") {
			name = uri + ":" + name
		}
		if err := n.member(n.names.find(name), m.value); err != nil {
			return err
		}
	}
	return nil
}

func (n *normaliser) member(p place, v any) error {
	switch p.meaning {
	case foreign:
		return n.extension("add", p.uri, v)
	case unknownName, serverOwned:
		return nil // RFC 7644 section 3.5.1 lets a server ignore what it does not know and what is its own
	case resourceID:
		if text, ok := v.(string); ok && n.id != "" && text != "" && text != n.id {
			return badRequest(mutability, "The id in the body is not the one in the path. Leave it out, or send it to its own path.")
		}
		return nil
	case wholeSchema:
		inner, ok := v.(object)
		if !ok {
			return nil
		}
		return n.members(inner, p.uri)
	case somePassword:
		return n.heardPassword(v)
	case someAttribute:
	}
	if p.filter != "" || p.sub != "" {
		return nil // paths are for PATCH
	}
	value, err := clean(p.attribute, v)
	if err != nil {
		return err
	}
	switch {
	case p.isActive():
		n.out.said = n.out.said || value != nil
	case p.attribute.Name() == "externalId":
		if value == nil || value == "" {
			n.out.clearExternalID, value = true, nil
		}
	}
	if value == nil {
		return nil
	}
	into := n.out.body
	if p.attribute.uri != "" {
		extension, _ := into[enterpriseURI].(map[string]any)
		if extension == nil {
			extension = map[string]any{}
			into[enterpriseURI] = extension
		}
		into = extension
	}
	if _, twice := into[p.attribute.Name()]; twice {
		return badRequest(invalidSyntax, p.canonical()+" stands twice in the body, under two names. Send it once.")
	}
	into[p.attribute.Name()] = value
	return nil
}

// heardPassword notes that a password was sent to a user who exists. On a creation it is a placeholder (Okta sends one
// even where password sync is off), whatever it is.
func (n *normaliser) heardPassword(v any) error {
	if n.id == "" || v == nil {
		return nil
	}
	text, ok := v.(string)
	if !ok || text == "" {
		return badRequest(invalidValue, "password is not text, or empty. Leave it out when it did not change.")
	}
	n.out.password = true
	return nil
}

// patch reads the body of a PATCH. Each operation comes out with a path, in the schema's spelling.
func (n *normaliser) patch(body any) error {
	o, ok := body.(object)
	if !ok {
		return badRequest(invalidSyntax, "The body is not a JSON object. Send a PatchOp message (RFC 7644 section 3.5.2).")
	}
	given, _ := o.get("Operations")
	list := asList(given)
	if len(list) == 0 {
		return badRequest(invalidSyntax, "Operations is missing or empty. Send a PatchOp message with at least one operation (RFC 7644 section 3.5.2).")
	}
	operations := []any{}
	n.out.body = map[string]any{"schemas": []any{patchURI}}
	for _, each := range list {
		op, ok := each.(object)
		if !ok {
			return badRequest(invalidSyntax, "One of Operations is not a JSON object. Send each with op, path and value.")
		}
		more, err := n.operation(op)
		if err != nil {
			return err
		}
		if operations = append(operations, more...); len(operations) > maxOperations {
			return badRequest(tooMany, "The request has more than 1000 operations. Send them in several requests.")
		}
	}
	n.out.body["Operations"], n.out.operations = operations, len(operations)
	return nil
}

func (n *normaliser) operation(o object) ([]any, error) {
	given, _ := o.get("op")
	text, _ := given.(string)
	op := fold(text)
	if op != "add" && op != "replace" && op != "remove" {
		return nil, badRequest(invalidSyntax, "op is "+quote(text)+". It is add, replace or remove (RFC 7644 section 3.5.2).")
	}
	value, hasValue := o.get("value")
	path, _ := o.get("path")
	name, ok := path.(string)
	if path != nil && !ok {
		return nil, badRequest(invalidPath, "path is not text. Send the name of an attribute.")
	}
	if !hasValue && op != "remove" {
		return nil, badRequest(invalidValue, "An operation "+quote(op)+" has no value. Send one.")
	}
	if strings.TrimSpace(name) == "" {
		if op == "remove" {
			return nil, badRequest(noTarget, "An operation remove has no path. Name what goes (RFC 7644 section 3.5.2.2).")
		}
		return n.expand(op, value, "", map[string]bool{})
	}
	p := n.names.find(name)
	switch p.meaning {
	case wholeSchema:
		if op == "remove" || value == nil {
			return n.removeAll(p.uri)
		}
		return n.expand(op, value, p.uri, map[string]bool{})
	case unknownName:
		return nil, badRequest(invalidPath, "The path "+quote(name)+" is no attribute that this server knows. Name one that /scim/v2/Schemas lists.")
	case foreign, serverOwned, resourceID, somePassword, someAttribute:
	}
	return n.pathed(op, p, value)
}

// expand makes an operation on the resource itself, or on one schema of it, into one for each member. Members that we do not know are
// dropped: refusing them would lose what stands beside them. One attribute under two names is refused, for the members of an
// object have no order in which the later could win.
func (n *normaliser) expand(op string, value any, uri string, seen map[string]bool) ([]any, error) {
	o, ok := value.(object)
	if !ok {
		return nil, badRequest(invalidValue, "An operation without the path of an attribute has no object as its value. Send one with the attributes as members.")
	}
	var out []any
	for _, m := range o {
		name := m.name
		if uri != "" && !strings.HasPrefix(fold(name), "urn:") {
			name = uri + ":" + name
		}
		p := n.names.find(name)
		var more []any
		var err error
		switch {
		case p.meaning == wholeSchema && uri == "":
			if m.value == nil {
				continue
			}
			more, err = n.expand(op, m.value, p.uri, seen)
		case p.meaning == wholeSchema, p.meaning == unknownName:
			continue
		case p.meaning == someAttribute && seen[p.canonical()]:
			err = badRequest(invalidSyntax, p.canonical()+" stands twice in one operation, under two names. Send it once.")
		default:
			seen[p.canonical()] = true
			more, err = n.pathed(op, p, m.value)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (n *normaliser) removeAll(uri string) ([]any, error) {
	if uri == coreURI {
		return nil, badRequest(invalidValue, "A user cannot be emptied. Use DELETE to remove it.")
	}
	var out []any
	for _, each := range schema.ExtensionEnterpriseUser().Attributes {
		out = append(out, operation("remove", enterpriseURI+":"+each.Name(), nil))
	}
	return out, nil
}

func operation(op, path string, value any) map[string]any {
	o := map[string]any{"op": op, "path": path}
	if value != nil {
		o["value"] = value
	}
	return o
}

// maxFilters bounds the filters in all paths of one PATCH: their parser needs microseconds for each byte.
const maxFilters = 64 << 10

// pathed reads an operation on one attribute.
func (n *normaliser) pathed(op string, p place, v any) ([]any, error) {
	if n.filters += len(p.filter); len(p.filter) > maxFilter || n.filters > maxFilters {
		return nil, badRequest(invalidFilter, "The filter in a path is longer than 2048 bytes, or all of them together than 64 KiB. Send the operations in several requests.")
	}
	switch p.meaning {
	case foreign:
		return nil, n.extension(op, p.uri, v)
	case serverOwned, unknownName, wholeSchema:
		return nil, nil
	case resourceID:
		if text, ok := v.(string); op == "remove" || !ok || text != n.id {
			return nil, badRequest(mutability, "id cannot be changed. Leave it out.")
		}
		return nil, nil
	case somePassword:
		if op == "remove" {
			return nil, nil // none is kept
		}
		return nil, n.heardPassword(v)
	case someAttribute:
	}
	required := p.isActive() || p.attribute.Required()
	if required && op == "remove" {
		return nil, badRequest(invalidValue, p.canonical()+" cannot be removed. Replace it.")
	}
	if op == "remove" {
		return n.remove(p, v)
	}
	value, err := cleanAt(p, v)
	if err != nil {
		return nil, err
	}
	switch {
	case value == nil && required:
		return nil, badRequest(invalidValue, p.canonical()+" has no value. Send one.")
	case p.isActive():
		n.out.said = true
	case p.attribute.Name() == "userName":
		if text, _ := value.(string); strings.TrimSpace(text) == "" {
			return nil, badRequest(invalidValue, "userName is empty. Every user needs one (RFC 7643 section 4.1.1).")
		}
	}
	switch {
	case value != nil:
		return []any{operation(op, p.canonical(), value)}, nil
	case op == "replace" || !p.attribute.MultiValued():
		return n.remove(p, nil) // null and an empty list say that it has no value (RFC 7643 section 2.5)
	default:
		return nil, nil // nothing is added
	}
}

// remove reads a removal. What goes without its value goes whole: an e-mail address that was cleared leaves no empty shell.
func (n *normaliser) remove(p place, v any) ([]any, error) {
	if p.filter != "" && p.sub == "value" {
		p.sub = ""
	}
	if v == nil || p.filter != "" || p.sub != "" || !p.attribute.MultiValued() {
		return []any{operation("remove", p.canonical(), nil)}, nil
	}
	value, err := clean(p.attribute, v) // Entra names what to remove by value ("Tutorial: Develop a SCIM endpoint")
	if err != nil || value == nil {
		return nil, err
	}
	return []any{operation("remove", p.canonical(), value)}, nil
}

// writes reports whether the method carries a user in its body.
func writes(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
