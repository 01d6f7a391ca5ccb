package targets_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/targets"
)

const (
	appSecret = "whsec_Y3VyZmV3LXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk"
	newSecret = "whsec_bmV3LWN1cmZldy10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5"
	appKey    = "curfew-test-secret-0123456789abcd"
)

func webhookFixture() revoketest.TargetFixture {
	return revoketest.TargetFixture{
		System: func(t *testing.T) revoketest.System {
			t.Helper()
			return newApplication(t, appSecret)
		},
		Target: func(t *testing.T, url string, log *slog.Logger) revoke.Target {
			t.Helper()
			return open(t, settings(url+"/logout?key=path-secret-8713"), targets.Deps{Log: log})
		},
		Secrets: []string{appSecret, strings.TrimPrefix(appSecret, "whsec_"), appKey, "path-secret-8713"},
		Fate: func(status int) revoketest.Fate {
			switch status {
			case 401, 403:
				return revoketest.FateWaits
			case 413, 414, 415, 422, 431:
				return revoketest.FateParked
			}
			if status < 400 {
				return revoketest.FateParked
			}
			return revoketest.FateRetried
		},
		Page: [2]revoketest.Fate{revoketest.FateRetried, revoketest.FateParked},
	}
}

func settings(url string, secrets ...string) targets.WebhookSettings {
	s := targets.WebhookSettings{Common: targets.Common{Type: "webhook", URL: url}}
	if len(secrets) == 0 {
		s.Secret = revoke.NewSecret(appSecret)
	}
	for _, secret := range secrets {
		s.Secrets = append(s.Secrets, revoke.NewSecret(secret))
	}
	return s
}

// tryOpen opens a webhook target named portal; what deps leaves out is real.
func tryOpen(t *testing.T, s targets.Settings, deps targets.Deps) (revoke.Target, error) {
	t.Helper()
	typ, ok := targets.Lookup("webhook")
	if !ok {
		t.Fatal("no type webhook")
	}
	if deps.Name == "" {
		deps.Name = "portal"
	}
	if deps.Clients == nil {
		deps.Clients = outbound.NewMaker(outbound.Config{Version: "1.2.3"})
	}
	if deps.Clock == nil {
		deps.Clock = &revoke.ProcessClock{}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return typ.Open(s, deps)
}

func open(t *testing.T, s targets.Settings, deps targets.Deps) revoke.Target {
	t.Helper()
	target, err := tryOpen(t, s, deps)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return target
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

const madeAt = revoketest.Start

// owed is what is owed about Sally, each item a microsecond after the one before.
func owed(items ...revoke.OwedItem) revoke.Owed {
	o := revoke.Owed{Target: "portal", Org: "main", User: revoke.NameID("sally"), Items: items}
	o.Identifiers.Add(revoke.NamespaceUserName, "Sally")
	o.Identifiers.Add("okta", "00uSALLY")
	o.Identifiers.Add(revoke.NamespaceEmail, "Sally@Example.edu")
	for i := range items {
		r := &items[i].Revocation
		r.ID, r.Org, r.CreatedAt = revoke.NameID("revocation", string(rune('a'+i))), "main", madeAt+revoke.Instant(i)
		items[i].Delivery = revoke.Delivery{Revocation: r.ID, Target: "portal", Org: "main", User: o.User}
	}
	return o
}

func blocked() revoke.OwedItem {
	return revoke.OwedItem{Revocation: revoke.Revocation{
		Kind: revoke.RevocationBlock, Signal: revoke.Suspended, Scope: revoke.Scope{Kind: revoke.ScopeUser}, At: madeAt - 1_000_000, Blocked: true, Reason: "bullying",
	}}
}

func lifted() revoke.OwedItem {
	return revoke.OwedItem{Revocation: revoke.Revocation{
		Kind: revoke.RevocationLift, Signal: revoke.Reactivated, Scope: revoke.Scope{Kind: revoke.ScopeUser}, At: madeAt,
	}}
}

func ended(scope revoke.Scope) revoke.OwedItem {
	return revoke.OwedItem{Revocation: revoke.Revocation{
		Kind: revoke.RevocationEnd, Signal: revoke.SessionsCleared, Scope: scope, At: madeAt,
	}}
}

func TestMessageIsTheOneOfTheContract(t *testing.T) {
	t.Parallel()
	const person = `"subject":{"format":"email","email":"sally@example.edu"},"identifiers":[{"namespace":"user_name","value":"sally"},{"namespace":"okta","value":"00uSALLY"},{"namespace":"email","value":"sally@example.edu"}]`
	session := ended(revoke.Scope{Kind: revoke.ScopeSession, Key: "portal\ns-17"})
	session.Session = "s-17"
	device := ended(revoke.Scope{Kind: revoke.ScopeUserDevice})
	device.Device = "ipad-4"
	nobody := func(item revoke.OwedItem) revoke.Owed {
		o := owed(item)
		o.User, o.Identifiers = revoke.ID{}, nil
		return o
	}
	for name, c := range map[string]struct {
		owed revoke.Owed
		want string
	}{
		"block": {owed(blocked()), `{"type":"user.blocked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"user",` + person +
			`,"device":null,"session":null,"kind":null,"app":null,"cutoff":"2026-11-23T09:59:59Z","blocked":true,"reason":"bullying","signal":"suspended"}}`},
		"lift": {owed(lifted()), `{"type":"user.lifted","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"user",` + person +
			`,"device":null,"session":null,"kind":null,"app":null,"cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"reactivated"}}`},
		"one session": {owed(session), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"session",` + person +
			`,"device":null,"session":"s-17","kind":null,"app":"portal","cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
		"her device": {owed(device), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"device",` + person +
			`,"device":"ipad-4","session":null,"kind":null,"app":null,"cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
		"her mobile sessions": {owed(ended(revoke.Scope{Kind: revoke.ScopeUserKind, Key: "mobile"})), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"user",` + person +
			`,"device":null,"session":null,"kind":"mobile","app":null,"cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
		"her sessions of an app": {owed(ended(revoke.Scope{Kind: revoke.ScopeUserApp, Key: "portal"})), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"user",` + person +
			`,"device":null,"session":null,"kind":null,"app":"portal","cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
		"everyone": {nobody(ended(revoke.Scope{Kind: revoke.ScopeEveryone})), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"everyone","subject":null,"identifiers":[]` +
			`,"device":null,"session":null,"kind":null,"app":null,"cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
		"a kind": {nobody(ended(revoke.Scope{Kind: revoke.ScopeKindOf, Key: "mobile"})), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"kind","subject":null,"identifiers":[]` +
			`,"device":null,"session":null,"kind":"mobile","app":null,"cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
		"an app": {nobody(ended(revoke.Scope{Kind: revoke.ScopeApp, Key: "portal"})), `{"type":"session.revoked","timestamp":"2026-11-23T10:00:00Z","data":{"revocation":"ID","org":"main","scope":"app","subject":null,"identifiers":[]` +
			`,"device":null,"session":null,"kind":null,"app":"portal","cutoff":"2026-11-23T10:00:00Z","blocked":false,"reason":null,"signal":"sessions-cleared"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newApplication(t, appSecret)
			if _, err := open(t, settings(serve(t, app)), targets.Deps{}).Revoke(t.Context(), c.owed); err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(c.want, `"ID"`, `"`+c.owed.Items[0].Revocation.ID.String()+`"`, 1)
			if diff := cmp.Diff(want, string(app.came()[0].body)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPersonIsNamedByWhatAnApplicationKnowsBest(t *testing.T) {
	t.Parallel()
	all := [][2]string{
		{revoke.NamespaceEmail, "sally@example.edu"},
		{revoke.NamespaceIssuer, "https://id.example.edu 1042"},
		{revoke.NamespaceAccount, "sally@example.edu"},
		{revoke.NamespacePhone, "+4420 5550"},
		{revoke.NamespaceUserName, "sally"},
		{revoke.NamespaceExternalID, "e-1"},
		{"okta", "00uSALLY"},
		{"scim:okta-scim", "0b2c"},
	}
	wants := []string{
		`{"format":"email","email":"sally@example.edu"}`,
		`{"format":"iss_sub","iss":"https://id.example.edu","sub":"1042"}`,
		`{"format":"account","uri":"acct:sally@example.edu"}`,
		`{"format":"phone_number","phone_number":"+44205550"}`,
		`{"format":"opaque","id":"sally"}`,
		`{"format":"opaque","id":"e-1"}`,
		`{"format":"opaque","id":"00uSALLY"}`,
		`{"format":"opaque","id":"` + revoke.NameID("sally").String() + `"}`,
	}
	app := newApplication(t, appSecret)
	target := open(t, settings(serve(t, app)), targets.Deps{})
	for i, want := range wants {
		o := owed(ended(revoke.Scope{Kind: revoke.ScopeUser}))
		o.Identifiers = nil
		o.Items[0].Delivery.Revocation = revoke.NameID(want)
		for _, id := range all[i:] {
			o.Identifiers.Add(id[0], id[1])
		}
		if _, err := target.Revoke(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		var m struct {
			Data struct{ Subject json.RawMessage }
		}
		if err := json.Unmarshal(app.came()[i].body, &m); err != nil {
			t.Fatal(err)
		}
		if got := string(m.Data.Subject); got != want {
			t.Errorf("with %v: subject %s, want %s", o.Identifiers, got, want)
		}
	}
}

func TestRetryCarriesTheSameIDAndANewTime(t *testing.T) {
	t.Parallel()
	app := newApplication(t, appSecret)
	app.anyTime = true
	clock := revoketest.NewClock(0)
	target := open(t, settings(serve(t, app)), targets.Deps{Clock: clock, Machine: clock})
	o := owed(blocked())
	for range 2 {
		if _, err := target.Revoke(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Hour)
	}
	first, second := app.came()[0], app.came()[1]
	if want := o.Items[0].Delivery.Name(); first.id != want || second.id != want {
		t.Errorf("webhook-id %q, then %q, want %q", first.id, second.id, want)
	}
	if first.timestamp != "1795428000" || second.timestamp != "1795431600" {
		t.Errorf("webhook-timestamp %s, then %s, want the time of each attempt", first.timestamp, second.timestamp)
	}
	if !cmp.Equal(first.body, second.body) {
		t.Errorf("the body of a retry differs: %s, then %s", first.body, second.body)
	}
}

// TestLiftNeverOvertakesItsBlock: what fails first stops what follows, or a lift would be undone by the block's retry.
func TestLiftNeverOvertakesItsBlock(t *testing.T) {
	t.Parallel()
	app := newApplication(t, appSecret)
	sick := true
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sick {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		app.ServeHTTP(w, r)
	}))
	target := open(t, settings(url), targets.Deps{})
	o := owed(blocked(), lifted())
	if _, err := target.Revoke(t.Context(), o); err == nil || len(app.came()) > 0 {
		t.Fatalf("error %v, %d messages taken by a system that takes none", err, len(app.came()))
	}
	sick = false
	if _, err := target.Revoke(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, m := range app.came() {
		var in told
		_ = json.Unmarshal(m.body, &in)
		types = append(types, in.Type)
	}
	if diff := cmp.Diff([]string{"user.blocked", "user.lifted"}, types); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if _, ok := app.SignIn("sally@example.edu", revoke.Mobile, "phone", madeAt+1); !ok {
		t.Error("she is still blocked after the lift")
	}
}

// TestRepeatedMessageEndsNoNewerSession: an application that acts once on each id, or heeds the cutoff, loses nothing.
func TestRepeatedMessageEndsNoNewerSession(t *testing.T) {
	t.Parallel()
	app := newApplication(t, appSecret)
	target := open(t, settings(serve(t, app)), targets.Deps{})
	old, _ := app.SignIn("sally@example.edu", revoke.Mobile, "phone", madeAt)
	o := owed(ended(revoke.Scope{Kind: revoke.ScopeUser}))
	for i := range 3 {
		if _, err := target.Revoke(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		newer, _ := app.SignIn("sally@example.edu", revoke.Mobile, "phone", madeAt+revoke.Instant(i)+1)
		defer func() {
			if !app.Live(newer) {
				t.Errorf("session %s, born after the cutoff, is over", newer)
			}
		}()
	}
	if app.Live(old) {
		t.Error("the session born at the cutoff lives")
	}
}

func TestBothSecretsOfARotationSign(t *testing.T) {
	t.Parallel()
	for _, knows := range []string{appSecret, newSecret} {
		app := newApplication(t, knows)
		session, _ := app.SignIn("sally@example.edu", revoke.Mobile, "phone", madeAt)
		target := open(t, settings(serve(t, app), appSecret, newSecret), targets.Deps{})
		if _, err := target.Revoke(t.Context(), owed(blocked(), lifted())); err != nil {
			t.Fatal(err)
		}
		if app.Live(session) {
			t.Errorf("the session lives at the application that knows %s only", knows)
		}
	}
}

func TestWrongSecretIsARefusedCredential(t *testing.T) {
	t.Parallel()
	app := newApplication(t, newSecret)
	session, _ := app.SignIn("sally@example.edu", revoke.Mobile, "phone", madeAt)
	_, err := open(t, settings(serve(t, app)), targets.Deps{}).Revoke(t.Context(), owed(blocked()))
	if _, refused := errors.AsType[revoke.RefusedCredential](err); !refused {
		t.Errorf("error %v, want a refused credential", err)
	}
	if !app.Live(session) {
		t.Error("a message with a wrong signature ended a session: the fake does not verify")
	}
	if want := "credential refused: target portal answered 401, it refused our credential"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want one that begins %q", err, want)
	}
}

// TestLyingApplicationIsNeverConfirmed: its yes cannot be read back, and the receipt and coverage say no more than that.
func TestLyingApplicationIsNeverConfirmed(t *testing.T) {
	t.Parallel()
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html") // as many frameworks call everything
		w.Header().Set("X-Request-Id", "req-7")
		_, _ = io.WriteString(w, "ok")
	}))
	target := open(t, settings(url), targets.Deps{})
	receipt, err := target.Revoke(t.Context(), owed(blocked()))
	if err != nil || receipt.Evidence != revoke.Accepted || receipt.Status != 200 || receipt.RequestID != "req-7" {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	if target.Covers().Verify {
		t.Error("coverage claims that a webhook can be read back")
	}
}

// TestCheckSendsNothing: a message would be an order.
func TestCheckSendsNothing(t *testing.T) {
	t.Parallel()
	called := make(chan struct{}, 1)
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} })
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())

	s := settings(server.URL)
	if err := open(t, s, targets.Deps{Clients: outbound.NewMaker(outbound.Config{Roots: trusted})}).Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	err := open(t, s, targets.Deps{}).Check(t.Context())
	if want := "target portal has a certificate that nobody we trust vouches for"; err == nil || err.Error() != want {
		t.Errorf("check of a server that nobody vouches for: %v, want %q", err, want)
	}
	server.Close()
	if len(called) > 0 {
		t.Error("check sent a request")
	}
}

// TestStalledTLSEndsByTheDeadline (F13): a server that takes the connection and says nothing.
func TestStalledTLSEndsByTheDeadline(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	target := open(t, settings("https://"+listener.Addr().String()), targets.Deps{})
	for name, call := range map[string]func(context.Context) error{
		"revoke": func(ctx context.Context) error { _, err := target.Revoke(ctx, owed(blocked())); return err },
		"check":  target.Check,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := call(ctx); err == nil || err.Error() != "target portal did not answer in time" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
