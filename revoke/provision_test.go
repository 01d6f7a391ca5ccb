package revoke_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

var directory = revoke.Source{Name: "okta-scim", Org: "main", Authority: "okta-scim", IDs: "okta", Type: "scim"}

func draft(userName, externalID string, active bool) revoke.Draft {
	d := revoke.Draft{Request: "PUT", Said: true}
	d.Type, d.UserName, d.ExternalID, d.Active = "User", userName, externalID, active
	d.Profile = fmt.Appendf(nil, `{"userName":%q,"externalId":%q,"active":%v}`, userName, externalID, active)
	d.Subject.Add("okta", externalID)
	d.Subject.Add(revoke.NamespaceUserName, userName)
	d.Subject.Add(revoke.NamespaceEmail, userName)
	return d
}

func to(d revoke.Draft) func(revoke.Resource) (revoke.Draft, error) {
	return func(revoke.Resource) (revoke.Draft, error) { return d, nil }
}

func provisioned(t *testing.T, s *revoke.Service, d revoke.Draft) revoke.Provisioned {
	t.Helper()
	p, err := s.CreateResource(t.Context(), someone, directory, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func updated(t *testing.T, s *revoke.Service, id revoke.ID, d revoke.Draft) revoke.Provisioned {
	t.Helper()
	p, err := s.UpdateResource(t.Context(), someone, directory, id, to(d))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDirectorySpeaksWhenSomethingChanges(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	phone := login(t, s, "phone-token-0001")
	active, inactive := draft("sally@example.edu", "00u1", true), draft("sally@example.edu", "00u1", false)
	p := provisioned(t, s, active)
	if len(p.Signals) != 0 || p.Resource.Version != 1 {
		t.Fatalf("a first creation = %+v, want no signal", p)
	}
	wantLive(t, s, phone, true, "a creation cuts nobody")
	if p := updated(t, s, p.Resource.ID, active); p.Changed || len(p.Signals) != 0 || p.Resource.Version != 1 {
		t.Errorf("an echo = %+v, want nothing changed", p)
	}
	if p := updated(t, s, p.Resource.ID, inactive); !slices.Equal(p.Signals, []revoke.SignalKind{revoke.Deactivated}) {
		t.Errorf("active false = %v, want deactivated", p.Signals)
	}
	wantLive(t, s, phone, false, "deactivated")
	for range 3 {
		updated(t, s, p.Resource.ID, inactive)
	}
	if n := len(store.AllDeliveries()); n != 1 {
		t.Errorf("active:false repeated: %d deliveries, want 1", n)
	}
	if p := updated(t, s, p.Resource.ID, active); !slices.Equal(p.Signals, []revoke.SignalKind{revoke.Reactivated}) {
		t.Errorf("active true = %v, want reactivated", p.Signals)
	}
	wantLive(t, s, phone, false, "a reactivation revives nobody")
	pad := login(t, s, "pad-token-000001")
	reset := active
	reset.Password = true
	updated(t, s, p.Resource.ID, reset)
	wantLive(t, s, pad, false, "password changed")
	login(t, s, "new-token-000001")
}

func TestDeletionAndRecreation(t *testing.T) {
	t.Parallel()
	s, _ := serving(t)
	phone := login(t, s, "phone-token-0001")
	first := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	if _, err := s.DeleteResource(t.Context(), someone, directory, first.Resource.ID); err != nil {
		t.Fatal(err)
	}
	wantLive(t, s, phone, false, "deleted")
	if _, err := s.DeleteResource(t.Context(), someone, directory, first.Resource.ID); !errors.Is(err, revoke.ErrNotFound) {
		t.Errorf("a second DELETE = %v, want ErrNotFound", err)
	}
	again := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	if again.Resource.ID == first.Resource.ID || again.Resource.User != first.Resource.User {
		t.Errorf("re-created as %s of user %s, want a new id and the same person %s", again.Resource.ID, again.Resource.User, first.Resource.User)
	}
	wantLive(t, s, phone, false, "re-created")
	login(t, s, "new-token-000001")
}

func TestInactiveIsRestoredUnlessTheIDsContradict(t *testing.T) {
	t.Parallel()
	s, _ := serving(t)
	first := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	if _, err := s.CreateResource(t.Context(), someone, directory, draft("Sally@Example.edu", "00u2", true)); !errors.Is(err, revoke.ErrConflict) {
		t.Errorf("the name of an active one = %v, want ErrConflict", err)
	}
	updated(t, s, first.Resource.ID, draft("sally@example.edu", "00u1", false))
	restored := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	if !restored.Restored || restored.Resource.ID != first.Resource.ID {
		t.Errorf("POST of an inactive one = %+v, want the same id", restored)
	}
	login(t, s, "phone-token-0001")
	updated(t, s, first.Resource.ID, draft("sally@example.edu", "00u1", false))
	other := provisioned(t, s, draft("sally@example.edu", "00u2", true))
	if other.Resource.ID == first.Resource.ID || other.Resource.User == first.Resource.User {
		t.Errorf("contradicting external ids = %+v, want another person", other)
	}
}

// A deactivation inside a refused request takes effect, the resource stays active, and the next accepted active:true lifts.
func TestRefusedDeactivation(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	p := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	for round := range 2 {
		phone := login(t, s, fmt.Sprintf("phone-token-000%d", round))
		if err := s.DeactivateRefused(t.Context(), someone, directory, p.Resource.ID, "title is null"); err != nil {
			t.Fatal(err)
		}
		wantLive(t, s, phone, false, "refused, and carried out all the same")
		r, err := store.Resource(t.Context(), "main", "okta-scim", p.Resource.ID)
		if err != nil || !r.Active {
			t.Fatalf("resource = %+v, %v; want it active as the connector wrote it", r, err)
		}
		if p := updated(t, s, p.Resource.ID, draft("sally@example.edu", "00u1", true)); !slices.Equal(p.Signals, []revoke.SignalKind{revoke.Reactivated}) {
			t.Fatalf("the next accepted active:true = %v, want reactivated", p.Signals)
		}
		wantLive(t, s, phone, false, "after the lift")
	}
	if ok, err := s.DeactivateRefusedCreation(t.Context(), someone, directory, by("sally@example.edu"), "no userName"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := s.Register(t.Context(), portalApp, revoke.Registration{Subject: by("sally@example.edu"), App: "portal", Kind: revoke.Mobile}); !errors.Is(err, revoke.ErrBlocked) {
		t.Errorf("after a refused inactive creation = %v, want ErrBlocked", err)
	}
	creation := by("new@example.edu")
	creation.Add(revoke.NamespaceUserName, "sally@example.edu")
	if ok, err := s.DeactivateRefusedCreation(t.Context(), someone, directory, creation, "a second one of this name"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := s.Register(t.Context(), portalApp, revoke.Registration{Subject: by("new@example.edu"), App: "portal", Kind: revoke.Mobile}); err != nil {
		t.Errorf("a refused creation taught its address: %v", err)
	}
	if p := updated(t, s, p.Resource.ID, draft("sally@example.edu", "00u1", true)); !slices.Equal(p.Signals, []revoke.SignalKind{revoke.Reactivated}) {
		t.Errorf("active:true after a refused creation = %v, want reactivated", p.Signals)
	}
}

func TestAnotherAuthoritysResourceIsNotThere(t *testing.T) {
	t.Parallel()
	s, _ := serving(t)
	p := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	other := directory
	other.Name, other.Authority = "other", "other"
	if _, err := s.UpdateResource(t.Context(), someone, other, p.Resource.ID, to(draft("x", "y", false))); !errors.Is(err, revoke.ErrNotFound) {
		t.Errorf("update = %v, want ErrNotFound", err)
	}
	if _, err := s.DeleteResource(t.Context(), someone, other, p.Resource.ID); !errors.Is(err, revoke.ErrNotFound) {
		t.Errorf("delete = %v, want ErrNotFound", err)
	}
}

// Renames keep the sessions' person; the old name still leads to it.
func TestRename(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sally@example.edu", "sally.jones@example.edu"} {
		s, _ := serving(t)
		phone := login(t, s, "phone-token-0001")
		p := provisioned(t, s, draft("sally@example.edu", "00u1", true))
		updated(t, s, p.Resource.ID, draft("sally.jones@example.edu", "00u1", true))
		wantLive(t, s, phone, true, "renamed")
		signal(t, s, operator, revoke.Signal{Kind: revoke.SessionsCleared, Subject: by(name), Command: true})
		wantLive(t, s, phone, false, "revoked by "+name)
	}
}

// Two creations of one person race: one wins, and there is one person (two first sights of one identifier).
func TestConcurrentCreations(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			_, err := s.CreateResource(t.Context(), someone, directory, draft("sally@example.edu", "00u1", true))
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	made := 0
	for err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, revoke.ErrConflict) {
			t.Error(err)
		}
	}
	if made != 1 || len(store.AllUsers()) != 1 {
		t.Errorf("%d creations succeeded and made %d people, want 1 and 1", made, len(store.AllUsers()))
	}
}

// An admin takes a join back: both sides are cut, and what one does no longer touches the other.
func TestSplit(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	phone := login(t, s, "phone-token-0001")
	byPhone, err := s.Register(t.Context(), portalApp, revoke.Registration{Subject: revoke.Subject{{Namespace: revoke.NamespacePhone, Value: "+44201234"}}, App: "portal", Kind: revoke.Mobile})
	if err != nil {
		t.Fatal(err)
	}
	d := draft("sally@example.edu", "00u1", true)
	d.Subject.Add(revoke.NamespacePhone, "+44201234")
	provisioned(t, s, d)
	a, err := s.Ask(t.Context(), phone)
	if err != nil || !a.Live {
		t.Fatalf("joined: %+v, %v", a, err)
	}
	for _, want := range []error{nil, revoke.ErrNotFound} {
		if err := s.Split(t.Context(), someone, operator, byPhone.Session.User, a.Session.User, "two people"); !errors.Is(err, want) {
			t.Fatalf("split = %v, want %v", err, want)
		}
	}
	wantLive(t, s, phone, false, "split")
	events := store.AllEvents()
	if last := events[len(events)-1]; last.Type != "split" || last.Note != "two people" {
		t.Errorf("event = %s %q, want the split with its reason", last.Type, last.Note)
	}
	signal(t, s, oktaSource, revoke.Signal{Kind: revoke.Suspended, Subject: by("sally@example.edu")})
	if _, err := s.Register(t.Context(), portalApp, revoke.Registration{Subject: revoke.Subject{{Namespace: revoke.NamespacePhone, Value: "+44201234"}}, App: "portal", Kind: revoke.Mobile}); err != nil {
		t.Errorf("the other side after a suspension of one: %v", err)
	}
}

// counted keeps what an Observer was told.
type counted struct {
	revoke.Unobserved
	mu    sync.Mutex
	kinds []revoke.SignalKind
}

func (c *counted) Received(_ string, kind revoke.SignalKind, _ revoke.EventState, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds = append(c.kinds, kind)
}

func TestDirectorysSignalsAreCounted(t *testing.T) {
	t.Parallel()
	seen := &counted{}
	s, err := revoke.New(revoke.Config{Store: revoketest.NewMemory(), Observer: seen, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	p := provisioned(t, s, draft("sally@example.edu", "00u1", true))
	updated(t, s, p.Resource.ID, draft("sally@example.edu", "00u1", false))
	if !slices.Equal(seen.kinds, []revoke.SignalKind{revoke.Deactivated}) {
		t.Errorf("counted %v, want the deactivation", seen.kinds)
	}
}
