package webhooks_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

const (
	entraTenant = "11111111-2222-3333-4444-555555555555"
	entraSally  = "aaaaaaaa-0000-4000-8000-000000000001"
	entraTom    = "aaaaaaaa-0000-4000-8000-000000000002"
	entraState  = "client-state-of-the-test-0123456789"
)

// ownKeys sets keys of a type's own settings, embedded ones too.
func ownKeys(own any, keys map[string]any) {
	v := reflect.ValueOf(own).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if value, ok := keys[name]; ok && !f.Anonymous {
			v.FieldByIndex(f.Index).Set(reflect.ValueOf(value))
		}
	}
}

// graphKeys are the keys of a source that reads an imitation of Graph.
func graphKeys(address, secret string) map[string]any {
	return map[string]any{
		"tenant": entraTenant, "client_id": "66666666-7777-8888-9999-000000000000", "client_secret": revoke.NewSecret(secret), "graph": address, "login": address,
	}
}

// imitation is a Microsoft Graph that keeps users, deleted users and subscriptions, and fails on demand.
type imitation struct {
	mu       sync.Mutex
	users    map[string]map[string]any
	deleted  map[string]map[string]any
	subs     map[string]map[string]string
	made     int
	tokens   int
	valid    map[string]bool
	fail     func(w http.ResponseWriter, r *http.Request) bool // answers in place of Graph, and reports whether it did
	asked    []string
	validate func(address string) // calls the notification address as Graph does before it answers
}

func newImitation(t *testing.T) (*imitation, string) {
	t.Helper()
	g := &imitation{users: map[string]map[string]any{}, deleted: map[string]map[string]any{}, subs: map[string]map[string]string{}, valid: map[string]bool{}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return g, server.URL
}

func (g *imitation) set(change func(*imitation)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (g *imitation) count(prefix string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, a := range g.asked {
		if strings.HasPrefix(a, prefix) {
			n++
		}
	}
	return n
}

func (g *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if r.URL.Path == "/"+entraTenant+"/oauth2/v2.0/token" {
		if r.FormValue("client_secret") != "the-client-secret" || !strings.HasSuffix(r.FormValue("scope"), "/.default") || r.FormValue("grant_type") != "client_credentials" {
			say(http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
			return
		}
		g.tokens++
		token := fmt.Sprint("access-", g.tokens)
		g.valid[token] = true
		say(http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3599})
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v1.0")
	if !ok || !g.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
		say(http.StatusUnauthorized, map[string]string{"error": "InvalidAuthenticationToken"})
		return
	}
	g.asked = append(g.asked, r.Method+" "+path)
	if g.fail != nil && g.fail(w, r) {
		return
	}
	collection, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	missing := func() {
		say(http.StatusNotFound, map[string]any{"error": map[string]string{"code": "Request_ResourceNotFound"}})
	}
	switch r.Method + " " + collection {
	case "GET users":
		user, there := g.users[id]
		if !there {
			missing()
			return
		}
		out := map[string]any{"@odata.context": "x"}
		for name := range strings.SplitSeq(r.FormValue("$select"), ",") { // nothing is answered that was not selected
			if value, has := user[name]; has {
				out[name] = value
			}
		}
		say(http.StatusOK, out)
	case "GET directory":
		user, there := g.deleted[strings.TrimPrefix(id, "deletedItems/")]
		if !there {
			missing()
			return
		}
		say(http.StatusOK, user)
	case "GET subscriptions":
		list := []map[string]string{}
		for _, s := range g.subs {
			list = append(list, s)
		}
		say(http.StatusOK, map[string]any{"value": list})
	case "POST subscriptions":
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		if len(in["clientState"]) > 128 || in["expirationDateTime"] == "" || in["resource"] != "users" || in["changeType"] != "updated,deleted" {
			say(http.StatusBadRequest, map[string]string{"error": "InvalidRequest"})
			return
		}
		if len(g.subs) > 0 {
			say(http.StatusConflict, map[string]string{"error": "Conflict"})
			return
		}
		if g.validate != nil {
			g.validate(in["notificationUrl"])
		}
		g.made++
		in["id"] = fmt.Sprintf("7f105c7d-0000-4000-8000-%012d", g.made)
		g.subs[in["id"]] = in
		say(http.StatusCreated, in)
	case "PATCH subscriptions":
		sub, there := g.subs[id]
		if !there {
			missing()
			return
		}
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		sub["expirationDateTime"] = in["expirationDateTime"]
		say(http.StatusOK, sub)
	case "DELETE subscriptions":
		delete(g.subs, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

// person puts a user into the imitation.
func (g *imitation) person(id, mail string, enabled bool, more ...string) {
	g.set(func(g *imitation) {
		user := map[string]any{"id": id, "userPrincipalName": mail, "mail": mail, "accountEnabled": enabled}
		for i := 0; i+1 < len(more); i += 2 {
			user[more[i]] = more[i+1]
		}
		g.users[id] = user
		delete(g.deleted, id)
	})
}

// tenant is a directory before the real core: one source of a type that reads at an imitation of Graph.
type tenant struct {
	*office
	graph *imitation
	typ   string
	keys  map[string]any
	more  []func(own any) // sets what keys cannot
}

func newTenant(t *testing.T, typ string, keys map[string]any, more ...func(own any)) *tenant {
	t.Helper()
	g, address := newImitation(t)
	d := &tenant{&office{core: deciding(t), observer: &revoketest.Refusals{}}, g, typ, graphKeys(address, "the-client-secret"), more}
	maps.Copy(d.keys, keys)
	d.open()
	return d
}

// open starts the handler and the attendant anew, as a restart does.
func (d *tenant) open() {
	d.Helper()
	typ, _ := webhooks.Lookup(d.typ)
	own := typ.NewSettings()
	ownKeys(own, d.keys)
	for _, set := range d.more {
		set(own)
	}
	deps := calling(d.store.Clock())
	handler, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{"entra": {
			Source: revoke.Source{Org: "main", Type: d.typ, Authority: "entra", IDs: "entra", Learns: typ.Learns}, Settings: own,
		}},
		Inbox: d.service, Clock: d.store.Clock(), Log: slog.New(slog.DiscardHandler), Observer: d.observer, Deps: deps, PublicURL: "https://curfew.example.edu",
	})
	if err != nil {
		d.Fatalf("webhooks.New: %v", err)
	}
	d.graph.set(func(*imitation) { d.handler = handler }) // a call that was given up may still be under way there, and asks the hook
	d.attend(handler)
}

// send posts a message and wants it to be answered so.
func (d *tenant) send(body string, status int, header ...string) {
	d.Helper()
	r := httptest.NewRequest(http.MethodPost, "/hooks/entra", strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if d.handler.ServeHTTP(w, r); w.Code != status {
		d.Fatalf("got %d %s, want %d", w.Code, w.Body, status)
	}
	d.attended.Wake()
}

// notify posts what Graph sends of changes: event id, change and person in turn.
func (d *tenant) notify(triples ...string) {
	d.Helper()
	var items []string
	for i := 0; i+2 < len(triples); i += 3 {
		items = append(items, graphItem(triples[i], triples[i+1], triples[i+2], entraState, d.store.Clock().Now().String()))
	}
	d.send(graphMessage(items...), http.StatusAccepted)
}

func graphMessage(items ...string) string { return `{"value":[` + strings.Join(items, ",") + `]}` }

func graphItem(id, change, person, state, at string) string {
	return fmt.Sprintf(`{"id":%q,"subscriptionId":"7f105c7d-2dc5-4530-97cd-4e7ae6534c07","subscriptionExpirationDateTime":"2026-12-20T00:00:00Z","clientState":%q,`+
		`"changeType":%q,"resource":"Users/%s","tenantId":%q,"resourceData":{"@odata.type":"#Microsoft.Graph.User","@odata.id":"Users/%s","id":%q,"organizationId":%q,`+
		`"eventTime":%q,"sequenceNumber":638000000000000000}}`, id, state, change, person, entraTenant, person, person, entraTenant, at)
}

func (d *tenant) hook(address string) *http.Request {
	d.Helper()
	u, err := url.Parse(address)
	if err != nil {
		d.Fatal(err)
	}
	return httptest.NewRequest(http.MethodPost, u.RequestURI(), nil)
}
