package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestEveryPartIsCounted makes one request at each door of the real wiring and looks for it on the page.
func TestEveryPartIsCounted(t *testing.T) {
	t.Parallel()
	s := wired(t, fmt.Sprintf(`metrics: {open: true}
tokens:
  - {name: directory, scopes: [scim], secret: %s}
  - {name: ops, scopes: [admin], secret: %s}
sources:
  okta: {type: okta, secrets: [%s]}
targets:
  portal: {type: webhook, url: "https://portal.example.edu/hook", secret: %q}
`, directoryToken, opsToken, oktaSecret, portalHook))
	s.serve(t)
	ask := func(method, path, token, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.publicURL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ask("GET", "/v1/users", "", "")
	ask("GET", "/v1/users", directoryToken, "")
	ask("GET", "/verify", "", "")
	ask("POST", "/hooks/okta", "", "{}")
	ask("POST", "/scim/v2/Users", directoryToken, `{"userName": 5}`)
	ask("POST", "/scim/v2/Users", directoryToken, `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "maya", "active": false}`)
	page := ask("GET", "/metrics", "", "")
	for _, want := range []string{
		`curfew_refused_total{source="api",why="unauthenticated"} 1`,
		`curfew_refused_total{source="directory",why="scope"} 1`,
		`curfew_refused_total{source="verify",why="unauthenticated"} 1`,
		`curfew_refused_total{source="okta",why="missing"} 1`,
		`curfew_refused_total{source="directory",why="invalidValue"} 1`,
		`curfew_attempts_total{outcome="parked",target="portal"} 0`,
		`curfew_ready 1`,
	} {
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("the page lacks %s", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "curfew_") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}
