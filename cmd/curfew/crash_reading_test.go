package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	graphTenant = "11111111-2222-3333-4444-555555555555"
	graphState  = "client-state-0123456789"
	graphPeople = 12
)

// senders imitates the APIs of Microsoft Graph and of Okta's System Log. While stuck it takes questions and answers none.
type senders struct {
	stuck chan struct{} // closed once they answer
	asked chan string   // told of each question that is taken
}

func (s *senders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		_ = json.NewEncoder(w).Encode(v)
	}
	id, person := strings.CutPrefix(r.URL.Path, "/v1.0/users/")
	log := r.URL.Path == "/api/v1/logs"
	switch {
	case person, log:
		select {
		case s.asked <- r.URL.Path:
		default:
		}
		select {
		case <-s.stuck:
		case <-r.Context().Done():
			return
		}
		if person {
			answer(map[string]any{"id": id, "mail": graphMail(id), "userPrincipalName": graphMail(id), "accountEnabled": false})
			return
		}
		at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		w.Header().Add("Link", fmt.Sprintf(`<http://%s/api/v1/logs?after=1>; rel="next"`, r.Host))
		if r.URL.Query().Get("after") != "" {
			answer([]any{})
			return
		}
		answer([]any{map[string]any{
			"uuid": "log-1", "published": at, "eventType": "user.lifecycle.suspend", "outcome": map[string]any{"result": "SUCCESS"},
			"target": []any{map[string]any{"id": "00uLOG", "type": "User", "alternateId": logMail}},
		}})
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		answer(map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 3599})
	default: // subscriptions: ours stands
		answer(map[string]any{"value": []any{}})
	}
}

const logMail = "logged@example.edu"

func graphID(n int) string { return fmt.Sprintf("77777777-0000-4000-8000-%012d", n) }

func graphMail(id string) string { return "read-" + id[len(id)-4:] + "@example.edu" }

// crashWhileReading kills the server while it reads the APIs of senders, for what they told and for what their log holds: what
// was acknowledged is read after the restart, and the people are out.
func (p program) crashWhileReading(t *testing.T, folder, database string) {
	t.Helper()
	s := &senders{stuck: make(chan struct{}), asked: make(chan string, 100)}
	api := httptest.NewServer(s)
	t.Cleanup(api.Close)
	file := configure(t, folder, database, "http://127.0.0.1:1")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf(`sources:
  entra: {type: entra-graph, tenant: %s, client_id: 66666666-7777-8888-9999-000000000000, client_secret: the-client-secret, secrets: [%s], graph: %q, login: %q, ids: entra}
  log: {type: okta-log, url: %q, token: the-api-token, every: 10s, ids: okta}
`, graphTenant, graphState, api.URL, api.URL, api.URL)
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "sources:\n", more, 1)), 0o600); err != nil {
		t.Fatal(err)
	}

	r := p.start(t, file)
	sessions := map[string]string{}
	for n := range graphPeople {
		mail := graphMail(graphID(n))
		sessions[mail], _ = r.register(mail, "mobile").member(t, "token").(string)
	}
	sessions[logMail], _ = r.register(logMail, "mobile").member(t, "token").(string)
	for n := range graphPeople {
		body := fmt.Sprintf(`{"value":[{"id":"n-%d","subscriptionId":"7f105c7d-2dc5-4530-97cd-4e7ae6534c07","clientState":%q,"changeType":"updated","resource":"Users/%s",`+
			`"tenantId":%q,"resourceData":{"@odata.type":"#Microsoft.Graph.User","id":%q}}]}`, n, graphState, graphID(n), graphTenant, graphID(n))
		if a := r.do(http.MethodPost, "/hooks/entra", "", "application/json", body); a.status != http.StatusAccepted {
			t.Fatalf("notification %d: got %d %s, want 202", n, a.status, a.body)
		}
	}
	for taken := map[bool]bool{}; len(taken) < 2; { // a person and the log
		select {
		case path := <-s.asked:
			taken[path == "/api/v1/logs"] = true
		case <-t.Context().Done():
			t.Fatalf("the senders' APIs were not both asked: %v\n%s", taken, r.log)
		}
	}
	r.kill()
	close(s.stuck)

	r = p.start(t, file)
	for mail, session := range sessions {
		eventually(t, mail+" is out, as the sender's API says\n"+r.log.String(), func() bool { return r.verify(session) == http.StatusUnauthorized })
	}
	db, left := look(t, database), -1
	eventually(t, "nothing waits to be read any more", func() bool {
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM readings").Scan(&left)
		return err == nil && left == 0
	})
	r.kill()
}
