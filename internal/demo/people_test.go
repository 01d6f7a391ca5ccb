package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSchoolIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	people := invent()
	if len(people)+1 != 500 {
		t.Errorf("%d people with Sally, want 500", len(people)+1)
	}
	groups, logins, devices := map[string]int{}, map[string]bool{student: true}, map[string]bool{}
	for _, p := range people {
		if logins[p.login] {
			t.Errorf("two people are %s", p.login)
		}
		logins[p.login] = true
		groups[p.group]++
		for _, g := range p.gadgets {
			if devices[g.id] || len(g.apps) == 0 {
				t.Errorf("the device %s is somebody else's too, or signed in nowhere: %v", g.id, g.apps)
			}
			devices[g.id] = true
		}
	}
	if groups[sally().group]+1 != 75 || groups[leavers] != 75 {
		t.Errorf("the groups are not those of the school: %v", groups)
	}
	if diff := cmp.Diff(people, invent(), cmp.AllowUnexported(person{}, gadget{})); diff != "" {
		t.Errorf("a second school is another one:\n%s", diff)
	}
}

func TestSystemsAilOnlyWhenTold(t *testing.T) {
	t.Parallel()
	s := &systems{people: invent()}
	status := func(handler http.HandlerFunc, login string) int {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // who calls does not wait
		w := httptest.NewRecorder()
		w.Code = 0 // nothing was answered
		body := strings.NewReader(`{"data": {"subject": {"email": "` + login + `"}}}`)
		handler(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body))
		return w.Code
	}
	junior := s.people[0].login
	for _, c := range []struct {
		ail               bool
		mail, door, badge int
	}{{false, 204, 204, 204}, {true, 0, 503, 422}} {
		s.ail.Store(c.ail)
		if got := status(s.mail, student); got != c.mail {
			t.Errorf("ailing %v, mail: got %d, want %d", c.ail, got, c.mail)
		}
		if got := status(s.doors, student); got != c.door {
			t.Errorf("ailing %v, doors about Sally: got %d, want %d", c.ail, got, c.door)
		}
		if got := status(s.doors, junior); got != c.badge {
			t.Errorf("ailing %v, doors about %s: got %d, want %d", c.ail, junior, got, c.badge)
		}
	}
}
