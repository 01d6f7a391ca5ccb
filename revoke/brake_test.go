package revoke_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// usual is the brake as it is set by default.
func usual() revoke.Brake {
	return revoke.Brake{
		On: true, Users: 50, Percent: 20, Window: 10 * time.Minute, Hour: 100, Day: 300,
		Spare: 5, SparePer: time.Minute, SpareDay: 50, Wait: time.Hour, Approvals: 1,
	}
}

// school is a service with people who are signed in, under a brake.
type school struct {
	*testing.T
	svc    *revoke.Service
	store  *revoketest.Memory
	people []revoke.Provisioned
}

func newSchool(t *testing.T, people int, brake revoke.Brake) *school {
	t.Helper()
	store := revoketest.NewMemory()
	s := &school{T: t, store: store, svc: serviceOn(t, store)}
	for i := range people {
		name := fmt.Sprintf("pupil-%d", i)
		made, err := s.svc.CreateResource(t.Context(), someone, directory, revoke.Draft{
			Resource: revoke.Resource{Type: revoke.TypeUser, UserName: name, Active: true},
			Subject:  revoke.Subject{{Namespace: revoke.NamespaceUserName, Value: name}}, Request: "POST",
		})
		if err != nil {
			t.Fatal(err)
		}
		s.people = append(s.people, made)
	}
	s.svc.SetBrake(brake)
	return s
}

func serviceOn(t *testing.T, store revoke.Store) *revoke.Service {
	t.Helper()
	svc, err := revoke.New(revoke.Config{Store: store, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return svc
}

var floods = revoke.Actor{Kind: "source", Name: directory.Name}

// set changes active of one person, as the directory says.
func (s *school) set(i int, active bool) revoke.Provisioned {
	s.Helper()
	out, err := s.svc.UpdateResource(s.Context(), floods, directory, s.people[i].Resource.ID, func(r revoke.Resource) (revoke.Draft, error) {
		r.Active = active
		return revoke.Draft{Resource: r, Said: true, Request: "PATCH", Subject: revoke.Subject{{Namespace: revoke.NamespaceUserName, Value: r.UserName}}}, nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// blocked counts who may hold no session.
func (s *school) blocked() (n int) {
	s.Helper()
	for _, p := range s.store.AllUsers() {
		for _, b := range p.Blocks {
			if b.BlockedAt != 0 && b.BlockedAt >= b.LiftedAt {
				n++
			}
		}
	}
	return n
}

func (s *school) held() []revoke.Held {
	s.Helper()
	rows, err := s.svc.Held(s.Context(), revoke.HeldQuery{Org: directory.Org, Waiting: true, Limit: 100_000})
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

func approver(name string) revoke.SignIn {
	return revoke.SignIn{Org: directory.Org, Name: name, Roles: []revoke.Role{revoke.RoleApprover}}
}

// SECURITY T2: whoever steals a directory's token hits no more people than the brake lets pass, and everybody else goes on as ever.
func TestBrakeHoldsAFlood(t *testing.T) {
	t.Parallel()
	const people = 400
	s := newSchool(t, people, usual())
	for i := range people {
		out := s.set(i, false)
		if out.Resource.Active {
			t.Fatalf("person %d: the answer shows active, so that the flood can tell what is held", i)
		}
		if held := !out.Held.IsZero(); held != (i >= 55) || held != (out.State == revoke.EventHeld) {
			t.Fatalf("person %d: held %v, state %s; want the first 55 to pass", i, held, out.State)
		}
	}
	if got := s.blocked(); got != 55 {
		t.Errorf("%d people are blocked, want 50 and 5 to spare", got)
	}
	rows := s.held()
	if len(rows) != people-55 || rows[0].Cause != revoke.HeldByBrake || !rows[0].ByItself || rows[0].User.IsZero() {
		t.Fatalf("held: %d, of which the newest is %+v", len(rows), rows[0])
	}
	alarms, err := s.store.Alarms(t.Context(), revoke.AlarmQuery{Org: directory.Org, Kind: revoke.AlarmHeld, Standing: true, Limit: 10})
	if err != nil || len(alarms) != 1 || alarms[0].About != directory.Name {
		t.Errorf("alarms: %+v, %v; want one about the source", alarms, err)
	}
	other := revoke.Source{Name: "hr", Org: directory.Org, Authority: "hr"}
	out, err := s.svc.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "hr"}, other, revoke.Event{Signals: []revoke.Signal{{
		Kind: revoke.Suspended, Subject: revoke.Subject{{Namespace: revoke.NamespaceUserName, Value: "pupil-399"}},
	}}})
	if err != nil || out[0].State != revoke.EventDecided || len(out[0].Revocations) != 1 {
		t.Errorf("another source's suspension in the flood: %+v, %v; want it decided at once", out, err)
	}

	s.svc = serviceOn(t, s.store) // a restart
	s.svc.SetBrake(usual())
	s.set(0, true)
	if out := s.set(0, false); out.State != revoke.EventDecided {
		t.Errorf("somebody who was hit already is held: %s", out.State)
	}
	if len(s.held()) != people-55 {
		t.Errorf("after a restart %d are held", len(s.held()))
	}
	s.store.Moving().Advance(time.Minute + time.Second)
	again := s.set(56, true)
	if got := s.set(56, false); !again.Held.IsZero() || got.State != revoke.EventDecided {
		t.Errorf("a minute later one urgent suspension is %s, want it to pass", got.State)
	}
}

func TestBrakeWindows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		people, want int
		change       func(*revoke.Brake)
	}{
		"nineteen people":        {19, 19, func(*revoke.Brake) {}},
		"twenty people: percent": {20, 4, func(*revoke.Brake) {}},
		"an hour":                {60, 7, func(b *revoke.Brake) { b.Hour = 7 }},
		"a day":                  {60, 3, func(b *revoke.Brake) { b.Day = 3 }},
		"off":                    {60, 60, func(b *revoke.Brake) { b.On = false }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brake := usual()
			brake.Spare = 0
			c.change(&brake)
			s := newSchool(t, c.people, brake)
			for i := range c.people {
				s.set(i, false)
			}
			if got := s.blocked(); got != c.want {
				t.Errorf("%d blocked, want %d", got, c.want)
			}
		})
	}
}

// SECURITY T9: an operator who ends the sessions of one person after the other is held as a source is.
func TestBrakeHoldsAnOperator(t *testing.T) {
	t.Parallel()
	brake := usual()
	brake.Spare = 0
	s := newSchool(t, 300, brake)
	office := revoke.Source{Name: "ops", Org: directory.Org, Authority: revoke.AdminAuthority, Admin: true, Devices: true}
	ops := revoke.Actor{Kind: "operator", Name: "ops"}
	order := func(i int) revoke.Outcome {
		t.Helper()
		out, err := s.svc.Receive(t.Context(), ops, office, revoke.Event{Signals: []revoke.Signal{{
			Kind: revoke.SessionsCleared, Command: true, Reason: "because",
			Subject: revoke.Subject{{Namespace: revoke.NamespaceUserName, Value: fmt.Sprintf("pupil-%d", i)}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	for i := range 60 {
		if out := order(i); out.Held.IsZero() == (i >= 50) {
			t.Fatalf("order %d: held %v", i, out.Held)
		}
	}
	rows := s.held()
	if rows[0].ByItself {
		t.Error("an operator's order is carried out by itself")
	}
	asker := approver("ops")
	if _, err := s.svc.Approve(t.Context(), asker, []revoke.ID{rows[0].ID}, "mine"); !errors.Is(err, revoke.ErrOwnRequest) {
		t.Errorf("who asked approves: %v", err)
	}
	if _, err := s.svc.Approve(t.Context(), revoke.SignIn{Org: directory.Org, Name: "viewer", Roles: []revoke.Role{revoke.RoleAdmin}}, []revoke.ID{rows[0].ID}, ""); err == nil {
		t.Error("an admin who is no approver approves")
	}
	s.store.Moving().Advance(2 * time.Hour)
	if err := s.svc.EndDue(t.Context()); err != nil || len(s.held()) != 10 {
		t.Errorf("after two hours %d of an operator's are held, %v; want all 10", len(s.held()), err)
	}
}

// Approval keeps the event's time, what cuts at receipt cuts at approval, and each happens once.
func TestApproveAndReject(t *testing.T) {
	t.Parallel()
	brake := usual()
	brake.Users, brake.Spare = 1, 0
	s := newSchool(t, 10, brake)
	for i := range 4 {
		s.set(i, false)
	}
	rows := s.held()
	if len(rows) != 3 {
		t.Fatalf("held: %d, want 3", len(rows))
	}
	heldAt := rows[1].HeldAt
	s.store.Moving().Advance(10 * time.Minute)
	for range 2 {
		if _, err := s.svc.Approve(t.Context(), approver("ann"), []revoke.ID{rows[1].ID}, "known"); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.blocked(); got != 2 {
		t.Errorf("blocked: %d, want 2", got)
	}
	people, err := s.store.People(t.Context(), []revoke.ID{rows[1].User})
	if err != nil || len(people) != 1 || len(people[0].Blocks) != 1 || people[0].Blocks[0].BlockedAt.Sub(heldAt).Abs() > time.Millisecond {
		t.Errorf("the block: %+v, %v; want it from when it was said, %s", people, err, heldAt)
	}
	ev, err := s.svc.Event(t.Context(), directory.Org, rows[1].ID)
	if err != nil || ev.State != revoke.EventDecided || len(ev.Decided.Revocations) != 1 {
		t.Errorf("its event: %+v, %v", ev, err)
	}
	if n, err := s.svc.Reject(t.Context(), approver("ann"), []revoke.ID{rows[2].ID}, "stolen"); n != 1 || err != nil {
		t.Errorf("reject: %d, %v", n, err)
	}
	if _, err := s.svc.Approve(t.Context(), approver("ben"), []revoke.ID{rows[2].ID}, ""); !errors.Is(err, revoke.ErrConflict) {
		t.Errorf("approve what was rejected: %v", err)
	}
	verdicts := 0
	for _, a := range s.store.Audit() {
		if a.Kind == "verdict" {
			verdicts++
		}
	}
	if verdicts != 2 {
		t.Errorf("%d verdicts in the audit log, want 2", verdicts)
	}
	s.store.Moving().Advance(time.Hour)
	if err := s.svc.EndDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, left := s.blocked(), len(s.held()); got != 3 || left != 0 {
		t.Errorf("after brake.wait %d are blocked and %d held, want 3 and none", got, left)
	}
	alarms, err := s.store.Alarms(t.Context(), revoke.AlarmQuery{Org: directory.Org, Kind: revoke.AlarmHeld, Standing: true, Limit: 10})
	if err != nil || len(alarms) != 0 {
		t.Errorf("nothing is held and the alarm stands: %+v, %v", alarms, err)
	}
}

// What was said after something that is held counts after it, whenever that is approved.
func TestHeldStaysInOrder(t *testing.T) {
	t.Parallel()
	brake := usual()
	brake.Users, brake.Spare = 0, 0
	s := newSchool(t, 1, brake)
	s.set(0, false)
	s.set(0, true)
	rows := s.held()
	if len(rows) != 1 {
		t.Fatalf("held: %+v, want the deactivation alone: there is nothing to lift", rows)
	}
	if _, err := s.svc.Approve(t.Context(), approver("ann"), []revoke.ID{rows[0].ID}, ""); err != nil {
		t.Fatal(err)
	}
	if got := s.blocked(); got != 0 {
		t.Error("a deactivation that was taken back stands, for it was approved later")
	}
	s.set(0, false)
	if n, err := s.svc.Retire(t.Context(), revoke.Actor{Kind: "operator", Name: "ops"}, directory.Org, directory.Authority, "other", "moved"); n != 1 || err != nil {
		t.Fatalf("retire: %d, %v", n, err)
	}
	rows = s.held()
	if len(rows) != 1 || rows[0].Authority != "other" {
		t.Fatalf("after its authority was retired: %+v", rows)
	}
	if _, err := s.svc.Approve(t.Context(), approver("ann"), []revoke.ID{rows[0].ID}, ""); err != nil {
		t.Fatal(err)
	}
	p, err := s.store.People(t.Context(), []revoke.ID{rows[0].User})
	if err != nil || !slices.ContainsFunc(p[0].Blocks, func(b revoke.Block) bool { return b.Authority == "other" && b.BlockedAt != 0 }) {
		t.Errorf("the block is not the new authority's: %+v, %v", p, err)
	}
}

// SECURITY T8: with approvals: 2 an order for many waits for a second person, and cuts when that one approves.
func TestOrdersForManyTakeTwo(t *testing.T) {
	t.Parallel()
	brake := usual()
	brake.Approvals = 2
	s := newSchool(t, 5, brake)
	office := revoke.Source{Name: "ops", Org: directory.Org, Authority: revoke.AdminAuthority, Admin: true, Devices: true}
	ops := revoke.Actor{Kind: "operator", Name: "ops"}
	for _, wide := range []revoke.Signal{
		{Wide: revoke.ScopeEveryone},
		{Wide: revoke.ScopeApp, OnlyApp: "portal"},
		{Wide: revoke.ScopeKindOf, OnlyKind: revoke.Mobile},
		{Mass: true, Subject: revoke.Subject{{Namespace: revoke.NamespaceUserName, Value: "pupil-1"}}},
	} {
		wide.Kind, wide.Command, wide.Reason = revoke.SessionsCleared, true, "the year is over"
		out, err := s.svc.Receive(t.Context(), ops, office, revoke.Event{Signals: []revoke.Signal{wide}})
		if err != nil || out[0].State != revoke.EventHeld || out[0].Held.IsZero() || len(out[0].Revocations) != 0 {
			t.Fatalf("%+v: %+v, %v; want it held", wide, out, err)
		}
		at := s.store.Moving().Advance(time.Minute)
		if n, err := s.svc.Approve(t.Context(), approver("ann"), []revoke.ID{out[0].Held}, "agreed"); n != 1 || err != nil {
			t.Fatalf("approve: %d, %v", n, err)
		}
		ev, err := s.svc.Event(t.Context(), directory.Org, out[0].Event)
		if err != nil || len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].At < at || ev.Decided.Revocations[0].Actor != ops {
			t.Errorf("%+v: decided %+v, %v; want a cut at approval, by who asked", wide, ev.Decided, err)
		}
	}
}
