package scim

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"curfew/revoke"
)

// A strict token speaks as the IPSIE profile of SCIM and the interoperability profile below it have it: what the schemas do not define is
// refused rather than ignored, every operation of a PATCH names its path, values have the type of their attribute, and there are no
// passwords. Okta and Entra do not, so nobody is held to it who did not ask for it.

type strictKey struct{}

// Strict holds the requests of the named sources to the profile before it hands them on.
func Strict(next http.Handler, sources []string) http.Handler {
	if len(sources) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if src, ok := revoke.SourceFrom(r.Context()); ok && slices.Contains(sources, src.Name) {
			r = r.WithContext(context.WithValue(r.Context(), strictKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

func strict(r *http.Request) bool {
	on, _ := r.Context().Value(strictKey{}).(bool)
	return on
}

// profile is what a body of one type of resource is held to.
type profile struct {
	names *attributes
	uris  []string // the resource's schema, then its extensions
}

func (h *handler) profileOf(e endpoint) (profile, bool) {
	switch e.kind {
	case endpointUsers, endpointUser:
		return profile{h.names, []string{coreURI, enterpriseURI}}, true
	case endpointGroups, endpointGroup:
		return profile{h.groupNames, []string{groupURI}}, true
	case endpointRoot, endpointRootSearch, endpointUserSearch, endpointGroupSearch, endpointBulk, endpointServiceProviderConfig, endpointResourceTypes, endpointSchemas:
	}
	return profile{}, false
}

// judge refuses a body that is not as the profile has it. What is no such body at all is left to those who read it.
func (p profile) judge(method string, body any) error {
	o, ok := body.(object)
	if !ok {
		return nil
	}
	if method != http.MethodPatch {
		if err := p.schemas(o, p.uris); err != nil {
			return err
		}
		return p.resource(o, "")
	}
	if err := p.schemas(o, []string{patchURI}); err != nil {
		return err
	}
	given, _ := o.get("Operations")
	for _, each := range asList(given) {
		if op, ok := each.(object); ok {
			if err := p.operation(op); err != nil {
				return err
			}
		}
	}
	return nil
}

// schemas holds that the first of the URIs is named, and none but these.
func (profile) schemas(o object, known []string) error {
	given, _ := o.get("schemas")
	list, _ := given.([]any)
	if !slices.Contains(list, any(known[0])) {
		return badRequest(invalidSyntax, "schemas does not name "+known[0]+".")
	}
	for _, each := range list {
		if text, _ := each.(string); !slices.Contains(known, text) {
			return badRequest(invalidSyntax, "schemas names "+quote(text)+", which this server does not have.")
		}
	}
	return nil
}

// resource looks at the members of a resource, or with a URI at those of an extension.
func (p profile) resource(o object, uri string) error {
	for _, m := range o {
		if uri == "" && len(p.uris) > 1 && fold(m.name) == fold(enterpriseURI) {
			inner, ok := m.value.(object)
			if !ok && m.value != nil {
				return wrongType(m.name, "an object")
			}
			if err := p.resource(inner, enterpriseURI); err != nil {
				return err
			}
			continue
		}
		full := m.name
		if uri != "" {
			full = uri + ":" + m.name
		}
		if strings.ContainsAny(m.name, ":.[") {
			return undefined(full)
		}
		if err := p.value(full, m.value); err != nil {
			return err
		}
	}
	return nil
}

func (p profile) operation(o object) error {
	for _, m := range o {
		if name := fold(m.name); name != "op" && name != "path" && name != "value" {
			return undefined("Operations." + m.name)
		}
	}
	path, _ := o.get("path")
	text, _ := path.(string)
	if strings.TrimSpace(text) == "" {
		return badRequest(invalidPath, "An operation has no path. This token is strict: name the attribute in path.")
	}
	v, _ := o.get("value")
	return p.value(text, v)
}

// value looks at what is said of the attribute that a path or a member's name points at.
func (p profile) value(name string, v any) error {
	at := p.names.find(name)
	extended := strings.HasPrefix(fold(name), fold(enterpriseURI)+":")
	switch {
	case at.meaning == somePassword:
		return badRequest(invalidValue, "password is not taken from this token, which is strict. Leave it out.")
	case at.meaning == serverOwned, at.meaning == resourceID:
		return nil // defined, and ignored or judged as for everybody
	case at.meaning != someAttribute, extended != (at.attribute.uri != ""), !extended && strings.HasPrefix(fold(name), "urn:") && !p.own(name):
		return undefined(name)
	case at.sub != "":
		def, _ := at.attribute.sub(at.sub)
		return simple(name, def.AttributeType(), v)
	case v == nil:
		return nil
	case !at.attribute.MultiValued():
		return p.one(at.attribute, name, v)
	case at.filter != "":
		return p.one(at.attribute, name, v)
	}
	list, ok := v.([]any)
	if !ok {
		return wrongType(name, "a list")
	}
	for _, each := range list {
		if err := p.one(at.attribute, name, each); err != nil {
			return err
		}
	}
	return nil
}

// own reports whether a name stands under the resource's own schema.
func (p profile) own(name string) bool { return strings.HasPrefix(fold(name), fold(p.uris[0])+":") }

func (profile) one(a attribute, name string, v any) error {
	if !a.complex() {
		return simple(name, a.AttributeType(), v)
	}
	o, ok := v.(object)
	if !ok {
		return wrongType(name, "an object")
	}
	for _, m := range o {
		def, ok := a.sub(m.name)
		if !ok {
			return undefined(name + "." + m.name)
		}
		if err := simple(name+"."+m.name, def.AttributeType(), m.value); err != nil {
			return err
		}
	}
	return nil
}

func simple(name, kind string, v any) error {
	_, isBool := v.(bool)
	_, isText := v.(string)
	switch {
	case v == nil:
		return nil
	case kind == "boolean" && !isBool:
		return wrongType(name, "true or false")
	case kind != "boolean" && kind != "integer" && kind != "decimal" && !isText:
		return wrongType(name, "text")
	}
	return nil
}

func undefined(name string) error {
	return badRequest(invalidSyntax, quote(name)+" is no attribute of the schemas of this server, and this token is strict. Leave it out; /scim/v2/Schemas lists what there is.")
}

func wrongType(name, want string) error {
	return badRequest(invalidValue, quote(name)+" is not "+want+", and this token is strict.")
}
