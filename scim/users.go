package scim

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

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

// Create makes a user, or restores the inactive one that it re-creates: both are 201 (SCIM.md section 3, Okta's reprovisioning).
func (u users) Create(r *http.Request, attributes library.ResourceAttributes) (library.Resource, error) {
	x := exchangeOf(r)
	doc := map[string]any(attributes)
	if _, ok := doc["active"]; !ok {
		doc["active"] = true
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
	a, err := u.one(http.StatusCreated, made.Resource)
	return handled(x, a, err)
}

// Get shows a user, active or not.
func (u users) Get(r *http.Request, id string) (library.Resource, error) {
	x := exchangeOf(r)
	key, err := resourceIDOf(id)
	if err != nil {
		return handled(x, answer{}, err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	found, err := u.store.Resource(ctx, x.source.Org, x.source.Authority, key)
	if err == nil && found.Type != typeUser {
		err = revoke.ErrNotFound
	}
	if err != nil {
		return handled(x, answer{}, err)
	}
	a, err := u.one(http.StatusOK, found)
	return handled(x, a, err)
}

// GetAll lists a page, by creation then id.
func (u users) GetAll(r *http.Request, params library.ListRequestParams) (library.Page, error) {
	x := exchangeOf(r)
	a, err := u.page(r, x, params)
	_, err = handled(x, a, err)
	return library.Page{Resources: []library.Resource{}}, err
}

func (u users) page(r *http.Request, x *exchange, params library.ListRequestParams) (answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if slices.ContainsFunc(x.filter, neverMatches) {
		return answer{status: http.StatusOK, body: list([]any{}, 0, params.StartIndex)}, nil
	}
	found, total, err := u.store.Resources(ctx, revoke.ResourceQuery{
		Org: x.source.Org, Authority: x.source.Authority, Type: typeUser, Filter: x.filter,
		Offset: params.StartIndex - 1, Limit: params.Count,
	})
	if err != nil {
		return answer{}, err
	}
	shown := make([]any, 0, len(found))
	for _, each := range found {
		doc, err := u.show(each)
		if err != nil {
			return answer{}, err
		}
		shown = append(shown, doc)
	}
	return answer{status: http.StatusOK, body: list(shown, total, params.StartIndex)}, nil
}

// neverMatches reports whether a condition names something that cannot be an id of ours.
func neverMatches(c revoke.Condition) bool {
	if c.Attribute != "id" {
		return false
	}
	_, err := resourceIDOf(c.Value)
	return err != nil
}

// list is a ListResponse (RFC 7644 section 3.4.2).
func list(resources []any, total, startIndex int) []byte {
	return encode(map[string]any{
		"schemas": []string{listURI}, "totalResults": total, "startIndex": startIndex,
		"itemsPerPage": len(resources), "Resources": resources,
	})
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
		return next, nil
	})
}

// Patch applies the operations.
func (u users) Patch(r *http.Request, _ string, operations []library.PatchOperation) (library.Resource, error) {
	x := exchangeOf(r)
	return u.update(r, x, func(now map[string]any) (map[string]any, error) {
		return now, u.names.patch(now, operations)
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
	changed, err := u.service.UpdateResource(ctx, x.actor, x.source, key, func(now revoke.Resource) (revoke.Draft, error) {
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
	a, err := u.one(http.StatusOK, changed.Resource)
	return handled(x, a, err)
}

// Delete removes the user; its person's sessions are over before the answer.
func (u users) Delete(r *http.Request, id string) error {
	x := exchangeOf(r)
	key, err := resourceIDOf(id)
	if err == nil {
		ctx, cancel := commitContext(r)
		defer cancel()
		err = u.service.DeleteResource(ctx, x.actor, x.source, key)
	}
	_, err = handled(x, answer{status: http.StatusNoContent}, err)
	return err
}

// one answers with a user.
func (h *handler) one(status int, r revoke.Resource) (answer, error) {
	doc, err := h.show(r)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: status, header: http.Header{}, body: encode(doc)}
	a.header.Set("ETag", version(r))
	if status == http.StatusCreated {
		a.header.Set("Location", h.location(r.ID))
	}
	return a, nil
}

// resourceIDOf reads an id as we give them out: ids compare exactly (RFC 7643 section 3.1).
func resourceIDOf(text string) (revoke.ID, error) {
	id, err := revoke.ParseID(text)
	if err != nil || id.String() != text {
		return revoke.ID{}, noResource()
	}
	return id, nil
}

// pageQuery is the query that the library is given: what it reads, and nothing that it would read otherwise than we do.
func pageQuery(sent url.Values) url.Values {
	out := url.Values{"count": {strconv.Itoa(defaultPage)}}
	for name, values := range sent {
		switch n := fold(name); {
		case len(values) == 0 || values[0] == "":
		case n == "count":
			out.Set("count", values[0])
		case n == "startindex":
			out.Set("startIndex", values[0])
		}
	}
	return out
}
