package webhooks_test

import (
	"slices"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/webhooks"
)

// The people, devices and applications of the rows below.
const (
	oktaAppUser = `{"id":"0ua1","type":"AppUser","alternateId":"sally@app.example"}`
	oktaDevice  = `{"id":"guo1","type":"Device","alternateId":"unknown","displayName":"phone"}`
	oktaGroup   = `{"id":"00g1","type":"UserGroup","alternateId":"unknown","displayName":"Staff"}`
	oktaApp     = `{"id":"0oa1","type":"AppInstance","alternateId":"Canvas"}`
	oktaSystem  = `{"id":"okta","type":"SystemPrincipal","alternateId":"system@okta.com"}`
)

func debug(event, data string) string {
	return strings.TrimSuffix(event, "}") + `,"debugContext":{"debugData":{` + data + `}}}`
}

// TestOktaMeansWhatTheTableSays holds every row of the mapping table, and every trap that Okta's own reference names.
func TestOktaMeansWhatTheTableSays(t *testing.T) {
	t.Parallel()
	admin, sally, tom := oktaUser("admin"), oktaUser("sally"), oktaUser("tom")
	nobody := strings.ReplaceAll(sally, "sally@example.edu", "unknown")
	by := func(word, actor string, targets ...string) string { return oktaEvent("ev-1", word, actor, targets...) }
	outcome := func(result, event string) string { return strings.Replace(event, "SUCCESS", result, 1) }
	const about = "okta 00usally user_name sally@example.edu email sally@example.edu"
	for event, want := range map[string]string{
		by("user.lifecycle.deactivate", admin, sally):       "deactivated " + about,
		by("user.lifecycle.suspend", admin, sally):          "suspended " + about,
		by("user.lifecycle.delete.initiated", admin, sally): "deleted " + about,
		by("user.lifecycle.delete.completed", admin, sally): "deleted " + about,
		by("user.lifecycle.activate", admin, sally):         "reactivated " + about,
		by("user.lifecycle.reactivate", admin, sally):       "reactivated " + about,
		by("user.lifecycle.unsuspend", admin, sally):        "reactivated " + about,

		outcome("FAILURE", by("user.lifecycle.deactivate", admin, sally)):   "ignored",
		outcome("FAILURE", by("user.lifecycle.unsuspend", admin, sally)):    "ignored",
		outcome("UNKNOWN", by("user.lifecycle.suspend", admin, sally)):      "ignored",
		outcome("", by("user.lifecycle.suspend", admin, sally)):             "malformed",
		outcome("FAILURE", by("user.account.reset_password", admin, sally)): "ignored",
		outcome("DENY", by("user.session.clear", admin, sally)):             "ignored",
		outcome("FAILURE", by("user.account.lock", sally)):                  "locked " + about,
		outcome("DENY", by("user.risk.detect", oktaSystem, sally)):          "risk-raised " + about,

		by("user.account.lock", oktaSystem, sally):                                                              "locked " + about,
		by("user.account.lock", sally):                                                                          "locked " + about,
		by("user.account.lock.limit", sally):                                                                    "locked " + about,
		by("user.account.unlock", sally):                                                                        "unlocked " + about,
		by("user.account.unlock_by_admin", admin, sally):                                                        "unlocked " + about,
		by("user.account.update_password", sally, sally):                                                        "credential-changed " + about,
		by("user.account.update_password", sally):                                                               "credential-changed " + about,
		by("user.account.update_password", admin, sally):                                                        "credential-changed " + about,
		by("user.account.reset_password", admin, sally):                                                         "credential-changed " + about,
		by("user.account.expire_password", admin, sally):                                                        "credential-changed " + about,
		by("user.lifecycle.password_mass_expiry", admin):                                                        "held",
		by("user.lifecycle.password_mass_expiry", admin, sally):                                                 "credential-changed " + about,
		by("user.mfa.factor.reset_all", admin, sally):                                                           "credential-changed " + about,
		by("user.mfa.factor.suspend", admin, sally):                                                             "credential-changed " + about,
		by("user.mfa.factor.deactivate", sally, sally, `{"id":"opf1","type":"Factor","alternateId":"unknown"}`): "credential-changed " + about,

		by("user.session.clear", admin, sally): "sessions-cleared " + about,
		strings.TrimSuffix(by("user.session.clear", admin, sally), "}") + `,"authenticationContext":{"externalSessionId":"idxADMIN"}}`:                                                    "sessions-cleared " + about,
		debug(by("user.authentication.universal_logout", admin, sally), `"AppInstanceIds":"[0oa1]"`):                                                                                      "sessions-cleared " + about,
		by("user.authentication.universal_logout.scheduled", admin, sally):                                                                                                                "sessions-cleared " + about,
		debug(by("user.session.end", admin, sally), `"EndedSessionId":"idx1"`):                                                                                                            "sessions-cleared " + about + " session idx1",
		debug(by("user.session.end", oktaSystem, sally), `"EndedSessionId":"idx1"`):                                                                                                       "sessions-cleared " + about + " session idx1",
		debug(by("user.session.end", admin, sally), `"EndedSessionId":"unknown"`):                                                                                                         "sessions-cleared " + about,
		debug(by("user.session.end", sally, sally), `"EndedSessionId":"idx1"`):                                                                                                            "ignored",
		debug(by("user.session.end", sally), `"EndedSessionId":"idx1"`):                                                                                                                   "ignored",
		strings.Replace(debug(by("user.session.end", admin, sally), `"EndedSessionId":"idx1"`), `"eventType"`, `"authenticationContext":{"externalSessionId":"idxADMIN"},"eventType"`, 1): "sessions-cleared " + about + " session idx1",

		by("security.breached_credential.detected", sally):                                                                      "credential-compromised " + about,
		by("security.breached_credential.detected", oktaSystem, sally):                                                          "credential-compromised " + about,
		by("security.breached_credential.detected", sally, sally):                                                               "credential-compromised " + about,
		by("security.breached_credential.detected", sally, tom):                                                                 "held",
		by("user.account.report_suspicious_activity_by_enduser", sally):                                                         "credential-compromised " + about,
		debug(by("user.risk.detect", oktaSystem, sally), `"Risk":"{level=HIGH, previousLevel=LOW, detectionName=x, issuer=y}"`): "risk-high " + about,
		debug(by("user.risk.detect", oktaSystem, sally), `"Risk":"{level=LOW, previousLevel=HIGH}"`):                            "risk-raised " + about,
		debug(by("user.risk.change", oktaSystem, sally), `"Risk":"{previousLevel=LOW, level=HIGH}"`):                            "risk-high " + about,

		by("device.lifecycle.suspend", admin, oktaDevice, sally):    "device-lost " + about + " device guo1",
		by("device.lifecycle.suspend", admin, oktaDevice):           "device-lost device guo1",
		by("device.lifecycle.deactivate", admin, oktaDevice, sally): "device-unenrolled " + about + " device guo1",
		by("device.lifecycle.delete", admin, oktaDevice):            "device-unenrolled device guo1",
		by("device.user.remove", admin, sally, oktaDevice):          "device-unenrolled " + about + " device guo1",
		by("device.user.remove", admin, sally):                      "malformed",

		by("group.user_membership.remove", admin, sally, oktaGroup):                  "access-changed " + about,
		by("application.user_membership.remove", admin, oktaAppUser, oktaApp, sally): "access-changed " + about,
		by("application.user_membership.remove", admin, oktaAppUser, oktaApp):        "access-changed",

		by("user.lifecycle.suspend", admin, sally, tom):                                         "held",
		by("user.lifecycle.suspend", admin, sally, sally):                                       "suspended " + about,
		by("user.lifecycle.suspend", admin, oktaAppUser):                                        "suspended",
		by("user.lifecycle.suspend", admin):                                                     "suspended",
		by("user.lifecycle.suspend", admin, nobody):                                             "suspended okta 00usally",
		strings.Replace(by("user.lifecycle.suspend", admin), `"target":[]`, `"target":null`, 1): "suspended",

		by("user.session.expire", sally):            "ignored",
		by("policy.entity_risk.action", oktaSystem): "ignored",
		by("user.lifecycle.create", admin, sally):   "ignored",
		by("user.lifecycle.cloned", admin, sally):   "unknown",
	} {
		h := newHook(t, "")
		h.post(event)
		e := h.inbox.Events()[0]
		got := []string{string(e.State)}
		if len(e.Signals) > 0 {
			got = nil
		}
		for _, s := range e.Signals {
			got = append(got, string(s.Kind))
			for _, id := range s.Subject {
				got = append(got, id.Namespace, id.Value)
			}
			for _, d := range s.Device {
				got = append(got, "device", d.Value)
			}
			if s.Session.SID != "" {
				got = append(got, "session", s.Session.SID)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s\ngot  %s (%s)\nwant %s", event, text, e.Note, want)
		}
	}
}

// Whatever the table holds is told, in order, by the hook and the log alike.
func TestOktaTellsItsTable(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	h := o.handler.(*webhooks.Handler)
	hook, log := h.Means("okta"), h.Means("okta-log")
	byWord := func(a, b revoke.Meaning) int { return strings.Compare(a.Word, b.Word) }
	if !slices.IsSortedFunc(hook, byWord) || !slices.Equal(hook, log) || len(hook) < 50 {
		t.Errorf("%d and %d words, want the same, in order", len(hook), len(log))
	}
	for _, m := range hook {
		if m.Signal == "" && m.Note == "" {
			t.Errorf("%s: neither a signal nor why there is none", m.Word)
		}
	}
}
