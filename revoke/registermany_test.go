package revoke_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// why names the sentinel in an error.
func why(err error) string {
	for name, sentinel := range map[string]error{"blocked": revoke.ErrBlocked, "over": revoke.ErrOver, "conflict": revoke.ErrConflict} {
		if errors.Is(err, sentinel) {
			return name
		}
	}
	if _, invalid := errors.AsType[revoke.Invalid](err); invalid {
		return "invalid"
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Many registrations at once come out as one after the other: whatever is wrong with one refuses only that one, and what one
// made the next one finds.
func TestRegisterManyIsRegisterOneByOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		apart, atOnce := newOffice(t), newOffice(t)
		before := apart.now()
		for _, o := range []*office{apart, atOnce} {
			o.store.Moving().Advance(time.Hour)
			o.signIn(revoke.Registration{ClientID: "0", Subject: by("p0@example.edu")})
			o.send(hrSource, revoke.Signal{Kind: revoke.Suspended, Subject: by("p1@example.edu")})
			o.send(hrSource, revoke.Signal{Kind: revoke.CredentialCompromised, Subject: by("p2@example.edu")})
			o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{App: "portal", ClientID: "3"}, Command: true})
			o.send(mdmSource, revoke.Signal{Kind: revoke.DeviceLost, Device: things("serial", "C03")})
			o.spare("p3@example.edu")
		}
		var all []revoke.Registration
		for range rapid.IntRange(0, 12).Draw(t, "registrations") {
			r := revoke.Registration{App: "portal", Kind: revoke.Browser}
			for range rapid.IntRange(1, 2).Draw(t, "names") {
				r.Subject = append(r.Subject, by(fmt.Sprintf("p%d@example.edu", rapid.IntRange(0, 5).Draw(t, "person")))...)
			}
			if rapid.Bool().Draw(t, "with id") {
				r.ClientID = fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "id"))
			}
			if rapid.Bool().Draw(t, "with token") {
				r.Token = revoke.HashToken(fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "token")))
			}
			if rapid.Bool().Draw(t, "on a device") {
				r.Device = things("serial", rapid.SampledFrom([]string{"C02", "C03", "C04"}).Draw(t, "serial"), "id", "x")
			}
			if rapid.Bool().Draw(t, "older") {
				r.IssuedAt = before.Add(time.Minute)
			}
			if rapid.IntRange(0, 4).Draw(t, "expires") == 0 {
				r.ExpiresAt = before.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "hours")) * time.Hour)
			}
			all = append(all, r)
		}
		many, err := atOnce.s.RegisterMany(atOnce.ctx, portalApp, append([]revoke.Registration(nil), all...))
		if err != nil {
			t.Fatalf("register many: %v", err)
		}
		numbers := [2]map[revoke.ID]int{{}, {}}
		number := func(which int, id revoke.ID) int {
			if _, ok := numbers[which][id]; !ok {
				numbers[which][id] = len(numbers[which])
			}
			return numbers[which][id]
		}
		for i, r := range all {
			one, err := apart.s.Register(apart.ctx, portalApp, r)
			if got, want := why(many[i].Err), why(err); got != want {
				t.Fatalf("registration %d (%+v) at once: %q, by itself: %q", i, r, got, want)
			}
			if err != nil {
				continue
			}
			a, b := many[i].Session, one.Session
			if many[i].Created != one.Created || number(0, a.ID) != number(1, b.ID) || number(0, a.User) != number(1, b.User) ||
				number(0, a.Device) != number(1, b.Device) || a.Spared != b.Spared || r.IssuedAt != 0 && a.BornAt != b.BornAt {
				t.Fatalf("registration %d at once: %+v, by itself: %+v", i, many[i].Registered, one)
			}
			if atOnce.ask(a).Live != apart.ask(b).Live {
				t.Fatalf("registration %d lives one way only", i)
			}
		}
		if a, b := len(atOnce.store.AllSessions()), len(apart.store.AllSessions()); a != b {
			t.Fatalf("%d sessions at once, %d one by one", a, b)
		}
		if a, b := atOnce.alarms()[revoke.AlarmBreakGlass], apart.alarms()[revoke.AlarmBreakGlass]; a.Count != b.Count {
			t.Fatalf("the alarm was raised %d times at once, %d times one by one", a.Count, b.Count)
		}
	})
}

// When the store fails nothing is recorded, and the caller is told.
func TestRegisterManyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	all := []revoke.Registration{{Subject: by("a@example.edu"), App: "portal", Kind: revoke.Browser}, {Subject: by("b@example.edu"), App: "portal", Kind: revoke.Browser}}
	o.store.LoseNext(1)
	if out, err := o.s.RegisterMany(o.ctx, portalApp, all); !errors.Is(err, revoke.ErrUnknownCommit) || out != nil {
		t.Errorf("register many while the commit is lost = %v, %v", out, err)
	}
	if n := len(o.store.AllSessions()); n != 0 {
		t.Errorf("%d sessions are recorded", n)
	}
}
