package scim

import (
	"strings"

	"github.com/elimity-com/scim/schema"

	"curfew/revoke"
)

// attributes finds what a name means, in the letter case and under the prefix that a client happens to write.
type attributes struct {
	core       map[string]attribute
	enterprise map[string]attribute
	aliases    []alias
}

// attribute is one attribute of the user schema or of its enterprise extension.
type attribute struct {
	schema.CoreAttribute
	uri string // enterpriseURI, or empty for the core
}

func newAttributes() *attributes {
	a := &attributes{core: map[string]attribute{}, enterprise: map[string]attribute{}, aliases: schemaAliases()}
	for _, each := range schema.CoreUserSchema().Attributes {
		a.core[fold(each.Name())] = attribute{CoreAttribute: each}
	}
	for _, each := range schema.CommonAttributes() {
		if each.Name() == "externalId" {
			a.core[fold(each.Name())] = attribute{CoreAttribute: each}
		}
	}
	for _, each := range schema.ExtensionEnterpriseUser().Attributes {
		a.enterprise[fold(each.Name())] = attribute{CoreAttribute: each, uri: enterpriseURI}
	}
	return a
}

// newGroupAttributes are those of a group.
func newGroupAttributes() *attributes {
	a := &attributes{core: map[string]attribute{}, enterprise: map[string]attribute{}, aliases: []alias{{fold(groupURI), groupURI}}}
	for _, each := range schema.CoreGroupSchema().Attributes {
		a.core[fold(each.Name())] = attribute{CoreAttribute: each}
	}
	for _, each := range schema.CommonAttributes() {
		if each.Name() == "externalId" {
			a.core[fold(each.Name())] = attribute{CoreAttribute: each}
		}
	}
	return a
}

// namesOf are the attributes of a type of resource.
func (h *handler) namesOf(kind string) *attributes {
	if kind == revoke.TypeGroup {
		return h.groupNames
	}
	return h.names
}

// sortable is the path that a list is sorted by; a complex attribute stands for its value.
func (a *attributes) sortable(name string) (string, error) {
	p := a.find(name)
	unknown := badRequest(invalidPath, "A list cannot be sorted by "+quote(name)+". Name an attribute that has one text, number or time.")
	switch {
	case strings.TrimSpace(name) == "":
		return "", nil
	case p.meaning == resourceID:
		return "id", nil
	case fold(name) == "meta.created":
		return "meta.created", nil
	case fold(name) == "meta.lastmodified":
		return "meta.lastModified", nil
	case p.meaning != someAttribute || p.filter != "":
		return "", unknown
	case p.attribute.complex() && p.sub == "" && !p.attribute.hasValue():
		return "", unknown
	case p.attribute.complex() && p.sub == "":
		p.sub = "value"
	}
	return p.canonical(), nil
}

func (a attribute) complex() bool { return a.AttributeType() == "complex" }

func (a attribute) sub(name string) (schema.CoreAttribute, bool) {
	for _, each := range a.SubAttributes() {
		if fold(each.Name()) == fold(name) {
			return each, true
		}
	}
	return schema.CoreAttribute{}, false
}

func (a attribute) hasValue() bool {
	_, ok := a.sub("value")
	return ok
}

// meaning is what a path or a member's name can point at.
type meaning int

const (
	unknownName   meaning = iota // nothing that we know
	foreign                      // a custom extension, or something of one
	serverOwned                  // meta, groups, schemas: ours to say, ignored when sent (RFC 7644 section 3.5.1)
	resourceID                   // id
	wholeSchema                  // all of the core or of the extension
	somePassword                 // password: heard, never kept
	someAttribute                // an attribute, an element or a sub-attribute
)

// place is where a path or a member's name points.
type place struct {
	meaning   meaning
	uri       string // for wholeSchema; for foreign the whole name
	attribute attribute
	filter    string // the text between [ and ]
	sub       string // canonical name of the sub-attribute
}

// find reads a path or a member's name: "Active", "name.givenName", `emails[type eq "work"].value`, each with or without its
// schema's URI in front.
func (a *attributes) find(name string) place {
	rest, uri := strings.TrimSpace(name), ""
	if strings.HasPrefix(fold(rest), "urn:") {
		for _, each := range a.aliases {
			after, ok := strings.CutPrefix(fold(rest), each.spelled)
			switch {
			case !ok || after != "" && after[0] != ':' && after[0] != '.': // with a dot it is no schema of anybody's
				continue
			case after == "":
				return place{meaning: wholeSchema, uri: each.uri}
			}
			rest, uri = rest[len(each.spelled)+1:], each.uri
			break
		}
		if uri == "" {
			return place{meaning: foreign, uri: rest}
		}
	}
	var head, filter, sub string
	if open, end := strings.IndexByte(rest, '['), strings.LastIndexByte(rest, ']'); open >= 0 {
		if end < open || strings.TrimSpace(rest[open+1:end]) == "" {
			return place{}
		}
		head, filter = rest[:open], strings.TrimSpace(rest[open+1:end])
		tail := rest[end+1:]
		if tail != "" && (tail[0] != '.' || tail == ".") {
			return place{}
		}
		sub = strings.TrimPrefix(tail, ".")
	} else {
		head, sub, _ = strings.Cut(rest, ".")
	}
	return a.point(uri, head, filter, sub)
}

func (a *attributes) point(uri, head, filter, sub string) place {
	known, found := attribute{}, false
	if uri != enterpriseURI {
		switch fold(head) {
		case "id":
			return place{meaning: resourceID}
		case "meta", "groups", "schemas":
			return place{meaning: serverOwned}
		}
		known, found = a.core[fold(head)]
	}
	// Entra's documented older bodies name the manager without its schema ("Tutorial: Develop a SCIM endpoint").
	if !found && uri != coreURI {
		known, found = a.enterprise[fold(head)]
	}
	switch {
	case !found, filter != "" && !known.MultiValued(), sub != "" && !known.complex():
		return place{}
	case known.Name() == "password":
		return place{meaning: somePassword}
	}
	p := place{meaning: someAttribute, attribute: known, filter: filter}
	if sub != "" {
		def, ok := known.sub(sub)
		if !ok {
			return place{}
		}
		p.sub = def.Name()
	}
	return p
}

// isActive reports whether p is the attribute that this is all about.
func (p place) isActive() bool {
	return p.meaning == someAttribute && p.attribute.uri == "" && p.attribute.Name() == "active"
}

// canonical is p as the schema spells it, the way in which the library reads paths.
func (p place) canonical() string {
	var b strings.Builder
	if p.attribute.uri != "" {
		b.WriteString(p.attribute.uri + ":")
	}
	b.WriteString(p.attribute.Name())
	if p.filter != "" {
		b.WriteString("[" + p.filter + "]")
	}
	if p.sub != "" {
		b.WriteString("." + p.sub)
	}
	return b.String()
}
