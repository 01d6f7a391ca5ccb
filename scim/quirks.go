package scim

import "strings"

// What clients send that RFC 7643 and 7644 do not say, each with who sends it and where that is known from. Everything here
// is accepted from everyone: a client is never told apart by its User-Agent, and one dialect reaches us from several.

const (
	coreURI       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterpriseURI = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchURI      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	listURI       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// alias is a folded spelling of one of the two schemas that we know.
type alias struct{ spelled, uri string }

// schemaAliases holds longer spellings before the shorter ones that they begin with.
func schemaAliases() []alias {
	return []alias{
		{fold(coreURI), coreURI},
		{fold(enterpriseURI), enterpriseURI},
		// Entra's documented older bodies lack the last colon ("Understand SCIM schema mapping", seen 2026-10).
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0user", enterpriseURI},
		// OneLogin writes version 2 bodies with version 1 looking names (field report: authentik issue 11249).
		{"urn:scim:schemas:core:2.0:user", coreURI},
		{"urn:scim:schemas:core:2.0", coreURI},
		{"urn:scim:schemas:extension:enterprise:2.0:user", enterpriseURI},
		{"urn:scim:schemas:extension:enterprise:2.0", enterpriseURI},
	}
}

// truth reads a boolean as clients spell it: JSON's own, and as text in any letter case. Entra sends "True" and "False" without
// its flag aadOptscim062020 ("Known issues for provisioning", seen 2026-10), Keycloak's SCIM extension "false" (field report:
// Stalwart replay test). Numbers, "0" and "yes" mean nothing.
func truth(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		switch strings.ToLower(v) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	return false, false
}

// single reads a complex attribute that has one value. Entra sends a manager as its bare id, as "" to clear it, and in old
// bodies as an array of one ("Tutorial: Develop a SCIM endpoint", seen 2026-10).
func single(v any, hasValue bool) any {
	switch list, ok := v.([]any); {
	case ok && len(list) == 0:
		return nil
	case ok && len(list) == 1:
		v = list[0]
	}
	if text, ok := v.(string); ok && hasValue {
		if text == "" {
			return nil
		}
		return object{{"value", text}}
	}
	return v
}

// several reads a multi-valued attribute: roles as plain strings (field report: lightdash 23037), one object or string where
// a list is due (Okta's and Entra's PATCH, RFC 7644 section 3.5.2.1 allows it there).
func several(v any, hasValue bool) []any {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, each := range list {
		text, isText := each.(string)
		switch {
		case each == nil, isText && text == "":
		case isText && hasValue:
			out = append(out, object{{"value", text}})
		default:
			out = append(out, each)
		}
	}
	return out
}

// listResponse reports whether somebody sends a list where a user is due. Okta merges its change into whatever GET answered
// (field report: Okta developer forum), so this shows a proxy that answers a GET by id with a list.
func listResponse(o object) bool {
	if schemas, ok := o.get("schemas"); ok {
		list, _ := schemas.([]any)
		for _, each := range list {
			if text, ok := each.(string); ok && fold(text) == fold(listURI) {
				return true
			}
		}
	}
	_, resources := o.get("Resources")
	_, total := o.get("totalResults")
	return resources && total
}
