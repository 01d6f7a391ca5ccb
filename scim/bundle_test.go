package scim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/scim"
)

// bundle is one Curfew in memory behind its SCIM door: the real service on the memory store, so that what is live
// afterwards is asked of the one who decides it.
type bundle struct {
	t       testing.TB
	store   *revoketest.Memory
	service *revoke.Service
	door    http.Handler
	source  revoke.Source
	logged  *bytes.Buffer
}

func okta() revoke.Source {
	return revoke.Source{Name: "okta-scim", Org: "main", Type: "scim", Authority: "okta", IDs: "okta", Learns: true}
}

func newBundle(tb testing.TB) *bundle {
	tb.Helper()
	b := &bundle{t: tb, store: revoketest.NewMemory(), source: okta(), logged: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(b.logged, nil))
	var err error
	if b.service, err = revoke.New(revoke.Config{Store: b.store, Log: log}); err != nil {
		tb.Fatalf("revoke.New: %v", err)
	}
	if err = b.service.Load(tb.Context()); err != nil {
		tb.Fatalf("Load: %v", err)
	}
	b.door = b.handler(scim.Config{Service: b.service, Store: b.store, Log: log})
	return b
}

func (b *bundle) handler(cfg scim.Config) http.Handler {
	b.t.Helper()
	cfg.Clock, cfg.PublicURL = b.store.Clock(), "https://curfew.example.edu"
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h, err := scim.New(cfg)
	if err != nil {
		b.t.Fatalf("scim.New: %v", err)
	}
	return h
}

// reply is an answer, with its body read.
type reply struct {
	*http.Response
	text string
	json map[string]any
}

// do sends a request as the bundle's source. body is text, or is rendered as JSON.
func (b *bundle) do(method, target string, body any, headers ...string) reply {
	b.t.Helper()
	return b.as(b.source, method, target, body, headers...)
}

func (b *bundle) as(src revoke.Source, method, target string, body any, headers ...string) reply {
	b.t.Helper()
	r := request(b.t, method, target, body, headers...)
	ctx := revoke.WithSource(r.Context(), src)
	ctx = revoke.WithActor(ctx, revoke.Actor{Kind: "source", Name: src.Name})
	return b.send(r.WithContext(revoke.WithRequestID(ctx, "request-1")))
}

func request(tb testing.TB, method, target string, body any, headers ...string) *http.Request {
	tb.Helper()
	var reader io.Reader = http.NoBody
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			tb.Fatalf("render body: %v", err)
		}
		reader = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, target, reader)
	if body != nil {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// send serves the request and holds what is true of every answer: its type and, of an error, its body (item 2).
func (b *bundle) send(r *http.Request) reply {
	b.t.Helper()
	rec := httptest.NewRecorder()
	b.door.ServeHTTP(rec, r)
	out := reply{Response: rec.Result(), text: rec.Body.String()}
	what := r.Method + " " + r.URL.String()
	if got := out.Header.Get("Content-Type"); got != "application/scim+json" {
		b.t.Errorf("%s: Content-Type %q, want application/scim+json", what, got)
	}
	if out.text != "" {
		if err := json.Unmarshal([]byte(out.text), &out.json); err != nil {
			b.t.Errorf("%s: answered %q, which is not JSON: %v", what, out.text, err)
		}
	}
	if out.StatusCode >= 400 && r.Method != http.MethodHead {
		detail, _ := out.json["detail"].(string)
		if out.json["status"] != fmt.Sprint(out.StatusCode) || detail == "" || !strings.Contains(out.text, "urn:ietf:params:scim:api:messages:2.0:Error") {
			b.t.Errorf("%s: error body %s, want schemas, status %q and a detail", what, out.text, fmt.Sprint(out.StatusCode))
		}
	}
	return out
}

// must fails unless the status is one of those wanted.
func (r reply) must(tb testing.TB, want ...int) reply {
	tb.Helper()
	if !slices.Contains(want, r.StatusCode) {
		tb.Fatalf("answered %d %s, want %v", r.StatusCode, r.text, want)
	}
	return r
}

func (r reply) id() string {
	id, _ := r.json["id"].(string)
	return id
}

const users = "/scim/v2/Users"

// sally creates a user and returns her resource's id.
func (b *bundle) sally() string {
	b.t.Helper()
	return b.do("POST", users, user("sally@example.edu", "00u1")).must(b.t, 201).id()
}

func user(userName, externalID string) map[string]any {
	u := map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": userName, "active": true,
		"name":   map[string]any{"givenName": "Sally", "familyName": "Ride"},
		"emails": []any{map[string]any{"value": userName, "type": "work", "primary": true}},
	}
	if externalID != "" {
		u["externalId"] = externalID
	}
	return u
}

func patch(operations ...map[string]any) map[string]any {
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations}
}

func op(name, path string, value any) map[string]any {
	o := map[string]any{"op": name}
	if path != "" {
		o["path"] = path
	}
	if value != nil {
		o["value"] = value
	}
	return o
}

// login registers a session of whoever has the address and returns its token.
func (b *bundle) login(email string) string {
	b.t.Helper()
	token, err := b.tryLogin(email)
	if err != nil {
		b.t.Fatalf("register a session of %s: %v", email, err)
	}
	return token
}

func (b *bundle) tryLogin(email string) (string, error) {
	var subject revoke.Subject
	subject.Add(revoke.NamespaceEmail, email)
	token := "token-" + revoke.NewID(b.store.Moving().Next()).String()
	_, err := b.service.Register(b.t.Context(), revoke.Source{Name: "portal", Org: "main", Type: "token", IDs: "portal"}, revoke.Registration{
		Subject: subject, App: "portal", Kind: revoke.Mobile, Token: revoke.HashToken(token),
	})
	return token, err
}

func (b *bundle) live(token string) bool {
	b.t.Helper()
	answer, err := b.service.Ask(b.t.Context(), revoke.SessionRef{Org: "main", Token: revoke.HashToken(token)})
	if err != nil {
		b.t.Fatalf("Ask: %v", err)
	}
	return answer.Live
}

// mustBe fails unless the session is live or dead as wanted.
func (b *bundle) mustBe(token string, live bool, after string) {
	b.t.Helper()
	if got := b.live(token); got != live {
		b.t.Errorf("after %s: live is %v, want %v", after, got, live)
	}
}

// blocked reports whether nobody with the address can sign in.
func (b *bundle) blocked(email string) bool {
	b.t.Helper()
	_, err := b.tryLogin(email)
	if err != nil && !errors.Is(err, revoke.ErrBlocked) {
		b.t.Fatalf("register a session of %s: %v", email, err)
	}
	return err != nil
}

func (b *bundle) show(id string) map[string]any {
	b.t.Helper()
	return b.do("GET", users+"/"+id, nil).must(b.t, 200).json
}

// revocations counts the decisions made so far.
func (b *bundle) revocations() int {
	n := 0
	for _, each := range b.store.Audit() {
		if each.Kind == "revocation" {
			n++
		}
	}
	return n
}
