// Package scim is a SCIM 2.0 service provider (RFC 7643, RFC 7644) for the directories that tell Curfew who may hold sessions.
//
// A request goes through three hands. Ours reads the whole body, puts it into the one form that RFC 7644 has for it, and notes
// beside everything else whether it sets active to false. The library github.com/elimity-com/scim validates that form and
// calls back. Then the core decides and commits; only after that is anything answered. Whenever a request that sets active
// to false is refused, by whichever hand, its deactivation is carried out all the same and the refusal says so.
package scim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	library "github.com/elimity-com/scim"
	"github.com/elimity-com/scim/schema"

	"curfew/revoke"
)

// Service is what a directory's requests become.
type Service interface {
	CreateResource(ctx context.Context, actor revoke.Actor, src revoke.Source, draft revoke.Draft) (revoke.Provisioned, error)
	UpdateResource(ctx context.Context, actor revoke.Actor, src revoke.Source, id revoke.ID, change func(revoke.Resource) (revoke.Draft, error)) (revoke.Provisioned, error)
	DeleteResource(ctx context.Context, actor revoke.Actor, src revoke.Source, id revoke.ID) (revoke.Provisioned, error)
	DeactivateResource(ctx context.Context, actor revoke.Actor, src revoke.Source, id revoke.ID, change func(revoke.Resource) (revoke.Draft, error)) (revoke.Provisioned, error)
	DeactivateRefused(ctx context.Context, actor revoke.Actor, src revoke.Source, id revoke.ID, why string) error
	DeactivateRefusedCreation(ctx context.Context, actor revoke.Actor, src revoke.Source, subject revoke.Subject, why string) (carriedOut bool, err error)
}

// Store is what is shown.
type Store interface {
	Resource(ctx context.Context, org, authority string, id revoke.ID) (revoke.Resource, error)
	Resources(ctx context.Context, q revoke.ResourceQuery) ([]revoke.Resource, int, error)
	Members(ctx context.Context, q revoke.MemberQuery) ([]revoke.Member, error)
}

// Config names everything the handler depends on.
type Config struct {
	Service   Service
	Store     Store
	Clock     revoke.Clock
	PublicURL string          // where the world reaches us, for the locations of resources
	Observer  revoke.Observer // nil looks away
	Log       *slog.Logger
	Rate      int // requests a second and source; zero is 2000
}

const (
	maxBody       = 1 << 20
	maxPage       = 1000 // advertised as filter.maxResults
	defaultPage   = 100
	commitTimeout = 20 * time.Second // Okta closes the socket after 60 s
	readTimeout   = 20 * time.Second
)

type handler struct {
	service    Service
	store      Store
	observer   revoke.Observer
	log        *slog.Logger
	base       string      // without a slash at its end
	names      *attributes // of users
	groupNames *attributes
	clock      revoke.Clock
	cursors    cursors
	bookmarks  *bookmarks
	library    http.Handler
	discovery  discovery
	throttle   *throttle
}

// New returns the handler of everything below /scim. It expects the authenticated source in the request's context and answers
// 401 without one; the caller judges scopes. It is safe for concurrent use.
func New(cfg Config) (http.Handler, error) {
	switch {
	case cfg.Service == nil || cfg.Store == nil || cfg.Clock == nil || cfg.Log == nil:
		return nil, errors.New("scim.New: Service, Store, Clock and Log are needed")
	case !safe(cfg.PublicURL):
		return nil, revoke.Invalid{Field: "public_url", Problem: "is not an http or https address", Fix: "write for example https://curfew.example.edu"}
	case cfg.Rate < 0:
		return nil, errors.New("scim.New: Rate is negative")
	}
	if cfg.Observer == nil {
		cfg.Observer = revoke.Unobserved{}
	}
	base := strings.TrimRight(cfg.PublicURL, "/") + "/scim/v2"
	h := &handler{
		service: cfg.Service, store: cfg.Store, observer: cfg.Observer, log: cfg.Log, base: base,
		names: newAttributes(), groupNames: newGroupAttributes(), clock: cfg.Clock, cursors: newCursors(), bookmarks: newBookmarks(), throttle: newThrottle(cfg.Clock, cfg.Rate),
	}
	server, err := library.NewServer(&library.ServerArgs{
		ServiceProviderConfig: &library.ServiceProviderConfig{MaxResults: maxPage, SupportFiltering: true, SupportPatch: true},
		ResourceTypes: []library.ResourceType{{
			Name: revoke.TypeUser, Endpoint: "/Users", Schema: schema.CoreUserSchema(), Handler: users{h},
			SchemaExtensions: []library.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("make the SCIM server: %w", err)
	}
	h.library = server
	h.discovery, err = newDiscovery(base)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// exchange is one request on its way, and what came of it.
type exchange struct {
	source   revoke.Source
	actor    revoke.Actor
	method   string
	query    url.Values // as sent
	header   http.Header
	shows    projection // what of a resource the answer shows
	id       string     // of the resource in the path
	body     any        // as far as it could be read
	bulk     bool       // the body holds operations
	inactive bool       // the body sets active to false
	input    normalised

	handled bool // the library called back, and what follows stands
	answer  answer
	err     error
	held    []revoke.ID // what waits for a person
}

// hold notes what of the request waits for a person.
func (x *exchange) hold(p revoke.Provisioned) {
	if !p.Held.IsZero() {
		x.held = append(x.held, p.Held)
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// commitContext outlasts the client: a commit that has begun is carried to its end, within a bound.
func commitContext(r *http.Request) (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(r.Context())
	if ends, ok := ctx.Value(endsKey{}).(time.Time); ok { // one of many in a bulk request
		return context.WithDeadline(ctx, ends)
	}
	return context.WithTimeout(ctx, commitTimeout)
}

// ServeHTTP answers every request, with a SCIM body or none.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{}
	a, err := guarded(h, r, func() (answer, error) { return h.serve(r, x) }) //nolint:contextcheck // the context travels in the request
	if err != nil {
		a = h.refuse(r, x, err).answer()
	}
	maps.Copy(w.Header(), a.header)
	for _, id := range x.held {
		w.Header().Add("Curfew-Held", id.String())
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the client may have left; what was decided stands
	}
}

// guarded turns a panic into a plain error. What it said may hold what was sent, so only its type and the stack are logged.
func guarded[T any](h *handler, r *http.Request, do func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("panic in a SCIM request", "request_id", revoke.RequestIDFrom(r.Context()),
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return do()
}

func (h *handler) serve(r *http.Request, x *exchange) (answer, error) {
	src, ok := revoke.SourceFrom(r.Context())
	if !ok {
		return answer{}, refusal{status: http.StatusUnauthorized, detail: "Send the token of a source with scope scim as bearer token."}
	}
	x.source, x.actor = exchangeSource(r)
	e, err := route(r.URL.Path)
	if err != nil {
		return answer{}, err
	}
	x.id, x.method, x.header = e.id, r.Method, r.Header
	if x.query, err = queryOf(r); err != nil && !writes(r.Method) && r.Method != http.MethodDelete {
		return answer{}, err // in what changes something it says nothing that matters
	}
	x.shows = projectionOf(x.query)
	switch {
	case r.Method == http.MethodOptions:
		return answer{status: http.StatusNoContent, header: http.Header{"Allow": {e.allow}}}, nil
	case !e.allows(r.Method):
		return answer{}, refusal{status: http.StatusMethodNotAllowed, allow: e.allow, detail: "This path takes " + e.allow + "."}
	case e.describes():
		if !h.throttle.allows(src.Name) {
			return answer{}, throttled()
		}
		return h.discovery.answer(e, x.query, strict(r))
	}
	err = nil
	if writes(r.Method) {
		err = h.read(r, x, e)
	}
	if !x.inactive && r.Method != http.MethodDelete && !h.throttle.allows(src.Name) {
		return answer{}, throttled()
	}
	if err != nil {
		return answer{}, err
	}
	switch e.kind {
	case endpointUserSearch:
		return h.search(r, x, revoke.TypeUser)
	case endpointGroupSearch:
		return h.search(r, x, revoke.TypeGroup)
	case endpointRoot:
		return h.everything(r, x, wantedIn(x.query))
	case endpointRootSearch:
		return h.search(r, x, "")
	case endpointBulk:
		return h.bulk(r, x) //nolint:contextcheck // the context travels in the request
	case endpointGroups, endpointGroup:
		return h.groups(r, x, e) //nolint:contextcheck // a commit outlasts the client's context, which travels in the request
	case endpointUsers, endpointUser, endpointServiceProviderConfig, endpointResourceTypes, endpointSchemas:
	}
	if e.kind == endpointUsers && !writes(r.Method) {
		return h.list(r, x, revoke.TypeUser, wantedIn(x.query))
	}
	return h.call(r, x, e)
}

func exchangeSource(r *http.Request) (revoke.Source, revoke.Actor) {
	src, _ := revoke.SourceFrom(r.Context())
	return src, revoke.ActorFrom(r.Context())
}

// read reads a body and notes what it wants, before it says what is wrong with it.
func (h *handler) read(r *http.Request, x *exchange, e endpoint) error {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return refusal{status: http.StatusBadRequest, detail: "The body could not be read to its end.", cause: err}
	case len(body) > maxBody:
		return refusal{status: http.StatusRequestEntityTooLarge, detail: "The body is larger than 1 MiB."}
	}
	value, err := decode(body)
	ofUsers := e.kind == endpointUsers || e.kind == endpointUser
	x.body, x.inactive = value, ofUsers && h.names.wantsInactive(r.Method, value)
	if x.bulk = e.kind == endpointBulk; x.bulk {
		x.inactive = len(h.leavers(r, value).operations) > 0
		if err := tooManyInBulk(value); err != nil {
			return err
		}
	}
	if encoding := fold(r.Header.Get("Content-Encoding")); encoding != "" && encoding != "identity" {
		return refusal{status: http.StatusUnsupportedMediaType, detail: "Content-Encoding is not supported. Send the body as it is."}
	}
	if !mediaType(r.Header.Get("Content-Type")) {
		return refusal{status: http.StatusUnsupportedMediaType, detail: "Send the body as application/scim+json or application/json, in UTF-8."}
	}
	if err != nil {
		return err
	}
	if held, ok := h.profileOf(e); ok && strict(r) {
		if err := held.judge(r.Method, value); err != nil {
			return err
		}
	}
	if !ofUsers {
		return nil
	}
	n := normaliser{names: h.names, id: x.id}
	if r.Method == http.MethodPatch {
		err = n.patch(value)
	} else {
		err = n.user(value)
	}
	x.input = n.out
	return err
}

// mediaType accepts what RFC 7644 section 3.1 names; a body without a type is taken for it.
func mediaType(sent string) bool {
	if sent == "" {
		return true
	}
	kind, params, err := mime.ParseMediaType(sent)
	if err != nil || kind != "application/scim+json" && kind != "application/json" {
		return false
	}
	charset := fold(params["charset"])
	return charset == "" || charset == "utf-8" || charset == "utf8"
}

// call lets the library validate and call back.
func (h *handler) call(r *http.Request, x *exchange, e endpoint) (answer, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	inner := r.Clone(context.WithValue(r.Context(), exchangeKey{}, x))
	inner.Method = method
	inner.URL = &url.URL{Path: e.path()}
	inner.Body = http.NoBody
	if writes(method) {
		if method == http.MethodPatch && x.input.operations == 0 { // all that it asked for is nothing, or a password
			_, _ = users{h}.Patch(inner, x.id, nil) //nolint:contextcheck // the context travels in the request, as the library's callbacks have it
			return x.answer, x.err
		}
		inner.Body = io.NopCloser(strings.NewReader(string(encode(x.input.body))))
	}
	rec := recorder{header: http.Header{}}
	h.library.ServeHTTP(&rec, inner)
	if !x.handled {
		return answer{}, fromLibrary(rec.status, rec.body)
	}
	return x.answer, x.err
}

// queryOf reads the query. What cannot be read is refused, since a filter that is dropped would show everybody. A semicolon is
// an ordinary character, as in a filter's text.
func queryOf(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	if err != nil {
		return nil, badRequest(invalidValue, "The query of the address cannot be read. Escape it as RFC 3986 section 2.1 says.")
	}
	return query, nil
}

// parameter returns a query parameter in any letter case of its name.
func parameter(query url.Values, name string) string {
	for sent, values := range query {
		if fold(sent) == name && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// recorder keeps what the library writes, for what it refuses itself.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(b []byte) (int, error) {
	r.body = append(r.body, b...)
	return len(b), nil
}
