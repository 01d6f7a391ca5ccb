package scim

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	library "github.com/elimity-com/scim"

	"curfew/revoke"
)

// users is what the library calls once it has found a request valid. The library reads; what is said and what is wrong stands
// in the exchange, since it passes on only some statuses and shows the text of any other error.
type users struct{ *handler }

// handled tells the library that all is said. It would answer 500; the exchange has the true answer.
func handled(x *exchange, a answer, err error) (library.Resource, error) {
	x.answer, x.err, x.handled = a, err, true
	if err != nil {
		return library.Resource{}, errHandled
	}
	return library.Resource{ID: x.id, Attributes: library.ResourceAttributes{"handled": true}}, nil
}

var errHandled = errors.New("handled")

// Create makes a user, or restores the inactive one that it re-creates: both are 201 (as Okta reprovisions).
func (u users) Create(r *http.Request, attributes library.ResourceAttributes) (library.Resource, error) {
	x := exchangeOf(r)
	doc := map[string]any(attributes)
	if _, ok := doc["active"]; !ok {
		doc["active"] = true
	}
	if err := extend(doc, x.input.extensions); err != nil {
		return handled(x, answer{}, err)
	}
	draft, err := draftOf(x.source, revoke.Resource{}, doc)
	if err != nil {
		return handled(x, answer{}, err)
	}
	draft.Said, draft.Request, draft.Attributes = x.input.said, r.Method, changedNames(nil, doc)
	ctx, cancel := commitContext(r)
	defer cancel()
	made, err := u.service.CreateResource(ctx, x.actor, x.source, draft)
	if err != nil {
		return handled(x, answer{}, err)
	}
	x.hold(made)
	a, err := u.shown(r, x, http.StatusCreated, made.Resource)
	return handled(x, a, err)
}

// Get shows a user, active or not.
func (u users) Get(r *http.Request, _ string) (library.Resource, error) {
	x := exchangeOf(r)
	found, err := u.resource(r, x, revoke.TypeUser)
	if err != nil {
		return handled(x, answer{}, err)
	}
	a, err := u.shown(r, x, http.StatusOK, found)
	return handled(x, a, err)
}

// GetAll is never called: lists are read without the library, which knows no cursor and no order.
func (users) GetAll(*http.Request, library.ListRequestParams) (library.Page, error) {
	return library.Page{}, errHandled
}

// Replace makes the user what the body says. What a PUT leaves out is cleared, but active and externalId stay: a client that does
// not know them neither revives a leaver nor makes the person another one.
func (u users) Replace(r *http.Request, _ string, attributes library.ResourceAttributes) (library.Resource, error) {
	x := exchangeOf(r)
	return u.update(r, x, func(now map[string]any) (map[string]any, error) {
		next := map[string]any{"active": now["active"]}
		if id, ok := now["externalId"]; ok && !x.input.clearExternalID {
			next["externalId"] = id
		}
		maps.Copy(next, attributes)
		return next, extend(next, x.input.extensions)
	})
}

// Patch applies the operations.
func (u users) Patch(r *http.Request, _ string, operations []library.PatchOperation) (library.Resource, error) {
	x := exchangeOf(r)
	return u.update(r, x, func(now map[string]any) (map[string]any, error) {
		if err := u.names.patch(now, operations); err != nil {
			return nil, err
		}
		return now, extend(now, x.input.extensions)
	})
}

// update commits profile, active and password together, decided on the resource as it stands under its lock.
func (u users) update(r *http.Request, x *exchange, change func(now map[string]any) (map[string]any, error)) (library.Resource, error) {
	key, err := resourceIDOf(x.id)
	if err != nil {
		return handled(x, answer{}, err)
	}
	ctx, cancel := commitContext(r)
	defer cancel()
	commit := u.service.UpdateResource
	if x.inactive {
		commit = u.service.DeactivateResource
	}
	changed, err := commit(ctx, x.actor, x.source, key, func(now revoke.Resource) (revoke.Draft, error) {
		if now.Type != revoke.TypeUser {
			return revoke.Draft{}, revoke.ErrNotFound
		}
		if err := x.condition(now); err != nil {
			return revoke.Draft{}, err
		}
		doc, err := documentOf(now)
		if err != nil {
			return revoke.Draft{}, err
		}
		next, err := change(maps.Clone(doc))
		if err != nil {
			return revoke.Draft{}, err
		}
		draft, err := draftOf(x.source, now, next)
		draft.Said, draft.Password, draft.Request, draft.Attributes = x.input.said, x.input.password, r.Method, changedNames(doc, next)
		return draft, err
	})
	if err != nil {
		return handled(x, answer{}, err)
	}
	x.hold(changed)
	a, err := u.shown(r, x, http.StatusOK, changed.Resource)
	return handled(x, a, err)
}

// Delete removes the user; its person's sessions are over before the answer.
func (u users) Delete(r *http.Request, id string) error {
	x := exchangeOf(r)
	found, err := u.resource(r, x, revoke.TypeUser)
	if err == nil {
		if err = x.condition(found); err != nil {
			x.inactive = true // a deletion that is refused for its version ends the sessions all the same
		}
	}
	key := found.ID
	if err == nil {
		ctx, cancel := commitContext(r)
		defer cancel()
		var gone revoke.Provisioned
		gone, err = u.service.DeleteResource(ctx, x.actor, x.source, key)
		x.hold(gone)
	}
	_, err = handled(x, answer{status: http.StatusNoContent}, err)
	return err
}

// shown answers with a resource, as much of it as was asked for.
func (h *handler) shown(r *http.Request, x *exchange, status int, found revoke.Resource) (answer, error) {
	a := answer{status: status, header: http.Header{}}
	a.header.Set("ETag", version(found))
	if status == http.StatusCreated {
		a.header.Set("Location", h.location(found.Type, found.ID))
	}
	if (x.method == http.MethodGet || x.method == http.MethodHead) && x.names("If-None-Match", found) {
		a.status = http.StatusNotModified
		return a, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	docs, err := h.showAll(ctx, x, []revoke.Resource{found})
	if err != nil {
		return answer{}, err
	}
	a.body = encode(docs[0])
	return a, nil
}

// names reports whether a header of the request names the version of a resource, weakly compared (RFC 9110 section 13.1).
func (x *exchange) names(header string, r revoke.Resource) bool {
	for sent := range strings.SplitSeq(x.header.Get(header), ",") {
		sent = strings.TrimSpace(sent)
		if sent == "*" || sent != "" && strings.TrimPrefix(sent, "W/") == strings.TrimPrefix(version(r), "W/") {
			return true
		}
	}
	return false
}

// condition refuses to change a resource that is not what the sender took it for (RFC 7644 section 3.14).
func (x *exchange) condition(r revoke.Resource) error {
	if x.header.Get("If-Match") == "" || x.names("If-Match", r) {
		return nil
	}
	return refusal{
		status: http.StatusPreconditionFailed,
		detail: "It changed since you read it: its version is " + version(r) + " now. Read it again, or leave If-Match out.",
	}
}

// resource reads the resource of the path.
func (h *handler) resource(r *http.Request, x *exchange, kind string) (revoke.Resource, error) {
	key, err := resourceIDOf(x.id)
	if err != nil {
		return revoke.Resource{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	found, err := h.store.Resource(ctx, x.source.Org, x.source.Authority, key)
	if err == nil && found.Type != kind {
		err = revoke.ErrNotFound
	}
	return found, err
}

// resourceIDOf reads an id as we give them out: ids compare exactly (RFC 7643 section 3.1).
func resourceIDOf(text string) (revoke.ID, error) {
	id, err := revoke.ParseID(text)
	if err != nil || id.String() != text {
		return revoke.ID{}, noResource()
	}
	return id, nil
}
