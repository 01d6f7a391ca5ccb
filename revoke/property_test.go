package revoke

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The people of the properties: each is known by an address, a directory id and a phone, so that sources meet in one
// person by different names and directories find reasons to join.
func drawSubject(t *rapid.T, src Source) Subject {
	person := rapid.IntRange(0, 2).Draw(t, "person")
	s := subject(NamespaceEmail, fmt.Sprintf("p%d@example.edu", person))
	if src.Learns {
		s = append(s, subject(src.IDs, fmt.Sprintf("%s-%d", src.IDs, person))...)
	}
	if rapid.IntRange(0, 3).Draw(t, "by phone") == 0 {
		phone := fmt.Sprintf("+4420%d", rapid.IntRange(0, 2).Draw(t, "phone"))
		if s = append(s, subject(NamespacePhone, phone)...); rapid.Bool().Draw(t, "alone") {
			s = subject(NamespacePhone, phone)
		}
	}
	return s
}

func drawSource(t *rapid.T) Source {
	return rapid.SampledFrom([]Source{okta, entra, hr, admin}).Draw(t, "source")
}

func drawSignal(t *rapid.T, w *world, src Source) Signal {
	sig := Signal{Kind: rapid.SampledFrom(SignalKinds()).Draw(t, "signal"), Subject: drawSubject(t, src)}
	switch rapid.IntRange(0, 5).Draw(t, "time") {
	case 0, 1: // states none
	case 2:
		sig.OccurredAt = w.f.Now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds ahead")) * time.Second)
	default:
		sig.OccurredAt = w.f.Now.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "ago")) * time.Millisecond)
	}
	switch rapid.IntRange(0, 9).Draw(t, "scope") {
	case 0:
		sig.OnlyKind = Mobile
	case 1:
		sig.OnlyApp = "portal"
	case 2:
		sig.Device = []DeviceIdentifier{{Namespace: NamespaceDeviceID, Value: "pad"}}
	case 3:
		sig.Session = SessionRef{App: "portal", ClientID: fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "session"))}
	case 4:
		if src.Admin {
			sig = Signal{Kind: SessionsCleared, Wide: ScopeEveryone, Command: true}
		}
	}
	sig.Block = src.Admin && sig.Wide == "" && sig.Kind != Reactivated && rapid.Bool().Draw(t, "block")
	sig.Repeated = !src.Admin && rapid.IntRange(0, 4).Draw(t, "repeated") == 0
	return sig
}

// Promise 3: no sequence of signals, lifts, joins and splits makes a session that was refused live again. Beside it:
// cutoffs never move back, the view that follows changes agrees with one built from all facts, and while a block stands
// nobody is live.
func TestNothingRevives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		dead := map[ID]string{}
		cutoffs := map[Scope]Cutoff{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			w.tick(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause")) * time.Microsecond)
			var step string
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				r := Registration{Subject: drawSubject(t, app), Kind: rapid.SampledFrom([]Kind{Browser, Mobile}).Draw(t, "kind")}
				if rapid.Bool().Draw(t, "on the pad") {
					r.Device = []DeviceIdentifier{{Namespace: NamespaceDeviceID, Value: "pad"}}
				}
				if rapid.Bool().Draw(t, "with id") {
					r.ClientID = fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "session"))
				}
				if rapid.Bool().Draw(t, "issued") {
					r.IssuedAt = w.f.Now.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "ago")) * time.Millisecond)
				}
				s, err := w.tryRegister(r)
				step = fmt.Sprintf("register %v: %v", r.Subject, err)
				if err == nil && !errors.Is(err, ErrConflict) && dead[s.ID] == "" {
					w.wantLive(s, true, step)
				}
			case 2:
				var all []Join
				for _, user := range sortedKeys(w.f.joins) {
					all = append(all, w.f.joins[user]...)
				}
				if len(all) > 0 {
					w.split(rapid.SampledFrom(all).Draw(t, "split"))
					step = "split"
				}
			default:
				src := drawSource(t)
				sig := drawSignal(t, w, src)
				out := w.send(src, sig)
				step = fmt.Sprintf("%s says %s of %v at %s: %s %s", src.Name, sig.Kind, sig.Subject, sig.OccurredAt, out.State, out.Event)
			}
			whole := w.f.view()
			for id, s := range w.f.Sessions {
				verdict := Live(&s, w.v, w.f.Now)
				if again := Live(&s, whole, w.f.Now); again.Live != verdict.Live {
					t.Fatalf("after %s: the view that followed says %+v, the facts say %+v", step, verdict, again)
				}
				if why := dead[id]; why != "" && verdict.Live {
					t.Fatalf("session %s, dead after %s, lives again after %s", id, why, step)
				}
				if _, blocked := w.f.blocked(s.User); blocked && verdict.Live {
					t.Fatalf("after %s: a session of a blocked user is live", step)
				}
				if !verdict.Live && dead[id] == "" {
					dead[id] = step
				}
			}
			for scope, c := range w.f.Cutoffs {
				if was := cutoffs[scope]; c.At < was.At || c.SparedAt < was.SparedAt {
					t.Fatalf("after %s: cutoff of %v moved back from %+v to %+v", step, scope, was, c)
				}
			}
			cutoffs = maps.Clone(w.f.Cutoffs)
		}
	})
}

// outcomes is what promise 5 compares: blocks, and cutoffs made at the senders' times. What was cut at receipt lies after
// dawn, the events before it.
type outcomes struct {
	blocks  map[string][2]Instant
	cutoffs map[string]Instant
}

func (w *world) outcomes() outcomes {
	o := outcomes{map[string][2]Instant{}, map[string]Instant{}}
	name := func(user ID) string {
		var names []string
		for _, id := range w.f.subject(user) {
			names = append(names, id.Namespace+" "+id.Value)
		}
		slices.Sort(names)
		return fmt.Sprint(names)
	}
	for user, blocks := range w.f.blocks {
		for _, b := range blocks {
			o.blocks[fmt.Sprint(name(user), b.Authority, b.Class)] = [2]Instant{b.BlockedAt, b.LiftedAt}
		}
	}
	cut := func(scope Scope, at Instant) {
		key := fmt.Sprint(scope.Kind, name(scope.User), scope.Key)
		o.cutoffs[key] = max(o.cutoffs[key], at)
	}
	for _, c := range w.all.Cutoffs {
		if c.At < dawn {
			cut(c.Scope, c.At)
		}
	}
	// Where a lift ended a standing block, its own cut at receipt swallowed the one at the end of the block.
	for _, r := range w.all.Revocations {
		for _, b := range w.f.blocks[r.Scope.User] {
			if r.Kind == RevocationLift && b.LiftedAt > b.BlockedAt {
				cut(r.Scope, b.LiftedAt)
			}
		}
	}
	return o
}

// Promise 5: any permutation of the same events, with repeats, ends in the same blocks and the same effective cutoffs,
// and one logical event makes one revocation.
func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	t.Parallel()
	kinds := []SignalKind{Deactivated, Suspended, Reactivated, CredentialChanged, SessionsCleared, Terminated}
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			src Source
			ev  Event
		}
		var events []sent
		for i := range rapid.IntRange(2, 7).Draw(t, "events") {
			src := rapid.SampledFrom([]Source{okta, hr}).Draw(t, "source")
			person := rapid.IntRange(0, 1).Draw(t, "person")
			sig := Signal{
				Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
				Subject:    subject(src.IDs, fmt.Sprintf("%s-%d", src.IDs, person)),
				OccurredAt: dawn.Add(-time.Hour) + Instant(rapid.IntRange(1, 9).Draw(t, "at")),
			}
			events = append(events, sent{src, Event{SenderID: fmt.Sprint(i), Signals: []Signal{sig}}})
		}
		deliver := func(order []sent) (*world, outcomes) {
			w := newWorld(t)
			for _, e := range order {
				w.receive(e.src, e.ev)
			}
			return w, w.outcomes()
		}
		first, want := deliver(events)
		shuffled := rapid.Permutation(append(slices.Clone(events), events[:rapid.IntRange(0, len(events)).Draw(t, "repeats")]...)).Draw(t, "order")
		second, got := deliver(shuffled)
		if !maps.Equal(got.blocks, want.blocks) || !maps.Equal(got.cutoffs, want.cutoffs) {
			t.Fatalf("in order %v\n got %+v\nwant %+v", shuffled, got, want)
		}
		for name, w := range map[string]*world{"first": first, "second": second} {
			perEvent := map[ID]int{}
			for _, r := range w.all.Revocations {
				if perEvent[r.Event]++; perEvent[r.Event] > 1 {
					t.Fatalf("%s order: one event made %d revocations", name, perEvent[r.Event])
				}
			}
		}
		// The recorded changes themselves, in any order and twice, make one and the same view.
		var changes []Change
		for _, ev := range second.f.Events {
			changes = append(changes, ev.Decided.Changes...)
		}
		again := NewView()
		again.Apply(rapid.Permutation(append(changes, changes...)).Draw(t, "changes")...)
		for _, user := range second.f.Users {
			for born := dawn.Add(-time.Hour); born < dawn.Add(-time.Hour)+10; born++ {
				s := Session{Org: "main", User: user.ID, Kind: Browser, BornAt: born, ExpiresAt: dawn * 2}
				if a, b := Live(&s, again, second.f.Now), Live(&s, second.v, second.f.Now); a.Live != b.Live {
					t.Fatalf("born %s: %+v from the recorded events, %+v as it went", born, a, b)
				}
			}
		}
	})
}

// Backoff climbs the ladder and never leaves its bounds.
func TestBackoffStaysInBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-5, 1000).Draw(t, "attempts")
		if got, next := Backoff(n), Backoff(n+1); got < 0 || got > time.Hour || next < got {
			t.Fatalf("Backoff(%d) = %s, then %s", n, got, next)
		}
	})
}
