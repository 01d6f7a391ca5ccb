package webhooks_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"curfew/revoke/revoketest"
)

// TestGitHubBodies is case 24 for a sender whose messages are large: 2 MiB are taken, a byte more is not, and of what was taken
// little is kept.
func TestGitHubBodies(t *testing.T) {
	t.Parallel()
	inbox := revoketest.NewInbox()
	const key = revoketest.SampleKey
	h, err := openForm(revoketest.Desk{Sources: map[string][]string{"github": {key}}, Inbox: inbox, Log: slog.New(slog.DiscardHandler)}, "github", "{}")
	if err != nil {
		t.Fatal(err)
	}
	const most = 2 << 20
	commit := `{"id":"0123456789abcdef0123456789abcdef01234567","message":"x","added":["a.go","b.go"],"author":{"name":"pat"}},`
	head, tail := `{"action":"member_removed","commits":[`, `{}],"membership":{"user":{"login":"pat","id":1}},"organization":{"login":"acme"}}`
	body := head + strings.Repeat(commit, (most-len(head)-len(tail))/len(commit)) + tail
	body += strings.Repeat(" ", most-len(body))
	for _, c := range []struct {
		body         string
		status, kept int
	}{{body + " ", http.StatusRequestEntityTooLarge, 0}, {body, http.StatusNoContent, 1}} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/github", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		githubFixture().Sign(r, c.body, key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || len(inbox.Events()) != c.kept {
			t.Errorf("%d bytes: got %d and %d events, want %d and %d", len(c.body), w.Code, len(inbox.Events()), c.status, c.kept)
		}
	}
	for _, e := range inbox.Events() {
		if len(e.Body) > 1000 || len(e.Signals) != 1 {
			t.Errorf("%d bytes were kept, with %d signals", len(e.Body), len(e.Signals))
		}
	}
}
