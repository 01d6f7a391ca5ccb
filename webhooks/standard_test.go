package webhooks_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// signedFixtures has one entry for every preset of this file's kind: those that sign by Standard Webhooks, and GitHub and Slack.
func signedFixtures() map[string]revoketest.SourceFixture {
	return map[string]revoketest.SourceFixture{
		"standard": standardFixture(), "clerk": clerkFixture(), "github": githubFixture(), "slack": slackFixture(),
	}
}

// standardForm is a sender of Standard Webhooks, as somebody would write it into the configuration.
const standardForm = `
map:
  - {when: 'event_type == "user.disabled"', signal: deactivated, email: body.data.email}
  - {when: 'event_type == "user.enabled"', signal: reactivated, email: body.data.email}
  - {when: 'event_type == "user.deleted"', signal: deleted, user_id: body.data.id}
  - {when: 'event_type == "session.revoked"', signal: sessions-cleared, user_id: body.data.user, sid: body.data.id}
ignore: event_type == "user.created"
`

// whsec is how a sender of Standard Webhooks writes a key. Blanks stay around it.
func whsec(key string) string {
	bare := strings.TrimSpace(key)
	if bare == "" {
		return key
	}
	return strings.Replace(key, bare, "whsec_"+base64.StdEncoding.EncodeToString([]byte(bare)), 1)
}

// openStandard makes the whole handler for a desk with keys that are written so.
func openStandard(desk revoketest.Desk, typ, form string) (http.Handler, error) {
	sources := map[string][]string{}
	for name, keys := range desk.Sources {
		sources[name] = nil
		for _, key := range keys {
			sources[name] = append(sources[name], whsec(key))
		}
	}
	desk.Sources = sources
	return openForm(desk, typ, form)
}

// signStandard proves a request under header names that begin with a family.
func signStandard(family string) func(r *http.Request, body, key string, at revoke.Instant) {
	return func(r *http.Request, body, key string, at revoke.Instant) {
		id, seconds := "msg_"+hexHMAC(body, "an id for each body")[:16], fmt.Sprint(at.Time().Unix())
		r.Header.Set(family+"-Id", id)
		r.Header.Set(family+"-Timestamp", seconds)
		r.Header.Set(family+"-Signature", signatureV1(key, id, seconds, body))
	}
}

func signatureV1(key, id, seconds, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, seconds, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signsWithTime says how a sender signs that signs the time too.
func signsWithTime(f *revoketest.SourceFixture, sign func(r *http.Request, body, key string, at revoke.Instant)) {
	f.SignAt, f.Window, f.SignsBody = sign, 5*time.Minute, true
	f.Sign = func(r *http.Request, body, key string) { sign(r, body, key, revoketest.Start) }
}

func standardFixture() revoketest.SourceFixture {
	f := preset("standard", revoke.Deactivated, revoke.Reactivated, revoke.Deleted, revoke.SessionsCleared)
	f.Open = func(desk revoketest.Desk) (http.Handler, error) {
		return openStandard(desk, "standard", standardForm)
	}
	signsWithTime(&f, signStandard("Webhook"))
	f.SignedID = "Webhook-Id"
	f.News = func(id, person string) string {
		return fmt.Sprintf(`{"type":"user.disabled","timestamp":"2026-11-23T09:59:58Z","data":{"of":%q,"email":"%s@example.edu"}}`, id, person)
	}
	f.Unknown = func(id string) string { return fmt.Sprintf(`{"type":"user.cloned","data":{"of":%q}}`, id) }
	return f
}

func clerkFixture() revoketest.SourceFixture {
	f := preset("clerk", revoke.Deleted, revoke.Deactivated, revoke.Reactivated, revoke.Locked, revoke.Unlocked, revoke.SessionsCleared, revoke.AccessChanged)
	f.Open = func(desk revoketest.Desk) (http.Handler, error) { return openStandard(desk, "clerk", "{}") }
	signsWithTime(&f, signStandard("Svix"))
	f.SignedID = "Svix-Id"
	f.News = func(id, person string) string {
		return fmt.Sprintf(`{"type":"user.deleted","object":"event","timestamp":1795427998000,"instance_id":%q,"data":{"id":"user_%s","deleted":true,"object":"user"}}`, id, person)
	}
	f.Unknown = func(id string) string {
		return fmt.Sprintf(`{"type":"user.cloned","object":"event","timestamp":1795427998000,"data":{"id":%q}}`, id)
	}
	return f
}

func githubFixture() revoketest.SourceFixture {
	f := preset("github", revoke.AccessChanged, revoke.RiskRaised)
	f.Open = func(desk revoketest.Desk) (http.Handler, error) {
		desk.MaxBody = cmp.Or(desk.MaxBody, 1<<20) // the battery's; GitHub's own is looked at in TestGitHubBodies
		return openForm(desk, "github", "{}")
	}
	f.Sign = func(r *http.Request, body, key string) {
		r.Header.Set("X-Hub-Signature-256", "sha256="+hexHMAC(body, key))
		r.Header.Set("X-Github-Event", "organization")
		r.Header.Set("X-Github-Delivery", hexHMAC(body, "an id for each body")[:32])
	}
	f.Unproved = []string{"X-Github-Event", "X-Github-Delivery"}
	f.News = func(id, person string) string {
		return fmt.Sprintf(`{"action":"member_removed","membership":{"url":%q,"role":"member","user":{"login":%q,"id":4711}},"organization":{"login":"acme"},"sender":{"login":"boss"}}`, id, person)
	}
	f.Unknown = func(id string) string {
		return fmt.Sprintf(`{"action":"member_cloned","membership":{"url":%q},"organization":{"login":"acme"}}`, id)
	}
	f.SignsBody, f.Hex = true, true
	return f
}

func slackFixture() revoketest.SourceFixture {
	f := preset("slack", revoke.AccessChanged)
	signsWithTime(&f, func(r *http.Request, body, key string, at revoke.Instant) {
		seconds := fmt.Sprint(at.Time().Unix())
		r.Header.Set("X-Slack-Request-Timestamp", seconds)
		r.Header.Set("X-Slack-Signature", "v0="+hexHMAC("v0:"+seconds+":"+body, key))
	})
	event := func(id, what, person string) string {
		return fmt.Sprintf(`{"token":"x","team_id":"T1","type":"event_callback","event_id":%q,"event_time":1795427998,"event":{"type":%q,"user":{"id":"U1","deleted":true,"profile":{"email":"%s@example.edu"}}}}`, id, what, person)
	}
	f.News = func(id, person string) string { return event(id, "user_change", person) }
	f.Unknown = func(id string) string { return event(id, "user_cloned", "sally") }
	f.Answer, f.Hex = http.StatusOK, true
	return f
}
