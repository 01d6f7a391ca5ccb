package api_test

import (
	"strings"
	"testing"

	"curfew/revoke"
)

func TestAlarmsStandUntilTheyAreCleared(t *testing.T) {
	t.Parallel()
	b := start(t, elsewhere)
	for _, a := range []struct {
		org   string
		kind  revoke.AlarmKind
		about string
	}{{"main", revoke.AlarmParked, "canvas"}, {"main", revoke.AlarmClock, ""}, {"main", revoke.AlarmParked, "canvas"}, {"college", revoke.AlarmParked, "moodle"}} {
		if err := b.service.Raise(t.Context(), revoke.AlarmKey{Org: a.org, Kind: a.kind, About: a.about}, "look at "+a.about); err != nil {
			t.Fatal(err)
		}
	}
	all := b.want("all", b.as("ops", "GET", "/v1/alarms", ""), 200)
	if n := strings.Count(all.body, `"kind"`); n != 2 || strings.Contains(all.body, "moodle") || all.text("items.kind") != "clock" {
		t.Errorf("two alarms stand, newest first; listed: %s", all.body)
	}
	parked := b.want("parked", b.as("ops", "GET", "/v1/alarms?kind=parked", ""), 200)
	if parked.text("items.about") != "canvas" || parked.member("items.count") != 2.0 || parked.member("items.cleared_at") != nil || parked.text("items.text") != "look at canvas" {
		t.Errorf("raised twice: %s", parked.body)
	}
	first := b.want("the first page", b.as("ops", "GET", "/v1/alarms?limit=1", ""), 200)
	if second := b.want("the second page", b.as("ops", "GET", "/v1/alarms?limit=1&cursor="+first.text("next"), ""), 200); second.text("items.kind") != "parked" || second.member("next") != nil {
		t.Errorf("the second page: %s", second.body)
	}
	id := parked.text("items.id")
	b.want("another org clears it", b.as("abroad", "POST", "/v1/alarms/"+id+"/clear", ""), 404, "not-found")
	cleared := b.want("clear", b.as("ops", "POST", "/v1/alarms/"+id+"/clear", ""), 200)
	if cleared.text("id") != id || cleared.text("cleared_at") == "" {
		t.Errorf("cleared: %s", cleared.body)
	}
	before := b.done()
	if again := b.want("clear again", b.as("ops", "POST", "/v1/alarms/"+id+"/clear", ""), 200); again.body != cleared.body {
		t.Errorf("cleared again: %s, was %s", again.body, cleared.body)
	}
	if after := b.done(); after != before {
		t.Error("an alarm that was cleared was cleared again")
	}
	if left := b.want("what stands", b.as("ops", "GET", "/v1/alarms", ""), 200); strings.Contains(left.body, "parked") {
		t.Errorf("a cleared alarm stands: %s", left.body)
	}
	for query, want := range map[string]int{"all=true": 2, "all=false": 1, "all=true&kind=parked": 1, "kind=parked": 0} {
		if got := b.want(query, b.as("ops", "GET", "/v1/alarms?"+query, ""), 200); strings.Count(got.body, `"kind"`) != want {
			t.Errorf("%s: %s, want %d", query, got.body, want)
		}
	}
	who := 0
	for _, line := range b.store.Audit() {
		if line.Kind == "alarm cleared" && strings.Contains(string(line.Entry), `"ops"`) {
			who++
		}
	}
	if who != 1 {
		t.Errorf("%d lines of the audit log say that ops cleared it, want one", who)
	}
	if err := b.service.Raise(t.Context(), revoke.AlarmKey{Org: "main", Kind: revoke.AlarmParked, About: "canvas"}, "again"); err != nil {
		t.Fatal(err)
	}
	if anew := b.want("raised anew", b.as("ops", "GET", "/v1/alarms?kind=parked", ""), 200); anew.text("items.id") == id || anew.member("items.count") != 1.0 {
		t.Errorf("raised after it was cleared: %s", anew.body)
	}
	for _, path := range []string{"?kind=loud", "?all=yes", "?all=", "?cursor=%21", "?limit=0"} {
		b.want(path, b.as("ops", "GET", "/v1/alarms"+path, ""), 422, "invalid")
	}
	b.want("no alarm", b.as("ops", "POST", "/v1/alarms/019aaf3c-5b40-7000-8000-000000000000/clear", ""), 404, "not-found")
	b.want("no id", b.as("ops", "POST", "/v1/alarms/x/clear", ""), 404, "not-found")
}
