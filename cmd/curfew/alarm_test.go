package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// onCall is who is told of alarms. It takes what the standard's own library verifies, once for each webhook-id.
type onCall struct {
	*httptest.Server
	mu    sync.Mutex
	away  bool              // answers 503
	told  map[string]toldOf // by webhook-id
	tried map[string]int
	bad   []string
}

// toldOf is what a message says.
type toldOf struct {
	Type string
	Data struct {
		ID, Kind, About, Org, Text string
		Count                      int
	}
}

func newOnCall(t *testing.T) *onCall {
	t.Helper()
	oracle, err := standardwebhooks.NewWebhook(portalHook)
	if err != nil {
		t.Fatal(err)
	}
	o := &onCall{told: map[string]toldOf{}, tried: map[string]int{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m toldOf
		err := oracle.Verify(body, r.Header)
		o.mu.Lock()
		defer o.mu.Unlock()
		switch {
		case o.away:
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil || json.Unmarshal(body, &m) != nil:
			o.bad = append(o.bad, fmt.Sprintf("%v %s", err, body))
			w.WriteHeader(http.StatusUnauthorized)
		default:
			o.told[r.Header.Get("Webhook-Id")] = m
		}
		o.tried[r.Header.Get("Webhook-Id")]++
	}))
	t.Cleanup(o.Close)
	return o
}

// be makes the receiver go away or come back.
func (o *onCall) be(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
}

// of returns what was told of one kind about one thing, and how many messages were tried.
func (o *onCall) of(kind, about string) (m toldOf, told bool, tried int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for each := range maps.Values(o.told) {
		if each.Data.Kind == kind && each.Data.About == about {
			m, told = each, true
		}
	}
	return m, told, len(o.tried)
}

// alarms lets two things go wrong while nobody can be told, loses the power, and sees that people are told all the same, that
// the list and the metrics say what the messages say, and that nothing is told twice.
func (p program) alarms(t *testing.T, folder, database string) {
	t.Helper()
	o := newOnCall(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }))
	t.Cleanup(app.Close)
	file := configure(t, folder, database, app.URL)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tell := func(who *onCall) {
		t.Helper()
		to := fmt.Appendf(nil, "%salarms: [{type: webhook, url: %q, secret: %q}]\n", text, who.URL+"/alarms?key=path-secret-8713", portalHook)
		if err := os.WriteFile(file, to, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tell(o)
	o.be(true)
	r := p.start(t, file)
	r.signIn(t, "mobile")
	p.steps(t, file, r.base, []step{{"revoke --user " + sally + " --reason x", exitDone, "revocation", ""}})
	// An event of a type that we know, which names nobody.
	if a := r.do(http.MethodPost, "/hooks/okta", oktaSecret, "application/json", `{"eventType": "com.okta.event_hook", "eventId": "d-1",
		"data": {"events": [{"uuid": "u-1", "published": "2026-11-23T10:00:00.000Z", "eventType": "user.lifecycle.suspend", "outcome": {"result": "SUCCESS"}, "target": 7}]}}`); a.status/100 != 2 {
		t.Fatalf("an unreadable event: got %d %s, want 2xx, since the sender cannot mend it", a.status, a.body)
	}
	wants := [][2]string{{"parked", "portal"}, {"unreadable", "okta"}}
	eventually(t, "both alarms are tried", func() bool { _, _, tried := o.of("", ""); return tried >= len(wants) })
	for _, want := range wants {
		if line := fmt.Sprintf("curfew_alarms_total{kind=%q} 1", want[0]); !strings.Contains(string(r.get("/metrics", "Bearer "+opsToken).body), line) {
			t.Errorf("/metrics has no %s\n%s", line, r.log)
		}
	}

	r.kill()
	o.be(false)
	r = p.start(t, file)
	for _, want := range wants {
		eventually(t, "people are told of "+want[0], func() bool { _, told, _ := o.of(want[0], want[1]); return told })
	}
	var listed page[struct{ ID, Kind, About, Text string }]
	if a := r.get("/v1/alarms", "Bearer "+opsToken); a.status != http.StatusOK || json.Unmarshal(a.body, &listed) != nil {
		t.Fatalf("/v1/alarms: got %d %s", a.status, a.body)
	}
	for _, want := range wants {
		m, _, _ := o.of(want[0], want[1])
		found := 0
		for _, row := range listed.Items {
			if row.ID == m.Data.ID && row.Kind == want[0] && row.About == want[1] && row.Text == m.Data.Text {
				found++
			}
		}
		if found != 1 || m.Type != "alarm.raised" || m.Data.Org != "main" || m.Data.Count != 1 || m.Data.Text == "" {
			t.Errorf("told %+v, which /v1/alarms lists %d times: %+v", m, found, listed.Items)
		}
	}
	r.stop(t)
	r = p.start(t, file)
	other := newOnCall(t)
	tell(other)
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "whoever is named by a reload is told of it", func() bool { _, told, _ := other.of("configuration", "SIGHUP"); return told })
	r.stop(t)
	if _, _, tried := o.of("", ""); tried != len(wants) || len(o.bad) > 0 {
		t.Errorf("%d messages were sent and %v refused, want %d and none: a restart tells nothing twice", tried, o.bad, len(wants))
	}
	if text := r.log.String(); strings.Contains(text, "path-secret-8713") || strings.Contains(text, portalHook) {
		t.Errorf("the log shows a secret:\n%s", text)
	}
}

func TestMailSettings(t *testing.T) {
	t.Parallel()
	const good = "mail: {smtp: mail.example.edu:587, from: curfew@example.edu, user: curfew, password: pw}\n"
	for text, want := range map[string]string{
		good + "alarms: [{type: mail, to: [soc@example.edu]}]\nnotify: {signed_out: true, new_device: true}": "",
		"alarms: [{type: mail, to: [soc@example.edu]}]":                                                      "mail.smtp",
		good + "alarms: [{type: mail}]":                                                                      "alarms[0].to",
		"notify: {signed_out: true}":                                                                         "mail.smtp",
		"notify: {new_device: true}":                                                                         "mail.smtp",
		"mail: {smtp: mail.example.edu:587, from: nobody}":                                                   "mail.from",
		"mail: {smtp: mail.example.edu:587, from: c@example.edu, password: pw}":                              "mail.user",
	} {
		_, err := loadText(t, text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "curfew.yaml:")) {
			t.Errorf("%s\ngot %v, want a mistake at %q with its file and line", text, err, want)
		}
	}
}
