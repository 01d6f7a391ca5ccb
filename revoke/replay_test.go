package revoke_test

import (
	"testing"
	"time"

	"curfew/revoke"
)

// held is an event about an address that two people carry, and the people.
func (o *office) held(id string) revoke.Event {
	o.t.Helper()
	person := func(okta string) revoke.Subject {
		s := by("sally@example.edu")
		s.Add("okta", okta)
		return s
	}
	for _, okta := range []string{"00u1", "00u2"} {
		o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialChanged, OccurredAt: o.now().Add(-time.Hour), Subject: person(okta)})
	}
	out := o.receive(hrSource, revoke.Event{SenderID: id, Signals: []revoke.Signal{{Kind: revoke.Terminated, Subject: by("sally@example.edu")}}})
	if out.State != revoke.EventHeld {
		o.t.Fatalf("state = %s, want held", out.State)
	}
	ev, err := o.s.Event(o.ctx, "main", out.Event)
	if err != nil {
		o.t.Fatalf("find the event: %v", err)
	}
	return ev
}

// An event that waited is decided once more when it can be: with its place, its sender's id and its times, once.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"hr-1", ""} {
		o := newOffice(t)
		prior := o.held(id)
		signals := []revoke.Signal{{Kind: revoke.Terminated, Subject: revoke.Subject{{Namespace: "okta", Value: "00u1"}}}}
		replay := func(ev revoke.Event, dry bool) revoke.Outcome {
			t.Helper()
			out, err := o.s.Replay(o.ctx, someone, hrSource, ev, revoke.Event{Signals: signals}, dry)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		audit, changes := len(o.store.Audit()), len(o.store.Changes())
		if out := replay(prior, true); out.State != revoke.EventDecided || len(out.Revocations) != 1 {
			t.Fatalf("a dry run = %+v, want one revocation", out)
		}
		if len(o.store.Audit()) != audit || len(o.store.Changes()) != changes {
			t.Fatal("a dry run wrote something")
		}
		out := replay(prior, false)
		after, err := o.s.Event(o.ctx, "main", prior.ID)
		if err != nil || out.Event != prior.ID || out.State != revoke.EventDecided || after.State != revoke.EventDecided {
			t.Fatalf("replay = %+v, then the event is %+v, %v", out, after, err)
		}
		if after.ReceivedAt != prior.ReceivedAt || after.SenderID != id || len(after.Decided.Revocations) != 1 {
			t.Errorf("after the replay the event is %+v, want the place it had", after)
		}
		for name, ev := range map[string]revoke.Event{"again": after, "again, by somebody who read it before": prior} {
			if name != "again" && id == "" {
				continue // nothing in the need leads to an event that its sender did not number
			}
			if out := replay(ev, false); !out.Duplicate || out.Event != prior.ID {
				t.Errorf("%s = %+v, want the answer of the first", name, out)
			}
		}
		if got := o.owed()[revoke.RevocationBlock]; got != 1 {
			t.Errorf("%d blocks are owed, want 1", got)
		}
		if id != "" {
			again := o.receive(hrSource, revoke.Event{SenderID: id, Signals: signals})
			if !again.Duplicate || again.Event != prior.ID || len(again.Alarms) != 0 {
				t.Errorf("the sender's retry of what was replayed = %+v, want a duplicate without an alarm", again)
			}
		}
	}
}

// One that cannot be decided still waits, and can be replayed again.
func TestReplayThatChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	prior := o.held("hr-1")
	signals := []revoke.Signal{{Kind: revoke.Terminated, Subject: by("sally@example.edu")}}
	for range 2 {
		out, err := o.s.Replay(o.ctx, someone, hrSource, prior, revoke.Event{Signals: signals}, false)
		if err != nil || out.State != revoke.EventHeld || out.Duplicate {
			t.Fatalf("replay = %+v, %v; want it held", out, err)
		}
	}
	if got := o.alarms()[revoke.AlarmHeld]; got.Count != 3 {
		t.Errorf("alarm = %+v, want one, raised three times", got)
	}
}

// F17: another event under a known id is no second one, and a person hears of it.
func TestSameIDForAnotherEvent(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]revoke.Signal{
		"another person": {Kind: revoke.Suspended, Subject: by("bob@example.edu")},
		"another word":   {Kind: revoke.Reactivated, Subject: by("sally@example.edu")},
		"another time":   {Kind: revoke.Suspended, Subject: by("sally@example.edu"), OccurredAt: 1},
	} {
		o := newOffice(t)
		bobs := o.signIn(revoke.Registration{Subject: by("bob@example.edu")})
		ev := revoke.Event{SenderID: "1", Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: by("sally@example.edu")}}}
		first := o.receive(oktaSource, ev)
		if same := o.receive(oktaSource, ev); !same.Duplicate || len(same.Alarms) != 0 {
			t.Errorf("the same event again = %+v, want no alarm", same)
		}
		other := o.receive(oktaSource, revoke.Event{SenderID: "1", Signals: []revoke.Signal{second}})
		if !other.Duplicate || other.Event != first.Event || len(other.Alarms) != 1 || other.Alarms[0].Kind != revoke.AlarmSameID {
			t.Errorf("%s under the same id = %+v, want the first answer and an alarm", name, other)
		}
		if a := o.alarms()[revoke.AlarmSameID]; a.About != "okta" || a.Count != 1 {
			t.Errorf("alarm = %+v, want one about okta", a)
		}
		o.want(bobs, true, "whom the second one named")
		o.wantBlocked(true, "whom the first one named")
		if got := o.receive(hrSource, revoke.Event{SenderID: "1", Signals: []revoke.Signal{second}}); got.Duplicate {
			t.Error("another source's id was taken for this one's")
		}
	}
}
