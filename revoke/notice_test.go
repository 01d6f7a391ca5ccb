package revoke_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

// letters keeps what people are told.
type letters struct {
	mu   sync.Mutex
	sent []revoke.Message
	sick error
}

func (l *letters) Send(_ context.Context, m revoke.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sick != nil {
		return l.sick
	}
	l.sent = append(l.sent, m)
	return nil
}

func (l *letters) take() []revoke.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.sent
	l.sent = nil
	slices.SortFunc(out, func(a, b revoke.Message) int { return slices.Compare([]byte(a.Kind), []byte(b.Kind)) })
	return out
}

// told runs a notifier until everything that is due was sent or put off.
func (o *office) told(l *letters) []revoke.Message {
	o.t.Helper()
	n, err := revoke.NewNotifier(revoke.NotifierConfig{
		Store: o.store, Clock: o.store.Clock(), Messengers: map[string]revoke.Messenger{"test": l}, Page: "https://curfew.example.edu/me", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := n.Turn(o.ctx); err != nil {
		o.t.Fatal(err)
	}
	return l.take()
}

func TestPeopleAreTold(t *testing.T) {
	t.Parallel()
	o, l := newOffice(t), &letters{}
	o.s.SetNotify(revoke.Notify{SignedOut: true, NewDevice: true})
	device := func(id, name string) revoke.Registration {
		return revoke.Registration{Device: []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: id}}, Facts: revoke.SessionFacts{DeviceName: name}}
	}
	o.signIn(device("phone", "Sally's phone"))
	if got := o.told(l); len(got) != 0 {
		t.Errorf("the first device of all: told %+v, want nothing", got)
	}
	o.later(time.Minute)
	o.signIn(device("phone", "Sally's phone"))
	o.signIn(device("tablet", "iPad"))
	got := o.told(l)
	if len(got) != 1 || got[0].Kind != revoke.NoticeNewDevice || !slices.Equal(got[0].Devices, []string{"iPad"}) || !slices.Equal(got[0].To, []string{"sally@example.edu"}) || got[0].Page == "" {
		t.Errorf("a new device beside a known one: told %+v, want of the iPad alone", got)
	}
	o.later(time.Minute)
	o.signIn(device("laptop", "laptop"))
	if got := o.told(l); len(got) != 0 {
		t.Errorf("a minute after the last message: told %+v, want none of the kind in ten minutes", got)
	}
	o.later(10 * time.Minute)
	if got := o.told(l); len(got) != 1 || !slices.Equal(got[0].Devices, []string{"laptop"}) {
		t.Errorf("ten minutes later: told %+v, want of the laptop", got)
	}
	o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialChanged})
	o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended})
	if got := o.told(l); len(got) != 1 || got[0].Kind != revoke.NoticeSignedOut || got[0].Signal != revoke.Suspended {
		t.Errorf("signed out twice by a source: told %+v, want one message with the last reason", got)
	}
}

func TestNobodyIsToldWithoutBeingAsked(t *testing.T) {
	t.Parallel()
	o, l := newOffice(t), &letters{}
	o.signIn(revoke.Registration{})
	o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended})
	o.s.SetNotify(revoke.Notify{SignedOut: true})
	if got := o.told(l); len(got) != 0 {
		t.Errorf("told %+v of what was before notify was set", got)
	}
	o.later(time.Minute)
	other := revoke.Signal{Kind: revoke.Suspended, Subject: by("nobody.ever@example.edu")}
	o.receive(oktaSource, revoke.Event{SenderID: "stranger", Signals: []revoke.Signal{other}})
	if got := o.told(l); len(got) != 0 {
		t.Errorf("told %+v to somebody who never had a session", got)
	}
}

func TestMessagesWait(t *testing.T) {
	t.Parallel()
	o, l := newOffice(t), &letters{sick: errors.New("no mail server")}
	o.s.SetNotify(revoke.Notify{SignedOut: true})
	o.signIn(revoke.Registration{})
	o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended})
	if got := o.told(l); len(got) != 0 {
		t.Fatalf("told %+v", got)
	}
	l.mu.Lock()
	l.sick = nil
	l.mu.Unlock()
	o.later(time.Hour)
	if got := o.told(l); len(got) != 1 {
		t.Errorf("once mail works again: told %+v, want what was owed", got)
	}
}
