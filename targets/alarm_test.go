package targets_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/targets"
)

// watch is a system that people on call look at: it checks each message with the standard's own library, opens one ticket
// for each webhook-id, and can be sick in the ways of real ones.
type watch struct {
	t       *testing.T
	secret  string // empty: it verifies nothing
	mu      sync.Mutex
	sick    http.HandlerFunc // nil: it is well
	tickets map[string]string
	came    []http.Header
}

func newWatch(t *testing.T, secret string) *watch {
	t.Helper()
	return &watch{t: t, secret: secret, tickets: map[string]string{}}
}

// ServeHTTP obeys [http.Handler].
func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came = append(w.came, r.Header)
	if w.sick != nil {
		w.sick(rw, r)
		return
	}
	id := r.Header.Get("Webhook-Id")
	switch before, known := w.tickets[id]; {
	case err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.URL.Path != "/alarms":
		rw.WriteHeader(http.StatusBadRequest)
		return
	case !w.verified(body, r.Header):
		rw.WriteHeader(http.StatusUnauthorized)
		return
	case known && before != string(body):
		w.t.Errorf("two bodies under webhook-id %s: %s", id, cmp.Diff(before, string(body)))
	case strings.Contains(id, "."):
		w.t.Errorf("webhook-id %s holds a point, which joins it with what is signed", id)
	}
	w.tickets[id] = string(body)
	rw.WriteHeader(http.StatusNoContent)
}

func (w *watch) verified(body []byte, h http.Header) bool {
	if w.secret == "" {
		return true
	}
	hook, err := standardwebhooks.NewWebhook(w.secret)
	if err != nil {
		panic(err)
	}
	return hook.VerifyIgnoringTimestamp(body, h) == nil
}

// saw returns the tickets, and the headers of every request.
func (w *watch) saw() (map[string]string, []http.Header) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.tickets), slices.Clone(w.came)
}

func (w *watch) be(sick http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick = sick
}

// alarms returns a receiver of alarms at url that signs with secret, and the clock that it reads.
func alarms(t *testing.T, url, secret string) (*targets.AlarmWebhook, *revoketest.Clock) {
	t.Helper()
	clock := revoketest.NewClock(0)
	w, err := targets.NewAlarmWebhook(targets.AlarmSettings{URL: url, Secret: revoke.NewSecret(secret)}, targets.Deps{
		Name: "alarms[0]", Clients: outbound.NewMaker(outbound.Config{Version: "1.2.3", Patience: time.Second}), Clock: clock, Machine: clock,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return w, clock
}

func parkedAlarm() revoke.Alarm {
	a := revoke.NewAlarm(revoke.AlarmKey{Org: "main", Kind: revoke.AlarmParked, About: "portal"},
		`2 deliveries wait for a person: "422" <look> & act`, madeAt)
	a.ID = revoke.NameID("an alarm")
	return a
}

// TestAlarmIsSentSigned: the message is the documented one, the standard's own library takes it, a retry is the same message
// and a new count another.
func TestAlarmIsSentSigned(t *testing.T) {
	t.Parallel()
	w := newWatch(t, appSecret)
	receiver, clock := alarms(t, serve(t, w)+"/alarms", appSecret)
	a := parkedAlarm()
	for range 2 {
		if err := receiver.Tell(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Hour)
	}
	again := a
	again.Count, again.LastAt = 2, madeAt+90_000_000
	if err := receiver.Tell(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	id := a.ID.String()
	want := map[string]string{
		id + ":1": `{"type":"alarm.raised","timestamp":"2026-11-23T10:00:00Z","data":{"id":"` + id + `","kind":"parked","about":"portal","org":"main",` +
			`"text":"2 deliveries wait for a person: \"422\" \u003clook\u003e \u0026 act","raised_at":"2026-11-23T10:00:00Z","last_at":"2026-11-23T10:00:00Z","count":1}}`,
		id + ":2": `{"type":"alarm.raised","timestamp":"2026-11-23T10:01:30Z","data":{"id":"` + id + `","kind":"parked","about":"portal","org":"main",` +
			`"text":"2 deliveries wait for a person: \"422\" \u003clook\u003e \u0026 act","raised_at":"2026-11-23T10:00:00Z","last_at":"2026-11-23T10:01:30Z","count":2}}`,
	}
	tickets, came := w.saw()
	if diff := cmp.Diff(want, tickets); diff != "" {
		t.Errorf("tickets (-want +got):\n%s", diff)
	}
	if first, second := came[0].Get("Webhook-Timestamp"), came[1].Get("Webhook-Timestamp"); first != "1795428000" || second != "1795431600" {
		t.Errorf("webhook-timestamp %s, then %s, want the time of each attempt", first, second)
	}
	if got := came[0].Get("User-Agent"); got != "Curfew/1.2.3" {
		t.Errorf("User-Agent %q", got)
	}
}

func TestAlarmOfAnotherSecretIsRefused(t *testing.T) {
	t.Parallel()
	w := newWatch(t, newSecret)
	receiver, _ := alarms(t, serve(t, w)+"/alarms", appSecret)
	err := receiver.Tell(t.Context(), parkedAlarm())
	tickets, came := w.saw()
	if _, refused := errors.AsType[revoke.RefusedCredential](err); !refused || len(came) != 1 || len(tickets) > 0 {
		t.Errorf("error %v, %d requests, %d tickets, want a refused credential, one and none", err, len(came), len(tickets))
	}
	if want := "credential refused: receiver of alarms alarms[0] answered 401, it refused our credential: save the one that it expects in its settings"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestAlarmWithoutSecretIsNotSigned: a chat system has its secret in the address, and must not be shown a signature that
// proves nothing.
func TestAlarmWithoutSecretIsNotSigned(t *testing.T) {
	t.Parallel()
	w := newWatch(t, "")
	receiver, _ := alarms(t, serve(t, w)+"/alarms?key=path-secret-8713", "")
	if err := receiver.Tell(t.Context(), parkedAlarm()); err != nil {
		t.Fatal(err)
	}
	tickets, came := w.saw()
	if signature, ok := came[0]["Webhook-Signature"]; ok || len(tickets) != 1 {
		t.Errorf("signature %q, %d tickets, want none and one", signature, len(tickets))
	}
}

// TestSickReceiverOfAlarmsIsToldAgain: whatever it does, no error shows a secret, the redirect is not followed, and once it
// is well the same message opens the one ticket.
func TestSickReceiverOfAlarmsIsToldAgain(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				rw.Header().Set(header[i], header[i+1])
			}
			rw.WriteHeader(code)
		}
	}
	for name, c := range map[string]struct {
		sick  http.HandlerFunc
		takes bool   // a yes all the same
		says  string // in the error
		wait  time.Duration
	}{
		"a fault of its own": {sick: status(500), says: "answered 500, it has a fault of its own"},
		"overloaded":         {sick: status(503, "Retry-After", "40"), says: "answered 503", wait: 40 * time.Second},
		"throttled":          {sick: status(429, "Retry-After", "7"), says: "asks us to come back later", wait: 7 * time.Second},
		"gone":               {sick: status(410), says: "answered 410, it has nothing at this address"},
		"unknown there":      {sick: status(404), says: "answered 404"},
		"not taken":          {sick: status(422), says: "answered 422"},
		"moved":              {sick: status(307, "Location", "/elsewhere"), says: "redirects us, which we never follow"},
		"silent":             {sick: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, says: "did not answer in time"},
		"breaks off":         {sick: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, says: "receiver of alarms alarms[0] "},
		"a page for people": {
			sick: func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "<!doctype html><p>Sign in") }, says: "with a web page",
		},
		"a yes that never ends": {takes: true, sick: func(rw http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := rw.Write(bytes.Repeat([]byte("ok "), 10_000)); err != nil {
					return
				}
			}
		}},
		"a refusal that never ends": {says: "answered 500", sick: func(rw http.ResponseWriter, r *http.Request) {
			rw.WriteHeader(http.StatusInternalServerError)
			for r.Context().Err() == nil {
				if _, err := rw.Write(bytes.Repeat([]byte("no "), 10_000)); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatch(t, appSecret)
			receiver, clock := alarms(t, serve(t, w)+"/alarms?key=path-secret-8713", appSecret)
			w.be(c.sick)
			err := receiver.Tell(t.Context(), parkedAlarm())
			if c.takes {
				if err != nil {
					t.Errorf("error %v, want none", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || revoke.AskedToWait(err) != c.wait {
				t.Errorf("error %v that asks to wait %v, want one with %q that asks %v", err, revoke.AskedToWait(err), c.says, c.wait)
			}
			for _, secret := range []string{appSecret, appKey, "path-secret-8713"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %s: %v", secret, err)
				}
			}
			w.be(nil)
			clock.Advance(time.Minute)
			err = receiver.Tell(t.Context(), parkedAlarm())
			if tickets, came := w.saw(); err != nil || len(tickets) != 1 || len(came) != 2 {
				t.Errorf("once it is well: %v, %d tickets after %d requests, want one after two", err, len(tickets), len(came))
			}
		})
	}
}

func TestAlarmSettingsAreJudgedAllAtOnce(t *testing.T) {
	t.Parallel()
	deps := targets.Deps{Clients: outbound.NewMaker(outbound.Config{}), Clock: &revoke.ProcessClock{}}
	for name, c := range map[string]struct {
		settings targets.AlarmSettings
		want     []string
	}{
		"right":          {targets.AlarmSettings{URL: "https://chat.example.edu/x", Secret: revoke.NewSecret(appSecret)}, nil},
		"unsigned":       {targets.AlarmSettings{URL: "https://chat.example.edu/x"}, nil},
		"nothing":        {targets.AlarmSettings{}, []string{"url"}},
		"two mistakes":   {targets.AlarmSettings{URL: "ftp://x", Secret: revoke.NewSecret("whsec_short")}, []string{"url", "secret"}},
		"plain http":     {targets.AlarmSettings{URL: "http://chat.example.edu/x"}, []string{"url"}},
		"meant so":       {targets.AlarmSettings{URL: "http://chat.example.edu/x", Insecure: true}, nil},
		"this machine's": {targets.AlarmSettings{URL: "http://127.0.0.1:9000/x"}, nil},
	} {
		_, err := targets.NewAlarmWebhook(c.settings, deps)
		if diff := cmp.Diff(c.want, fieldsOf(err)); diff != "" {
			t.Errorf("%s: wrong fields (-want +got):\n%s(%v)", name, diff, err)
		}
	}
	if _, err := targets.NewAlarmWebhook(targets.AlarmSettings{URL: "https://chat.example.edu/x"}, targets.Deps{}); err == nil {
		t.Error("a receiver without a client and a clock was made")
	}
}
