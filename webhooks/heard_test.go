package webhooks_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// TestWhoProvedItselfIsHeard: whatever it says, and nobody else: Okta greets without a proof.
func TestWhoProvedItselfIsHeard(t *testing.T) {
	t.Parallel()
	okta, _ := webhooks.Lookup("okta")
	own := okta.NewSettings()
	setSecrets(own, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	var heard []string
	h, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{"okta": {Source: revoke.Source{Org: "main", Type: "okta", Authority: "okta", IDs: "okta"}, Settings: own}},
		Inbox:   revoketest.NewInbox(), Clock: revoketest.NewClock(0), Log: slog.New(slog.DiscardHandler),
		Heard: func(org, source string) { heard = append(heard, org+"/"+source) },
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	for _, c := range []struct {
		what, method, key, body string
		want                    int
	}{
		{"a forged message", http.MethodPost, "wrong", `{}`, 0},
		{"a forged handshake", http.MethodGet, "wrong", ``, 0},
		{"a handshake, which proves nothing", http.MethodGet, revoketest.SampleKey, ``, 0},
		{"an empty message", http.MethodPost, revoketest.SampleKey, `{"eventType": "com.okta.event_hook", "data": {"events": []}}`, 1},
		{"what cannot be read", http.MethodPost, revoketest.SampleKey, `{`, 1},
	} {
		heard = nil
		r := httptest.NewRequest(c.method, "/hooks/okta", strings.NewReader(c.body))
		r.Header.Set("Authorization", c.key)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Okta-Verification-Challenge", "a-challenge")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if len(heard) != c.want || c.want == 1 && heard[0] != "main/okta" {
			t.Errorf("%s, answered %d: heard %v, want %d", c.what, w.Code, heard, c.want)
		}
	}
}
