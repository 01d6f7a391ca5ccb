package api_test

import (
	"strings"
	"testing"

	"curfew/api"
	"curfew/revoke"
)

// claim lets a dispatcher take what is due at canvas, and returns it.
func (b *bundle) claim() []revoke.Owed {
	b.t.Helper()
	now := b.store.Clock().Now()
	owed, err := b.store.Claim(b.t.Context(), "canvas", 100, now, now.Add(60e9), revoke.NewID(now))
	if err != nil {
		b.t.Fatalf("claim: %v", err)
	}
	return owed
}

func (b *bundle) order(who string) string {
	b.t.Helper()
	return b.want("revoke", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+who+`, "reason": "theft"}`), 201).text("id")
}

// why is the body of an order that says nothing else.
const why = `{"reason": "ticket 4711"}`

func TestARevocationIsHeldBackLetGoAndStopped(t *testing.T) {
	t.Parallel()
	rung := 0
	b := start(t, elsewhere, func(cfg *api.Config) { cfg.Retried = func() { rung++ } })
	b.register("sally@example.edu", "browser", "laptop")
	id := b.order(sally)
	path := "/v1/revocations/" + id
	progress := func(got reply, of string) {
		t.Helper()
		for _, state := range []string{"due", "paused", "claimed", "done", "parked", "dropped"} {
			if want := map[bool]float64{true: 1, false: 0}[state == of]; got.member("progress."+state) != want {
				t.Errorf("want one %s delivery: %v", of, got.member("progress"))
			}
		}
	}
	progress(b.want("ordered", b.as("ops", "GET", path, ""), 200), "due")
	for range 2 {
		got := b.want("pause", b.as("ops", "POST", path+"/pause", why), 200)
		progress(got, "paused")
		if got.text("id") != id || got.text("deliveries.state") != "paused" {
			t.Errorf("paused: %s", got.body)
		}
	}
	if owed := b.claim(); len(owed) != 0 {
		t.Errorf("a paused revocation was claimed: %+v", owed)
	}
	b.wantLive("a pause brings nobody back", map[string]bool{"laptop": false})
	progress(b.want("resume", b.as("ops", "POST", path+"/resume", why), 200), "due")
	if rung != 1 {
		t.Errorf("the dispatcher was told %d times that deliveries go on, want once", rung)
	}
	if owed := b.claim(); len(owed) != 1 {
		t.Fatalf("claimed after a resume: %+v", owed)
	}
	under := b.want("stop while it is under way", b.as("ops", "POST", path+"/stop", why), 200)
	progress(under, "claimed")
	if under.text("deliveries.halt") != "drop" {
		t.Errorf("stopped while it is under way: %s", under.body)
	}
	other := b.order(tom)
	progress(b.want("stop", b.as("ops", "POST", "/v1/revocations/"+other+"/stop", why), 200), "dropped")
	progress(b.want("resume what was stopped", b.as("ops", "POST", "/v1/revocations/"+other+"/resume", why), 200), "dropped")
	if owed := b.claim(); len(owed) != 0 {
		t.Errorf("a stopped revocation was claimed: %+v", owed)
	}
	b.want("retry what was dropped", b.as("ops", "POST", "/v1/deliveries/"+other+":canvas/retry", ""), 409, "conflict")
	if dropped := b.want("list", b.as("ops", "GET", "/v1/deliveries?state=dropped", ""), 200); dropped.text("items.revocation") != other {
		t.Errorf("dropped: %s", dropped.body)
	}
	var said []string
	for _, line := range b.store.Audit() {
		if line.Kind == "delivery" {
			if !strings.Contains(string(line.Entry), `"name":"ops"`) && !strings.Contains(string(line.Entry), `"Name":"ops"`) || strings.Contains(string(line.Entry), "4711") || !strings.Contains(string(line.Person), "ticket 4711") {
				t.Errorf("audit: %s %s", line.Entry, line.Person)
			}
			said = append(said, string(line.Entry))
		}
	}
	if len(said) != 4 { // what changes nothing leaves no line
		t.Errorf("the audit log says %q, want pause, resume, stop, stop", said)
	}
	for _, verb := range []string{"pause", "resume", "stop"} {
		b.want("another org's "+verb, b.as("abroad", "POST", path+"/"+verb, why), 404, "not-found")
		b.want(verb+" nothing", b.as("ops", "POST", "/v1/revocations/019aaf3c-5b40-7000-8000-000000000000/"+verb, why), 404, "not-found")
		b.want(verb+" no id", b.as("ops", "POST", "/v1/revocations/x/"+verb, why), 404, "not-found")
		b.want(verb+" for no reason", b.as("ops", "POST", path+"/"+verb, `{}`), 422, "invalid")
		b.want(verb+" by nobody who may", b.as("soc", "POST", path+"/"+verb, why), 403, "scope")
	}
}

func TestADeliveryIsGivenUp(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	id := b.order(sally) + ":canvas"
	for range 2 {
		if got := b.want("drop", b.as("ops", "POST", "/v1/deliveries/"+id+"/drop", why), 200); got.text("state") != "dropped" || got.text("id") != id || got.member("halt") != nil {
			t.Errorf("dropped: %s", got.body)
		}
	}
	if owed := b.claim(); len(owed) != 0 {
		t.Errorf("a dropped delivery was claimed: %+v", owed)
	}
	done := b.order(tom) + ":canvas"
	for _, owed := range b.claim() {
		err := b.store.Settle(t.Context(), owed, revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: 1, Receipt: &revoke.Receipt{Evidence: revoke.Accepted, At: 1}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.want("drop what is done", b.as("ops", "POST", "/v1/deliveries/"+done+"/drop", why), 409, "conflict")
	if got := b.want("it", b.as("ops", "GET", "/v1/deliveries/"+done, ""), 200); got.text("state") != "done" {
		t.Errorf("a done delivery: %s", got.body)
	}
	revocation, _, _ := strings.Cut(done, ":")
	if got := b.want("its revocation", b.as("ops", "GET", "/v1/revocations/"+revocation, ""), 200); got.member("progress.done") != 1.0 || got.member("progress.due") != 0.0 {
		t.Errorf("one delivery is done: %s", got.body)
	}
	b.want("another org's", b.as("abroad", "POST", "/v1/deliveries/"+id+"/drop", why), 404, "not-found")
	b.want("none", b.as("ops", "POST", "/v1/deliveries/019aaf3c-5b40-7000-8000-000000000000:canvas/drop", why), 404, "not-found")
	b.want("no id", b.as("ops", "POST", "/v1/deliveries/x/drop", why), 404, "not-found")
	b.want("for no reason", b.as("ops", "POST", "/v1/deliveries/"+id+"/drop", `{"reason": ""}`), 422, "invalid")
}
