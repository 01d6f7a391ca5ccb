package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"curfew/api"
	"curfew/revoke"
)

// keyed sends JSON, or a form below /oauth2, with a bearer token and an Idempotency-Key.
func (b *bundle) keyed(token, key, path, body string) reply {
	b.t.Helper()
	header := []string{"Authorization", "Bearer " + secretOf(token), "Idempotency-Key", key}
	switch {
	case strings.HasPrefix(path, "/oauth2"):
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	case strings.HasPrefix(body, "{\"line"):
		header = append(header, "Content-Type", "application/x-ndjson")
	case body != "":
		header = append(header, "Content-Type", "application/json")
	}
	return b.do("POST", path, body, header...)
}

// done counts what was carried out: events, sessions and lines of the audit log.
func (b *bundle) done() [3]int {
	return [3]int{len(b.store.AllEvents()), len(b.store.AllSessions()), len(b.store.Audit())}
}

// TestAKeyIsForOneRequest sends each request twice: the second is answered like the first, and nothing is carried out again.
func TestAKeyIsForOneRequest(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	id := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	delivery := func() string {
		return b.want("revoke", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+tom+`, "reason": "x"}`), 201).text("id")
	}
	for i, c := range []struct{ token, path, body string }{
		{"portal", "/v1/signals", `{"signal": "credential-changed", "subject": ` + sally + `}`},
		{"soc", "/v1/revocations", `{"scope": "user", "subject": ` + sally + `, "reason": "theft"}`},
		{"ops", "/v1/revocations", `{"scope": "everyone", "reason": "a leak"}`},
		{"ops", "/v1/users/" + id + "/block", `{"reason": "left"}`},
		{"ops", "/v1/users/" + id + "/lift", `{"reason": "came back"}`},
		{"portal", "/v1/sessions", `{"subject": ` + sally + `, "kind": "browser"}`},
		{"portal", "/oauth2/revoke", "token=laptop"},
		{"ops", "/v1/deliveries/retry", `{"state": "due"}`},
		{"ops", "/v1/deliveries/" + delivery() + ":canvas/retry", ""},
		{"ops", "/v1/deliveries/" + delivery() + ":canvas/drop", `{"reason": "x"}`},
		{"ops", "/v1/revocations/" + delivery() + "/pause", `{"reason": "x"}`},
		{"ops", "/v1/sources/portal/retire", `{"reason": "x"}`},
	} {
		key := fmt.Sprintf("key %d ~!", i)
		first := b.keyed(c.token, key, c.path, c.body)
		if first.status >= 300 || first.header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("POST %s %s: %d %s %v", c.path, c.body, first.status, first.body, first.header)
		}
		before := b.done()
		for range 2 {
			again := b.keyed(c.token, key, c.path, c.body)
			if again.status != first.status || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Location") != first.header.Get("Location") {
				t.Errorf("POST %s with the same key: %d %s %v; the first was %d %s", c.path, again.status, again.body, again.header, first.status, first.body)
			}
		}
		if after := b.done(); after != before {
			t.Errorf("POST %s with the same key was carried out again: %v events, sessions and audit lines, were %v", c.path, after, before)
		}
		if other := b.keyed(c.token, key, c.path, c.body+" "); c.body != "" && (other.status != 409 || other.text("type") != "/problems/conflict") && !strings.HasPrefix(c.path, "/oauth2") {
			t.Errorf("POST %s, another body with the same key: %d %s", c.path, other.status, other.body)
		}
	}
	b.want("another path with a key", b.keyed("portal", "key 0 ~!", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`), 409, "conflict")
	before := b.done()
	b.want("another token's key of the same name", b.keyed("both", "key 0 ~!", "/v1/signals", `{"signal": "credential-changed", "subject": `+sally+`}`), 201)
	if after := b.done(); after[0] != before[0]+1 {
		t.Error("the key of one token kept another token's request from being carried out")
	}
}

// TestAnAnswerIsOldButItsLifeIsNot asks again for answers that say who is live, after that has changed.
func TestAnAnswerIsOldButItsLifeIsNot(t *testing.T) {
	t.Parallel()
	b := start(t)
	registration := `{"subject": ` + sally + `, "kind": "browser", "token": "new"}`
	first := b.want("register", b.keyed("portal", "k", "/v1/sessions", registration), 201)
	token := first.text("token")
	lines := `{"line": 1}` + "\n" + `{"subject": ` + sally + `, "kind": "mobile", "token": "phone-1"}` + "\n" + `{"subject": ` + tom + `, "kind": "mobile"}` + "\n"
	imported := b.keyed("portal", "import", "/v1/sessions", lines)
	if strings.Count(imported.body, `"live":true`) != 2 || strings.Count(imported.body, `"problem":`) != 1 {
		t.Fatalf("import: %d %s", imported.status, imported.body)
	}
	again := b.want("register again", b.keyed("portal", "k", "/v1/sessions", registration), 201)
	if again.text("id") != first.text("id") || again.member("live") != true || strings.Contains(again.body, token) || again.member("token") != nil {
		t.Errorf("the answer with the same key: %s", again.body)
	}
	b.want("suspend", b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`), 201)
	before := b.done()
	dead := b.want("register again, suspended", b.keyed("portal", "k", "/v1/sessions", registration), 201)
	if dead.member("live") != false || dead.text("because.sentence") == "" || dead.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the session is dead, and its registration is answered with %s", dead.body)
	}
	now := b.keyed("portal", "import", "/v1/sessions", lines)
	if want := strings.Replace(imported.body, `"live":true`, `"live":false`, 1); now.body != want || now.header.Get("Content-Type") != imported.header.Get("Content-Type") {
		t.Errorf("one of two sessions is dead, and their import is answered with %s, want %s", now.body, want)
	}
	if after := b.done(); after != before {
		t.Errorf("carried out again: %v, was %v", after, before)
	}
	for _, name := range []string{"k", "import"} {
		kept, _, err := b.store.TakeKey(t.Context(), revoke.Key{Org: "main", Source: "portal", Name: name}, 0)
		if err != nil || kept.Answer == "" || strings.Contains(kept.Answer, token) || strings.Contains(kept.Answer, "sally") {
			t.Errorf("kept beside the key %s: %q, %v", name, kept.Answer, err)
		}
	}

	id := dead.text("user")
	lifted := b.want("lift", b.keyed("ops", "lift", "/v1/users/"+id+"/lift", `{"reason": "x"}`), 200)
	if b.want("block", b.as("ops", "POST", "/v1/users/"+id+"/block", `{"reason": "x"}`), 200); lifted.member("blocked") == true {
		t.Fatalf("lifted: %s", lifted.body)
	}
	if got := b.want("lift again", b.keyed("ops", "lift", "/v1/users/"+id+"/lift", `{"reason": "x"}`), 200); got.member("blocked") != true {
		t.Errorf("the user was blocked since, and the lift is answered with %s", got.body)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	b := start(t)
	body := `{"subject": ` + sally + `, "kind": "browser"}`
	for _, key := range []string{"", strings.Repeat("k", 256), "kéy", "a\tb"} {
		b.want(fmt.Sprintf("key %q", key), b.keyed("portal", key, "/v1/sessions", body), 400, "invalid")
	}
	b.want("two keys", b.do("POST", "/v1/sessions", body, "Authorization", "Bearer "+secretOf("portal"), "Idempotency-Key", "a", "Idempotency-Key", "b"), 400, "invalid")
	b.want("no token", b.do("POST", "/v1/sessions", body, "Idempotency-Key", "a"), 401, "unauthenticated")
	if n := len(b.store.AllSessions()); n != 0 {
		t.Errorf("%d sessions came of them", n)
	}
	b.want("the longest key", b.keyed("portal", strings.Repeat("k", 255), "/v1/sessions", body), 201)
	for range 2 { // whoever asks is told what is so now, whatever key it has
		if got := b.do("POST", "/v1/check", `[{"subject": `+sally+`, "iat": 1, "kind": "browser"}]`, "Authorization", "Bearer "+secretOf("gateway"), "Idempotency-Key", "k"); got.status != 200 || got.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("a question with a key: %d %v", got.status, got.header)
		}
	}
}

// TestARefusalFreesItsKey lets what was refused be put right and sent again.
func TestARefusalFreesItsKey(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.want("wrong", b.keyed("portal", "k", "/v1/sessions", `{"subject": `+sally+`, "kind": "bowser"}`), 422, "invalid")
	b.want("wrong, again", b.keyed("portal", "k", "/v1/sessions", `{"subject": `+sally+`, "kind": "bowser"}`), 422, "invalid")
	b.want("put right", b.keyed("portal", "k", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser"}`), 201)
	b.want("suspend", b.as("portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`), 201)
	body := `{"subject": ` + sally + `, "kind": "mobile"}`
	b.want("blocked", b.keyed("portal", "k2", "/v1/sessions", body), 403, "blocked")
	b.want("reactivate", b.as("portal", "POST", "/v1/signals", `{"signal": "reactivated", "subject": `+sally+`}`), 201)
	b.want("no more", b.keyed("portal", "k2", "/v1/sessions", body), 201)
}

// TestAFailureIsCarriedOutOnce sends an order again whose commit ended unknown, or that was never begun.
func TestAFailureIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	for what, fail := range map[string]func(*bundle){
		"lost":    func(b *bundle) { b.store.LoseNext(1) },
		"unknown": func(b *bundle) { b.store.DoubtNext(1) },
	} {
		b := start(t)
		b.register("sally@example.edu", "browser", "laptop")
		order := `{"scope": "user", "subject": ` + sally + `, "reason": "theft"}`
		before := b.done()
		fail(b)
		b.want(what, b.keyed("soc", "k", "/v1/revocations", order), 503)
		if err := b.service.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.want(what+", with another order", b.keyed("soc", "k", "/v1/revocations", order+" "), 409, "conflict")
		got := b.want(what+", sent again", b.keyed("soc", "k", "/v1/revocations", order), 201)
		if got.text("id") == "" || got.member("covers") != 1.0 || got.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %s", what, got.body)
		}
		if after := b.done(); after[0] != before[0]+1 {
			t.Errorf("%s: %d events came of one order", what, after[0]-before[0])
		}
		if again := b.want(what+", once more", b.keyed("soc", "k", "/v1/revocations", order), 201); again.body != got.body {
			t.Errorf("%s: answered %s, then %s", what, got.body, again.body)
		}
	}
}

func TestOneOfTwoAtOnceIsToldToWait(t *testing.T) {
	t.Parallel()
	b := start(t)
	order := `{"scope": "user", "subject": ` + sally + `, "reason": "theft"}`
	reached, release := b.store.Hold()
	first := make(chan reply, 1)
	go func() { first <- b.keyed("soc", "k", "/v1/revocations", order) }()
	<-reached
	if got := b.want("while it is under way", b.keyed("soc", "k", "/v1/revocations", order), 409, "conflict"); got.header.Get("Retry-After") != "1" {
		t.Errorf("no Retry-After: %v", got.header)
	}
	b.want("another order while it is under way", b.keyed("soc", "k", "/v1/revocations", order+" "), 409, "conflict")
	release()
	answered := b.want("the first", <-first, 201)
	if again := b.want("then", b.keyed("soc", "k", "/v1/revocations", order), 201); again.body != answered.body {
		t.Errorf("answered %s, then %s", answered.body, again.body)
	}
}

// dying carries out what it is told and ends before it says so, as a process does that is killed.
type dying struct {
	*revoke.Service
	dead *bool
}

func (d dying) Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error) {
	out, err := d.Service.Receive(ctx, actor, src, events...)
	if !*d.dead {
		*d.dead = true
		panic("killed")
	}
	return out, err
}

func TestAKeyOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	dead := true
	b := start(t, func(cfg *api.Config) {
		cfg.Service, cfg.Logout = dying{cfg.Service.(*revoke.Service), &dead}, api.LogoutEverywhere
	})
	b.register("sally@example.edu", "browser", "laptop")
	user := b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	for path, body := range map[string]string{
		"/v1/users/" + user + "/lift": why, "/v1/signals": `{"signal": "risk-high", "subject": ` + tom + `}`, "/oauth2/revoke": "token=laptop",
	} {
		dead = false
		if got := b.keyed("ops", path, path, body); got.status != 500 {
			t.Fatalf("killed in %s: %d %s", path, got.status, got.body)
		}
		events := len(b.store.AllEvents())
		b.store.Moving().Advance(time.Minute)
		if got := b.keyed("ops", path, path, body); got.status >= 300 || len(b.store.AllEvents()) != events {
			t.Errorf("%s, taken over: %d %s, and %d events, were %d", path, got.status, got.body, len(b.store.AllEvents()), events)
		}
	}
	dead = false
	b.register("sally@example.edu", "browser", "another")
	order := `{"scope": "user", "subject": ` + sally + `, "reason": "theft"}`
	b.want("killed after its commit", b.keyed("soc", "k", "/v1/revocations", order), 500)
	events := len(b.store.AllEvents())
	b.store.Moving().Advance(59 * time.Second)
	b.want("as if it were under way", b.keyed("soc", "k", "/v1/revocations", order), 409, "conflict")
	b.store.Moving().Advance(time.Second)
	b.want("another order", b.keyed("soc", "k", "/v1/revocations", order+" "), 409, "conflict")
	got := b.want("taken over", b.keyed("soc", "k", "/v1/revocations", order), 201)
	if n := len(b.store.AllEvents()); n != events || got.member("covers") != 1.0 || got.text("id") == "" {
		t.Errorf("carried out again: %d events, were %d; %s", n, events, got.body)
	}
	b.store.Moving().Advance(24*time.Hour - time.Second)
	if again := b.want("within a day", b.keyed("soc", "k", "/v1/revocations", order), 201); again.body != got.body {
		t.Errorf("within a day: %s, was %s", again.body, got.body)
	}
	b.store.Moving().Advance(time.Second)
	b.want("after a day it is a new order", b.keyed("soc", "k", "/v1/revocations", order+" "), 201)
	if n := len(b.store.AllEvents()); n != events+1 {
		t.Errorf("after a day: %d events, want %d", n, events+1)
	}
}

// An order of a server that was killed before its answer is answered by its event: what it confirmed is over, and no reason to refuse.
func TestAConfirmedOrderWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	dead := false
	b := start(t, func(cfg *api.Config) { cfg.Service = dying{cfg.Service.(*revoke.Service), &dead} })
	b.register("sally@example.edu", "browser", "laptop")
	const order = `{"scope": "everyone", "reason": "a leak", "confirm": 1}`
	b.want("killed after its commit", b.keyed("ops", "k", "/v1/revocations", order), 500)
	events := len(b.store.AllEvents())
	b.store.Moving().Advance(time.Minute)
	again := b.want("taken over", b.keyed("ops", "k", "/v1/revocations", order), 201)
	if n := len(b.store.AllEvents()); again.text("id") == "" || n != events {
		t.Errorf("taken over: %s and %d events, want the revocation and %d", again.body, n, events)
	}
}
