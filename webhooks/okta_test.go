package webhooks_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

func oktaFixture() revoketest.SourceFixture {
	return revoketest.SourceFixture{
		Open:    func(desk revoketest.Desk) (http.Handler, error) { return open(desk, "okta", setSecrets) },
		Sign:    func(r *http.Request, _, key string) { r.Header.Set("Authorization", key) },
		Message: oktaMessage,
		News: func(id, person string) string {
			return oktaEvent(id, "user.lifecycle.suspend", oktaUser("admin"), oktaUser(person))
		},
		Unknown: func(id string) string {
			return oktaEvent(id, "user.lifecycle.cloned", oktaUser("admin"), oktaUser("sally"))
		},
		Malformed: `"this is no log event"`,
		Answer:    http.StatusNoContent,
		Samples:   "testdata/okta",
		Signals: []revoke.SignalKind{
			revoke.Deactivated, revoke.Suspended, revoke.Deleted, revoke.Reactivated, revoke.CredentialChanged, revoke.CredentialCompromised,
			revoke.RiskHigh, revoke.RiskRaised, revoke.SessionsCleared, revoke.DeviceLost, revoke.DeviceUnenrolled, revoke.Locked, revoke.Unlocked,
			revoke.AccessChanged,
		},
	}
}

// setSecrets fills the settings as cmd/curfew does, by the name of the key.
func setSecrets(own any, keys []revoke.Secret) { setKey(own, "secrets", keys) }

func setKey(own any, key string, value any) {
	settings := reflect.ValueOf(own).Elem()
	for i := range settings.NumField() {
		if settings.Type().Field(i).Tag.Get("yaml") == key {
			settings.Field(i).Set(reflect.ValueOf(value))
			return
		}
	}
	panic("no setting is called " + key)
}

func oktaMessage(items ...string) string { return oktaDelivery("dlv-1", items...) }

func oktaDelivery(id string, items ...string) string {
	return `{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","cloudEventsVersion":"0.1","contentType":"application/json","eventId":"` + id + `",` +
		`"eventTime":"2026-11-23T10:00:02.000Z","source":"https://acme.example/api/v1/eventHooks/who1","data":{"events":[` + strings.Join(items, ",") + `]}}`
}

func oktaEvent(id, eventType, actor string, targets ...string) string {
	return fmt.Sprintf(`{"uuid":%q,"published":"2026-11-23T09:59:58.512Z","eventType":%q,"version":"0","severity":"INFO","displayMessage":"Something happened",`+
		`"outcome":{"result":"SUCCESS","reason":null},"actor":%s,"target":[%s]}`, id, eventType, actor, strings.Join(targets, ","))
}

func oktaUser(name string) string {
	return fmt.Sprintf(`{"id":"00u%s","type":"User","alternateId":"%s@example.edu","displayName":"x"}`, name, name)
}

// hook is one Okta hook with its source.
type hook struct {
	*testing.T
	handler http.Handler
	inbox   *revoketest.Inbox
	refused *revoketest.Refusals
}

func newHook(t *testing.T, header string) *hook {
	t.Helper()
	h := &hook{T: t, inbox: revoketest.NewInbox(), refused: &revoketest.Refusals{}}
	desk := revoketest.Desk{
		Sources: map[string][]string{"okta": {revoketest.SampleKey}}, Inbox: h.inbox, Observer: h.refused, Log: slog.New(slog.DiscardHandler),
	}
	var err error
	h.handler, err = open(desk, "okta", func(own any, keys []revoke.Secret) {
		setSecrets(own, keys)
		if header != "" {
			setKey(own, "header", header)
		}
	})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return h
}

func (h *hook) send(method, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/hooks/okta", strings.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

func (h *hook) post(items ...string) *httptest.ResponseRecorder {
	h.Helper()
	w := h.send(http.MethodPost, oktaMessage(items...), http.Header{"Authorization": {revoketest.SampleKey}})
	if w.Code != http.StatusNoContent {
		h.Fatalf("got %d %s, want 204", w.Code, w.Body)
	}
	return w
}

// Case 5.
func TestOktaTakesOneCredential(t *testing.T) {
	t.Parallel()
	for what, values := range map[string][]string{
		"twice the right one": {revoketest.SampleKey, revoketest.SampleKey}, "a wrong one first": {"wrong", revoketest.SampleKey},
		"a list": {revoketest.SampleKey + ", " + revoketest.SampleKey}, "with a scheme": {"Bearer " + revoketest.SampleKey},
	} {
		h := newHook(t, "")
		w := h.send(http.MethodPost, oktaMessage(oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally"))), http.Header{"Authorization": values})
		if w.Code != http.StatusUnauthorized || len(h.inbox.Events()) != 0 {
			t.Errorf("%s: got %d and %d events, want 401 and none", what, w.Code, len(h.inbox.Events()))
		}
	}
}

func TestOktaHeaderOfTheOperatorsChoice(t *testing.T) {
	t.Parallel()
	h := newHook(t, "x-curfew-secret")
	body := oktaMessage(oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally")))
	if w := h.send(http.MethodPost, body, http.Header{"Authorization": {revoketest.SampleKey}}); w.Code != http.StatusUnauthorized {
		t.Errorf("in another header: got %d, want 401", w.Code)
	}
	if w := h.send(http.MethodPost, body, http.Header{"X-Curfew-Secret": {revoketest.SampleKey}, "Authorization": {"of the proxy"}}); w.Code != http.StatusNoContent {
		t.Errorf("in the header that was chosen: got %d, want 204", w.Code)
	}
	challenge := http.Header{"X-Okta-Verification-Challenge": {"abc"}, "Authorization": {"of the proxy"}}
	if w := h.send(http.MethodGet, "", challenge); w.Code != http.StatusOK {
		t.Errorf("a challenge with another header of that name: got %d, want 200", w.Code)
	}
	for _, name := range []string{"X Secret", "X-Sécret", "Secret:", "host", "content-length"} {
		_, err := open(revoketest.Desk{Sources: map[string][]string{"okta": {revoketest.SampleKey}}, Inbox: h.inbox, Log: slog.New(slog.DiscardHandler)}, "okta",
			func(own any, keys []revoke.Secret) { setSecrets(own, keys); setKey(own, "header", name) })
		if err == nil || !strings.Contains(err.Error(), "sources.okta.header") {
			t.Errorf("header %q: got %v, want an error at sources.okta.header", name, err)
		}
	}
}

// Case 29.
func TestOktaHandshakeEchoesWhateverTheChallengeHolds(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{`plain`, `"quoted" \ back`, `</script><script>alert(1)</script>`, "tab\there", "caf\u00e9 \u2028", "line\r\nX-Injected: yes"} {
		h := newHook(t, "")
		w := h.send(http.MethodGet, "", http.Header{"X-Okta-Verification-Challenge": {challenge}})
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("challenge %q: got %d %s, want 200 and JSON", challenge, w.Code, w.Body)
		}
		if diff := cmp.Diff(map[string]string{"verification": challenge}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if strings.ContainsAny(w.Body.String(), "<>") || w.Header().Get("Content-Type") != "application/json" ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("X-Injected") != "" {
			t.Errorf("challenge %q: a browser could take %v %s for a page", challenge, w.Header(), w.Body)
		}
		if len(h.inbox.Events()) != 0 {
			t.Error("a handshake was kept as an event")
		}
	}
	for what, values := range map[string][]string{"two": {"a", "b"}, "empty": {""}, "long": {strings.Repeat("a", 2000)}, "no text": {"\xff"}} {
		if w := newHook(t, "").send(http.MethodGet, "", http.Header{"X-Okta-Verification-Challenge": values}); w.Code != http.StatusBadRequest {
			t.Errorf("a challenge that is %s: got %d, want 400", what, w.Code)
		}
	}
	challenge := http.Header{"X-Okta-Verification-Challenge": {"abc"}}
	for method, want := range map[string]int{http.MethodPost: http.StatusUnauthorized, http.MethodOptions: http.StatusMethodNotAllowed, http.MethodHead: http.StatusMethodNotAllowed} {
		if w := newHook(t, "").send(method, "", challenge); w.Code != want {
			t.Errorf("a challenge by %s: got %d, want %d", method, w.Code, want)
		}
	}
}

// Case 17: Okta's retry is another delivery of the same event.
func TestOktaRetryIsTheSameEvent(t *testing.T) {
	t.Parallel()
	h := newHook(t, "")
	event := oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally"))
	credential := http.Header{"Authorization": {revoketest.SampleKey}}
	for _, body := range []string{oktaDelivery("dlv-1", event), oktaDelivery("dlv-2", event), oktaDelivery("dlv-3", event, event)} {
		if w := h.send(http.MethodPost, body, credential); w.Code != http.StatusNoContent || len(h.inbox.Events()) != 1 {
			t.Errorf("got %d and %d events, want 204 and one", w.Code, len(h.inbox.Events()))
		}
	}
}

// DESIGN section 3, Once: without an id an event is known by the digest of source, item and time, however the item is spelled.
func TestOktaEventWithoutIDIsKnownByItsDigest(t *testing.T) {
	t.Parallel()
	h := newHook(t, "")
	h.post(`{"eventType":"user.lifecycle.create","published":"2026-11-23T09:59:58.512Z","severity":"INFO"}`)
	h.post(`{ "severity":"INFO", "published":"2026-11-23T09:59:58.512Z", "eventType":"user.lifecycle.create" }`)
	if n := len(h.inbox.Events()); n != 1 {
		t.Errorf("two spellings of one event were kept %d times", n)
	}
	h.post(`{"eventType":"user.lifecycle.create","published":"2026-11-23T09:59:59.512Z","severity":"INFO"}`)
	if n := len(h.inbox.Events()); n != 2 {
		t.Errorf("an event of another time was taken for a duplicate: %d events", n)
	}
	for range 2 {
		h.post(`{"eventType":"user.lifecycle.create","severity":"INFO"}`)
	}
	if n := len(h.inbox.Events()); n != 4 {
		t.Errorf("what has neither id nor time was taken for a duplicate: %d events, want 4", n)
	}
}

// Case 27: nothing that an administrator does is about the administrator.
func TestOktaNeverActsOnTheAdministrator(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{
		"user.lifecycle.deactivate", "user.lifecycle.suspend", "user.lifecycle.delete.initiated", "user.lifecycle.unsuspend", "user.account.unlock_by_admin",
		"user.account.reset_password", "user.session.clear", "user.authentication.universal_logout", "user.mfa.factor.reset_all", "user.mfa.factor.deactivate",
		"user.risk.detect", "device.lifecycle.suspend", "device.user.remove", "group.user_membership.remove", "application.user_membership.remove",
	} {
		h := newHook(t, "")
		h.post(oktaEvent("ev-1", eventType, oktaUser("admin")),
			oktaEvent("ev-2", eventType, oktaUser("admin"), `{"id":"0ua1","type":"AppUser","alternateId":"admin@example.edu"}`, `{"id":"guo1","type":"Device"}`),
			strings.Replace(oktaEvent("ev-3", eventType, oktaUser("admin")), `"target":[]`, `"target":null`, 1))
		for _, e := range h.inbox.Events() {
			for _, s := range e.Signals {
				if len(s.Subject) > 0 {
					t.Errorf("%s, %s: got a signal about %v", eventType, e.SenderID, s.Subject)
				}
			}
		}
	}
}

func TestOktaKeepsTheEventAndNothingElse(t *testing.T) {
	t.Parallel()
	h := newHook(t, "")
	h.post(`{"uuid":"ev-1", "eventType":"user.lifecycle.create", "n":1.50, "published":"2026-11-23T09:59:58.512Z"}`)
	want := `{"eventType":"user.lifecycle.create","n":1.50,"published":"2026-11-23T09:59:58.512Z","uuid":"ev-1"}`
	if got := string(h.inbox.Events()[0].Body); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

// Case 42: what waits for a person is answered like anything else and named in a header.
func TestOktaHeldEventIsNamedInTheAnswer(t *testing.T) {
	t.Parallel()
	h := newHook(t, "")
	w := h.post(oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally"), oktaUser("tom")))
	if held := h.inbox.Events()[0]; held.State != revoke.EventHeld || w.Header().Get("Curfew-Held") != held.ID.String() {
		t.Errorf("got state %q and Curfew-Held %q, want held and %s", held.State, w.Header().Get("Curfew-Held"), held.ID)
	}
	if again := h.post(oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally"), oktaUser("tom"))); again.Header().Get("Curfew-Held") != w.Header().Get("Curfew-Held") {
		t.Errorf("the duplicate is answered Curfew-Held %q, the first %q", again.Header().Get("Curfew-Held"), w.Header().Get("Curfew-Held"))
	}
}

func TestOktaRiskLevels(t *testing.T) {
	t.Parallel()
	for debug, want := range map[string]revoke.SignalKind{
		`{"Risk":"{level=HIGH}"}`: revoke.RiskHigh, `{"Risk":"{previousLevel=LOW, level=HIGH}"}`: revoke.RiskHigh, `{"risk":"{reasons=x, level=high}"}`: revoke.RiskHigh,
		`{"Risk":{"level":"HIGH"}}`: revoke.RiskHigh, `{"Risk":"{\"level\" : \"HIGH\"}"}`: revoke.RiskHigh, `{"Risk":"HIGH"}`: revoke.RiskHigh, `{"RiskLevel":"High"}`: revoke.RiskHigh,
		`{"Risk":"{level=LOW, previousLevel=HIGH}"}`: revoke.RiskRaised, `{"Risk":"{previousLevel=HIGH}"}`: revoke.RiskRaised, `{"Risk":"{level=MEDIUM}"}`: revoke.RiskRaised,
		`{"previousLevel":"HIGH"}`: revoke.RiskRaised, `{"Risk":"{detectionName=level HIGH}"}`: revoke.RiskRaised, `{}`: revoke.RiskRaised, `null`: revoke.RiskRaised, `"x"`: revoke.RiskRaised,
	} {
		h := newHook(t, "")
		h.post(strings.TrimSuffix(oktaEvent("ev-1", "user.risk.detect", `null`, oktaUser("sally")), "}") + `,"debugContext":{"debugData":` + debug + `}}`)
		if signals := h.inbox.Events()[0].Signals; len(signals) != 1 || signals[0].Kind != want {
			t.Errorf("debugData %s: got %v, want one %s", debug, signals, want)
		}
	}
}

// An odd member must not lose what the others say.
func TestOktaOddMembersLoseNothing(t *testing.T) {
	t.Parallel()
	good := oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally"))
	for _, change := range [][2]string{
		{`"uuid":"ev-1"`, `"uuid":{"a":1}`},
		{`"published":"2026-11-23T09:59:58.512Z"`, `"published":1795427998`},
		{`"displayMessage":"Something happened"`, `"displayMessage":[1]`},
		{`"actor":` + oktaUser("admin"), `"actor":"me"`},
		{`"reason":null`, `"reason":{"deep":[1]}`},
		{`"target":[`, `"target":[1,null,"x",[],`},
		{`"displayName":"x"`, `"displayName":7`},
		{`"version":"0"`, `"version":0,"debugContext":"none"`},
		{`"SUCCESS"`, `"success"`},
	} {
		h := newHook(t, "")
		odd := strings.ReplaceAll(good, change[0], change[1])
		if odd == good {
			t.Fatalf("%s is not in the event", change[0])
		}
		h.post(odd)
		e := h.inbox.Events()[0]
		if len(e.Signals) != 1 || len(e.Signals[0].Subject) != 3 || e.Signals[0].Kind != revoke.Suspended {
			t.Errorf("with %s: got %q %v, want sally suspended", change[1], e.Note, e.Signals)
		}
	}
}
