package api_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestAnswersDoNotMix lets many ask at once on connections that are used again: a text that pointed into the buffer of
// another request would show up in the wrong answer or in the store.
func TestAnswersDoNotMix(t *testing.T) {
	t.Parallel()
	b := start(t)
	const clients, rounds = 8, 25
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for round := range rounds {
				id := fmt.Sprintf("%c%d-%s", 'a'+client, round, strings.Repeat(string(rune('a'+client)), 1+7*client+round))
				body := fmt.Sprintf(`{"subject": {"format": "email", "email": "%[1]s@example.edu"}, "kind": "api", "id": "%[1]s", "token": "t-%[1]s", "user_agent": "%[1]s"}`, id)
				for _, got := range []reply{b.as("portal", "POST", "/v1/sessions", body), b.as("portal", "GET", "/v1/sessions/"+id, "")} {
					if got.text("id") != id || got.text("user_agent") != id {
						t.Errorf("registered or read as %s, got %s", id, got.body)
					}
				}
				if got := b.form("portal", "/oauth2/introspect", "token=t-"+id); got.text("sid") != id || got.text("username") != id+"@example.edu" {
					t.Errorf("introspection: asked as %s, got %s", id, got.body)
				}
				if got := b.as("portal", "DELETE", "/v1/sessions/"+id, ""); got.text("id") != id || got.member("live") != false {
					t.Errorf("ended: asked as %s, got %s", id, got.body)
				}
			}
		})
	}
	all.Wait()
	for _, s := range b.store.AllSessions() {
		if s.ClientID != s.Facts.UserAgent || s.EndedAt == 0 {
			t.Errorf("stored: id %q, user agent %q, ended at %s", s.ClientID, s.Facts.UserAgent, s.EndedAt)
		}
	}
	if n := len(b.store.AllSessions()); n != clients*rounds {
		t.Errorf("%d sessions are stored, want %d", n, clients*rounds)
	}
}
