package revoke

import "testing"

// Decisions of one group share their facts: what one only tries out must not show in another's.
func TestCloneOfFactsIsApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.register(Registration{Subject: sally()})
	for _, sig := range []Signal{
		{Kind: Suspended, Subject: oktaSally()},
		{Kind: Reactivated, Subject: append(oktaSally(), subject(NamespacePhone, "+44201234")...)},
		{Kind: SessionsCleared, Session: SessionRef{ID: s.ID}, Command: true},
	} {
		c := w.f.clone()
		input{source: okta, event: Event{SenderID: "x", Signals: []Signal{sig}}, targets: w.targets}.decide(c)
		if _, blocked := w.f.blocked(s.User); blocked || w.f.Sessions[s.ID].EndedAt != 0 || len(w.f.Events) != 0 || len(w.f.Users) != 1 || len(w.f.held[s.User]) != 1 {
			t.Fatalf("%s on a clone shows in the original", sig.Kind)
		}
	}
}
