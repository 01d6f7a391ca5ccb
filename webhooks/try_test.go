package webhooks_test

import (
	"errors"
	"log/slog"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// oktaSays is one log event of a batch.
const oktaSays = `{"uuid": "u-1", "published": "2026-11-23T09:00:00.123Z", "eventType": "user.lifecycle.suspend", "outcome": {"result": "SUCCESS"},
	"target": [{"id": "00u1", "type": "User", "alternateId": "sally@example.edu"}]}`

func newTried(t *testing.T) (*webhooks.Handler, *revoketest.Inbox) {
	t.Helper()
	okta, _ := webhooks.Lookup("okta")
	own := okta.NewSettings()
	setSecrets(own, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	inbox := revoketest.NewInbox()
	h, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{
			"okta": {Source: revoke.Source{Org: "main", Type: "okta", Authority: "okta", IDs: "okta", Learns: true}, Settings: own},
			"hr":   {Source: revoke.Source{Org: "main", Type: "of tomorrow", Authority: "hr", IDs: "hr"}},
		},
		Inbox: inbox, Clock: revoketest.NewClock(0), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return h, inbox
}

func TestTryReadsAndKeepsNothing(t *testing.T) {
	t.Parallel()
	h, inbox := newTried(t)
	events, err := h.Read("okta", webhooks.Request{Method: "POST", Body: []byte(`{"data": {"events": [` + oktaSays + `, {"eventType": "of.tomorrow"}]}}`)})
	if err != nil || len(events) != 2 {
		t.Fatalf("read %d events, %v; want two", len(events), err)
	}
	if len(events[0].Signals) != 1 || events[0].Signals[0].Kind != revoke.Suspended || events[0].Source != "okta" || events[1].State != revoke.EventUnknown {
		t.Errorf("read %+v", events)
	}
	again, err := h.Reread(events[0]) // the body alone, as it was kept
	if err != nil || len(again.Signals) != 1 || again.Signals[0].Kind != revoke.Suspended || again.SenderID != events[0].SenderID || again.OccurredAt != events[0].OccurredAt {
		t.Errorf("read from its kept body: %+v, %v", again, err)
	}
	if n := len(inbox.Events()); n != 0 {
		t.Errorf("%d events were kept", n)
	}
	for what, body := range map[string]string{"no JSON": "{", "nothing": "", "twice": `{"data": 1, "data": 2}`} {
		if _, err := h.Read("okta", webhooks.Request{Method: "POST", Body: []byte(body)}); !isInvalid(err) {
			t.Errorf("%s: %v, want Invalid", what, err)
		}
	}
	for _, source := range []string{"hr", "nobody", ""} {
		if _, err := h.Read(source, webhooks.Request{Method: "POST", Body: []byte("{}")}); !errors.Is(err, revoke.ErrNotFound) {
			t.Errorf("read for source %q: %v, want ErrNotFound", source, err)
		}
		if _, err := h.Reread(revoke.Event{Source: source, Body: []byte(oktaSays)}); !errors.Is(err, revoke.ErrNotFound) {
			t.Errorf("read again for source %q: %v, want ErrNotFound", source, err)
		}
	}
}

func isInvalid(err error) bool {
	_, ok := errors.AsType[revoke.Invalid](err)
	return ok
}
