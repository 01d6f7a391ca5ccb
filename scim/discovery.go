package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/elimity-com/scim/schema"

	"curfew/revoke"
)

// discovery is what the server says about itself (RFC 7644 section 4). It is ours rather than the library's, whose answers are
// hard-coded and lack meta: clients choose PATCH or PUT by it, so it has to be true.
type discovery struct {
	config  map[bool][]byte // by whether the token is strict
	types   map[string]any  // by folded name
	schemas map[string]any  // by folded URI
	order   []string        // of schemas
}

func newDiscovery(base string) (discovery, error) {
	d := discovery{types: map[string]any{}, schemas: map[string]any{}}
	d.config = map[bool][]byte{false: encode(serviceProviderConfig(base, false)), true: encode(serviceProviderConfig(base, true))}
	d.types[fold(revoke.TypeUser)] = map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		"id":      revoke.TypeUser, "name": revoke.TypeUser, "endpoint": "/Users", "description": "A person who may hold sessions",
		"schema":           coreURI,
		"schemaExtensions": []any{map[string]any{"schema": enterpriseURI, "required": false}},
		"meta":             meta("ResourceType", base+"/ResourceTypes/"+revoke.TypeUser),
	}
	d.types[fold(revoke.TypeGroup)] = map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		"id":      revoke.TypeGroup, "name": revoke.TypeGroup, "endpoint": "/Groups", "description": "People that a directory keeps together",
		"schema": groupURI,
		"meta":   meta("ResourceType", base+"/ResourceTypes/"+revoke.TypeGroup),
	}
	for _, each := range []schema.Schema{
		schema.CoreUserSchema(), schema.ExtensionEnterpriseUser(), schema.CoreGroupSchema(),
		schema.ServiceProviderConfigSchema(), schema.ResourceTypeSchema(), schema.Definition(),
	} {
		doc, err := plain(each.ToMap())
		if err != nil {
			return discovery{}, fmt.Errorf("render schema %s: %w", each.ID, err)
		}
		if each.ID == groupURI {
			unique(doc, "displayName")
		}
		doc["meta"] = meta("Schema", base+"/Schemas/"+each.ID)
		d.schemas[fold(each.ID)], d.order = doc, append(d.order, fold(each.ID))
	}
	return d, nil
}

// unique says of an attribute that no two resources of a directory may share it, in which this server is stricter than RFC 7643.
func unique(doc map[string]any, name string) {
	list, _ := doc["attributes"].([]any)
	for _, each := range list {
		if attribute, ok := each.(map[string]any); ok && attribute["name"] == name {
			attribute["uniqueness"] = "server"
		}
	}
}

func meta(resourceType, location string) map[string]any {
	return map[string]any{"resourceType": resourceType, "location": location}
}

// serviceProviderConfig is RFC 7643 section 5, with pagination as RFC 9865 section 4 adds it. changePassword is true: a password in a PUT
// or PATCH is heard as "the password was changed", and ends what was signed in with the old one; a strict token has none.
func serviceProviderConfig(base string, strict bool) map[string]any {
	supported := map[string]any{"supported": true}
	return map[string]any{
		"schemas":        []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":          supported,
		"bulk":           map[string]any{"supported": true, "maxOperations": maxBulk, "maxPayloadSize": maxBody},
		"filter":         map[string]any{"supported": true, "maxResults": maxPage},
		"changePassword": map[string]any{"supported": !strict},
		"sort":           supported,
		"etag":           supported,
		"pagination": map[string]any{
			"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": defaultPage, "maxPageSize": maxPage,
			"cursorTimeout": cursorLives,
		},
		"interopProfileConformant": strict, // draft-zollner-scim-interop-profile: undefined attributes are refused
		"authenticationSchemes": []any{
			map[string]any{
				"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
				"description": "The token of a source with scope scim, in the header Authorization", "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
			},
			map[string]any{
				"type": "httpbasic", "name": "Basic", "primary": false,
				"description": "The same token as the password, with any name", "specUri": "https://www.rfc-editor.org/rfc/rfc7617",
			},
		},
		"meta": meta("ServiceProviderConfig", base+"/ServiceProviderConfig"),
	}
}

// plain renders v as plain JSON values without nulls and empty texts: Entra refuses a schema that has them.
func plain(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	prune(doc)
	return doc, nil
}

func prune(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, each := range v {
			if each == nil || each == "" {
				delete(v, name)
			}
			prune(each)
		}
	case []any:
		for _, each := range v {
			prune(each)
		}
	}
}

func (d discovery) answer(e endpoint, query url.Values, strict bool) (answer, error) {
	if parameter(query, "filter") != "" { // RFC 7644 section 4
		return answer{}, refusal{status: http.StatusForbidden, detail: "What this server says about itself cannot be filtered. Read all of it."}
	}
	ok := func(body []byte) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }
	switch e.kind {
	case endpointServiceProviderConfig:
		return ok(d.config[strict])
	case endpointResourceTypes:
		if e.id == "" {
			return ok(list([]any{d.types[fold(revoke.TypeUser)], d.types[fold(revoke.TypeGroup)]}, 2, 1))
		}
		if doc, found := d.types[fold(e.id)]; found {
			return ok(encode(doc))
		}
	case endpointSchemas:
		if e.id == "" {
			all := make([]any, 0, len(d.order))
			for _, uri := range d.order {
				all = append(all, d.schemas[uri])
			}
			return ok(list(all, len(all), 1))
		}
		if doc, found := d.schemas[fold(e.id)]; found {
			return ok(encode(doc))
		}
	case endpointUsers, endpointUser, endpointGroups, endpointGroup, endpointUserSearch, endpointGroupSearch, endpointRoot, endpointRootSearch, endpointBulk:
	}
	return answer{}, nowhere()
}
