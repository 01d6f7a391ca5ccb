package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"curfew/revoke"
)

// maxProfile bounds what one user may come to hold by many PATCHes.
const maxProfile = 256 << 10

// documentOf is a resource as a SCIM document: the schema's names and plain values. What stands in a column of its own is not in
// the stored profile, so that it has one truth.
func documentOf(r revoke.Resource) (map[string]any, error) {
	doc := map[string]any{}
	if len(r.Profile) > 0 {
		d := json.NewDecoder(bytes.NewReader(r.Profile))
		d.UseNumber() // numbers of custom extensions stay as they were sent
		if err := d.Decode(&doc); err != nil {
			return nil, fmt.Errorf("read profile of resource %s: %w", r.ID, err)
		}
	}
	doc["userName"], doc["active"] = r.UserName, r.Active
	if r.ExternalID != "" {
		doc["externalId"] = r.ExternalID
	}
	return doc, nil
}

// draftOf is what a document makes of a resource. A document that says what r says already gives back r itself, byte for byte.
func draftOf(src revoke.Source, r revoke.Resource, doc map[string]any) (revoke.Draft, error) {
	before, err := documentOf(r)
	if err != nil {
		return revoke.Draft{}, err
	}
	if r.ID.IsZero() || !reflect.DeepEqual(before, doc) {
		if err := fill(&r, doc); err != nil {
			return revoke.Draft{}, err
		}
	}
	r.Org, r.Authority, r.Type = src.Org, src.Authority, revoke.TypeUser
	return revoke.Draft{Resource: r, Subject: subjectOf(src, doc)}, nil
}

func fill(r *revoke.Resource, doc map[string]any) error {
	r.UserName, _ = doc["userName"].(string)
	r.ExternalID, _ = doc["externalId"].(string)
	active, ok := doc["active"].(bool)
	if !ok {
		return badRequest(invalidValue, "active has no value. Send true or false.")
	}
	r.Active = active
	if _, err := revoke.NewIdentifier(revoke.NamespaceUserName, r.UserName); err != nil {
		return badRequest(invalidValue, "userName is empty, longer than 512 bytes or unprintable. Send a name that people can read.")
	}
	if r.ExternalID != "" {
		if _, err := revoke.NewIdentifier(revoke.NamespaceExternalID, r.ExternalID); err != nil {
			return badRequest(invalidValue, "externalId is empty, longer than 512 bytes or unprintable. Send your own id of the user, or leave it out.")
		}
	}
	profile := map[string]any{}
	for name, value := range doc {
		switch name {
		case "userName", "externalId", "active", "password", "id", "meta", "groups", "schemas":
		default:
			profile[name] = value
		}
	}
	r.Profile = encode(profile)
	if len(r.Profile) > maxProfile {
		return badRequest(invalidValue, "The user would be larger than 256 KiB. Send fewer or shorter attributes.")
	}
	return nil
}

// changedNames are the attributes in which two documents differ, for the audit log: names, never values.
func changedNames(before, after map[string]any) []string {
	var names []string
	for name := range after {
		if !reflect.DeepEqual(before[name], after[name]) {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, still := after[name]; !still {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// subjectOf says by which names the person of a document is known.
func subjectOf(src revoke.Source, doc map[string]any) revoke.Subject {
	var s revoke.Subject
	if id, ok := doc["externalId"].(string); ok {
		s.Add(idsOf(src), id)
	}
	userName, _ := doc["userName"].(string)
	s.Add(revoke.NamespaceUserName, userName)
	addValues(&s, revoke.NamespaceEmail, doc["emails"])
	if _, ok := s.Has(revoke.NamespaceEmail); !ok && revoke.LooksLikeAddress(userName) {
		s.Add(revoke.NamespaceEmail, userName)
	}
	addValues(&s, revoke.NamespacePhone, doc["phoneNumbers"])
	return s
}

func addValues(s *revoke.Subject, namespace string, list any) {
	for _, each := range elements(list) {
		element, _ := each.(map[string]any)
		value, _ := element["value"].(string)
		s.Add(namespace, value)
	}
}

func idsOf(src revoke.Source) string {
	if src.IDs == "" {
		return revoke.NamespaceExternalID
	}
	return src.IDs
}

// subjectIn reads the names out of a body that is refused, whatever else is wrong with it.
func (a *attributes) subjectIn(src revoke.Source, body any) revoke.Subject {
	o, _ := body.(object)
	doc := map[string]any{}
	a.names(o, doc)
	return subjectOf(src, doc)
}

func (a *attributes) names(o object, doc map[string]any) {
	for _, m := range o {
		p := a.find(m.name)
		if inner, ok := m.value.(object); ok && p.meaning == wholeSchema && p.uri == coreURI {
			a.names(inner, doc)
		}
		if p.meaning != someAttribute || p.filter != "" || p.sub != "" || p.attribute.uri != "" {
			continue
		}
		switch name := p.attribute.Name(); name {
		case "userName", "externalId":
			if _, twice := doc[name]; !twice {
				doc[name] = m.value
			}
		case "emails", "phoneNumbers":
			list, _ := doc[name].([]any)
			for _, each := range several(m.value, true) {
				element, _ := each.(object)
				value, _ := element.get("value")
				list = append(list, map[string]any{"value": value})
			}
			doc[name] = list
		}
	}
}

// show renders a resource. Its version is weak: two equal ones may differ in the order of members.
func (h *handler) show(r revoke.Resource) (map[string]any, error) {
	if r.Type == revoke.TypeGroup {
		return h.showGroup(r), nil
	}
	doc, err := documentOf(r)
	if err != nil {
		return nil, err
	}
	doc["schemas"], doc["id"] = schemasOf(doc), r.ID.String()
	doc["meta"] = h.meta(r)
	return doc, nil
}

func (h *handler) meta(r revoke.Resource) map[string]any {
	return map[string]any{
		"resourceType": r.Type,
		"created":      r.CreatedAt,
		"lastModified": r.UpdatedAt,
		"location":     h.location(r.Type, r.ID),
		"version":      version(r),
	}
}

func version(r revoke.Resource) string { return fmt.Sprintf(`W/"%d"`, r.Version) }

func (h *handler) location(kind string, id revoke.ID) string {
	return h.base + "/" + kind + "s/" + id.String()
}

// encode writes JSON without the escapes that are for HTML. What we encode always can be.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// safe reports whether a base URL is one that locations can be built on.
func safe(base string) bool {
	return slices.ContainsFunc([]string{"http://", "https://"}, func(scheme string) bool { return strings.HasPrefix(base, scheme) })
}
