package targets_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/targets"
)

// TestSignalEndsSessionsAtTheApplication follows one person from the source's signal to what is left alive in the
// application: through the service, the queue, the dispatcher, the wire and the application's own reading of the message.
func TestSignalEndsSessionsAtTheApplication(t *testing.T) {
	t.Parallel()
	app := newApplication(t, appSecret)
	app.anyTime = true // the store's clock stands where the test puts it
	store := revoketest.NewMemory()
	log := slog.New(slog.DiscardHandler)
	target := open(t, settings(serve(t, app)), targets.Deps{Clock: store.Clock()})
	service, err := revoke.New(revoke.Config{Store: store, Targets: []revoke.TargetName{{Name: "portal", Org: "main"}}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	dispatcher, err := revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: store, Clock: store.Clock(), Targets: map[string]revoke.Target{"portal": target}, Owed: service.Owed(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = dispatcher.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })

	okta := revoke.Source{Name: "okta", Org: "main", Type: "okta", Authority: "okta", IDs: "okta", Learns: true}
	portal := revoke.Source{Name: "portal", Org: "main", Type: "token", Authority: "portal", IDs: "portal"}
	var person revoke.Subject
	person.Add("okta", "00u1")
	person.Add(revoke.NamespaceEmail, targetUser)
	signIn := func() string {
		t.Helper()
		at := store.Moving().Advance(time.Minute)
		id, ok := app.SignIn(targetUser, revoke.Mobile, "phone", at)
		if !ok {
			t.Fatal("the application lets her in no more")
		}
		if _, err := service.Register(t.Context(), portal, revoke.Registration{
			Subject: person[1:], App: "portal", Kind: revoke.Mobile, ClientID: id, IssuedAt: at,
		}); err != nil {
			t.Fatalf("register: %v", err)
		}
		return id
	}
	say := func(signal revoke.Signal) {
		t.Helper()
		if signal.Wide == "" && signal.Session.IsZero() {
			signal.Subject = person
		}
		at := store.Moving().Advance(time.Minute)
		if _, err := service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "okta"}, okta, revoke.Event{
			Org: "main", Source: "okta", Authority: "okta", SenderID: at.String(), ReceivedAt: at, OccurredAt: at, Signals: []revoke.Signal{signal},
		}); err != nil {
			t.Fatalf("receive: %v", err)
		}
		store.Moving().Advance(time.Second)
	}
	heard := func(n int) (kind, scope, session string) {
		t.Helper()
		waitUntil(t, func() bool { return len(app.came()) >= n })
		var m told
		if err := json.Unmarshal(app.came()[n-1].body, &m); err != nil {
			t.Fatal(err)
		}
		return m.Type, m.Data.Scope, m.Data.Session
	}
	expect := func(n int, want ...string) {
		t.Helper()
		kind, scope, session := heard(n)
		if diff := cmp.Diff(want, []string{kind, scope, session}); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", n, diff)
		}
	}

	phone, tablet := signIn(), signIn()
	say(revoke.Signal{Kind: revoke.SessionsCleared, Subject: person, Session: revoke.SessionRef{Org: "main", App: "portal", ClientID: tablet}})
	expect(1, "session.revoked", "session", tablet)
	if app.Live(tablet) || !app.Live(phone) {
		t.Errorf("tablet is live: %v, phone is live: %v, want the tablet's session ended alone", app.Live(tablet), app.Live(phone))
	}
	say(revoke.Signal{Kind: revoke.Suspended})
	expect(2, "user.blocked", "user", "")
	if _, ok := app.SignIn(targetUser, revoke.Mobile, "phone", 0); ok || app.Live(phone) {
		t.Errorf("she can sign in: %v, her session is live: %v", ok, app.Live(phone))
	}
	say(revoke.Signal{Kind: revoke.Reactivated})
	expect(3, "user.lifted", "user", "")
	again := signIn()
	if app.Live(phone) || !app.Live(again) {
		t.Errorf("after the lift the old session is live: %v, the new one: %v", app.Live(phone), app.Live(again))
	}
	waitUntil(t, func() bool {
		for _, d := range store.AllDeliveries() {
			if d.State != revoke.DeliveryDone || d.Receipt.Evidence != revoke.Accepted {
				return false
			}
		}
		return len(store.AllDeliveries()) == 3
	})
}

const targetUser = "sally@example.edu"

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := contextOf(t, 30*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come to that")
		}
	}
}
