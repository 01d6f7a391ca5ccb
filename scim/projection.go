package scim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// projection is which attributes of a resource an answer shows (RFC 7644 section 3.9). The zero projection shows all that are shown by
// default. Names that nobody knows are ignored.
type projection struct {
	only    []string // folded names, without their schema's URI
	without []string
}

func projectionOf(query url.Values) (p projection) {
	for name, values := range query {
		var into *[]string
		switch fold(name) {
		case "attributes":
			into = &p.only
		case "excludedattributes":
			into = &p.without
		default:
			continue
		}
		for _, value := range values {
			for each := range strings.SplitSeq(value, ",") {
				if each = bare(each); each != "" {
					*into = append(*into, each)
				}
			}
		}
	}
	return p
}

// bare is an attribute's name, folded and without the URI of a core schema. One of an extension keeps it, as it stands in a document.
func bare(name string) string {
	name = fold(name)
	for _, uri := range []string{coreURI, groupURI} {
		if rest, ok := strings.CutPrefix(name, fold(uri)+":"); ok {
			return rest
		}
	}
	return name
}

// always are shown whatever is asked for.
func always(name string) bool { return name == "id" || name == "schemas" }

// includes reports whether an attribute is shown at all, wholly or in part.
func (p projection) includes(name string) bool {
	shown := len(p.only) == 0
	for _, each := range p.only {
		shown = shown || each == name || strings.HasPrefix(each, name+".")
	}
	for _, each := range p.without {
		shown = shown && each != name
	}
	return shown
}

// cut takes out of a document what is not shown.
func (p projection) cut(doc map[string]any) {
	for name, value := range doc {
		folded := fold(name)
		if always(folded) {
			continue
		}
		inner, isExtension := value.(map[string]any)
		isExtension = isExtension && strings.HasPrefix(folded, "urn:")
		switch {
		case isExtension:
			p.within(folded+":", folded).cutParts(inner)
			if len(inner) == 0 || slices.Contains(p.without, folded) {
				delete(doc, name)
			}
		case !p.includes(folded):
			delete(doc, name)
		default:
			p.within(folded+".", folded).cutElements(value)
		}
	}
}

// within is the projection of what lies in an attribute or an extension.
func (p projection) within(prefix, whole string) (inner projection) {
	for _, each := range p.only {
		if rest, ok := strings.CutPrefix(each, prefix); ok {
			inner.only = append(inner.only, rest)
		}
		if each == whole {
			return projection{without: inner.withoutOf(p.without, prefix)}
		}
	}
	if len(p.only) > 0 && len(inner.only) == 0 {
		inner.only = []string{"\x00"} // something else was asked for
	}
	inner.without = inner.withoutOf(p.without, prefix)
	return inner
}

func (projection) withoutOf(without []string, prefix string) (out []string) {
	for _, each := range without {
		if rest, ok := strings.CutPrefix(each, prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

func (p projection) cutElements(value any) {
	switch v := value.(type) {
	case map[string]any:
		p.cutParts(v)
	case []any:
		for _, each := range v {
			if element, ok := each.(map[string]any); ok {
				p.cutParts(element)
			}
		}
	}
}

func (p projection) cutParts(parts map[string]any) {
	for name := range parts {
		if !p.includes(fold(name)) {
			delete(parts, name)
		}
	}
}

// textOf is a simple JSON value as a query would have it.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}
