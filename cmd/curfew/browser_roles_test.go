package main

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"curfew/api/console"
	"curfew/revoke"
)

// needs is the least role for a page or an order of the console, as DESIGN.md and the issue say it; the console has a table of its own.
func needs(method, path string) revoke.Role {
	switch own := strings.HasPrefix(path, "/me"); {
	case own:
		return ""
	case strings.HasSuffix(path, "/{id}/end"), strings.HasSuffix(path, "/replay"):
		return revoke.RoleOperator
	case method == http.MethodPost && path == "/console/held":
		return revoke.RoleApprover
	case strings.HasSuffix(path, "/many"), strings.HasSuffix(path, "/block"), strings.HasSuffix(path, "/lift"), strings.HasSuffix(path, "/split"),
		method == http.MethodPost && path != "/console/why":
		return revoke.RoleAdmin
	default:
		return revoke.RoleViewer
	}
}

// has reports whether a role is enough: whoever has a role may look, an admin may what an operator may, and nobody decides but an approver.
func has(role, least revoke.Role) bool {
	switch {
	case least == "" || role == least:
		return true
	case role == "":
		return false
	default:
		return least == revoke.RoleViewer || least == revoke.RoleOperator && role == revoke.RoleAdmin
	}
}

var formToken = regexp.MustCompile(`name="form" value="([0-9a-f]+)"`)

// nobodyDoesMore asks every route of the console as somebody of each role, of none, and as nobody at all. What is refused has no
// effect, although the form is one that the right person's would be carried out with; without the page's own token nobody's is.
func nobodyDoesMore(t *testing.T, s *campus) {
	s.fill()
	id := func(path string) string { return s.first(path, "id") }
	real := strings.NewReplacer(
		"/people/{id}", "/people/"+id("/v1/users?email="+sally), "/events/{id}", "/events/"+id("/v1/events?source=okta"), "/alarms/{id}", "/alarms/"+id("/v1/alarms"),
		"/revocations/{id}", "/revocations/00000000-0000-7000-8000-000000000000", "{name}", "summer", "{device}", "d0", "{session}", "s0", "{what}", "nothing",
	)
	full := url.Values{
		"reason": {"x"}, "scope": {"everyone"}, "kind": {"browser"}, "allowed": {"no"}, "do": {"end"}, "confirm": {"0"}, "name": {"x"}, "how": {"now"}, "source": {"okta"}, "with": {"x"},
	}
	state := func() string { // what an order changes
		t.Helper()
		var out strings.Builder
		for _, path := range []string{"/v1/held?all=true", "/v1/schedules", "/v1/policies", "/v1/alarms?all=true", "/v1/users?email=" + sally, "/v1/events?limit=5"} {
			a := s.get(path, "Bearer "+opsToken)
			if a.status != http.StatusOK {
				t.Fatalf("%s: got %d %s", path, a.status, a.body)
			}
			out.Write(a.body)
		}
		return out.String()
	}
	people := map[string]revoke.Role{"a person": ""}
	for _, role := range revoke.Roles() {
		people["by link, "+string(role)] = role
	}
	browsers := map[string]*surfer{}
	for name, role := range people {
		b := &surfer{t, s.base, map[string]string{}}
		args := []string{"--role", string(role)}
		if role == "" {
			args = []string{"--user", "tove@example.edu"}
		}
		if status, _, text := b.send(http.MethodPost, s.link(args...), url.Values{}); status != http.StatusSeeOther {
			t.Fatalf("%s: sign in: got %d %s", name, status, text)
		}
		browsers[name] = b
	}
	browsers["nobody"] = &surfer{t, s.base, map[string]string{}}
	before := state()
	routes := console.Routes()
	if len(routes) < 40 {
		t.Errorf("%d routes: they were not found", len(routes))
	}
	for _, r := range routes {
		path, least := real.Replace(r.Path), needs(r.Method, r.Path)
		if r.Least != least {
			t.Errorf("%s %s asks for the role %q, want %q", r.Method, r.Path, r.Least, least)
		}
		for name, b := range browsers {
			var form url.Values
			_, _, home := b.send(http.MethodGet, "/me/data", nil)
			token := formToken.FindStringSubmatch(home)
			if r.Method == http.MethodPost {
				status, _, text := b.send(r.Method, path, full)
				if name == "nobody" && status != http.StatusSeeOther || name != "nobody" && (status != http.StatusForbidden || !strings.Contains(text, "too old") && !strings.Contains(text, "not open to you")) {
					t.Errorf("%s %s without the page's token, by %s: got %d %s", r.Method, path, name, status, text)
				}
				form = url.Values{"form": {"none"}}
				if token != nil {
					form.Set("form", token[1])
				}
			}
			allowed := name != "nobody" && has(people[name], least)
			switch {
			case !allowed && form != nil:
				maps.Copy(form, full)
			case path == "/console/why" && form != nil:
				form.Set("token", "nothing")
			case form != nil: // the right role, and a form that is carried out by nobody
				continue
			}
			status, next, text := b.send(r.Method, path, form)
			switch {
			case name == "nobody" && r.Path == "/me/signed-out":
				if status != http.StatusOK {
					t.Errorf("%s %s by nobody: got %d, want 200", r.Method, path, status)
				}
			case name == "nobody":
				if status != http.StatusSeeOther || !strings.HasPrefix(next, "/login?") {
					t.Errorf("%s %s by nobody: got %d to %q, want 303 to /login", r.Method, path, status, next)
				}
			case !allowed:
				if status != http.StatusForbidden || !strings.Contains(text, "This is not open to you") || strings.Contains(text, "<table") {
					t.Errorf("%s %s by %s: got %d %s, want 403", r.Method, path, name, status, text)
				}
			case status == http.StatusForbidden || status >= 500:
				t.Errorf("%s %s by %s: got %d %s, want it open", r.Method, path, name, status, text)
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("what was refused had an effect:\n%s\nbefore:\n%s", after, before)
	}
}
