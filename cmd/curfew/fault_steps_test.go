package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// failPoint kills the program at the n-th step from now, n being what the file fail-point beside the configuration says first:
// steps are what it does that somebody can see, before and after.
const failPoint = `package revoke

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var steps struct {
	sync.Mutex
	order string
	n     int
}

func FailPoint() {
	text, err := os.ReadFile("fail-point")
	if err != nil {
		return
	}
	steps.Lock()
	defer steps.Unlock()
	if order := string(text); order != steps.order { // a new one counts from here
		steps.order, steps.n = order, 0
	}
	steps.n++
	number, _, _ := strings.Cut(steps.order, " ")
	if at, _ := strconv.Atoi(number); steps.n == at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
`

// withFailPoints is the program with a step before and after each thing that it writes, commits, sends, makes known and answers.
func withFailPoints(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{"revoke/fail_point.go": failPoint}
	for _, step := range []struct{ file, at, with string }{
		{"store/writer.go", "\tresult, err := stmt.ExecContext(", "\trevoke.FailPoint()\n%s"},
		{"store/writer.go", "\tif err := s.db.commit(ctx, w); err != nil {\n", "\trevoke.FailPoint()\n%s"},
		{"store/writer.go", "\treturn nil\n}\n\n// retrying", "\trevoke.FailPoint()\n%s"},
		{"targets/line.go", "\ta, err := outbound.Do(l.client, r.WithContext(ctx), limit)\n", "\trevoke.FailPoint()\n%s\trevoke.FailPoint()\n"},
		{"revoke/service.go", "\ts.apply(done.Changes(at))\n", "\tFailPoint()\n%s\tFailPoint()\n"},
		{"revoke/service.go", "\t\tout = append(out, decided...)\n", "%s\t\tFailPoint()\n"},
	} {
		text, ok := files[step.file]
		if !ok {
			text = replaced(t, step.file, step.at, step.at, 1)
		}
		if strings.Count(text, step.at) != 1 {
			t.Fatalf("%s does not hold the step once; look at the code as it is now:\n%s", step.file, step.at)
		}
		files[step.file] = strings.Replace(text, step.at, fmt.Sprintf(step.with, step.at), 1)
	}
	return files
}

const recoverWithin = 5 * time.Second

// TestF1KilledBetweenEveryTwoSteps: a person's story, with senders who try again until they are acknowledged, ends the same
// wherever the server is killed in it. `make test` kills at every fifth step, others each time.
func TestF1KilledBetweenEveryTwoSteps(t *testing.T) {
	t.Parallel()
	p := build(t, overlay(t, withFailPoints(t)))
	onEach(t, p.killedAtEachStep)
}

func (p program) killedAtEachStep(t *testing.T, folder, database string) {
	t.Helper()
	s := &steps{program: p, t: t, folder: folder, app: newPortal(t)}
	s.file = configure(t, folder, database, s.app.URL)
	s.r = p.start(t, s.file)
	stride, seeds := 5, 1
	if *thorough {
		stride, seeds = 1, 20
	}
	for seed := range seeds {
		s.again = seed > 0
		for at := 1 + rand.IntN(stride); ; at += stride {
			if killed := s.story(fmt.Sprintf("f%d-%d@example.edu", seed, at), at); !killed {
				if at < 30 {
					t.Fatalf("the story has %d steps only: the test counts the wrong ones", at)
				}
				break
			}
			if t.Failed() {
				t.Fatalf("killed at step %d\n%s", at, s.r.log)
			}
		}
	}
	s.whole(database)
}

// steps is a server that is killed in the middle of stories.
type steps struct {
	program
	t            *testing.T
	folder, file string
	app          *portal
	r            *running
	again        bool // kill a second time after the restart, at any step
	killed       bool
	orders       int
}

// arm lets the server be killed at a step from now, the next one that starts included. Zero lets it live.
func (s *steps) arm(at int) {
	s.t.Helper()
	file := filepath.Join(s.folder, "fail-point")
	var err error
	if at == 0 {
		err = os.Remove(file)
	} else {
		s.orders++
		fresh := file + "-fresh"
		err = errors.Join(os.WriteFile(fresh, fmt.Append(nil, at, " of order ", s.orders), 0o600), os.Rename(fresh, file))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
}

// restart starts the server anew, which the kill ended.
func (s *steps) restart() {
	s.t.Helper()
	s.r.kill() // waits for its end
	s.arm(0)
	if s.again && !s.killed {
		defer s.arm(1 + rand.IntN(60))
	}
	s.killed = true
	begun := time.Now()
	s.r = s.start(s.t, s.file)
	if took := time.Since(begun); took > recoverWithin {
		s.t.Errorf("ready %s after the kill, want within %s", took, recoverWithin)
	}
}

// until tries as a sender does, until the server says yes or a no that is meant.
func (s *steps) until(what string, try func() answer) answer {
	s.t.Helper()
	for range 100 {
		a := try()
		switch a.status {
		case 0:
			s.restart()
		case http.StatusServiceUnavailable:
		default:
			return a
		}
	}
	s.t.Fatalf("%s is never answered\n%s", what, s.r.log)
	return answer{}
}

func (s *steps) acknowledged(what string, try func() answer) {
	s.t.Helper()
	if a := s.until(what, try); a.status/100 != 2 {
		s.t.Errorf("%s: got %d %s, want an acknowledgement", what, a.status, a.body)
	}
}

func (s *steps) verified(token string, want int, when string) {
	s.t.Helper()
	if a := s.until("/verify", func() answer { return s.r.get("/verify", "Bearer "+token) }); a.status != want {
		s.t.Errorf("%s: /verify answers %d, want %d", when, a.status, want)
	}
}

// story lives through one person's news while the server is killed at a step, and reports whether it was.
func (s *steps) story(email string, at int) bool {
	s.t.Helper()
	s.killed = false
	s.arm(0)
	if a := s.r.register(email, "mobile"); a.status != http.StatusCreated {
		s.t.Fatalf("register: got %d %s", a.status, a.body)
	} else {
		phone, resource := a.member(s.t, "token").(string), s.r.provision(s.t, email)
		s.arm(at)
		s.news(email, phone, resource)
	}
	told := func() bool {
		if s.r.get("/healthz", "").status == 0 {
			s.restart()
		}
		return s.app.heard("user.blocked", email) && s.app.heard("user.lifted", email) && s.app.heard("session.revoked", email)
	}
	eventually(s.t, "the application is told of "+email, told)
	var owed answer
	eventually(s.t, "nothing is owed any more", func() bool {
		if owed = s.r.get("/v1/deliveries?state=due", "Bearer "+opsToken); owed.status == 0 {
			s.restart()
		}
		claimed := s.r.get("/v1/deliveries?state=claimed", "Bearer "+opsToken)
		return strings.Contains(string(owed.body), `"items":[]`) && strings.Contains(string(claimed.body), `"items":[]`)
	})
	return s.killed
}

func (s *steps) news(email, phone, resource string) {
	s.t.Helper()
	now := time.Now()
	s.acknowledged("suspension", func() answer { return s.r.okta(oktaSecret, "user.lifecycle.suspend", "s-"+email, email, now) })
	s.verified(phone, http.StatusUnauthorized, "suspended")
	s.acknowledged("end of the suspension", func() answer {
		return s.r.okta(oktaSecret, "user.lifecycle.unsuspend", "u-"+email, email, now.Add(time.Millisecond))
	})
	s.verified(phone, http.StatusUnauthorized, "let in again")
	tablet := "tablet-of-" + email
	s.acknowledged("registration", func() answer {
		return s.r.post("/v1/sessions", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "token": %q}`, email, tablet))
	})
	s.verified(tablet, http.StatusOK, "signed in again")
	s.acknowledged("an application's own news", func() answer {
		return s.r.post("/v1/signals", portalToken, fmt.Sprintf(`{"signal": "credential-compromised", "subject": {"format": "email", "email": %q}, "id": %q}`, email, "c-"+email))
	})
	s.verified(tablet, http.StatusUnauthorized, "compromised")
	s.acknowledged("SCIM deactivation", func() answer { return s.r.setActive(resource, false) })
	if a := s.until("registration", func() answer { return s.r.register(email, "mobile") }); a.status != http.StatusForbidden {
		s.t.Errorf("registration of somebody deactivated: got %d %s, want 403", a.status, a.body)
	}
	s.verified(phone, http.StatusUnauthorized, "at the end")
}

// whole looks into the database: each event has one revocation, each of them an entry in the audit log and one message, done.
func (s *steps) whole(database string) {
	s.t.Helper()
	s.arm(0)
	s.r.stop(s.t)
	db := look(s.t, database)
	count := func(query string) (n int) {
		s.t.Helper()
		if err := db.QueryRowContext(s.t.Context(), query).Scan(&n); err != nil {
			s.t.Fatalf("%s: %v", query, err)
		}
		return n
	}
	revocations := count("SELECT count(*) FROM revocations")
	for what, n := range map[string]int{
		"events with a revocation":     count("SELECT count(DISTINCT event_id) FROM revocations"),
		"deliveries that are done":     count("SELECT count(*) FROM deliveries WHERE state = 'done'"),
		"entries in the audit log":     count("SELECT count(*) FROM audit WHERE kind = 'revocation'"),
		"messages under ids of theirs": len(distinct(s.app.refuse(false))),
	} {
		if n != revocations {
			s.t.Errorf("%d %s of %d revocations, want as many", n, what, revocations)
		}
	}
	if again := count("SELECT count(*) FROM (SELECT sender_id FROM events WHERE sender_id <> '' GROUP BY authority, sender_id HAVING count(*) > 1) AS x"); again > 0 {
		s.t.Errorf("%d events are there twice", again)
	}
}

func distinct(all []string) map[string]bool {
	out := map[string]bool{}
	for _, one := range all {
		out[one] = true
	}
	return out
}
