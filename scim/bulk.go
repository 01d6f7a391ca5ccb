package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"curfew/revoke"
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
	begun                         bool
	answer                        answer
}

// bulkRun is a BulkRequest on its way.
type bulkRun struct {
	*handler
	r          *http.Request
	operations []bulkOperation
	makes      map[string]int    // by bulkId, which operation creates it
	ids        map[string]string // by bulkId, what was created
	patience   context.Context   //nolint:containedctx // until when operations begin, which outlasts the client
	leaving    context.Context   //nolint:containedctx // until when deactivations begin
	held       []revoke.ID       // what waits for a person
	failed     int
	most       int // errors after which it stops; 0 is none
}

func (h *handler) bulkRun(r *http.Request, operations []bulkOperation) *bulkRun {
	run := &bulkRun{handler: h, r: r, operations: operations, makes: map[string]int{}, ids: map[string]string{}}
	for i, op := range operations {
		if _, twice := run.makes[op.bulkID]; op.bulkID != "" && op.method == http.MethodPost && !twice {
			run.makes[op.bulkID] = i
		}
	}
	return run
}

// bulk carries out a BulkRequest: each operation as the request that it stands for, in order, but what another one refers to before it.
// After as many errors as failOnErrors allows the rest is left undone; what deactivates somebody in it is carried out all the same,
// for no leaver keeps a session because a neighbour's name was wrong.
func (h *handler) bulk(r *http.Request, x *exchange) (answer, error) {
	operations, most, err := bulkOf(x.body)
	if err != nil {
		return answer{}, err
	}
	run := h.bulkRun(r, operations)
	run.most = most
	defer run.limit()()
	var out []any
	for i := range operations {
		run.one(i)
	}
	x.held = run.held[:min(len(run.held), heldNamed)]
	for i := range operations {
		if operations[i].answer.status != 0 {
			out = append(out, run.shown(&operations[i]))
		}
	}
	return answer{status: http.StatusOK, body: encode(map[string]any{"schemas": []string{bulkResponseURI}, "Operations": out})}, nil
}

// heldNamed is how many held operations the header names: all of a thousand would be longer than a client reads.
const heldNamed = 32

// one carries out an operation, after those that create what it refers to.
func (b *bulkRun) one(i int) {
	op := &b.operations[i]
	if op.begun {
		return
	}
	op.begun = true
	waits := false
	for _, ref := range append(refs(op.data), refs(op.path)...) {
		at, known := b.makes[ref]
		if !known || at == i {
			continue
		}
		b.one(at)
		waits = waits || b.ids[ref] == ""
	}
	switch {
	case b.late():
		op.answer = b.unreached(op)
		return
	case b.most > 0 && b.failed >= b.most:
		if no, deactivates := b.refused(op, badRequest("", "The bulk request had stopped before this operation.")); deactivates {
			op.answer = no.answer()
		}
		return
	case waits:
		no, _ := b.refused(op, badRequest(invalidValue, "The operation refers to a bulkId that no operation of this request created. Correct that one, or name an id."))
		op.answer = no.answer()
	default:
		op.answer = b.serveOne(op)
	}
	if op.answer.status >= http.StatusBadRequest {
		b.failed++
	}
	if made := op.answer.header.Get("Location"); made != "" && op.bulkID != "" && b.makes[op.bulkID] == i {
		b.ids[op.bulkID] = made[strings.LastIndexByte(made, '/')+1:]
	}
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
	if operations = bulkOperations(given); len(operations) == 0 {
		return nil, 0, badRequest(invalidSyntax, "Operations is missing or empty. Send at least one operation.")
	}
	return operations, failOnErrors, nil
}

func bulkOperations(v any) (operations []bulkOperation) {
	for _, each := range asList(v) {
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
	return operations
}

// tooManyInBulk says so before anything else is wrong: then its sender sends it in parts. Only its deactivations are carried out.
func tooManyInBulk(body any) error {
	o, _ := body.(object)
	n := 0
	for _, m := range o {
		if fold(m.name) == "operations" {
			n += len(asList(m.value))
		}
	}
	if n <= maxBulk {
		return nil
	}
	return refusal{status: http.StatusRequestEntityTooLarge, detail: "The request has more than 1000 operations. Send them in several requests."}
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

// target is where an operation leads: a path below the base, with or without the slash before it or the base itself.
func (b *bulkRun) target(op *bulkOperation) string {
	path, _ := resolved(op.path, b.ids).(string)
	path, _, _ = strings.Cut(strings.TrimPrefix(path, b.base), "?") // a query says nothing that matters to what changes something
	return "/" + strings.TrimPrefix(path, "/")
}

// endpoint is what the path of an operation leads to.
func (b *bulkRun) endpoint(op *bulkOperation) (endpoint, error) {
	switch op.method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return endpoint{}, badRequest(invalidSyntax, "method is "+quote(op.method)+". It is POST, PUT, PATCH or DELETE.")
	}
	e, err := route("/v2" + b.target(op))
	if err != nil || e.kind == endpointBulk || e.kind == endpointUserSearch || e.kind == endpointGroupSearch || e.kind == endpointRootSearch {
		return e, badRequest(invalidPath, "path is "+quote(op.path)+". It is one such as /Users or /Users/{id}.")
	}
	return e, nil
}

// request is the request that an operation stands for.
func (b *bulkRun) request(ctx context.Context, op *bulkOperation) (*http.Request, error) {
	if _, err := b.endpoint(op); err != nil {
		return nil, err
	}
	body := encode(resolved(op.data, b.ids))
	r, err := http.NewRequestWithContext(ctx, op.method, (&url.URL{Path: "/v2" + b.target(op)}).String(), bytes.NewReader(body))
	if err != nil {
		return nil, badRequest(invalidPath, "path cannot be read. It is one such as /Users or /Users/{id}.")
	}
	r.Header.Set("Content-Type", "application/scim+json")
	if op.version != "" {
		r.Header.Set("If-Match", op.version)
	}
	return r, nil
}

func (b *bulkRun) serveOne(op *bulkOperation) answer {
	inner, err := b.request(b.r.Context(), op)
	if err != nil {
		return refusalOf(err).answer()
	}
	x := &exchange{}
	a, err := guarded(b.handler, inner, func() (answer, error) { return b.serve(inner, x) })
	if err != nil {
		a = b.refuse(inner, x, err).answer()
	}
	b.held = append(b.held, x.held...)
	return a
}

// shown is what the response says of an operation.
func (b *bulkRun) shown(op *bulkOperation) map[string]any {
	out := map[string]any{"method": op.method, "status": strconv.Itoa(op.answer.status)}
	if op.bulkID != "" {
		out["bulkId"] = op.bulkID
	}
	if etag := op.answer.header.Get("ETag"); etag != "" {
		out["version"] = etag
	}
	if location := op.answer.header.Get("Location"); location != "" {
		out["location"] = location
	} else if op.method != http.MethodPost && op.path != "" {
		out["location"] = b.base + b.target(op)
	}
	if op.answer.status >= http.StatusBadRequest {
		out["response"] = json.RawMessage(op.answer.body)
	}
	return out
}
