package webhooks_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

const gridSubscription = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"

// gridKeys are the keys of a source that Event Grid sends to, with a secret in a header.
func gridKeys(own any, url string, secrets []revoke.Secret) {
	keys := graphKeys(url, apiKey)
	keys["subscriptions"] = []string{gridSubscription}
	ownKeys(own, keys)
	way(own, "Static", map[string]any{"header": "X-Grid-Secret", "secrets": secrets})
}

// way sets one way of verification in a type's own settings.
func way(own any, name string, keys map[string]any) {
	field := reflect.ValueOf(own).Elem().FieldByName("Verify").FieldByName(name)
	field.Set(reflect.New(field.Type().Elem()))
	ownKeys(field.Interface(), keys)
}

func gridEvent(id, what, change, person string) string {
	return fmt.Sprintf(`{"id":%q,"source":"/tenants/%s/applications/app","type":"Microsoft.Graph.%s","subject":"Users/%s","time":"2026-11-23T09:59:59Z","specversion":"1.0",`+
		`"datacontenttype":"application/json","data":{"changeType":%q,"clientState":"state-of-the-subscription","resource":"Users/%s","resourceData":{"@odata.type":"#Microsoft.Graph.User",`+
		`"id":%q,"organizationId":%q,"eventTime":"2026-11-23T09:59:58.512Z"},"subscriptionId":%q,"tenantId":%q}}`,
		id, entraTenant, what, person, change, person, person, entraTenant, gridSubscription, entraTenant)
}

func eventGridFixture() revoketest.SourceFixture {
	return revoketest.SourceFixture{
		Open: func(desk revoketest.Desk) (http.Handler, error) {
			return open(desk, "event-grid", func(own any, keys []revoke.Secret) { gridKeys(own, "https://graph.example.edu", keys) })
		},
		Sign:      func(r *http.Request, _, key string) { r.Header.Set("X-Grid-Secret", key) },
		Message:   func(items ...string) string { return "[" + strings.Join(items, ",") + "]" },
		News:      func(id, person string) string { return gridEvent(id, "UserUpdated", "updated", person) },
		Unknown:   func(id string) string { return gridEvent(id, "UserPainted", "painted", "sally") },
		Malformed: `"this is no event"`, Answer: http.StatusNoContent, Samples: "testdata/event-grid", Odd: map[string]int{`[]`: 0},
		Media:   []string{"application/cloudevents+json", "application/cloudevents-batch+json"},
		Signals: []revoke.SignalKind{revoke.Deleted}, // the others are said by reads
	}
}

func eventGridAPI() apiFixture {
	return apiFixture{
		Open: func(url string, deps webhooks.Deps) (webhooks.Receiver, error) {
			typ, _ := webhooks.Lookup("event-grid")
			own := typ.NewSettings()
			gridKeys(own, url, []revoke.Secret{revoke.NewSecret(entraState)})
			return typ.Open(revoke.Source{Name: "entra", Org: "main", IDs: "entra"}, own, deps)
		},
		Token: graphToken, Good: graphGood, About: "users/" + entraSally,
	}
}

// newGrid is a directory whose news comes by Event Grid.
func newGrid(t *testing.T) *tenant {
	t.Helper()
	d := newTenant(t, "event-grid", map[string]any{"subscriptions": []string{gridSubscription}}, func(own any) {
		way(own, "Static", map[string]any{"header": "X-Grid-Secret", "secrets": []revoke.Secret{revoke.NewSecret(entraState)}})
	})
	return d
}

// What Event Grid says is read at Graph like what Graph says itself, in each of its forms.
func TestEventGridReadsWhatChanged(t *testing.T) {
	t.Parallel()
	own := strings.NewReplacer(`"type"`, `"eventType"`, `"time"`, `"eventTime"`, `"source"`, `"topic"`)
	for media, message := range map[string]string{
		"application/cloudevents+json":       gridEvent("e-1", "UserUpdated", "updated", entraSally),
		"application/cloudevents-batch+json": "[" + gridEvent("e-1", "UserUpdated", "updated", entraSally) + "]",
		"application/json; charset=utf-8":    "[" + own.Replace(gridEvent("e-1", "UserUpdated", "updated", entraSally)) + "]",
	} {
		t.Run(media, func(t *testing.T) {
			t.Parallel()
			d := newGrid(t)
			d.graph.person(entraSally, "sally@example.edu", false)
			sally := d.signIn("sally", "", "")
			d.send(message, http.StatusNoContent, "Content-Type", media, "X-Grid-Secret", entraState)
			d.send(message, http.StatusNoContent, "Content-Type", media, "X-Grid-Secret", entraState)
			d.until("it is read", 0, func() bool { return d.store.AllEvents()[0].State != revoke.EventReading })
			if d.live(sally) || !d.blocked("sally@example.edu") || d.graph.count("GET /users") != 1 {
				t.Errorf("sally is live: %v after %d reads of what came twice", d.live(sally), d.graph.count("GET /users"))
			}
			if kept := string(d.store.AllEvents()[0].Body); strings.Contains(kept, "state-of-the-subscription") {
				t.Errorf("the secret of the subscription is kept: %s", kept)
			}
		})
	}
}

// The subscription is renewed, by which alone it lives.
func TestEventGridRenews(t *testing.T) {
	t.Parallel()
	d := newGrid(t)
	d.graph.set(func(g *imitation) { g.subs[gridSubscription] = map[string]string{"id": gridSubscription} })
	d.until("it is renewed", time.Minute, func() bool {
		var end string
		d.graph.set(func(g *imitation) { end = g.subs[gridSubscription]["expirationDateTime"] })
		return end != ""
	})
}

// Cases 31 and 32: both greetings, of the right and of the wrong, and nothing that they name is called.
func TestEventGridHandshakes(t *testing.T) {
	t.Parallel()
	d := newGrid(t)
	var called bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	t.Cleanup(func() {
		if elsewhere.Close(); called {
			t.Error("an address in a greeting was called")
		}
	})
	ask := func(method, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/hooks/entra", strings.NewReader(body))
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, r)
		return w
	}
	for origin, want := range map[string]int{"eventgrid.azure.net": 200, "EventGrid.Azure.Net": 200, "evil.example": 401, "": 401, "eventgrid.azure.net.evil.example": 401} {
		w := ask(http.MethodOptions, "", "WebHook-Request-Origin", origin, "WebHook-Request-Callback", elsewhere.URL, "WebHook-Request-Rate", "120")
		allowed := w.Header().Get("WebHook-Allowed-Origin")
		if w.Code != want || (allowed == "eventgrid.azure.net") != (want == 200) || (w.Header().Get("WebHook-Allowed-Rate") != "") != (want == 200) {
			t.Errorf("asked by %q: got %d %v, want %d", origin, w.Code, w.Header(), want)
		}
	}
	if w := ask(http.MethodOptions, ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS that asks nothing: got %d, want 405", w.Code)
	}
	greeting := func(code, kind string) string {
		return fmt.Sprintf(`[{"id":"1","topic":"/x","subject":"","eventType":%q,"eventTime":"2026-11-23T10:00:00Z","dataVersion":"2","data":{"validationCode":%q,"validationUrl":%q}}]`, kind, code, elsewhere.URL)
	}
	const kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
	w := ask(http.MethodPost, greeting(`5"<b>é`, kind), "aeg-event-type", "SubscriptionValidation")
	if want := `{"validationResponse":"5\"\u003cb\u003eé"}`; w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v %s, want 200 %s", w.Code, w.Header(), w.Body, want)
	}
	for _, body := range []string{
		greeting("", kind), greeting("a\r\nb", kind), greeting(strings.Repeat("a", 10<<10), kind), greeting("code", "Microsoft.Graph.UserUpdated"), "", "{}", "[]", "null",
		"[" + greeting("code", kind) + "]", strings.Replace(greeting("code", kind), `"data"`, `"data":{"validationCode":"other"},"data"`, 1),
	} {
		if w := ask(http.MethodPost, body, "aeg-event-type", "SubscriptionValidation"); w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "validationResponse") {
			t.Errorf("%.80s: got %d %s, want 400", body, w.Code, w.Body)
		}
	}
	news := "[" + gridEvent("e-1", "UserDeleted", "deleted", entraSally) + "]"
	for _, header := range []string{"Notification", "subscriptionvalidation"} { // calling itself a greeting lets nothing in
		if w := ask(http.MethodPost, news, "aeg-event-type", header, "Content-Type", "application/json"); w.Code < 400 {
			t.Errorf("news that prove nothing, as %s: got %d", header, w.Code)
		}
	}
	if n := len(d.store.AllEvents()); n != 0 {
		t.Errorf("%d events were kept of greetings", n)
	}
}

// Only our directory, through our subscription, is heard, whatever else the topic carries.
func TestEventGridOfAnotherDirectory(t *testing.T) {
	t.Parallel()
	d := newGrid(t)
	const other = "99999999-2222-3333-4444-555555555555"
	whole := gridEvent("e-1", "UserDeleted", "deleted", entraSally)
	d.send("["+strings.Join([]string{
		strings.Replace(whole, "/tenants/"+entraTenant, "/tenants/"+other, 1), strings.Replace(whole, `"tenantId":"`+entraTenant, `"tenantId":"`+other, 1),
		strings.Replace(whole, `"organizationId":"`+entraTenant, `"organizationId":"`+other, 1), strings.Replace(whole, gridSubscription, other, 1),
	}, ",")+"]", http.StatusNoContent, "X-Grid-Secret", entraState)
	if whys := d.observer.Whys("entra"); len(whys) != 4 || len(d.store.AllEvents()) != 0 {
		t.Errorf("refused %v, and %d events were kept; want four and none", whys, len(d.store.AllEvents()))
	}
}

func TestEventGridSettings(t *testing.T) {
	t.Parallel()
	typ, _ := webhooks.Lookup("event-grid")
	long := []revoke.Secret{revoke.NewSecret(entraState)}
	token := func(claims map[string]string) map[string]any {
		return map[string]any{
			"jwks": "https://login.microsoftonline.com/keys", "issuer": "https://sts.windows.net/x/", "audience": "curfew", "claims": claims,
		}
	}
	for want, set := range map[string]func(own any){
		"verify is missing": func(any) {}, "verify names a way": func(own any) { way(own, "HMAC", map[string]any{"header": "X-Sig", "secrets": long}) },
		"verify.jwt.claims": func(own any) { way(own, "JWT", token(map[string]string{"roles": "x"})) },
		"verify.query.secrets[0]": func(own any) {
			way(own, "Query", map[string]any{"secrets": []revoke.Secret{revoke.NewSecret("short")}})
		},
		"": func(own any) {
			way(own, "JWT", token(map[string]string{"azp": "4962773b-9cdb-44cf-a8bf-237846a00ab7"}))
		},
		"subscriptions is missing": func(own any) {
			way(own, "Query", map[string]any{"secrets": long})
			ownKeys(own, map[string]any{"subscriptions": []string(nil)})
		},
		"client_secret is empty": func(own any) {
			way(own, "Query", map[string]any{"secrets": long})
			ownKeys(own, map[string]any{"client_secret": revoke.NewSecret("")})
		},
		"verify names several ways: st": func(own any) {
			way(own, "Query", map[string]any{"secrets": long})
			way(own, "Static", map[string]any{"secrets": long})
		},
	} {
		own := typ.NewSettings()
		keys := graphKeys("https://graph.example.edu", "s")
		keys["subscriptions"] = []string{gridSubscription}
		ownKeys(own, keys)
		set(own)
		_, err := typ.Open(revoke.Source{Name: "entra"}, own, calling(revoketest.NewClock(0)))
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want an error that begins %q", err, want)
		}
	}
}
