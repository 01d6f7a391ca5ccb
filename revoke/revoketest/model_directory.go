package revoketest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// modelResource is what the directory wrote about one person over SCIM.
type modelResource struct {
	id      revoke.ID
	node    *node
	active  bool
	refused bool // a deactivation was carried out although its request was refused
	gone    bool
}

const directory = "scim"

// draft is one person as the directory writes it.
func (r *modelRun) draft(t *rapid.T, person int) (revoke.Draft, []string) {
	names := []string{fmt.Sprintf("user_name:p%d", person)}
	for _, name := range []string{"email:p%d", "email:alias%d"} {
		if rapid.Bool().Draw(t, "with "+name) {
			names = append(names, fmt.Sprintf(name, person))
		}
	}
	d := revoke.Draft{Subject: subject(names), Said: true, Request: "POST"}
	d.Type, d.UserName, d.Active, d.Profile = "User", fmt.Sprintf("P%d", person), true, json.RawMessage(`{}`)
	return d, names
}

// provision creates somebody's resource, restores it, or meets the active one.
func (r *modelRun) provision(t *rapid.T) {
	r.provisionPerson(t, rapid.IntRange(0, people-1).Draw(t, "person"), rapid.IntRange(0, 3).Draw(t, "inactive") != 3)
}

func (r *modelRun) provisionPerson(t *rapid.T, person int, active bool) {
	t.Helper()
	r.model.step++
	draft, names := r.draft(t, person)
	draft.Active = active
	old := r.resources[person]
	got, err := r.svc.CreateResource(r.ctx, revoke.Actor{}, r.source(directory), draft)
	if old != nil && !old.gone && old.active {
		if !errors.Is(err, revoke.ErrConflict) {
			t.Fatalf("create a resource whose name an active one has: got %v, want %v", err, revoke.ErrConflict)
		}
		return
	}
	if err != nil {
		t.Fatalf("create a resource: %v", err)
	}
	next := &modelResource{id: got.Resource.ID, active: draft.Active}
	restored := old != nil && !old.gone
	if restored != got.Restored || restored && got.Resource.ID != old.id || old != nil && old.gone && got.Resource.ID == old.id {
		t.Fatalf("create a resource where one is %+v: got %s, restored %t", old, got.Resource.ID, got.Restored)
	}
	if restored {
		next.node = r.model.learnAbout(old.node, names)
	} else {
		next.node = r.model.learn(names)
	}
	var said []revoke.SignalKind
	switch {
	case !draft.Active:
		said = append(said, revoke.Deactivated)
		r.model.deactivateAgain(next.node, directory, restored)
	case old != nil:
		said = append(said, revoke.Reactivated)
		r.model.reactivate(next.node, directory, r.model.step)
	}
	if !slices.Equal(got.Signals, said) {
		t.Fatalf("create a resource, active %t, where one is %+v: it says %v, want %v", draft.Active, old, got.Signals, said)
	}
	r.resources[person] = next
	r.model.settle(fmt.Sprintf("provisioning at step %d", r.model.step))
}

// writeResource changes a resource, deletes it, or is refused with a deactivation inside.
func (r *modelRun) writeResource(t *rapid.T) {
	person := rapid.IntRange(0, people-1).Draw(t, "person")
	res := r.resources[person]
	if res == nil || res.gone {
		t.Skip("there is no resource")
	}
	r.model.step++
	src := r.source(directory)
	what := rapid.SampledFrom([]string{"off", "on", "on", "delete", "refuse", "off with a password", "password"}).Draw(t, "write")
	var err error
	switch what {
	case "delete":
		_, err = r.svc.DeleteResource(r.ctx, revoke.Actor{}, src, res.id)
		r.model.deactivate(res.node, directory, r.model.step)
		res.gone = true
	case "refuse":
		err = r.svc.DeactivateRefused(r.ctx, revoke.Actor{}, src, res.id, "a bad neighbour")
		r.model.deactivateAgain(res.node, directory, !res.active || res.refused)
		res.refused = res.refused || res.active
	default:
		err = r.changeResource(t, src, person, what)
	}
	if err != nil {
		t.Fatalf("write %s to a resource: %v", what, err)
	}
	r.model.settle(fmt.Sprintf("directory's %s at step %d", what, r.model.step))
}

func (r *modelRun) changeResource(t *rapid.T, src revoke.Source, person int, what string) error {
	res := r.resources[person]
	draft, names := r.draft(t, person)
	draft.Request, draft.Password = "PATCH", what == "password" || what == "off with a password"
	switch what {
	case "password":
		draft.Said, draft.Active = false, res.active
	case "on":
	default:
		draft.Active = false
	}
	got, err := r.svc.UpdateResource(r.ctx, revoke.Actor{}, src, res.id, func(now revoke.Resource) (revoke.Draft, error) {
		d := draft
		d.ID, d.Version, d.CreatedAt, d.User = now.ID, now.Version, now.CreatedAt, now.User
		return d, nil
	})
	if err != nil {
		return err
	}
	if differs := draft.Active != res.active || draft.Said && draft.Active && res.refused; differs {
		r.model.learnAbout(res.node, names) // an echo of what stood there teaches nothing
	}
	var said []revoke.SignalKind
	switch {
	case res.active && !draft.Active:
		said = append(said, revoke.Deactivated)
		r.model.deactivate(res.node, directory, r.model.step)
	case !draft.Active && draft.Said:
		said = append(said, revoke.Deactivated)
		r.model.deactivateAgain(res.node, directory, true)
	case draft.Said && draft.Active && (!res.active || res.refused):
		said = append(said, revoke.Reactivated)
		r.model.reactivate(res.node, directory, r.model.step)
	}
	if draft.Password {
		said = append(said, revoke.CredentialChanged)
		r.model.cut(res.node, modelCut{}, r.model.step)
	}
	if !slices.Equal(got.Signals, said) {
		t.Fatalf("write %s to a resource that is %+v: it says %v, want %v", what, res, got.Signals, said)
	}
	res.active = draft.Active
	res.refused = res.refused && (!draft.Said || !draft.Active)
	if got.Resource.Active != res.active || got.Resource.ID != res.id {
		t.Fatalf("write %s: the resource shows active %t, want what the directory wrote, %t", what, got.Resource.Active, res.active)
	}
	return nil
}
