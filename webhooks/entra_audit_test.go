package webhooks_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

func entraAuditFixture() revoketest.SourceFixture {
	return revoketest.SourceFixture{
		Open: func(desk revoketest.Desk) (http.Handler, error) {
			return open(desk, "entra-audit", func(own any, keys []revoke.Secret) { ownKeys(own, map[string]any{"secrets": keys}) })
		},
		Sign:    func(r *http.Request, _, key string) { r.Header.Set("Authorization", key) },
		Message: func(items ...string) string { return `{"records":[` + strings.Join(items, ",") + `]}` },
		News: func(id, person string) string {
			return auditRecord(id, "Disable account", "success", auditUser(person))
		},
		Unknown:   func(id string) string { return auditRecord(id, "Paint account", "success", auditUser("sally")) },
		Malformed: `"this is no record"`, Answer: http.StatusNoContent, Samples: "testdata/entra-audit",
		Signals: []revoke.SignalKind{
			revoke.Deactivated, revoke.Reactivated, revoke.Deleted, revoke.CredentialChanged, revoke.CredentialCompromised, revoke.SessionsCleared,
			revoke.DeviceLost, revoke.DeviceUnenrolled, revoke.DeviceNoncompliant, revoke.AccessChanged,
		},
	}
}

func auditRecord(id, activity, result string, targets ...string) string {
	return fmt.Sprintf(`{"time":"2026-11-23T10:00:03.1Z","category":"AuditLogs","operationName":%q,"tenantId":%q,"properties":{"id":%q,"activityDateTime":"2026-11-23T09:59:58.512Z",`+
		`"activityDisplayName":%q,"result":%q,"initiatedBy":{"user":{"id":"admin","userPrincipalName":"admin@example.edu"}},"targetResources":[%s]}}`,
		activity, entraTenant, id, activity, result, strings.Join(targets, ","))
}

func auditUser(name string) string {
	return fmt.Sprintf(`{"id":%q,"type":"User","userPrincipalName":"%s@example.edu","modifiedProperties":[{"displayName":"AccountEnabled","oldValue":"[true]","newValue":"[false]"}]}`, name, name)
}

// The administrator who did something stays untouched, whatever the record lacks; names are compared without case.
func TestEntraAuditSparesWhoDidIt(t *testing.T) {
	t.Parallel()
	d := newTenant(t, "entra-audit", map[string]any{"secrets": []revoke.Secret{revoke.NewSecret(entraState)}, "tenant": entraTenant})
	admin, sally := d.signIn("admin", "", ""), d.signIn("sally", "", "")
	d.send(`{"records":[`+strings.Join([]string{
		auditRecord("a-1", "Disable account", "success"), auditRecord("a-2", "disable ACCOUNT", "failure", auditUser("sally")),
		strings.Replace(auditRecord("a-3", "Delete user", "success", auditUser("sally")), entraTenant, "99999999-2222-3333-4444-555555555555", 1),
	}, ",")+`]}`, http.StatusNoContent, "Authorization", entraState)
	if !d.live(admin) || !d.live(sally) || len(d.store.AllEvents()) != 2 {
		t.Errorf("admin is live: %v, sally: %v, events %+v; want both, and nothing of another directory", d.live(admin), d.live(sally), d.store.AllEvents())
	}
	d.send(`{"records":[`+auditRecord("a-4", "DISABLE account", "success", auditUser("sally"))+`]}`, http.StatusNoContent, "Authorization", entraState)
	if d.live(sally) || !d.live(admin) || !d.blocked("sally@example.edu") {
		t.Errorf("sally is live: %v, admin: %v; want only the admin", d.live(sally), d.live(admin))
	}
}
