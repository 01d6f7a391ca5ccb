package api_test

import (
	"slices"
	"strings"
	"testing"

	"curfew/revoke"
)

// TestRolesMatrix asks every route of the JSON API as somebody of each role, and as somebody of none. What goes on beyond the role
// is the route's own affair; what is refused must be refused for the role.
func TestRolesMatrix(t *testing.T) {
	t.Parallel()
	b := start(t)
	tokensOnly := []string{"POST /v1/sessions", "POST /v1/signals", "POST /v1/links"}
	operators := []string{"DELETE /v1/sessions/:id", "POST /v1/revocations", "POST /v1/events/:id/replay"}
	people := map[string][]revoke.Role{"nobody": nil}
	for _, role := range revoke.Roles() {
		people[string(role)] = []revoke.Role{role}
	}
	asked := 0
	for _, route := range b.app.Routes() {
		if !strings.HasPrefix(route.Path, "/v1/") {
			continue
		}
		name := route.Method + " " + route.Path
		held := route.Method == "POST" && strings.HasPrefix(route.Path, "/v1/held/")
		for who, roles := range people {
			may := false
			switch {
			case who == "nobody" || slices.Contains(tokensOnly, name):
			case route.Method == "GET" || route.Method == "HEAD" || name == "POST /v1/check":
				may = true
			case held:
				may = who == "approver"
			case slices.Contains(operators, name):
				may = who == "operator" || who == "admin"
			default:
				may = who == "admin"
			}
			path := strings.NewReplacer(":id", "x", ":name", "x", ":kind", "x").Replace(route.Path)
			var body []byte
			if route.Method == "POST" || route.Method == "PUT" {
				body = []byte("{}")
			}
			status, answer := b.app.Ask(t.Context(), revoke.SignIn{Org: "main", Name: who, Roles: roles}, route.Method, path, body)
			refused := status == 403 && (strings.Contains(string(answer), "Not within your role") || route.Method == "HEAD")
			if refused == may {
				t.Errorf("%s as %s: got %d %s, want it let in: %v", name, who, status, answer, may)
			}
			asked++
		}
	}
	if asked < 100 {
		t.Errorf("%d questions were asked: the routes were not found", asked)
	}
}

// TestWhoSignedInHasNoOtherDoor: the API's own paths are all that somebody who signed in reaches by Ask.
func TestWhoSignedInHasNoOtherDoor(t *testing.T) {
	t.Parallel()
	b := start(t)
	admin := revoke.SignIn{Org: "main", Name: "ada", Roles: []revoke.Role{revoke.RoleAdmin}}
	for _, path := range []string{"/scim/v2/Users", "/oauth2/introspect", "/metrics"} {
		if status, answer := b.app.Ask(t.Context(), admin, "GET", path, nil); status != 403 {
			t.Errorf("GET %s: got %d %s, want 403", path, status, answer)
		}
	}
}
