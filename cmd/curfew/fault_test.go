package main

import (
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// thorough is for `make nightly`.
var thorough = flag.Bool("thorough", false, "run the long form of fault tests")

// TestFaults breaks what the program stands on. Each test is named after the fault whose pass criterion it proves; the
// numbers are those of the list of faults that the project is judged by.
func TestFaults(t *testing.T) {
	t.Parallel()
	p := build(t, "")
	t.Run("F4 disk full", p.diskFull)
	t.Run("F4 disk full under load", p.diskFullUnderLoad)
	t.Run("F7 PostgreSQL restarts under load", p.postgresRestarts)
	t.Run("F7 lock lost", p.lockLost)
	t.Run("F7 commit of unknown outcome", p.unknownCommit)
	t.Run("F17 order and repetition", func(t *testing.T) { onEach(t, p.anyOrder) })
}

// wantRefused fails the test unless an answer says that nothing was done and when to try again.
func wantRefused(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%s: got %d %s and Retry-After %q, want 503 with one", what, a.status, a.body, a.header.Get("Retry-After"))
	}
}

// writes are one request through each door that writes. Their subjects are nobody's but their own.
func (r *running) writes(resource string) map[string]func() answer {
	return map[string]func() answer{
		"registration":      func() answer { return r.register("new@example.edu", "mobile") },
		"SCIM creation":     func() answer { return r.scim(http.MethodPost, "Users", scimUser("new@example.edu")) },
		"SCIM deactivation": func() answer { return r.setActive(resource, false) },
		"Okta event": func() answer {
			return r.okta(oktaSecret, "user.lifecycle.suspend", "refused-1", "olga@example.edu", time.Now())
		},
		"own signal": func() answer {
			return r.post("/v1/signals", portalToken, `{"signal": "credential-changed", "subject": {"format": "email", "email": "olga@example.edu"}, "id": "refused-2"}`)
		},
		"revocation": func() answer { return r.post("/v1/revocations", opsToken, `{"scope": "everyone", "reason": "test"}`) },
	}
}

func (r *running) scim(method, path, body string) answer {
	return r.do(method, "/scim/v2/"+path, "Bearer "+directoryToken, "application/scim+json", body)
}

func scimUser(email string) string {
	return fmt.Sprintf(`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": %q, "active": true, "emails": [{"value": %q, "primary": true}]}`, email, email)
}
