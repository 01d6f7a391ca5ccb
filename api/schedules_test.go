package api_test

import (
	"strings"
	"testing"
)

func TestSchedulesAreOrderedSkippedAndRemoved(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	monthly := `{"name": "monthly", "scope": "kind", "kind": "mobile", "when": {"every_days": 30, "from": "2027-01-01"}, "reason": "every month"`
	would := b.want("look first", b.as("ops", "POST", "/v1/schedules", monthly+`, "dry_run": true}`), 200)
	if would.text("runs.at") != "2027-01-01T00:00:00Z" || strings.Count(would.body, `"covers"`) != 5 || would.member("dry_run") != true {
		t.Errorf("look first: %s", would.body)
	}
	b.want("nothing is kept", b.as("ops", "GET", "/v1/schedules/monthly", ""), 404, "not-found")
	b.want("order", b.as("ops", "POST", "/v1/schedules", monthly+"}"), 201)
	b.want("the name again", b.as("ops", "POST", "/v1/schedules", monthly+"}"), 409, "conflict")
	one := b.want("show", b.as("ops", "GET", "/v1/schedules/monthly", ""), 200)
	if one.text("next_at") != "2027-01-01T00:00:00Z" || one.text("kind") != "mobile" || one.text("made_by.name") != "ops" || one.member("paused") != false {
		t.Errorf("show: %s", one.body)
	}
	b.want("another org sees it", b.as("abroad", "GET", "/v1/schedules/monthly", ""), 404, "not-found")
	skipped := b.want("skip", b.as("ops", "POST", "/v1/schedules/monthly/skip", `{"reason": "exams"}`), 200)
	if skipped.text("next_at") != "2027-01-31T00:00:00Z" || skipped.text("skipped_at") != "2027-01-01T00:00:00Z" {
		t.Errorf("skip: %s", skipped.body)
	}
	if all := b.want("list", b.as("ops", "GET", "/v1/schedules", ""), 200); strings.Count(all.body, `"name":"monthly"`) != 1 {
		t.Errorf("list: %s", all.body)
	}
	b.want("remove", b.as("ops", "DELETE", "/v1/schedules/monthly", ""), 200)
	b.want("remove again", b.as("ops", "DELETE", "/v1/schedules/monthly", ""), 404, "not-found")
}

func TestScheduleForNowIsAnOrder(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	done := b.want("now", b.as("ops", "POST", "/v1/schedules", `{"name": "at-once", "scope": "everyone", "when": {"now": true}, "reason": "broken into"}`), 201)
	if done.text("last_event") == "" || done.member("next_at") != nil {
		t.Errorf("now: %s", done.body)
	}
	b.want("skip what is over", b.as("ops", "POST", "/v1/schedules/at-once/skip", `{"reason": "exams"}`), 409, "conflict")
}

func TestScheduleThatSaysNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	for body, field := range map[string]string{
		`{"scope": "everyone", "when": {"yearly": "08-15"}, "reason": "x"}`:                                  "name",
		`{"name": "a/b", "scope": "everyone", "when": {"yearly": "08-15"}, "reason": "x"}`:                   "name",
		`{"name": "a", "scope": "everyone", "when": {}, "reason": "x"}`:                                      "when",
		`{"name": "a", "scope": "everyone", "when": {"yearly": "02-30"}, "reason": "x"}`:                     "when.yearly",
		`{"name": "a", "scope": "kind", "when": {"yearly": "08-15"}, "reason": "x"}`:                         "kind",
		`{"name": "a", "scope": "everyone", "app": "portal", "when": {"yearly": "08-15"}, "reason": "x"}`:    "app",
		`{"name": "a", "scope": "user", "when": {"yearly": "08-15"}, "reason": "x"}`:                         "scope",
		`{"name": "a", "scope": "everyone", "when": {"every_days": 0, "from": "2027-01-01"}, "reason": "x"}`: "when.every_days",
	} {
		bad := b.want(body, b.as("ops", "POST", "/v1/schedules", body), 422, "invalid")
		if !strings.Contains(bad.body, `"field":"`+field+`"`) {
			t.Errorf("%s: got %s, want a complaint about %s", body, bad.body, field)
		}
	}
}
