package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestWhyASessionIsLiveOrDead(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	curfewID := b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "mobile", "token": "ipad-token", "id": "s-1"}`), 201).text("curfew_id")
	b.want("the same id elsewhere", b.as("library", "POST", "/v1/sessions", `{"subject": `+tom+`, "kind": "browser", "token": "toms-token", "id": "s-1"}`), 201)
	ways := []string{"session=s-1&app=portal", "session=" + curfewID, "token=ipad-token"}
	for _, way := range ways {
		got := b.want(way, b.as("ops", "GET", "/v1/why?"+way, ""), 200)
		if got.member("live") != true || got.text("session.curfew_id") != curfewID || got.member("because") != nil || got.member("revocation") != nil || !strings.Contains(got.text("sentence"), "is live") {
			t.Errorf("%s: %s", way, got.body)
		}
		b.want("another org's", b.as("abroad", "GET", "/v1/why?"+way, ""), 404, "not-found")
	}
	b.want("two applications' session", b.as("ops", "GET", "/v1/why?session=s-1", ""), 409, "conflict")
	order := b.want("order", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "lost it"}`), 201).text("id")
	for _, way := range ways {
		got := b.want(way, b.as("ops", "GET", "/v1/why?"+way, ""), 200)
		if got.member("live") != false || got.text("sentence") == "" || got.text("sentence") != got.text("because.sentence") || got.text("because.revocation") != order ||
			got.text("revocation.id") != order || got.text("revocation.reason") != "lost it" || got.text("revocation.deliveries.target") != "canvas" {
			t.Errorf("%s after the order: %s", way, got.body)
		}
	}
	b.store.Moving().Advance(61 * 24 * time.Hour)
	expired := b.want("expired", b.as("ops", "GET", "/v1/why?token=toms-token", ""), 200)
	if expired.member("live") != false || expired.member("revocation") != nil || !strings.Contains(expired.text("sentence"), "expired") {
		t.Errorf("an expired session: %s", expired.body)
	}
	b.store.SetDown(true)
	b.want("without a database", b.as("ops", "GET", "/v1/why?token=ipad-token", ""), 503, "unavailable")
	b.want("without a database", b.as("ops", "GET", "/v1/why?subject=sally@example.edu", ""), 503, "unavailable")
	b.store.SetDown(false)
	if strings.Contains(b.log.String(), "ipad-token") || strings.Contains(b.log.String(), "toms-token") {
		t.Errorf("the log shows a token:\n%s", b.log)
	}
}

func TestWhatStandsAgainstAPerson(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	b.register("sally@example.edu", "browser", "laptop")
	before := b.store.Clock().Now().String()
	ways := []string{"subject=sally@example.edu", "subject=" + url.QueryEscape(sally), "subject=" + url.QueryEscape(`{"format": "aliases", "identifiers": [`+sally+`]}`)}
	ask := func(query string) reply {
		t.Helper()
		return b.want(query, b.as("ops", "GET", "/v1/why?"+query, ""), 200)
	}
	for _, way := range ways {
		if got := ask(way); got.member("live") != true || got.member("known") != true || got.text("user") == "" || !strings.HasPrefix(got.text("sentence"), "no block stands, and no cutoff") {
			t.Errorf("%s: %s", way, got.body)
		}
	}
	b.store.Moving().Advance(time.Second)
	order := b.want("order", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "lost it"}`), 201).text("id")
	b.store.Moving().Advance(time.Second)
	for _, way := range ways {
		if got := ask(way); got.member("live") != true || got.member("because") != nil || got.text("newest_cutoff.revocation") != order || got.text("revocation.id") != order {
			t.Errorf("%s after a cut: %s", way, got.body)
		}
		if got := ask(way + "&at=" + before); got.member("live") != false || got.member("blocked") != false || got.text("at") != before ||
			got.text("because.revocation") != order || got.text("revocation.reason") != "lost it" || !strings.Contains(got.text("sentence"), "were ended") {
			t.Errorf("%s before the cut: %s", way, got.body)
		}
	}
	block := b.want("block", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "left", "block": true}`), 201).text("id")
	for _, way := range ways {
		if got := ask(way); got.member("live") != false || got.member("blocked") != true || got.text("revocation.id") != block || !strings.Contains(got.text("sentence"), "blocked the user") {
			t.Errorf("%s under a block: %s", way, got.body)
		}
	}
	users := len(b.store.AllUsers())
	stranger := ask("subject=bob@example.edu")
	if stranger.member("known") != false || stranger.member("user") != nil || stranger.member("live") != true || !strings.Contains(stranger.text("sentence"), "nobody is known") {
		t.Errorf("a stranger: %s", stranger.body)
	}
	abroad := b.want("another org", b.as("abroad", "GET", "/v1/why?subject=sally@example.edu", ""), 200)
	if abroad.member("known") != false || abroad.member("blocked") != false || abroad.member("live") != true {
		t.Errorf("asked by another org: %s", abroad.body)
	}
	b.want("everyone", b.as("ops", "POST", "/v1/revocations", `{"scope": "everyone", "reason": "x"}`), 201)
	if got := ask("subject=bob@example.edu&at=" + before); got.member("live") != false || got.text("because.scope") != "everyone" {
		t.Errorf("a stranger's session from before everyone's end: %s", got.body)
	}
	if got := len(b.store.AllUsers()); got != users {
		t.Errorf("asking made %d people of %d", got, users)
	}
	b.shared("twins@example.edu")
	b.want("two people", b.as("ops", "GET", "/v1/why?subject=twins@example.edu", ""), 409, "conflict")
}

func TestQuestionsThatMeanNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	for query, field := range map[string]string{
		"":                                       "session",
		"session=":                               "session",
		"token=&subject=":                        "subject",
		"session=x&token=y":                      "token",
		"session=x&subject=y":                    "subject",
		"token=x&token=y":                        "token",
		"token=x&app=portal":                     "app",
		"subject=sally@example.edu&app=x":        "app",
		"session=x&at=2026-11-23T10:00:00Z":      "at",
		"subject=sally@example.edu&at=noon":      "at",
		"subject=sally":                          "subject",
		"subject=a@b%00c":                        "subject",
		"subject=%7B":                            "subject",
		"subject=%7B%22format%22:%22email%22%7D": "subject.email",
		"subject=" + url.QueryEscape(`{"format": "email", "email": "a@b", "x": 1}`): "subject.x",
		"subject=" + url.QueryEscape(`{"format": "email", "email": 7}`):             "subject.email",
		"subject=" + strings.Repeat("x", 600) + "@b":                                "subject",
		"user=sally@example.edu":                                                    "user",
		"session=" + strings.Repeat("y", 513):                                       "session",
		"session=%FF":                                                               "session",
	} {
		if got := b.want(query, b.as("ops", "GET", "/v1/why?"+query, ""), 422, "invalid"); got.text("errors.field") != field {
			t.Errorf("%s: errors are %v, want one of %s", query, got.member("errors"), field)
		}
	}
	for _, query := range []string{"session=nothing", "token=nothing", "session=019aaf3c-5b40-7000-8000-000000000000", "session=%00"} {
		b.want(query, b.as("ops", "GET", "/v1/why?"+query, ""), 404, "not-found")
	}
	b.want("a body", b.as("ops", "POST", "/v1/why?session=x", "{}"), 405, "method")
	b.want("below it", b.as("ops", "GET", "/v1/why/x", ""), 404, "not-found")
	for _, token := range []string{"portal", "soc", "gateway", "edge"} {
		b.want(token, b.as(token, "GET", "/v1/why?session=x", ""), 403, "scope")
	}
}
