package revoke_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// reading counts how often resources are read beside the decisions about them.
type reading struct {
	revoke.Store
	resources, decisions int
}

func (r *reading) Resource(ctx context.Context, org, authority string, id revoke.ID) (revoke.Resource, error) {
	r.resources++
	return r.Store.Resource(ctx, org, authority, id)
}

func (r *reading) Decide(ctx context.Context, need revoke.Need, decide revoke.Decision) error {
	r.decisions++
	return r.Store.Decide(ctx, need, decide)
}

type commit = func(context.Context, revoke.Actor, revoke.Source, revoke.ID, func(revoke.Resource) (revoke.Draft, error)) (revoke.Provisioned, error)

// Whatever a request says that was expected only to deactivate, it comes out as any other does. Only what it needs is less.
func TestDeactivationNeedsNoMoreThanItsPerson(t *testing.T) {
	t.Parallel()
	said := func(change func(*revoke.Draft)) revoke.Draft {
		d := draft("sally@example.edu", "00u1", false)
		d.Profile = []byte(`{}`)
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		sent      revoke.Draft
		before    []revoke.Draft // what was sent of the resource before
		decisions int
	}{
		"a deactivation":         {said(func(*revoke.Draft) {}), nil, 1},
		"and a password":         {said(func(d *revoke.Draft) { d.Password = true }), nil, 1},
		"in another letter case": {said(func(d *revoke.Draft) { d.UserName = "Sally@Example.edu" }), nil, 1},
		"and a new profile":      {said(func(d *revoke.Draft) { d.Profile = []byte(`{"title":"x"}`) }), nil, 2},
		"and a new address":      {said(func(d *revoke.Draft) { d.Subject.Add(revoke.NamespaceEmail, "sal@example.edu") }), nil, 2},
		"and another's address":  {said(func(d *revoke.Draft) { d.Subject.Add(revoke.NamespaceEmail, "bob@example.edu") }), nil, 2},
		"and another's name":     {said(func(d *revoke.Draft) { d.UserName = "bob@example.edu" }), nil, 2},
		"and another's id":       {said(func(d *revoke.Draft) { d.ExternalID = "00u2" }), nil, 2},
		"a second deactivation":  {said(func(*revoke.Draft) {}), []revoke.Draft{said(func(*revoke.Draft) {})}, 2},
		"a reactivation":         {said(func(d *revoke.Draft) { d.Active = true }), []revoke.Draft{said(func(*revoke.Draft) {})}, 2},
		"nothing but a new name": {said(func(d *revoke.Draft) { d.Active, d.UserName = true, "sal@example.edu" }), nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(by func(*revoke.Service) commit) ([]any, *reading) {
				store := &reading{Store: revoketest.NewMemory()}
				s := restart(t, store)
				phone := login(t, s, "phone-token-0001")
				sally := provisioned(t, s, said(func(d *revoke.Draft) { d.Active = true })).Resource
				provisioned(t, s, draft("bob@example.edu", "00u2", true))
				for _, d := range c.before {
					updated(t, s, sally.ID, d)
				}
				store.resources, store.decisions = 0, 0
				p, err := by(s)(t.Context(), someone, directory, sally.ID, to(c.sent))
				stands, readErr := store.Store.Resource(t.Context(), "main", directory.Authority, sally.ID)
				answer, askErr := s.Ask(t.Context(), phone)
				if err := errors.Join(readErr, askErr); err != nil {
					t.Fatal(err)
				}
				return []any{
					p.Changed, p.Restored, p.Signals, p.State, len(p.Revocations), errors.Is(err, revoke.ErrConflict), err == nil,
					stands.UserName, stands.Active, stands.Version, answer.Live,
				}, store
			}
			want, _ := run(func(s *revoke.Service) commit { return s.UpdateResource })
			got, store := run(func(s *revoke.Service) commit { return s.DeactivateResource })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("beside an update (-want +got):\n%s", diff)
			}
			if store.resources != 0 || store.decisions != c.decisions {
				t.Errorf("%d readings and %d decisions, want none and %d", store.resources, store.decisions, c.decisions)
			}
		})
	}
}

func TestDeactivationOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s, _ := serving(t)
	sally := provisioned(t, s, draft("sally@example.edu", "00u1", true)).Resource
	other := directory
	other.Name, other.Authority = "entra", "entra"
	for what, err := range map[string]error{
		"an unknown resource": errorOf(s.DeactivateResource(t.Context(), someone, directory, revoke.NewID(1), to(draft("x", "y", false)))),
		"another authority's": errorOf(s.DeactivateResource(t.Context(), someone, other, sally.ID, to(draft("sally@example.edu", "00u1", false)))),
	} {
		if !errors.Is(err, revoke.ErrNotFound) {
			t.Errorf("%s: %v, want not found", what, err)
		}
	}
}

func errorOf(_ revoke.Provisioned, err error) error { return err }
