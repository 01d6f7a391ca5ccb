package webhooks_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// core is an Okta hook before the real core, and an application that registers sessions there.
type core struct {
	*testing.T
	service *revoke.Service
	store   *revoketest.Memory
	handler http.Handler
}

// deciding is the real core on a store in memory, with nothing before it.
func deciding(t *testing.T) *core {
	t.Helper()
	store := revoketest.NewMemory()
	service, err := revoke.New(revoke.Config{Store: store, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("revoke.New: %v", err)
	}
	if err := service.Load(t.Context()); err != nil {
		t.Fatalf("Load: %v", err)
	}
	return &core{T: t, service: service, store: store}
}

func newCore(t *testing.T) *core {
	t.Helper()
	c := deciding(t)
	okta, _ := webhooks.Lookup("okta")
	own := okta.NewSettings()
	setSecrets(own, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	handler, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{"okta": {
			Source: revoke.Source{Org: "main", Type: "okta", Authority: "okta", IDs: "okta", Learns: okta.Learns}, Settings: own,
		}},
		Inbox: c.service, Clock: c.store.Clock(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("webhooks.New: %v", err)
	}
	c.handler = handler
	return c
}

// signIn registers a session that was born an hour before the clock's present.
func (c *core) signIn(name, sid, device string) revoke.SessionRef {
	c.Helper()
	r := revoke.Registration{App: "portal", Kind: revoke.Mobile, ClientID: name + sid, SID: sid, Token: revoke.HashToken(name + sid)}
	r.Subject.Add(revoke.NamespaceEmail, name+"@example.edu")
	if device != "" {
		r.Device = []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: device}}
	}
	r.IssuedAt = c.store.Clock().Now().Add(-3600e9)
	portal := revoke.Source{Name: "portal", Org: "main", Type: "token", Authority: "portal", IDs: "portal"}
	done, err := c.service.Register(c.Context(), portal, r)
	if err != nil {
		c.Fatalf("register %s: %v", name, err)
	}
	return revoke.SessionRef{ID: done.Session.ID, Org: "main", Token: done.Session.Token}
}

func (c *core) live(ref revoke.SessionRef) bool {
	c.Helper()
	answer, err := c.service.Ask(context.Background(), ref)
	if err != nil {
		c.Fatalf("ask: %v", err)
	}
	return answer.Live
}

func (c *core) post(items ...string) {
	c.Helper()
	r := httptest.NewRequest(http.MethodPost, "/hooks/okta", strings.NewReader(oktaMessage(items...)))
	r.Header.Set("Authorization", revoketest.SampleKey)
	w := httptest.NewRecorder()
	if c.handler.ServeHTTP(w, r); w.Code != http.StatusNoContent {
		c.Fatalf("got %d %s, want 204", w.Code, w.Body)
	}
}

func TestOktaEndsWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	const device = `{"id":"guo1","type":"Device","alternateId":"unknown"}`
	for what, c := range map[string]struct {
		event                    string
		phone, laptop, tom, born bool // live afterwards; born: whether a later login works
	}{
		"suspended":      {oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally")), false, false, true, false},
		"password reset": {oktaEvent("ev-1", "user.account.reset_password", oktaUser("admin"), oktaUser("sally")), false, false, true, true},
		"one session": {
			strings.TrimSuffix(oktaEvent("ev-1", "user.session.end", oktaUser("admin"), oktaUser("sally")), "}") + `,"debugContext":{"debugData":{"EndedSessionId":"sid-phone"}}}`,
			false, true, true, true,
		},
		"one device":   {oktaEvent("ev-1", "device.lifecycle.suspend", oktaUser("admin"), device, oktaUser("sally")), false, true, true, true},
		"signed out":   {oktaEvent("ev-1", "user.session.end", oktaUser("sally"), oktaUser("sally")), true, true, true, true},
		"two at once":  {oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally"), oktaUser("tom")), true, true, true, true},
		"nobody":       {oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("sally")), true, true, true, true},
		"of no effect": {strings.Replace(oktaEvent("ev-1", "user.lifecycle.suspend", oktaUser("admin"), oktaUser("sally")), "SUCCESS", "FAILURE", 1), true, true, true, true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			core := newCore(t)
			phone, laptop, tom := core.signIn("sally", "sid-phone", "guo1"), core.signIn("sally", "sid-laptop", "guo2"), core.signIn("tom", "sid-tom", "guo1")
			core.post(c.event)
			core.post(c.event)
			if got := [3]bool{core.live(phone), core.live(laptop), core.live(tom)}; got != [3]bool{c.phone, c.laptop, c.tom} {
				t.Errorf("phone, laptop and tom are live: got %v, want %v", got, [3]bool{c.phone, c.laptop, c.tom})
			}
			if n := len(core.store.AllEvents()); n != 1 {
				t.Errorf("%d events were kept of one that came twice", n)
			}
			r := revoke.Registration{App: "portal", Kind: revoke.Browser, Token: revoke.HashToken("later")}
			r.Subject.Add(revoke.NamespaceEmail, "sally@example.edu")
			_, err := core.service.Register(t.Context(), revoke.Source{Name: "portal", Org: "main", Authority: "portal", IDs: "portal"}, r)
			if (err == nil) != c.born {
				t.Errorf("a later sign-in: got %v, want it to work: %v", err, c.born)
			}
		})
	}
}
