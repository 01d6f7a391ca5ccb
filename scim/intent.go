package scim

import (
	"net/http"
	"slices"
)

// wantsInactive reports whether a body, as far as it can be read at all, sets active to a false value anywhere. It is read
// beside everything else, so that no reason for refusing a request can lose a deactivation (RFC 7644 makes a PATCH atomic;
// DESIGN section 3 makes the deactivation inside it an exception).
func (a *attributes) wantsInactive(method string, body any) bool {
	switch o := body.(type) {
	case []any: // operations without the object around them
		return method == http.MethodPatch && a.anyOperation(o)
	case object:
		if a.objectWantsInactive(o) {
			return true
		}
		if _, ok := o.get("op"); ok && method == http.MethodPatch && a.operationWantsInactive(o) { // an operation without the message around it
			return true
		}
		for _, m := range o {
			if method == http.MethodPatch && fold(m.name) == "operations" && a.anyOperation(asList(m.value)) {
				return true
			}
		}
	}
	return false
}

// objectWantsInactive looks at a user, or at the value of an operation without a path.
func (a *attributes) objectWantsInactive(o object) bool {
	for _, m := range o {
		switch p := a.find(m.name); {
		case p.isActive():
			if value, ok := truth(m.value); ok && !value {
				return true
			}
		case p.meaning == wholeSchema && p.uri == coreURI:
			if inner, ok := m.value.(object); ok && a.objectWantsInactive(inner) {
				return true
			}
		}
	}
	return false
}

func (a *attributes) anyOperation(list []any) bool {
	for _, each := range list {
		if o, ok := each.(object); ok && a.operationWantsInactive(o) {
			return true
		}
	}
	return false
}

// operationWantsInactive looks at one operation. Of members that stand twice each counts with each.
func (a *attributes) operationWantsInactive(o object) bool {
	sets, paths, values := false, []string{}, []any{}
	named := false
	for _, m := range o {
		switch fold(m.name) {
		case "op":
			named = named || m.value != nil
			text, _ := m.value.(string)
			sets = sets || fold(text) == "add" || fold(text) == "replace"
		case "path":
			if text, ok := m.value.(string); ok && fold(text) != "" {
				paths = append(paths, text)
			}
		case "value":
			values = append(values, m.value)
		}
	}
	if named && !sets {
		return false
	}
	for _, value := range values {
		within := slices.ContainsFunc(asList(value), func(each any) bool { // one in a list is refused, and says the same
			inner, ok := each.(object)
			return ok && a.objectWantsInactive(inner)
		})
		if len(paths) == 0 && within {
			return true
		}
		for _, path := range paths {
			switch p := a.find(path); {
			case p.isActive():
				if is, ok := truth(value); ok && !is {
					return true
				}
			case p.meaning == wholeSchema && p.uri == coreURI && within:
				return true
			}
		}
	}
	return false
}

// asList returns v as a list; one operation without a list around it is a list of one.
func asList(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case nil:
		return nil
	default:
		return []any{v}
	}
}
