package console_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/api/console"
)

// power is one thing that somebody with a role can do, by each of the three ways (W12). Where a way is missing, absent says why.
type power struct {
	api      []string
	commands []string
	console  []string
	absent   string
}

func powers() []power {
	const targets = "the console shows targets in a later version"
	return []power{
		{[]string{"GET /v1/users", "GET /v1/users/{id}", "GET /v1/users/{id}/timeline"}, []string{"user show"}, []string{"GET /console/people", "GET /console/people/{id}", "GET /console/find"}, ""},
		{[]string{"POST /v1/users/{id}/block"}, []string{"user block"}, []string{"GET /console/people/{id}/block", "POST /console/people/{id}/block"}, ""},
		{[]string{"POST /v1/users/{id}/lift"}, []string{"user lift"}, []string{"GET /console/people/{id}/lift", "POST /console/people/{id}/lift"}, ""},
		{[]string{"POST /v1/users/{id}/split"}, nil, []string{"GET /console/people/{id}/split", "POST /console/people/{id}/split"}, "two users that look alike are told apart on their page, not by ids typed in a shell"},
		{[]string{"GET /v1/sessions", "GET /v1/sessions/{id}"}, []string{"session list", "session show"}, []string{"GET /console/people/{id}/sessions"}, ""},
		{[]string{"DELETE /v1/sessions/{id}"}, []string{"session end"}, nil, "an operator ends all of a person's sessions; one alone is the person's affair, at /me"},
		{[]string{"GET /v1/why"}, []string{"session why"}, []string{"GET /console/why", "POST /console/why"}, ""},
		{[]string{"POST /v1/revocations"}, []string{"revoke"}, []string{"GET /console/people/{id}/end", "POST /console/people/{id}/end", "GET /console/many", "POST /console/many"}, ""},
		{[]string{"GET /v1/revocations/{id}"}, nil, []string{"GET /console/revocations/{id}"}, "session why says the same of a session"},
		{[]string{"POST /v1/revocations/{id}/pause", "POST /v1/revocations/{id}/resume", "POST /v1/revocations/{id}/stop"}, nil, nil, "deliveries have their pages in a later version"},
		{[]string{"GET /v1/events", "GET /v1/events/{id}"}, nil, []string{"GET /console/events", "GET /console/events/{id}"}, "an event is a document to look at, not a line"},
		{[]string{"POST /v1/events/{id}/replay"}, nil, []string{"POST /console/events/{id}/replay"}, "it starts from an event that somebody looks at"},
		{[]string{"GET /v1/held"}, []string{"held list"}, []string{"GET /console/held"}, ""},
		{[]string{"POST /v1/held/approve", "POST /v1/held/{id}/approve", "POST /v1/held/reject", "POST /v1/held/{id}/reject"}, []string{"held approve", "held reject"}, []string{"POST /console/held"}, ""},
		{[]string{"GET /v1/schedules", "GET /v1/schedules/{name}"}, []string{"schedule list", "schedule show"}, []string{"GET /console/schedules"}, ""},
		{[]string{"POST /v1/schedules"}, []string{"schedule add"}, []string{"POST /console/schedules"}, ""},
		{[]string{"POST /v1/schedules/{name}/skip"}, []string{"schedule skip"}, []string{"POST /console/schedules/{name}/skip"}, ""},
		{[]string{"DELETE /v1/schedules/{name}"}, []string{"schedule remove"}, []string{"POST /console/schedules/{name}/remove"}, ""},
		{[]string{"GET /v1/policies", "GET /v1/policies/{kind}"}, []string{"policy list", "policy show"}, []string{"GET /console/policies"}, ""},
		{[]string{"PUT /v1/policies/{kind}"}, []string{"policy set"}, []string{"POST /console/policies"}, ""},
		{[]string{"DELETE /v1/policies/{kind}"}, []string{"policy remove"}, []string{"POST /console/policies/remove"}, ""},
		{[]string{"GET /v1/sources", "POST /v1/sources/{name}/try"}, []string{"source list", "source rules", "source try"}, []string{"GET /console/sources"}, ""},
		{[]string{"POST /v1/sources/{name}/retire"}, []string{"source retire"}, nil, "a source goes by whoever changes the configuration, in a shell"},
		{[]string{"GET /v1/alarms"}, nil, []string{"GET /console/alarms", "GET /console"}, "alarms are messages, metrics and log lines as well"},
		{[]string{"POST /v1/alarms/{id}/clear"}, nil, []string{"POST /console/alarms/{id}/clear"}, "it starts from an alarm that somebody looks at"},
		{[]string{"GET /v1/deliveries", "GET /v1/deliveries/{id}", "POST /v1/deliveries/retry", "POST /v1/deliveries/{id}/retry", "POST /v1/deliveries/{id}/drop"}, []string{"parked list", "parked show", "parked retry", "parked drop"}, nil, "deliveries have their pages in a later version"},
		{[]string{"GET /v1/targets", "POST /v1/targets/{name}/check", "POST /v1/targets/{name}/pause", "POST /v1/targets/{name}/resume"}, []string{"target list", "target check", "target pause", "target resume"}, nil, targets},

		// What programs do, and what the machine's owner does on it.
		{[]string{"POST /v1/sessions", "POST /v1/signals", "POST /v1/links", "POST /v1/check"}, []string{"session import"}, nil, "an application's own"},
		{nil, []string{"serve", "demo", "check", "migrate", "link", "token", "version", "completion"}, nil, "on the server's machine, without a server"},
	}
}

// TestEveryPowerHasItsWays compares the three lists. The pages of the API and of the commands are generated, and held to what they
// are about by tests of their own.
func TestEveryPowerHasItsWays(t *testing.T) {
	t.Parallel()
	read := func(page, pattern string) []string {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			if name := found[1]; !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
		return out
	}
	there := map[string][]string{
		"api":     read("api.md", "\\| \\[`([A-Z]+ /v1/[^`]+)`\\]"),
		"command": read("commands.md", "(?m)^\\| \\[`([a-z ]+)`\\]"),
	}
	for _, r := range console.Routes() {
		if strings.HasPrefix(r.Path, "/console") { // /me is people's own, who have no rights at the API
			there["console"] = append(there["console"], r.Method+" "+r.Path)
		}
	}
	named := map[string]map[string]bool{"api": {}, "command": {}, "console": {}}
	for _, p := range powers() {
		missing := ""
		for way, names := range map[string][]string{"api": p.api, "command": p.commands, "console": p.console} {
			for _, name := range names {
				if named[way][name] {
					t.Errorf("%s %q stands twice in the table", way, name)
				}
				if named[way][name] = true; !slices.Contains(there[way], name) {
					t.Errorf("%s %q stands in the table and is not there", way, name)
				}
			}
			if len(names) == 0 {
				missing = way
			}
		}
		if (missing != "") != (p.absent != "") {
			t.Errorf("%q: the way %q is missing, and the table says %q of it", strings.Join(slices.Concat(p.api, p.commands), ", "), missing, p.absent)
		}
	}
	for way, names := range there {
		if len(names) < 15 {
			t.Errorf("%d names of %s: they were not found", len(names), way)
		}
		for _, name := range names {
			if !named[way][name] {
				t.Errorf("%s %q is nobody's power: write it into the table, with its other ways", way, name)
			}
		}
	}
}
