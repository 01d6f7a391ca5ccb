package webhooks_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// oktaOrg is an Okta org with a hook and its log before the real core.
type oktaOrg struct {
	*office
	log *systemLog
	url string
}

func newOktaOrg(t *testing.T) *oktaOrg {
	t.Helper()
	o := &oktaOrg{office: &office{core: newCore(t)}}
	log, server := newSystemLog(t, o.store.Clock())
	o.log, o.url = log, server.URL
	o.start()
	return o
}

// start starts the handler and the attendant anew.
func (o *oktaOrg) start() {
	o.Helper()
	hook, _ := webhooks.Lookup("okta")
	secrets := hook.NewSettings()
	setSecrets(secrets, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	clients := outbound.NewMaker(outbound.Config{})
	quiet := slog.New(slog.DiscardHandler)
	source := func(typ string) revoke.Source {
		return revoke.Source{Org: "main", Type: typ, Authority: "okta", IDs: "okta", Learns: true}
	}
	handler, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{
			"okta":     {Source: source("okta"), Settings: secrets},
			"okta-log": {Source: source("okta-log"), Settings: oktaLogSettings(o.url)},
		},
		Inbox: o.service, Clock: o.store.Clock(), Log: quiet,
		Deps: webhooks.Deps{Clients: clients, Tokens: outbound.NewTokens(clients, o.store.Clock()), Clock: o.store.Clock()},
	})
	if err != nil {
		o.Fatalf("webhooks.New: %v", err)
	}
	o.handler = handler
	o.attend(handler)
}

// known waits until the events are kept, and returns how many revocations each has.
func (o *oktaOrg) known(ids ...string) map[string]int {
	o.Helper()
	count := func() map[string]int {
		out := map[string]int{}
		for _, e := range o.store.AllEvents() {
			if _, twice := out[e.SenderID]; twice {
				o.Errorf("event %s is kept twice", e.SenderID)
			}
			out[e.SenderID] = len(e.Decided.Revocations)
		}
		return out
	}
	o.until(fmt.Sprintf("%q are kept", ids), 10*time.Second, func() bool {
		all := count()
		return !slices.ContainsFunc(ids, func(id string) bool { _, there := all[id]; return !there })
	})
	return count()
}

// round waits until another round of the log has ended.
func (o *oktaOrg) round() {
	o.Helper()
	done := func() revoke.Errand {
		all, err := o.store.Errands(o.Context(), "main", []string{"okta-log"})
		if err != nil || len(all) == 0 {
			return revoke.Errand{}
		}
		return all[0]
	}
	before := done().DoneAt
	o.until("another round ended", 10*time.Second, func() bool { e := done(); return e.DoneAt > before && e.NextAt > e.DoneAt })
}

func TestOktaHookAndLogCountOnce(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	sally, tom, tim := o.signIn("sally", "", ""), o.signIn("tom", "", ""), o.signIn("tim", "", "")
	reset := oktaEvent("ev-3", "user.account.reset_password", oktaUser("admin"), oktaUser("tim"))
	o.post(suspension("ev-1", "sally"))
	// The log has what came by the hook, what no hook carries, and what was lost while we were away.
	o.log.write(0, suspension("ev-1", "sally"), oktaEvent("ev-2", "user.lifecycle.delete.completed", oktaUser("admin"), oktaUser("tom")), reset)
	got := o.known("ev-1", "ev-2", "ev-3")
	o.round()
	o.post(reset) // the hook is late
	if len(o.store.AllEvents()) != 3 || got["ev-1"] != 1 || got["ev-2"] != 1 || got["ev-3"] != 1 {
		t.Errorf("revocations by event: %v of %d events, want one each of three", got, len(o.store.AllEvents()))
	}
	if o.live(sally) || o.live(tom) || o.live(tim) {
		t.Errorf("live: sally %v, tom %v, tim %v; want none", o.live(sally), o.live(tom), o.live(tim))
	}
	// One authority: what the log says lifts what the hook blocked.
	if !o.blocked("sally@example.edu") {
		t.Fatal("a suspended person is not blocked")
	}
	o.log.write(0, strings.Replace(oktaEvent("ev-4", "user.lifecycle.unsuspend", oktaUser("admin"), oktaUser("sally")), "09:59:58", "10:00:30", 1))
	o.known("ev-4")
	if o.blocked("sally@example.edu") {
		t.Error("what the hook blocked, the log of the same authority does not lift")
	}
}

func TestOktaLogShowsAnEventLate(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.log.write(0, suspension("ev-1", "sally"))
	o.known("ev-1")
	o.round()
	o.round()
	o.log.write(3*time.Minute, suspension("ev-late", "tom"))
	o.known("ev-late")
	o.end()
	o.store.Moving().Advance(30 * time.Minute)
	o.log.write(45*time.Minute, suspension("ev-later", "tim"))
	o.start()
	o.known("ev-later")
}

func TestOktaLogIsCutInTheMiddle(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.round()
	o.end()
	var ids []string
	for i := range 15 {
		id := fmt.Sprint("ev-", i)
		ids = append(ids, id)
		o.log.write(0, suspension(id, fmt.Sprint("person", i)))
	}
	cut := make(chan struct{})
	o.log.set(func(l *systemLog) {
		served := l.served
		l.after = func(n int) {
			if n == served+3 {
				close(cut)
			}
		}
	})
	o.start()
	o.until("three pages were read", 10*time.Second, func() bool {
		select {
		case <-cut:
			return true
		default:
			return false
		}
	})
	o.store.RefuseNext(2) // the store goes away under the third
	o.start()
	got := o.known(ids...)
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s has %d revocations, want 1", id, n)
		}
	}
	if len(got) != len(ids) {
		t.Errorf("%d events of %d", len(got), len(ids))
	}
}

func TestOktaLogThatIsAway(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.round()
	failing := func() bool { return slices.Contains(o.standing(), "upkeep okta-log poll") }
	for i, away := range []func(*systemLog){
		func(l *systemLog) { l.fail = http.StatusInternalServerError },
		func(l *systemLog) { l.body = `{"data":{"events":[]},"next":"x"}` },
		func(l *systemLog) { l.host = "https://evil.example" },
	} {
		id := fmt.Sprint("ev-", i)
		o.log.write(0, suspension(id, id))
		o.log.set(away)
		o.until("an alarm stands", 10*time.Second, failing)
		o.log.set(func(l *systemLog) { l.fail, l.body, l.host = 0, "", "" })
		if got := o.known(id); got[id] != 1 {
			t.Errorf("%s has %d revocations, want 1", id, got[id])
		}
		o.until("no alarm stands", 10*time.Second, func() bool { return !failing() })
	}
}

// What is sent to the address of a source that is only asked is refused, whatever it carries.
func TestOktaLogTakesNothing(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.end()
	for _, credential := range []string{"", apiKey, "SSWS " + apiKey, revoketest.SampleKey} {
		r := httptest.NewRequest(http.MethodPost, "/hooks/okta-log", strings.NewReader(oktaMessage(suspension("ev-1", "sally"))))
		r.Header.Set("Authorization", credential)
		w := httptest.NewRecorder()
		if o.handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized || len(o.store.AllEvents()) != 0 {
			t.Errorf("with %q: got %d and %d events, want 401 and none", credential, w.Code, len(o.store.AllEvents()))
		}
	}
}
