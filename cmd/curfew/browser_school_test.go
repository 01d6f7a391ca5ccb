package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// pupils are some more people of the campus.
func pupils() []string {
	return strings.Fields("aiko amara anton bilal carmen chidi daria elif emeka farid grace hana ines jonas kavya leila mateo noah olga priya quentin rosa samir tove")
}

// busy is the configuration of a campus that fill is for: the brake holds soon, and orders for many wait.
const busy = "brake: {users: 6, percent: 30}\napprovals: 2"

// fill puts on the campus what the pages can show: people who are in and out, several senders, what is held for each of its causes,
// schedules, a policy, alarms and an application that does not answer.
func (s *campus) fill() {
	t := s.t
	t.Helper()
	resources := map[string]string{}
	for i, name := range append(pupils(), "sally") {
		email := name + "@example.edu"
		resources[name] = s.provision(t, email)
		if name != "sally" {
			s.registers(email, name+"'s phone", []string{"mobile", "mobile", "browser", "desktop", "api"}[i%5], "Android 16",
				"Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Mobile Safari/537.36")
		}
	}
	s.registers(sally, "calendar feed", "api", "", "")
	want := func(status int, a answer, what string) {
		t.Helper()
		if a.status != status {
			t.Fatalf("%s: got %d %s, want %d", what, a.status, a.body, status)
		}
	}
	want(http.StatusOK, s.setActive(resources["leila"], false), "deactivate")
	want(http.StatusOK, s.setActive(resources["mateo"], false), "deactivate")
	want(http.StatusOK, s.setActive(resources["mateo"], true), "reactivate")
	s.okta("wrong", "user.lifecycle.suspend", "e-forged", sally, time.Now())
	s.okta(oktaSecret, "user.unheard.of", "e-unknown", sally, time.Now())
	for i, name := range pupils()[:12] { // more than the brake lets pass
		s.okta(oktaSecret, "user.lifecycle.suspend", fmt.Sprint("e-", i), name+"@example.edu", time.Now())
	}
	want(http.StatusCreated, s.post("/v1/revocations", opsToken, `{"scope": "user", "subject": {"format": "email", "email": "rosa@example.edu"}, "block": true, "until": "2127-01-01T00:00:00Z", "reason": "left her phone on the bus"}`), "block")
	var everyone int
	if _, err := fmt.Sscan(fmt.Sprint(s.post("/v1/revocations", opsToken, `{"scope": "everyone", "dry_run": true, "reason": "a leak"}`).member(t, "covers")), &everyone); err != nil {
		t.Fatalf("count everybody's sessions: %v", err)
	}
	want(http.StatusAccepted, s.post("/v1/revocations", opsToken, fmt.Sprintf(`{"scope": "everyone", "confirm": %d, "reason": "a password list was found"}`, everyone)), "order for everyone")
	want(http.StatusCreated, s.post("/v1/schedules", opsToken, `{"name": "summer", "scope": "everyone", "when": {"yearly": "08-15"}, "reason": "a new school year"}`), "schedule")
	want(http.StatusCreated, s.post("/v1/schedules", opsToken, `{"name": "phones", "scope": "kind", "kind": "mobile", "when": {"every_days": 60, "from": "2127-01-01"}, "reason": "phones sign in anew every 60 days"}`), "schedule")
	want(http.StatusOK, s.do(http.MethodPut, "/v1/policies/mobile", "Bearer "+opsToken, "application/json", `{"max_age": "60d", "default_lifetime": "60d", "reason": "device tokens expire"}`), "policy")
}

// first returns a member of the first item of a list of the API.
func (s *campus) first(path, member string) string {
	s.t.Helper()
	items, _ := s.get(path, "Bearer "+opsToken).member(s.t, "items").([]any)
	if len(items) == 0 {
		s.t.Fatalf("%s lists nothing", path)
	}
	text, _ := items[0].(map[string]any)[member].(string)
	return text
}

// hrefs are the paths that links on a page lead to.
func (b *tab) hrefs(path, selector string) []string {
	b.t.Helper()
	b.open(path)
	b.sees("document.querySelector(" + quoted(selector) + ")")
	return ask[[]string](b, "[...document.querySelectorAll("+quoted(selector)+`)].map(a => a.getAttribute("href"))`)
}

// places says for each page of the console and of /me which addresses to look at.
func (s *campus) places(student, admin *tab) map[string][]string {
	s.t.Helper()
	person := func(email string) string { return "/console/people/" + s.first("/v1/users?email="+email, "id") }
	hers, out := person(sally), person("leila@example.edu")
	session := s.first("/v1/sessions?email="+sally, "curfew_id")
	return map[string][]string{
		"/console":                      {"/console"},
		"/console/find":                 {"/console/find?q=nobody"},
		"/console/people":               {"/console/people", "/console/people?q=m"},
		"/console/people/{id}":          {hers, out, person("mateo@example.edu"), "/console/people/00000000-0000-7000-8000-000000000000"},
		"/console/people/{id}/sessions": {hers + "/sessions", out + "/sessions"},
		"/console/people/{id}/end":      {hers + "/end"},
		"/console/people/{id}/block":    {hers + "/block"},
		"/console/people/{id}/lift":     {out + "/lift"},
		"/console/people/{id}/split":    {hers + "/split"},
		"/console/why":                  {"/console/why", "/console/why?session=" + session, "/console/why?subject=leila@example.edu", "/console/why?session=nothing"},
		"/console/revocations/{id}":     admin.hrefs(out, `main a[href^="/console/revocations/"]`)[:1],
		"/console/events":               {"/console/events", "/console/events?source=nobody"},
		"/console/events/{id}":          {"/console/events/" + s.first("/v1/events?source=okta", "id"), "/console/events/" + s.first("/v1/events?source=directory", "id")},
		"/console/sources":              {"/console/sources"},
		"/console/alarms":               {"/console/alarms", "/console/alarms?all=true"},
		"/console/held":                 {"/console/held", "/console/held?all=true"},
		"/console/schedules":            {"/console/schedules"},
		"/console/policies":             {"/console/policies"},
		"/console/many":                 {"/console/many"},
		"/me":                           {"/me"},
		"/me/devices/{device}/end":      {student.hrefs("/me", `main a[aria-label="Sign out Sally's iPad"]`)[0], "/me/devices/here/end"},
		"/me/devices/{device}/not-me":   student.hrefs("/me", `main a[aria-label="This wasn’t me: Sally's iPad"]`)[:1],
		"/me/sessions/{session}/end":    student.hrefs("/me", `main a[href^="/me/sessions/"]`)[:1],
		"/me/end/{what}":                {"/me/end/others", "/me/end/everywhere"},
		"/me/not-me":                    {"/me/not-me"},
		"/me/data":                      {"/me/data"},
		"/me/signed-out":                {"/me/signed-out"},
	}
}
