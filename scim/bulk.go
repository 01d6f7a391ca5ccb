package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	bulkRequestURI  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURI = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	maxBulk         = 1000 // operations, advertised as bulk.maxOperations
	bulkPrefix      = "bulkId:"
)

// MarshalJSON writes an object as it was written.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(m.name))
		b.WriteByte(':')
		b.Write(encode(m.value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// bulkOperation is one operation of a BulkRequest (RFC 7644 section 3.7).
type bulkOperation struct {
	method, bulkID, path, version string
	data                          any
	done                          bool
	answer                        answer
}

// bulk carries out a BulkRequest: each operation as the request that it stands for, in order, but for those that refer to something
// that a later one creates. After as many errors as failOnErrors allows the rest is left undone; what deactivates somebody in it is
// carried out all the same, for no leaver keeps a session because a neighbour's name was wrong.
func (h *handler) bulk(r *http.Request, x *exchange) (answer, error) {
	operations, most, err := bulkOf(x.body)
	if err != nil {
		return answer{}, err
	}
	ids := map[string]string{}
	failed := 0
	for progress := true; progress; {
		progress = false
		for i := range operations {
			op := &operations[i]
			if op.done || op.waits(ids, operations) {
				continue
			}
			op.done, progress = true, true
			if most > 0 && failed >= most {
				h.bulkRest(r, op, ids)
				continue
			}
			if op.answer = h.bulkOne(r, op, ids); op.answer.status >= http.StatusBadRequest {
				failed++
			}
			if made := op.answer.header.Get("Location"); op.bulkID != "" && made != "" {
				ids[op.bulkID] = made[strings.LastIndexByte(made, '/')+1:]
			}
		}
	}
	var out []any
	for i := range operations {
		if op := &operations[i]; !op.done { // it waits for what was not created
			op.answer = badRequest(invalidValue, "It refers to a bulkId that no operation of this request created.").answer()
			h.bulkRest(r, op, ids)
		}
		if operations[i].answer.status != 0 {
			out = append(out, operations[i].shown(h))
		}
	}
	return answer{status: http.StatusOK, body: encode(map[string]any{"schemas": []string{bulkResponseURI}, "Operations": out})}, nil
}

// bulkOf reads a BulkRequest.
func bulkOf(body any) (operations []bulkOperation, failOnErrors int, err error) {
	o, ok := body.(object)
	if !ok {
		return nil, 0, badRequest(invalidSyntax, "The body is not a JSON object. Send a BulkRequest (RFC 7644 section 3.7).")
	}
	if given, ok := o.get("failOnErrors"); ok && given != nil {
		if failOnErrors, err = strconv.Atoi(textOf(given)); err != nil || failOnErrors < 0 {
			return nil, 0, badRequest(invalidValue, "failOnErrors is "+quote(textOf(given))+". It is a number of errors.")
		}
	}
	given, _ := o.get("Operations")
	list := asList(given)
	switch {
	case len(list) == 0:
		return nil, 0, badRequest(invalidSyntax, "Operations is missing or empty. Send at least one operation.")
	case len(list) > maxBulk:
		return nil, 0, refusal{status: http.StatusRequestEntityTooLarge, detail: "The request has more than 1000 operations. Send them in several requests."}
	}
	for _, each := range list {
		one, _ := each.(object)
		text := func(name string) string {
			v, _ := one.get(name)
			s, _ := v.(string)
			return s
		}
		op := bulkOperation{method: strings.ToUpper(text("method")), bulkID: text("bulkId"), path: text("path"), version: text("version")}
		op.data, _ = one.get("data")
		operations = append(operations, op)
	}
	return operations, failOnErrors, nil
}

// waits reports whether an operation refers to what another one has yet to create.
func (op *bulkOperation) waits(ids map[string]string, all []bulkOperation) bool {
	for _, ref := range append(refs(op.data), refs(op.path)...) {
		if _, made := ids[ref]; made {
			continue
		}
		for i := range all {
			if all[i].bulkID == ref && all[i].method == http.MethodPost && &all[i] != op {
				return true
			}
		}
	}
	return false
}

// refs are the bulkIds that a value refers to.
func refs(v any) (out []string) {
	switch v := v.(type) {
	case string:
		if at := strings.Index(v, bulkPrefix); at == 0 || at > 0 && v[at-1] == '/' {
			out = append(out, v[at+len(bulkPrefix):])
		}
	case []any:
		for _, each := range v {
			out = append(out, refs(each)...)
		}
	case object:
		for _, m := range v {
			out = append(out, refs(m.value)...)
		}
	}
	return out
}

// resolved puts the ids of what was created in the place of references to it.
func resolved(v any, ids map[string]string) any {
	switch v := v.(type) {
	case string:
		if at := strings.Index(v, bulkPrefix); at == 0 || at > 0 && v[at-1] == '/' {
			if id, ok := ids[v[at+len(bulkPrefix):]]; ok {
				return v[:at] + id
			}
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = resolved(each, ids)
		}
		return out
	case object:
		out := make(object, len(v))
		for i, m := range v {
			out[i] = member{m.name, resolved(m.value, ids)}
		}
		return out
	default:
		return v
	}
}

// request is the request that an operation stands for.
func (op *bulkOperation) request(ctx context.Context, ids map[string]string) (*http.Request, error) {
	path, _ := resolved(op.path, ids).(string)
	switch op.method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, badRequest(invalidSyntax, "method is "+quote(op.method)+". It is POST, PUT, PATCH or DELETE.")
	}
	if e, err := route("/v2" + path); err != nil || e.kind == endpointBulk || !strings.HasPrefix(path, "/") {
		return nil, badRequest(invalidPath, "path is "+quote(op.path)+". It is one such as /Users or /Users/{id}.")
	}
	body := encode(resolved(op.data, ids))
	r, err := http.NewRequestWithContext(ctx, op.method, (&url.URL{Path: "/v2" + path}).String(), bytes.NewReader(body))
	if err != nil {
		return nil, badRequest(invalidPath, "path cannot be read.")
	}
	r.Header.Set("Content-Type", "application/scim+json")
	if op.version != "" {
		r.Header.Set("If-Match", op.version)
	}
	return r, nil
}

func (h *handler) bulkOne(r *http.Request, op *bulkOperation, ids map[string]string) answer {
	inner, err := op.request(r.Context(), ids)
	if err != nil {
		return refusalOf(err).answer()
	}
	x := &exchange{}
	a, err := guarded(h, inner, func() (answer, error) { return h.serve(inner, x) })
	if err != nil {
		a = h.refuse(inner, x, err).answer()
	}
	return a
}

// bulkRest carries out the deactivation in an operation that is not carried out itself.
func (h *handler) bulkRest(r *http.Request, op *bulkOperation, ids map[string]string) {
	inner, err := op.request(r.Context(), ids)
	if err != nil {
		return
	}
	e, err := route(inner.URL.Path)
	if err != nil || e.kind != endpointUsers && e.kind != endpointUser {
		return
	}
	x := &exchange{id: e.id, body: resolved(op.data, ids)}
	x.source, x.actor = exchangeSource(r)
	x.inactive = op.method == http.MethodDelete || h.names.wantsInactive(op.method, x.body)
	if x.inactive {
		_ = h.deactivate(inner, x, refusal{status: http.StatusBadRequest, detail: "The bulk request had stopped before this operation."}) //nolint:contextcheck // the context travels in the request
	}
}

// shown is what the response says of an operation.
func (op *bulkOperation) shown(h *handler) map[string]any {
	out := map[string]any{"method": op.method, "status": strconv.Itoa(op.answer.status)}
	if op.bulkID != "" {
		out["bulkId"] = op.bulkID
	}
	if etag := op.answer.header.Get("ETag"); etag != "" {
		out["version"] = etag
	}
	if location := op.answer.header.Get("Location"); location != "" {
		out["location"] = location
	} else if op.method != http.MethodPost && strings.HasPrefix(op.path, "/") {
		out["location"] = h.base + op.path
	}
	if op.answer.status >= http.StatusBadRequest {
		out["response"] = json.RawMessage(op.answer.body)
	}
	return out
}
