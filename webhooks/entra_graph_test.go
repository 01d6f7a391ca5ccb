package webhooks_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

const unsignedState = "CLIENT-STATE-GOES-HERE"

func entraGraphFixture() revoketest.SourceFixture {
	const at = "2026-11-23T09:59:58.5120000Z"
	return revoketest.SourceFixture{
		Open: func(desk revoketest.Desk) (http.Handler, error) {
			return open(desk, "entra-graph", func(own any, keys []revoke.Secret) {
				all := graphKeys("https://graph.example.edu", "the-client-secret")
				all["secrets"] = keys
				ownKeys(own, all)
			})
		},
		Sign: func(r *http.Request, body, key string) {
			signed := strings.ReplaceAll(body, unsignedState, key)
			again := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(signed))
			r.Body, r.ContentLength = again.Body, again.ContentLength
		},
		Message: graphMessage,
		News:    func(id, person string) string { return graphItem(id, "updated", person, unsignedState, at) },
		Unknown: func(id string) string { return graphItem(id, "renamed", "sally", unsignedState, at) },
		Foreign: func(id, person string) string {
			return graphItem(id, "updated", person, "the-state-of-somebody-else", at)
		},
		Malformed: `{"clientState":"` + unsignedState + `","resource":"users","changeType":7}`,
		Answer:    http.StatusAccepted, Samples: "testdata/entra-graph", PerItem: true,
		Odd:     map[string]int{`{}`: 0, `[]`: 0, `null`: 0, `"Ping test"`: 0, `42`: 0, `true`: 0},
		Signals: []revoke.SignalKind{revoke.Deleted}, // the others are said by reads
	}
}

// entraGraphAPI is Graph as the battery of calls wants it.
func entraGraphAPI() apiFixture {
	return apiFixture{
		Open: func(url string, deps webhooks.Deps) (webhooks.Receiver, error) {
			typ, _ := webhooks.Lookup("entra-graph")
			own := typ.NewSettings()
			keys := graphKeys(url, apiKey)
			keys["secrets"] = []revoke.Secret{revoke.NewSecret(entraState)}
			ownKeys(own, keys)
			return typ.Open(revoke.Source{Name: "entra", Org: "main", IDs: "entra"}, own, deps)
		},
		Token: graphToken, Good: graphGood, About: "users/" + entraSally,
	}
}

func graphToken(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		return false
	}
	_, _ = w.Write([]byte(`{"access_token":"access","token_type":"Bearer","expires_in":3599}`))
	return true
}

func graphGood(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`{"id":"` + entraSally + `","accountEnabled":true,"userPrincipalName":"sally@example.edu","expirationDateTime":"2026-12-20T00:00:00Z"}`))
}

func newEntraGraph(t *testing.T) *tenant {
	t.Helper()
	return newTenant(t, "entra-graph", map[string]any{"secrets": []revoke.Secret{revoke.NewSecret(entraState), revoke.NewSecret("the-state-before-0123456789")}})
}

func TestEntraGraphReadsWhatChanged(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.graph.person(entraSally, "sally@example.edu", false)
	d.graph.person(entraTom, "tom@example.edu", true, "lastPasswordChangeDateTime", "2020-01-01T00:00:00Z")
	sally, tom := d.signIn("sally", "", ""), d.signIn("tom", "", "")
	d.notify("n-1", "updated", entraSally, "n-2", "updated", entraTom)
	d.until("both are read", 0, d.settled("n-1", "n-2"))
	if d.live(sally) || !d.live(tom) || !d.blocked("sally@example.edu") {
		t.Errorf("sally is live: %v, tom: %v; want only tom", d.live(sally), d.live(tom))
	}
	d.graph.person(entraSally, "sally@example.edu", true)
	d.store.Moving().Advance(time.Second)
	d.notify("n-3", "updated", entraSally)
	d.until("it is read", 0, d.settled("n-3"))
	if d.blocked("sally@example.edu") || d.live(sally) {
		t.Error("enabling an account does not lift the block, or revives a session")
	}
	d.store.Moving().Advance(time.Hour)
	d.graph.person(entraTom, "tom@example.edu", true, "lastPasswordChangeDateTime", d.store.Clock().Now().String())
	d.store.Moving().Advance(time.Second)
	d.notify("n-4", "updated", entraTom)
	d.until("it is read", 0, d.settled("n-4"))
	if d.live(tom) || d.blocked("tom@example.edu") {
		t.Error("a changed password must end what was born before it, and block nobody")
	}
	for what, reason := range map[string]revoke.SignalKind{"n-1": revoke.Deactivated, "n-4": revoke.CredentialChanged} {
		if ev := d.event(what); len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].Signal != reason || !strings.Contains(ev.Note, "secrets[0]") {
			t.Errorf("%s: got %+v, want one revocation of %s, verified by secrets[0]", what, ev, reason)
		}
	}
}

func TestEntraGraphSessionsRevoked(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.graph.person(entraTom, "tom@example.edu", true, "signInSessionsValidFromDateTime", "2020-01-01T00:00:00Z")
	d.notify("n-1", "updated", entraTom)
	d.until("it is read", 0, d.settled("n-1"))
	tom := d.signIn("tom", "", "")
	d.graph.person(entraTom, "tom@example.edu", true) // the property is not there: nothing may be concluded, nor forgotten
	d.notify("n-2", "updated", entraTom)
	d.until("it is read", 0, d.settled("n-2"))
	d.graph.person(entraTom, "tom@example.edu", true, "signInSessionsValidFromDateTime", "2020-01-01T00:00:00Z")
	d.notify("n-3", "updated", entraTom)
	d.until("it is read", 0, d.settled("n-3"))
	if !d.live(tom) {
		t.Fatal("nothing was revoked, and yet the session is over")
	}
	d.graph.person(entraTom, "tom@example.edu", true, "signInSessionsValidFromDateTime", d.store.Clock().Now().String())
	d.store.Moving().Advance(time.Second)
	d.notify("n-4", "updated", entraTom)
	d.until("it is read", 0, d.settled("n-4"))
	if ev := d.event("n-4"); d.live(tom) || len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].Signal != revoke.SessionsCleared {
		t.Errorf("revoked sign-in sessions: live %v, %+v", d.live(tom), ev)
	}
	at := d.store.Clock().Now().Add(-time.Second).String()
	for _, next := range []struct{ id, value string }{{"n-5", at}, {"n-6", ""}, {"n-7", at}, {"n-8", "2020-01-01T00:00:00Z"}, {"n-9", at}} {
		more := []string{"signInSessionsValidFromDateTime", next.value}
		if next.value == "" {
			more = nil
		}
		d.graph.person(entraTom, "tom@example.edu", true, more...)
		d.notify(next.id, "updated", entraTom)
		d.until("it is read", 0, d.settled(next.id))
		if n := len(d.event(next.id).Decided.Revocations); n > 0 && next.id != "n-5" {
			t.Errorf("%s: a time that was known before, that is missing, or that went back, made %d revocations", next.id, n)
		}
	}
}

// A first read has nothing to compare with: what happened around the notification is its cause, what is old is not.
func TestEntraGraphFirstRead(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	tom := d.signIn("tom", "", "")
	d.store.Moving().Advance(time.Hour)
	d.graph.person(entraTom, "tom@example.edu", true, "lastPasswordChangeDateTime", d.store.Clock().Now().Add(-time.Minute).String())
	d.notify("n-1", "updated", entraTom)
	d.until("it is read", 0, d.settled("n-1"))
	if d.live(tom) {
		t.Error("a password that was changed a minute before the first notification ends nothing")
	}
}

func TestEntraGraphDeletion(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.graph.person(entraSally, "sally@example.edu", true)
	sally := d.signIn("sally", "", "")
	d.notify("n-1", "updated", entraSally)
	d.until("she is known", 0, d.settled("n-1"))
	if !d.live(sally) {
		t.Fatal("nothing happened, and yet the session is over")
	}
	d.graph.set(func(g *imitation) { delete(g.users, entraSally) }) // found nowhere: Graph lags, or something else is wrong
	d.notify("n-2", "updated", entraSally)
	d.until("it was tried", 0, func() bool { return d.attempts() > 0 })
	if !d.live(sally) || d.event("n-2").State != revoke.EventReading {
		t.Error("whom Graph finds nowhere was taken for deleted")
	}
	d.until("it is given up", time.Minute, d.settled("n-2"))
	if ev := d.event("n-2"); !d.live(sally) || ev.State != revoke.EventIgnored || !strings.Contains(ev.Note, "neither") {
		t.Errorf("whom Graph finds nowhere: %+v", ev)
	}
	d.graph.set(func(g *imitation) {
		g.deleted[entraSally] = map[string]any{"@odata.type": "#microsoft.graph.user", "id": entraSally, "deletedDateTime": d.store.Clock().Now().String()}
	})
	d.store.Moving().Advance(time.Second)
	d.notify("n-3", "updated", entraSally)
	d.until("it is read", 0, d.settled("n-3"))
	if ev := d.event("n-3"); d.live(sally) || len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].Signal != revoke.Deleted {
		t.Errorf("a user among the deleted: live %v, %+v", d.live(sally), ev)
	}
	d.store.Moving().Advance(time.Minute)
	d.graph.person(entraSally, "sally@example.edu", true)
	d.notify("n-4", "updated", entraSally)
	d.until("it is read", 0, d.settled("n-4"))
	if d.blocked("sally@example.edu") {
		t.Error("a user that was restored is still blocked")
	}
	d.store.Moving().Advance(time.Minute)
	before := d.graph.count("GET")
	d.notify("n-5", "deleted", entraSally)
	if !d.blocked("sally@example.edu") || d.graph.count("GET") != before {
		t.Error("a permanent deletion must act at once, and without a read")
	}
}

// Case 47: whatever Graph answers, nothing is concluded from what it does not say, and it is asked again.
func TestEntraGraphWhenGraphFails(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		status int
		header string
		body   string
	}{
		"throttled": {http.StatusTooManyRequests, "7", ""}, "down": {http.StatusInternalServerError, "", "x"}, "another shape": {http.StatusOK, "", `{"value":[]}`},
		"no account": {http.StatusOK, "", `{"id":"` + entraSally + `","userPrincipalName":"sally@example.edu"}`},
		"a word":     {http.StatusOK, "", `{"id":"` + entraSally + `","accountEnabled":"false"}`},
		"another":    {http.StatusOK, "", `{"id":"` + entraTom + `","accountEnabled":false}`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newEntraGraph(t)
			d.graph.person(entraSally, "sally@example.edu", false)
			d.graph.set(func(g *imitation) {
				g.fail = func(w http.ResponseWriter, _ *http.Request) bool {
					if c.header != "" {
						w.Header().Set("Retry-After", c.header)
					}
					w.WriteHeader(c.status)
					_, _ = w.Write([]byte(c.body))
					return true
				}
			})
			sally := d.signIn("sally", "", "")
			d.notify("n-1", "updated", entraSally, "n-2", "updated", entraSally)
			d.until("it was tried", 0, func() bool { return d.attempts() > 0 })
			if !d.live(sally) || d.event("n-2").State != revoke.EventReading {
				t.Fatalf("something was concluded: live %v, %+v", d.live(sally), d.event("n-2"))
			}
			for _, r := range d.store.AllReadings() {
				if r.LastError == "internal error" {
					t.Error("the type fell over")
				}
				if c.header != "" && r.Attempts > 0 && r.DueAt.Sub(d.store.Clock().Now()) < 6*time.Second {
					t.Errorf("asked to wait for 7 s it is due in %s", r.DueAt.Sub(d.store.Clock().Now()))
				}
			}
			d.graph.set(func(g *imitation) { g.fail = nil })
			reads := d.graph.count("GET /users")
			d.until("it is read", time.Second, d.settled("n-1", "n-2"))
			if n := d.graph.count("GET /users") - reads; d.live(sally) || n != 1 {
				t.Errorf("live %v after %d reads for two notifications about one person, want one", d.live(sally), n)
			}
		})
	}
}

func TestEntraGraphAccessTokens(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.graph.person(entraSally, "sally@example.edu", true)
	d.notify("n-1", "updated", entraSally)
	d.until("it is read", 0, d.settled("n-1"))
	had := 0
	d.graph.set(func(g *imitation) { clear(g.valid); had = g.tokens })
	d.notify("n-2", "updated", entraSally)
	d.until("it is read with another token", 0, d.settled("n-2"))
	d.graph.set(func(g *imitation) {
		if g.tokens != had+1 {
			t.Errorf("%d new access tokens, want one", g.tokens-had)
		}
	})
	if d.attempts() != 0 {
		t.Error("a token that had ended cost an attempt")
	}
}

// Case 45: who is killed while Graph is asked leaves a lease behind, and the read is taken up again.
func TestEntraGraphReadsGoOnAfterAKill(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.end()
	d.graph.person(entraSally, "sally@example.edu", false)
	sally := d.signIn("sally", "", "")
	d.notify("n-1", "updated", entraSally)
	now := d.store.Clock().Now()
	if owed, err := d.store.ClaimReads(t.Context(), "main", "entra", 1, now, now.Add(time.Minute), revoke.NewID(now)); err != nil || len(owed) != 1 {
		t.Fatalf("claim: %+v, %v", owed, err)
	}
	d.end = nil
	d.open()
	d.until("it is read after the lease", time.Second, d.settled("n-1"))
	if d.live(sally) {
		t.Error("what was read after a restart ends nothing")
	}
}

// Case 12, and 48: items of others and of other directories.
func TestEntraGraphItemsProveThemselves(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	good := graphItem("n-1", "deleted", entraSally, "the-state-before-0123456789", "2026-11-23T09:59:58Z")
	foreign := strings.ReplaceAll(graphItem("n-2", "deleted", entraTom, entraState, "2026-11-23T09:59:58Z"), entraTenant, "99999999-2222-3333-4444-555555555555")
	without := strings.Replace(graphItem("n-3", "deleted", entraTom, "", "2026-11-23T09:59:58Z"), `"clientState":"",`, "", 1)
	d.send(graphMessage(foreign, good, without, graphItem("n-4", "deleted", entraTom, entraState+" ", "2026-11-23T09:59:58Z"), `"x"`), http.StatusAccepted)
	all := d.store.AllEvents()
	if len(all) != 1 || all[0].SenderID != "n-1" || !strings.Contains(all[0].Note, "secrets[1]") || strings.Contains(string(all[0].Body), "the-state-before") {
		t.Errorf("got %+v, want only what proved itself, by secrets[1], without the secret", all)
	}
	if whys := d.observer.Whys("entra"); len(whys) != 4 {
		t.Errorf("refused: %v, want four", whys)
	}
	d.keys["subscriptions"] = []string{"00000000-0000-4000-8000-00000000000a"}
	d.open()
	d.send(graphMessage(graphItem("n-5", "deleted", entraTom, entraState, "2026-11-23T09:59:58Z")), http.StatusAccepted)
	if len(d.store.AllEvents()) != 1 {
		t.Error("a notification of another subscription was kept")
	}
}

// Case 30.
func TestEntraGraphHandshake(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	ask := func(query string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/hooks/entra?"+query, strings.NewReader(""))
		r.Header.Set("Content-Type", "text/plain; charset=utf-8")
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, r)
		return w
	}
	for query, want := range map[string]string{
		"validationToken=Validation%3A+Testing+client+application+reachability": "Validation: Testing client application reachability",
		"validationToken=100%25%2B1%20caf%C3%A9":                                "100%+1 café",
		"a=b&validationToken=abc":                                               "abc",
	} {
		w := ask(query)
		if w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d %v %q, want %q as plain text", query, w.Code, w.Header(), w.Body, want)
		}
	}
	for _, query := range []string{
		"validationToken=%3Cscript%3Ealert(1)%3C/script%3E", "validationToken=a%0D%0AX-Injected:+yes", "validationToken=" + strings.Repeat("a", 10<<10),
		"validationToken=", "validationToken=a&validationToken=b", "validationToken=%FF%FE", "validationToken=%00",
	} {
		if w := ask(query); w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "script") {
			t.Errorf("%.60s: got %d %s, want 400 without an echo", query, w.Code, w.Body)
		}
	}
	if n := len(d.store.AllEvents()); n != 0 {
		t.Errorf("handshakes left %d events", n)
	}
	r := httptest.NewRequest(http.MethodGet, "/hooks/entra?validationToken=abc", nil)
	w := httptest.NewRecorder()
	if d.handler.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("by GET: got %d, want 405", w.Code)
	}
}

func (d *tenant) upkeep() revoke.Errand {
	d.Helper()
	all, err := d.store.Errands(d.Context(), "main", []string{"entra"})
	if err != nil {
		d.Fatal(err)
	}
	for _, e := range all {
		if e.Name == revoke.ErrandUpkeep {
			return e
		}
	}
	return revoke.Errand{}
}

func TestEntraGraphSubscription(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.graph.set(func(g *imitation) {
		g.validate = func(address string) { // Graph asks the address before it answers
			w := httptest.NewRecorder()
			d.handler.ServeHTTP(w, d.hook(address+"?validationToken=abc"))
			if address != "https://curfew.example.edu/hooks/entra" || w.Body.String() != "abc" {
				t.Errorf("Graph asked %s and was answered %q", address, w.Body)
			}
		}
	})
	d.open()
	only := func() (id string, sub map[string]string) {
		d.graph.set(func(g *imitation) {
			if len(g.subs) != 1 {
				t.Fatalf("there are %d subscriptions, want one", len(g.subs))
			}
			for id, sub = range g.subs {
				sub = maps.Clone(sub) // it is renewed meanwhile
			}
		})
		return id, sub
	}
	ends := func() revoke.Instant {
		_, sub := only()
		var at revoke.Instant
		if err := at.UnmarshalText([]byte(sub["expirationDateTime"])); err != nil {
			t.Fatal(err)
		}
		return at
	}
	d.until("there is a subscription", 0, func() bool { return d.upkeep().DoneAt != 0 })
	first, sub := only()
	if sub["clientState"] != entraState || sub["lifecycleNotificationUrl"] != sub["notificationUrl"] {
		t.Errorf("subscribed as %v", sub)
	}
	if life := ends().Sub(d.store.Clock().Now()); life > 41_760*time.Minute || life < 40_000*time.Minute {
		t.Errorf("it lives for %s, want just under 41,760 minutes", life)
	}
	if e := d.upkeep(); e.ExpiresAt != ends() || e.Health == "" || strings.Contains(e.Kept+e.Health, entraState) {
		t.Errorf("upkeep says %+v", e)
	}
	was := ends()
	d.until("it is renewed", 10*time.Minute, func() bool { return ends() > was })
	d.graph.set(func(g *imitation) { clear(g.subs) })
	d.until("it is made again", 10*time.Minute, func() bool { made := 0; d.graph.set(func(g *imitation) { made = len(g.subs) }); return made == 1 })
	second, _ := only()
	if second == first {
		t.Error("the old subscription is back")
	}
	d.keys["secrets"] = []revoke.Secret{revoke.NewSecret("another-state-0123456789"), revoke.NewSecret(entraState)}
	d.open()
	d.until("the new secret is given to Graph", 10*time.Minute, func() bool {
		state := ""
		d.graph.set(func(g *imitation) {
			for _, s := range g.subs {
				state = s["clientState"]
			}
		})
		return state == "another-state-0123456789"
	})
	third, _ := only()
	d.graph.set(func(g *imitation) {
		g.fail = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true }
	})
	d.until("an alarm stands", 10*time.Minute, func() bool { return len(d.standing()) > 0 })
	if got := d.standing(); !slices.ContainsFunc(got, func(a string) bool { return strings.Contains(a, " entra") }) {
		t.Errorf("alarms %q, want one about the source", got)
	}
	d.graph.set(func(g *imitation) { g.fail = nil })
	d.until("it is over", 10*time.Minute, func() bool { return d.upkeep().Failures == 0 && len(d.standing()) == 0 })
	if id, _ := only(); id != third {
		t.Error("a subscription was made although one was there")
	}
}

// A database that is older than the subscription: Graph refuses a second one, and ours is found and replaced.
func TestEntraGraphForgottenSubscription(t *testing.T) {
	t.Parallel()
	d := newEntraGraph(t)
	d.end()
	d.graph.set(func(g *imitation) {
		clear(g.subs)
		g.subs["7f105c7d-0000-4000-8000-999999999999"] = map[string]string{
			"id": "7f105c7d-0000-4000-8000-999999999999", "notificationUrl": "https://curfew.example.edu/hooks/entra", "resource": "users",
		}
		g.made = 50
	})
	fresh := newTenant(t, "entra-graph", map[string]any{"secrets": d.keys["secrets"], "graph": d.keys["graph"], "login": d.keys["login"]})
	fresh.until("it is replaced", time.Minute, func() bool { return fresh.upkeep().DoneAt != 0 })
	d.graph.set(func(g *imitation) {
		if _, there := g.subs["7f105c7d-0000-4000-8000-999999999999"]; there || len(g.subs) != 1 {
			t.Errorf("subscriptions: %v, want a new one in place of ours", g.subs)
		}
		clear(g.subs)
		g.subs["7f105c7d-0000-4000-8000-888888888888"] = map[string]string{"id": "7f105c7d-0000-4000-8000-888888888888", "notificationUrl": "https://other.example.edu/", "resource": "users"}
	})
	fresh.until("it is told", time.Minute, func() bool { return fresh.upkeep().Failures > 0 })
	d.graph.set(func(g *imitation) {
		if _, there := g.subs["7f105c7d-0000-4000-8000-888888888888"]; !there {
			t.Error("somebody else's subscription was removed")
		}
	})
}

func TestEntraGraphSettings(t *testing.T) {
	t.Parallel()
	typ, _ := webhooks.Lookup("entra-graph")
	for field, change := range map[string]map[string]any{
		"tenant": {"tenant": "contoso.onmicrosoft.com"}, "client_id": {"client_id": "x"}, "client_secret": {"client_secret": revoke.NewSecret("")},
		"graph": {"graph": "http://graph.example.edu"}, "login": {"login": "x"}, "subscriptions[0]": {"subscriptions": []string{"x"}},
		"secrets[0]": {"secrets": []revoke.Secret{revoke.NewSecret("too-short")}}, "secrets": {"secrets": []revoke.Secret(nil)},
		"secrets[1]": {"secrets": []revoke.Secret{revoke.NewSecret(entraState), revoke.NewSecret(strings.Repeat("a", 129))}},
	} {
		keys := graphKeys("https://graph.example.edu", "s")
		keys["secrets"] = []revoke.Secret{revoke.NewSecret(entraState)}
		maps.Copy(keys, change)
		own := typ.NewSettings()
		ownKeys(own, keys)
		_, err := typ.Open(revoke.Source{Name: "entra"}, own, calling(revoketest.NewClock(0)))
		if err == nil || !strings.HasPrefix(err.Error(), field+" ") {
			t.Errorf("%v: got %v, want an error at %s", change, err, field)
		}
	}
}
