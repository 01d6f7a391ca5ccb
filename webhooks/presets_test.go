package webhooks_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// presetFixtures has one entry for every preset.
func presetFixtures() map[string]revoketest.SourceFixture {
	return map[string]revoketest.SourceFixture{
		"pagerduty": pagerdutyFixture(), "jamf": jamfFixture(), "splunk": splunkFixture(), "sentinel": sentinelFixture(),
		"crowdstrike": crowdstrikeFixture(), "elastic": elasticFixture(), "wazuh": wazuhFixture(), "merge": mergeFixture(), "personio": personioFixture(),
		"workday": workdayFixture(), "entra-lifecycle": entraLifecycleFixture(),
	}
}

// preset is the fixture of a preset with one item a message, which lacks what the sender is like.
func preset(name string, signals ...revoke.SignalKind) revoketest.SourceFixture {
	return revoketest.SourceFixture{
		Open:    func(desk revoketest.Desk) (http.Handler, error) { return openForm(desk, name, "{}") },
		Message: func(items ...string) string { return strings.Join(items, "") },
		Single:  true, Malformed: `"this is no item"`, Answer: http.StatusNoContent, Samples: "testdata/" + name, Signals: signals,
	}
}

func pagerdutyFixture() revoketest.SourceFixture {
	f := preset("pagerduty", revoke.RiskRaised)
	event := func(id, what, title string) string {
		return fmt.Sprintf(`{"event":{"id":%q,"event_type":%q,"resource_type":"incident","occurred_at":"2026-11-23T09:59:58.000Z","agent":null,"client":null,"data":{"id":"PT4KHLK","type":"incident","title":%q}}}`, id, what, title)
	}
	f.Sign = func(r *http.Request, body, key string) {
		r.Header.Set("X-PagerDuty-Signature", "v1="+hexHMAC(body, key))
	}
	f.News = func(id, person string) string {
		return event(id, "incident.triggered", "EDR alert, user: "+person+"@example.edu")
	}
	f.Unknown = func(id string) string { return event(id, "robot.exploded", "x") }
	f.Answer, f.SignsBody, f.Hex = http.StatusAccepted, true, true
	return f
}

func jamfFixture() revoketest.SourceFixture {
	f := preset("jamf", revoke.DeviceUnenrolled, revoke.DeviceLost, revoke.DeviceNoncompliant)
	event := func(id, what string) string {
		return fmt.Sprintf(`{"webhook":{"id":7,"name":"Curfew","webhookEvent":%q,"eventTimestamp":1795427998000},"event":{"udid":%q,"serialNumber":"C02","username":"sally"}}`, what, id)
	}
	f.Sign = func(r *http.Request, _, key string) { r.SetBasicAuth("curfew", key) }
	f.News = func(id, _ string) string { return event(id, "MobileDeviceUnEnrolled") }
	f.Unknown = func(id string) string { return event(id, "RobotExploded") }
	return f
}

func splunkFixture() revoketest.SourceFixture {
	f := preset("splunk", revoke.RiskRaised, revoke.RiskHigh, revoke.CredentialCompromised, revoke.SessionsCleared, revoke.Suspended)
	f.Sign = func(r *http.Request, _, key string) {
		q := r.URL.Query()
		q.Set("key", key)
		r.URL.RawQuery = q.Encode()
	}
	f.News = func(id, person string) string {
		return fmt.Sprintf(`{"sid":%q,"search_name":"Impossible travel","app":"search","owner":"admin","results_link":"x","result":{"_time":"1795427998.512","user":"%s@example.edu","curfew_signal":"risk-high"}}`, id, person)
	}
	f.Unknown = func(id string) string {
		return fmt.Sprintf(`{"sid":%q,"search_name":"x","result":{"user":"sally","curfew_signal":"of tomorrow"}}`, id)
	}
	return f
}

func sentinelFixture() revoketest.SourceFixture {
	f := preset("sentinel", revoke.RiskRaised, revoke.RiskHigh)
	event := func(id, severity, person string) string {
		return fmt.Sprintf(`{"incident":"/subscriptions/s/incidents/%s","at":"2026-11-23T09:59:58.1234567Z","severity":%q,"title":"Password spray","accounts":[{"aadUserId":"oid-%s","name":%q,"upnSuffix":"example.edu"}]}`, id, severity, person, person)
	}
	f.Sign = func(r *http.Request, _, key string) { r.Header.Set("X-Curfew-Secret", key) }
	f.News = func(id, person string) string { return event(id, "High", person) }
	f.Unknown = func(id string) string { return event(id, "Ultraviolet", "sally") }
	return f
}

func crowdstrikeFixture() revoketest.SourceFixture {
	f := preset("crowdstrike", revoke.RiskRaised, revoke.RiskHigh, revoke.DeviceNoncompliant)
	event := func(id, trigger, person string) string {
		return fmt.Sprintf(`{"execution":%q,"trigger":%q,"at":"2026-11-23T09:59:58Z","severity":"High","name":"x","upn":"%s@example.edu"}`, id, trigger, person)
	}
	f.Sign = func(r *http.Request, _, key string) { r.Header.Set("X-Curfew-Secret", key) }
	f.News = func(id, person string) string { return event(id, "identity", person) }
	f.Unknown = func(id string) string { return event(id, "cloud", "sally") }
	return f
}

func elasticFixture() revoketest.SourceFixture {
	f := preset("elastic", revoke.RiskRaised, revoke.RiskHigh)
	event := func(id, severity, person string) string {
		return fmt.Sprintf(`{"alert":%q,"at":"2026-11-23T09:59:58.123Z","severity":%q,"rule":"x","user":%q}`, id, severity, person)
	}
	f.Sign = func(r *http.Request, _, key string) { r.SetBasicAuth("curfew", key) }
	f.News = func(id, person string) string { return event(id, "high", person) }
	f.Unknown = func(id string) string { return event(id, "ultraviolet", "sally") }
	return f
}

func wazuhFixture() revoketest.SourceFixture {
	f := preset("wazuh", revoke.RiskRaised, revoke.RiskHigh)
	event := func(id, level, person string) string {
		return fmt.Sprintf(`{"id":%q,"timestamp":"2026-11-23T09:59:58.123+0000","rule":{"id":"5720","level":%s,"description":"x"},"data":{"dstuser":%q}}`, id, level, person)
	}
	f.Sign = func(r *http.Request, _, key string) { r.Header.Set("X-Curfew-Secret", key) }
	f.News = func(id, person string) string { return event(id, "13", person) }
	f.Unknown = func(id string) string { return event(id, "-1", "sally") }
	return f
}

func mergeFixture() revoketest.SourceFixture {
	f := preset("merge", revoke.Terminated)
	event := func(id, what, person string) string {
		return fmt.Sprintf(`{"hook":{"id":"h-1","event":%q},"linked_account":{"id":"l-1"},"data":{"id":%q,"modified_at":"2026-11-23T09:59:58Z","work_email":"%s@example.edu","employment_status":"INACTIVE","termination_date":null}}`, what, id, person)
	}
	f.Sign = func(r *http.Request, body, key string) {
		raw, _ := hex.DecodeString(hexHMAC(body, key))
		r.Header.Set("X-Merge-Webhook-Signature", base64.URLEncoding.EncodeToString(raw))
	}
	f.News = func(id, person string) string { return event(id, "Employee.changed", person) }
	f.Unknown = func(id string) string { return event(id, "Robot.exploded", "sally") }
	f.SignsBody = true
	return f
}

func personioFixture() revoketest.SourceFixture {
	f := preset("personio", revoke.Terminated, revoke.Deleted)
	event := func(id, what, person string) string {
		return fmt.Sprintf(`{"company_id":"77","event_name":%q,"occurred_at":"2026-11-23T09:59:58Z","payload":{"id":%q,"person":{"id":%q}}}`, what, id, person)
	}
	f.Sign = func(r *http.Request, _, key string) { r.Header.Set("Authorization", key) }
	f.News = func(id, person string) string { return event(id, "employment.terminated", person) }
	f.Unknown = func(id string) string { return event(id, "robot.exploded", "sally") }
	return f
}

func workdayFixture() revoketest.SourceFixture {
	f := preset("workday", revoke.Terminated, revoke.Reactivated)
	event := func(id, what, person string) string {
		return fmt.Sprintf(`{"id":%q,"event":%q,"entered_at":"2026-11-23T09:59:58Z","employee_id":"1042","work_email":"%s@example.edu","termination_date":"2026-12-24"}`, id, what, person)
	}
	f.Sign = func(r *http.Request, _, key string) { r.SetBasicAuth("curfew", key) }
	f.News = func(id, person string) string { return event(id, "Terminate Employee", person) }
	f.Unknown = func(id string) string { return event(id, "Explode Robot", "sally") }
	return f
}

// lifecycleCallout is a call-out of a lifecycle workflow about a person.
func lifecycleCallout(id, what, person string) string {
	return fmt.Sprintf(`{"data":{"@odata.type":"#microsoft.graph.identityGovernance.customTaskExtension%s","subject":{"id":%q,"userPrincipalName":"%s@example.edu"},"taskProcessingResult":{"id":%q},"workflow":{"id":"w-1","displayName":"Offboard"}},"source":"x","type":"y"}`, what, person, person, id)
}

func entraLifecycleFixture() revoketest.SourceFixture {
	f := preset("entra-lifecycle", revoke.Terminated)
	f.Sign = func(r *http.Request, _, key string) { r.Header.Set("X-Curfew-Secret", key) }
	f.News = func(id, person string) string { return lifecycleCallout(id, "CalloutData", person) }
	f.Unknown = func(id string) string { return lifecycleCallout(id, "OfTomorrow", "sally") }
	return f
}
