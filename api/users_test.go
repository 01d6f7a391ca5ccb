package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

func TestSearchingPeople(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "aliases", "identifiers": [`+sally+`,
		{"format": "phone_number", "phone_number": "+44 20 7946 0000"}, {"format": "opaque", "id": "P1042"}, {"format": "iss_sub", "iss": "https://id.example.edu", "sub": "7"}]},
		"kind": "mobile", "token": "ipad", "device": {"id": "ipad-17", "name": "Sally's iPad"}}`), 201)
	b.register("sally@example.edu", "browser", "laptop")
	b.register("tom@example.edu", "browser", "toms")
	id := b.want("by email", b.as("ops", "GET", "/v1/users?email=SALLY@example.edu", ""), 200).text("items.id")
	for _, query := range []string{
		"email=sally@example.edu", "phone=%2B44-20-7946-0000", "external_id=P1042", "iss=https://id.example.edu&sub=7", "id=" + id, "q=Sall", "q=P10",
	} {
		got := b.want(query, b.as("ops", "GET", "/v1/users?"+query, ""), 200)
		if got.text("items.id") != id || got.text("items.email") != "sally@example.edu" || strings.Count(got.body, `"created_at"`) != 1 {
			t.Errorf("%s: %s, want Sally alone", query, got.body)
		}
	}
	for _, query := range []string{"email=nobody@example.edu", "user_name=sally@example.edu", "q=zz", "id=019aaf3c-5b40-7000-8000-000000000000"} {
		if got := b.want(query, b.as("ops", "GET", "/v1/users?"+query, ""), 200); got.body != `{"items":[],"next":null}` {
			t.Errorf("%s: %s, want nobody", query, got.body)
		}
	}
	first := b.want("all", b.as("ops", "GET", "/v1/users?limit=1", ""), 200)
	second := b.want("the rest", b.as("ops", "GET", "/v1/users?limit=1&cursor="+first.text("next"), ""), 200)
	if first.text("items.id") == second.text("items.id") || second.text("items.id") == "" || second.member("next") != nil {
		t.Errorf("pages: %s, then %s", first.body, second.body)
	}
	b.register("tommy@example.edu", "browser", "tommys")
	some := b.want("some", b.as("ops", "GET", "/v1/users?q=tom&limit=1", ""), 200)
	more := b.want("more", b.as("ops", "GET", "/v1/users?q=tom&limit=1&cursor="+some.text("next"), ""), 200)
	if some.text("items.email")+more.text("items.email") != "tom@example.edutommy@example.edu" || more.member("next") != nil {
		t.Errorf("pages of a search: %s, then %s", some.body, more.body)
	}
	b.want("too short", b.as("ops", "GET", "/v1/users?q=t", ""), 422, "invalid")
	b.want("two ways", b.as("ops", "GET", "/v1/users?q=tom&email=tom@example.edu", ""), 422, "invalid")
	one := b.want("one", b.as("ops", "GET", "/v1/users/"+id, ""), 200)
	if one.member("live") != 2.0 || one.text("devices.name") != "Sally's iPad" || one.member("devices.live") != 1.0 || one.member("blocked") != false || strings.Count(one.body, `"namespace"`) != 4 {
		t.Errorf("Sally: %s", one.body)
	}
	b.want("nobody", b.as("ops", "GET", "/v1/users/019aaf3c-5b40-7000-8000-000000000000", ""), 404, "not-found")
	b.want("no id", b.as("ops", "GET", "/v1/users/sally@example.edu", ""), 404, "not-found")
}

func TestDeliveriesAreShownAndRetried(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	for range 3 {
		b.want("order", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "x"}`), 201)
	}
	clock := b.store.Clock()
	lease := revoke.NewID(clock.Now())
	owed, err := b.store.Claim(t.Context(), "canvas", 10, clock.Now(), clock.Now().Add(time.Minute), lease)
	if err != nil || len(owed) != 1 {
		t.Fatalf("claim: %d owed, %v", len(owed), err)
	}
	attempt := revoke.Attempt{At: clock.Now(), Error: errors.New("canvas refused our token").Error()}
	if err := b.store.Settle(t.Context(), owed[0], revoke.Settlement{State: revoke.DeliveryParked, Attempt: attempt}); err != nil {
		t.Fatalf("settle: %v", err)
	}
	list := b.want("parked", b.as("ops", "GET", "/v1/deliveries?state=parked&target=canvas&limit=2", ""), 200)
	if strings.Count(list.body, `"state":"parked"`) != 2 || list.text("items.last_error") != "canvas refused our token" || list.text("next") == "" {
		t.Errorf("parked deliveries: %s", list.body)
	}
	rest := b.want("the rest", b.as("ops", "GET", "/v1/deliveries?state=parked&limit=2&user="+list.text("items.user")+"&cursor="+list.text("next"), ""), 200)
	if strings.Count(rest.body, `"state":"parked"`) != 1 || rest.member("next") != nil {
		t.Errorf("the rest: %s", rest.body)
	}
	id := list.text("items.id")
	one := b.want("retry one", b.as("ops", "POST", "/v1/deliveries/"+id+"/retry", ""), 200)
	if one.text("id") != id || one.text("state") != "due" {
		t.Errorf("retried: %s", one.body)
	}
	many := b.want("retry all", b.as("ops", "POST", "/v1/deliveries/retry", `{"state": "parked"}`), 200)
	if many.member("retried") != 2.0 {
		t.Errorf("retried: %s", many.body)
	}
	b.want("no filter", b.as("ops", "POST", "/v1/deliveries/retry", `{}`), 422, "invalid")
	b.want("odd state", b.as("ops", "GET", "/v1/deliveries?state=lost", ""), 422, "invalid")
	for _, name := range []string{"x", "019aaf3c-5b40-7000-8000-000000000000:canvas"} {
		b.want("unknown", b.as("ops", "POST", "/v1/deliveries/"+name+"/retry", ""), 404, "not-found")
	}
	owed, err = b.store.Claim(t.Context(), "canvas", 10, clock.Now(), clock.Now().Add(time.Minute), lease)
	if err != nil || len(owed) != 1 {
		t.Fatalf("claim again: %d owed, %v", len(owed), err)
	}
	if err := b.store.Settle(t.Context(), owed[0], revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: clock.Now()}}); err != nil {
		t.Fatalf("settle again: %v", err)
	}
	b.want("retry what is done", b.as("ops", "POST", "/v1/deliveries/"+id+"/retry", ""), 409, "conflict")
}
