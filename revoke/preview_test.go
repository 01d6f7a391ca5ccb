package revoke_test

import (
	"errors"
	"testing"

	"curfew/revoke"
)

// A preview counts what the order would end, and changes nothing: not what is stored, nor what others decide beside it.
func TestPreviewCountsAndChangesNothing(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	phone, pad := login(t, s, "phone-token-0001"), login(t, s, "pad-token-000001")
	a, err := s.Ask(t.Context(), phone)
	if err != nil {
		t.Fatal(err)
	}
	before := len(store.Changes()) + len(store.AllEvents()) + len(store.Audit())
	for name, c := range map[string]struct {
		sig  revoke.Signal
		want int
	}{
		"her":      {revoke.Signal{Kind: revoke.SessionsCleared, Subject: by("sally@example.edu"), Counting: true}, 2},
		"a kind":   {revoke.Signal{Kind: revoke.SessionsCleared, Wide: revoke.ScopeKindOf, OnlyKind: revoke.Mobile}, 2},
		"no kind":  {revoke.Signal{Kind: revoke.SessionsCleared, Wide: revoke.ScopeKindOf, OnlyKind: revoke.Browser}, 0},
		"everyone": {revoke.Signal{Kind: revoke.SessionsCleared, Wide: revoke.ScopeEveryone}, 2},
		"one":      {revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{ID: a.Session.ID}, Counting: true}, 1},
		"stranger": {revoke.Signal{Kind: revoke.SessionsCleared, Subject: by("bob@example.edu"), Counting: true}, 0},
	} {
		c.sig.Command = true
		out, err := s.Preview(t.Context(), someone, operator, revoke.Event{Signals: []revoke.Signal{c.sig}})
		if err != nil || out.Covers != c.want {
			t.Errorf("preview of %s covers %d, %v; want %d", name, out.Covers, err, c.want)
		}
	}
	if after := len(store.Changes()) + len(store.AllEvents()) + len(store.Audit()); after != before {
		t.Errorf("previews wrote %d rows", after-before)
	}
	wantLive(t, s, phone, true, "after previews")
	wantLive(t, s, pad, true, "after previews")
	store.RefuseNext(1)
	if _, err := s.Preview(t.Context(), someone, operator, revoke.Event{Signals: []revoke.Signal{{Kind: revoke.SessionsCleared, Subject: by("sally@example.edu")}}}); !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("preview without a store = %v, want ErrUnavailable", err)
	}
}
