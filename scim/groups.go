package scim

import (
	"context"
	"net/http"
	"strings"

	"curfew/revoke"
)

// Groups do not pass through the library: of a group only its two names and its members matter, and it would read ten thousand
// members to judge one. What a request says of them is read here; the core makes the change without looking at the others.

const (
	groupURI = "urn:ietf:params:scim:schemas:core:2.0:Group"
	// A group that is created or replaced brings all its members along.
	maxMembers = 20000
)

// groupDraft is what a request makes of a group.
type groupDraft struct {
	displayName *string
	externalID  *string // empty: taken away
	filters     int     // bytes of filters in paths so far
	members     revoke.MemberChange
}

// groups answers a request about groups.
func (h *handler) groups(r *http.Request, x *exchange, e endpoint) (answer, error) {
	switch {
	case r.Method == http.MethodPost:
		return h.createGroup(r, x)
	case r.Method == http.MethodPut, r.Method == http.MethodPatch:
		return h.changeGroup(r, x)
	case r.Method == http.MethodDelete:
		found, err := h.resource(r, x, revoke.TypeGroup)
		if err == nil {
			err = x.condition(found)
		}
		if err != nil {
			return answer{}, err
		}
		ctx, cancel := commitContext(r)
		defer cancel()
		_, err = h.service.DeleteResource(ctx, x.actor, x.source, found.ID)
		return answer{status: http.StatusNoContent}, err
	case e.kind == endpointGroups:
		return h.list(r, x, revoke.TypeGroup, wantedIn(x.query))
	default:
		found, err := h.resource(r, x, revoke.TypeGroup)
		if err != nil {
			return answer{}, err
		}
		return h.shown(r, x, http.StatusOK, found)
	}
}

func (h *handler) createGroup(r *http.Request, x *exchange) (answer, error) {
	var in groupDraft
	if err := in.whole(x); err != nil {
		return answer{}, err
	}
	draft := revoke.Draft{Resource: revoke.Resource{Type: revoke.TypeGroup, UserName: *in.displayName}, Members: in.members, Request: r.Method}
	if in.externalID != nil {
		draft.ExternalID = *in.externalID
	}
	ctx, cancel := commitContext(r)
	defer cancel()
	made, err := h.service.CreateResource(ctx, x.actor, x.source, draft)
	if err != nil {
		return answer{}, err
	}
	return h.shown(r, x, http.StatusCreated, made.Resource)
}

// changeGroup carries out a PUT or PATCH. A PATCH is answered without the group, which may have ten thousand members.
func (h *handler) changeGroup(r *http.Request, x *exchange) (answer, error) {
	var in groupDraft
	var err error
	if r.Method == http.MethodPut {
		err = in.whole(x)
	} else {
		err = in.patch(x)
	}
	if err != nil {
		return answer{}, err
	}
	key, err := resourceIDOf(x.id)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := commitContext(r)
	defer cancel()
	changed, err := h.service.UpdateResource(ctx, x.actor, x.source, key, func(now revoke.Resource) (revoke.Draft, error) {
		if now.Type != revoke.TypeGroup {
			return revoke.Draft{}, revoke.ErrNotFound
		}
		if err := x.condition(now); err != nil {
			return revoke.Draft{}, err
		}
		draft := revoke.Draft{Resource: now, Members: in.members, Request: r.Method}
		if in.displayName != nil && *in.displayName != now.UserName {
			draft.UserName, draft.Attributes = *in.displayName, append(draft.Attributes, "displayName")
		}
		if in.externalID != nil && *in.externalID != now.ExternalID {
			draft.ExternalID, draft.Attributes = *in.externalID, append(draft.Attributes, "externalId")
		}
		return draft, nil
	})
	switch {
	case err != nil:
		return answer{}, err
	case r.Method == http.MethodPatch && len(x.shows.only) == 0:
		return answer{status: http.StatusNoContent, header: http.Header{"ETag": {version(changed.Resource)}}}, nil
	default:
		return h.shown(r, x, http.StatusOK, changed.Resource)
	}
}

// whole reads the body of a POST or PUT. Members that a PUT leaves out stay: a client that was shown a group without them would
// empty it.
func (in *groupDraft) whole(x *exchange) error {
	o, ok := x.body.(object)
	switch {
	case !ok:
		return badRequest(invalidSyntax, "The body is not a JSON object. Send one group.")
	case listResponse(o):
		return badRequest(invalidSyntax, "The body is a ListResponse. Send one group, as GET /scim/v2/Groups/{id} shows it.")
	}
	if err := in.object(x, "replace", o); err != nil {
		return err
	}
	if in.displayName == nil {
		return badRequest(invalidValue, "displayName is missing or empty. Every group needs one (RFC 7643 section 4.2).")
	}
	return nil
}

// object reads a group, or the value of an operation without a path. What we do not know is ignored (RFC 7644 section 3.5.1).
func (in *groupDraft) object(x *exchange, op string, o object) error {
	for _, m := range o {
		name := fold(m.name)
		name = strings.TrimPrefix(name, fold(groupURI)+":")
		switch name {
		case "id":
			// Okta sends the id beside a new displayName; only on a PUT it must be the one of the path.
			if text, ok := m.value.(string); ok && x.id != "" && text != "" && text != x.id && x.method == http.MethodPut {
				return badRequest(mutability, "The id in the body is not the one in the path. Leave it out, or send it to its own path.")
			}
		case fold(groupURI):
			if inner, ok := m.value.(object); ok {
				if err := in.object(x, op, inner); err != nil {
					return err
				}
			}
		case "displayname", "externalid", "members":
			if err := in.set(op, name, m.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// set adds to or replaces one attribute.
func (in *groupDraft) set(op, name string, v any) error {
	switch name {
	case "displayname":
		text, ok := v.(string)
		if _, err := revoke.NewIdentifier(revoke.NamespaceUserName, text); !ok || err != nil {
			return badRequest(invalidValue, "displayName is empty, longer than 512 bytes or unprintable. Send one that people can read.")
		}
		in.displayName = &text
	case "externalid":
		text, ok := v.(string)
		if v != nil && !ok {
			return badRequest(invalidValue, "externalId is not text. Send your own id of the group as text.")
		}
		if _, err := revoke.NewIdentifier(revoke.NamespaceExternalID, text); text != "" && err != nil {
			return badRequest(invalidValue, "externalId is longer than 512 bytes or unprintable. Send your own id of the group.")
		}
		in.externalID = &text
	case "members":
		ids, err := memberIDs(v, true)
		if err != nil {
			return err
		}
		if op == "replace" {
			in.members.RemoveAll()
		}
		for _, id := range ids {
			in.members.AddOne(id)
		}
	}
	return nil
}

// memberIDs reads members in every form that clients write them: objects, one object, or plain ids. Where strict is false, what
// cannot be an id of ours is nobody's.
func memberIDs(v any, strict bool) ([]revoke.ID, error) {
	list := several(v, true)
	if len(list) > maxMembers {
		return nil, badRequest(tooMany, "The request names more than 20000 members. Send them in several requests.")
	}
	out := make([]revoke.ID, 0, len(list))
	for _, each := range list {
		o, _ := each.(object)
		value, _ := o.get("value")
		text, _ := value.(string)
		id, err := resourceIDOf(text)
		switch {
		case err == nil:
			out = append(out, id)
		case strict && text == "":
			return nil, badRequest(invalidValue, "One of members has no value. Send the id of a user or a group as its value.")
		case strict:
			return nil, badRequest(invalidValue, "members names "+quote(text)+", which is no id that this server gave out. Send the id of a user or a group.")
		}
	}
	return out, nil
}

// membersAtOnce is how many members are read at a time.
const membersAtOnce = 5000

// membersOf shows the members of groups, by group.
func (h *handler) membersOf(ctx context.Context, src revoke.Source, groups []revoke.Resource) (map[revoke.ID][]any, error) {
	out := map[revoke.ID][]any{}
	if len(groups) > 1 {
		ids := make([]revoke.ID, len(groups))
		for i := range groups {
			ids[i] = groups[i].ID
		}
		members, err := h.store.Members(ctx, revoke.MemberQuery{Org: src.Org, Groups: ids})
		for _, m := range members {
			out[m.Group] = append(out[m.Group], h.member(m))
		}
		return out, err
	}
	for _, group := range groups {
		q := revoke.MemberQuery{Org: src.Org, Group: group.ID, Limit: membersAtOnce}
		for {
			members, err := h.store.Members(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, m := range members {
				out[group.ID] = append(out[group.ID], h.member(m))
			}
			if len(members) < membersAtOnce {
				break
			}
			q.After = members[len(members)-1].MemberKey
		}
	}
	return out, nil
}

func (h *handler) member(m revoke.Member) map[string]any {
	kind := revoke.TypeUser
	if m.User.IsZero() {
		kind = revoke.TypeGroup
	}
	return map[string]any{"value": m.Resource.String(), "type": kind, "$ref": h.location(kind, m.Resource)}
}

// showGroup renders a group; its members are added where they are asked for.
func (h *handler) showGroup(r revoke.Resource) map[string]any {
	doc := map[string]any{"schemas": []string{groupURI}, "id": r.ID.String(), "displayName": r.UserName, "meta": h.meta(r)}
	if r.ExternalID != "" {
		doc["externalId"] = r.ExternalID
	}
	return doc
}
