package webhooks_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/webhooks"
)

func (o *office) blocked(mail string) bool {
	o.Helper()
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, mail)
	r := revoke.Registration{App: "portal", Kind: revoke.Browser, Token: revoke.HashToken(revoke.NewID(o.store.Clock().Now()).String()), Subject: who}
	_, err := o.service.Register(o.Context(), revoke.Source{Name: "portal", Org: "main", Authority: "portal", IDs: "portal"}, r)
	if err != nil && !errors.Is(err, revoke.ErrBlocked) {
		o.Fatalf("register: %v", err)
	}
	return err != nil
}

func (o *office) standing() []string {
	o.Helper()
	alarms, err := o.store.Alarms(o.Context(), revoke.AlarmQuery{Org: "main", Standing: true, Limit: 100})
	if err != nil {
		o.Fatal(err)
	}
	var out []string
	for _, a := range alarms {
		out = append(out, string(a.Kind)+" "+a.About)
	}
	slices.Sort(out)
	return out
}

func TestWhatOnlySaysThatItChangedIsRead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"}
		d.people["00u2"] = member{Enabled: true, Mail: "tom@example.edu"}
	})
	sally, tom := o.signIn("sally", "", ""), o.signIn("tom", "", "")
	o.changed("ev-1", "users/00u1", "ev-2", "users/00u2", "ev-1", "users/00u1")
	o.until("both are read", 0, o.settled("ev-1", "ev-2"))
	if o.live(sally) || !o.live(tom) {
		t.Errorf("sally is live: %v, tom: %v; want only tom", o.live(sally), o.live(tom))
	}
	if ev := o.event("ev-1"); ev.State != revoke.EventDecided || len(ev.Decided.Revocations) != 1 || !strings.Contains(ev.Note, "enabled: false") || !strings.Contains(ev.Note, "verified by key") {
		t.Errorf("the event that was read: %+v", ev)
	}
	if ev := o.event("ev-2"); ev.State != revoke.EventIgnored || !ev.Decided.Known {
		t.Errorf("an event that taught who somebody is: %+v", ev)
	}
	o.changed("ev-1", "users/00u1") // a duplicate is answered from what was decided
	if reads := o.dir.reads(); len(reads) != 2 || len(o.store.AllEvents()) != 2 {
		t.Errorf("read %v for %d events, want each once", reads, len(o.store.AllEvents()))
	}
	var byID revoke.Subject
	byID.Add("dir", "00u2")
	src := revoke.Source{Name: "dir", Org: "main", Authority: "dir", IDs: "dir", Learns: true}
	if _, err := o.service.Receive(t.Context(), revoke.Actor{}, src, revoke.Event{SenderID: "s", Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: byID}}}); err != nil {
		t.Fatal(err)
	}
	if o.live(tom) {
		t.Error("a signal by the id that a read taught does not reach its person")
	}
	o.changed("ev-3", "users/00u9")
	o.until("what is gone is read", 0, o.settled("ev-3"))
	if ev := o.event("ev-3"); len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].Signal != revoke.Deleted {
		t.Errorf("the API says that somebody is gone: %+v", ev)
	}
}

func TestAReadCountsFromWhenItWasAsked(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) { d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"} })
	o.changed("ev-1", "users/00u1")
	o.until("it is read", 0, o.settled("ev-1"))
	if !o.blocked("sally@example.edu") {
		t.Fatal("a deactivated person is not blocked")
	}
	var sally revoke.Subject
	sally.Add("dir", "00u1")
	src := revoke.Source{Name: "dir", Org: "main", Authority: "dir", IDs: "dir", Learns: true}
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: true, Mail: "sally@example.edu"}
		d.during = func() { // the answer is on its way when she is suspended
			o.store.Moving().Advance(time.Second)
			_, err := o.service.Receive(t.Context(), revoke.Actor{}, src, revoke.Event{SenderID: "s", Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: sally}}})
			if err != nil {
				t.Errorf("suspend: %v", err)
			}
		}
	})
	o.changed("ev-2", "users/00u1")
	o.until("it is read", 0, o.settled("ev-2"))
	if !o.blocked("sally@example.edu") {
		t.Error("a read that was asked before a suspension lifted it")
	}
	o.changed("ev-3", "users/00u1")
	o.until("it is read", 0, o.settled("ev-3"))
	if o.blocked("sally@example.edu") {
		t.Error("a read that was asked after a suspension does not lift it")
	}
	o.store.Moving().Advance(2 * time.Hour)
	login := o.signIn("sally", "later", "")
	at := o.store.Moving().Advance(2 * time.Hour)
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: true, Mail: "sally@example.edu", Password: at.String()}
	})
	o.changed("ev-4", "users/00u1")
	o.until("it is read", 0, o.settled("ev-4"))
	if o.live(login) {
		t.Error("a password that changed since the read before ends nothing")
	}
	before := len(o.event("ev-4").Decided.Revocations)
	o.changed("ev-5", "users/00u1")
	o.until("it is read", 0, o.settled("ev-5"))
	if n := len(o.event("ev-5").Decided.Revocations); before != 1 || n != 0 {
		t.Errorf("%d revocations for the new password and %d for the same once more, want 1 and 0", before, n)
	}
}

func TestReadsThatFail(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"}
		d.fail = http.StatusInternalServerError
	})
	phone := o.signIn("sally", "", "")
	o.changed("ev-1", "users/00u1")
	o.until("it was tried twice", time.Second, func() bool {
		owed, err := o.store.Unread(t.Context(), "main", []string{"dir"})
		return err == nil && owed[0].Waiting == 1 && o.attempts() > 1
	})
	o.changed("ev-2", "users/00u1", "ev-3", "users/00u1")
	o.dir.set(func(d *directory) { d.fail = 0 })
	o.until("all are settled", time.Second, o.settled("ev-1", "ev-2", "ev-3"))
	if o.live(phone) {
		t.Error("what was read after a failure ends nothing")
	}
	if reads := o.dir.reads(); len(reads) > 2 {
		t.Errorf("three events about one person took %d reads", len(reads))
	}
	if a, b := o.event("ev-1"), o.event("ev-3"); a.State != revoke.EventIgnored || !strings.Contains(a.Note, b.ID.String()) || b.State != revoke.EventDecided {
		t.Errorf("of several events one carries the decision and the others name it: %+v %+v", a, b)
	}
}

func (o *office) attempts() int {
	n := 0
	for _, r := range o.store.AllReadings() {
		n += r.Attempts
	}
	return n
}

func TestReadsThatAreAskedToWait(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) { d.fail, d.wait = http.StatusTooManyRequests, "600" })
	o.changed("ev-1", "users/00u1")
	o.until("it was tried", 0, func() bool { return o.attempts() == 1 })
	if r := o.store.AllReadings()[0]; r.DueAt.Sub(o.store.Clock().Now()) < 9*time.Minute || r.LastError == "" {
		t.Errorf("asked to wait for ten minutes it is due in %s: %+v", r.DueAt.Sub(o.store.Clock().Now()), r)
	}
}

func TestReadsAreParkedAfterAWeek(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"}
		d.fail = http.StatusBadGateway
	})
	phone := o.signIn("sally", "", "")
	o.changed("ev-1", "users/00u1")
	began := o.store.Clock().Now()
	o.until("it is parked", time.Hour, func() bool { return o.event("ev-1").State == revoke.EventParked })
	if took := o.store.Clock().Now().Sub(began); took < 7*24*time.Hour || took > 9*24*time.Hour {
		t.Errorf("parked after %s, want a week", took)
	}
	if got := o.standing(); !slices.Contains(got, "parked dir") || !strings.Contains(o.event("ev-1").Note, "502") {
		t.Errorf("alarms %q and note %q", got, o.event("ev-1").Note)
	}
	o.dir.set(func(d *directory) { d.fail = 0 })
	ev := o.event("ev-1")
	again, err := o.handler.(*webhooks.Handler).Reread(ev)
	if err != nil || again.Read != "users/00u1" {
		t.Fatalf("read again from what was kept: %+v, %v", again, err)
	}
	src := revoke.Source{Name: "dir", Org: "main", Authority: "dir", IDs: "dir", Learns: true}
	if out, err := o.service.Replay(t.Context(), revoke.Actor{}, src, ev, again, true); err != nil || out.State != revoke.EventReading || o.event("ev-1").State != revoke.EventParked {
		t.Errorf("a dry replay: %+v, %v", out, err)
	}
	if _, err := o.service.Replay(t.Context(), revoke.Actor{}, src, ev, again, false); err != nil {
		t.Fatal(err)
	}
	o.until("what was replayed is read", 0, func() bool { return o.event("ev-1").State == revoke.EventDecided })
	if o.live(phone) {
		t.Error("what was read after a replay ends nothing")
	}
}

func TestReadsWithoutACredential(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) { d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"} })
	o.set.Secret = revoke.NewSecret("a wrong secret")
	o.open()
	o.changed("ev-1", "users/00u1")
	o.until("an alarm stands", 0, func() bool { return slices.Contains(o.standing(), "refused-credential dir") })
	o.store.Moving().Advance(30 * 24 * time.Hour) // it is owed all the same
	o.until("it was tried again", time.Minute, func() bool { return o.attempts() > 1 })
	o.set.Secret = revoke.NewSecret("the-client-secret")
	o.open()
	o.until("it is read once the credential is repaired", time.Minute, o.settled("ev-1"))
	if got := o.standing(); slices.Contains(got, "refused-credential dir") {
		t.Errorf("alarms %q, want none about the credential", got)
	}
	for _, text := range []string{"the-client-secret", "a wrong secret", "access-1"} {
		for _, r := range o.store.AllReadings() {
			if strings.Contains(r.LastError, text) {
				t.Errorf("case 48: %q shows a secret", r.LastError)
			}
		}
	}
}

func TestAccessTokensThatAreTakenBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) { d.people["00u1"] = member{Enabled: true} })
	o.changed("ev-1", "users/00u1")
	o.until("it is read", 0, o.settled("ev-1"))
	o.dir.set(func(d *directory) { clear(d.valid) })
	o.changed("ev-2", "users/00u1")
	o.until("it is read with another token", time.Minute, o.settled("ev-2"))
	if o.dir.tokens > 3 { // upkeep and polls share it
		t.Errorf("%d access tokens were fetched, want them kept", o.dir.tokens)
	}
}

func TestATypeThatFallsOver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) { d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"} })
	o.changed("ev-1", "users/panic", "ev-2", "users/00u1")
	o.until("the good one is read", 0, o.settled("ev-2"))
	o.until("the bad one waits", 0, func() bool { return o.attempts() > 0 })
	if r := o.store.AllReadings()[0]; r.LastError != "internal error" {
		t.Errorf("it says %q", r.LastError)
	}
}

// A server that was killed leaves a lease behind: what waits is taken up when that ends, and what the dead one found counts for nothing.
func TestReadsGoOnAfterAKill(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.end()
	o.dir.set(func(d *directory) { d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"} })
	phone := o.signIn("sally", "", "")
	o.changed("ev-1", "users/00u1")
	now := o.store.Clock().Now()
	owed, err := o.store.ClaimReads(t.Context(), "main", "dir", 1, now, now.Add(time.Minute), revoke.NewID(now))
	if err != nil || len(owed) != 1 {
		t.Fatalf("claim: %+v, %v", owed, err)
	}
	o.open()
	o.until("it is read after the lease", time.Second, o.settled("ev-1"))
	if o.live(phone) || o.store.Clock().Now().Sub(now) < time.Minute {
		t.Errorf("sally is live: %v, after %s", o.live(phone), o.store.Clock().Now().Sub(now))
	}
	src := revoke.Source{Name: "dir", Org: "main", Authority: "dir", IDs: "dir", Learns: true}
	if _, err := o.service.Answered(t.Context(), src, owed[0], now, revoke.ReadAnswer{Keep: "{}"}); !errors.Is(err, revoke.ErrLeaseLost) {
		t.Errorf("an answer under a lost lease: got %v, want ErrLeaseLost", err)
	}
}

func TestItemsThatProveNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"}
		d.people["00u2"] = member{Enabled: false, Mail: "tom@example.edu"}
	})
	tom := o.signIn("tom", "", "")
	o.say(`{"id":"ev-1","about":"users/00u2","state":"foreign"}`, `{"id":"ev-2","about":"users/00u1"}`)
	o.until("the good one is read", 0, o.settled("ev-2"))
	if !o.live(tom) || len(o.store.AllEvents()) != 1 || o.observer.Count("dir") != 1 {
		t.Errorf("case 12: tom is live %v, %d events, %d refused; want live, 1 and 1", o.live(tom), len(o.store.AllEvents()), o.observer.Count("dir"))
	}
}

func TestPolls(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dir.set(func(d *directory) {
		d.people["00u1"] = member{Enabled: false, Mail: "sally@example.edu"}
		for _, id := range []string{"p-1", "p-2", "p-3", "p-4", "p-5"} {
			d.log = append(d.log, `{"id":"`+id+`","about":"users/00u1"}`)
		}
	})
	known := func(n int) func() bool { return func() bool { return len(o.store.AllEvents()) == n } }
	o.until("every page is received", time.Minute, known(5))
	o.until("the cursor stands at the end", 0, func() bool { return o.errand(revoke.ErrandPoll).Kept == "5" })
	o.dir.set(func(d *directory) { d.pages = nil })
	o.open()
	o.dir.set(func(d *directory) { d.log = append(d.log, `{"id":"p-6","about":"users/00u1"}`) })
	o.until("what came later is received after a restart", time.Minute, known(6))
	o.dir.set(func(d *directory) {
		if len(d.pages) == 0 || d.pages[0] != "4" {
			t.Errorf("pages %q were asked for after a restart, want it to go back by one", d.pages)
		}
		d.fail, d.log = http.StatusServiceUnavailable, append(d.log, `{"id":"p-7","about":"users/00u1"}`)
	})
	o.until("it failed", time.Minute, func() bool { return o.errand(revoke.ErrandPoll).Failures > 2 })
	if e := o.errand(revoke.ErrandPoll); e.Kept != "6" || !strings.Contains(e.LastError, "503") || !slices.Contains(o.standing(), "upkeep dir poll") {
		t.Errorf("a poll that fails: %+v, alarms %q", e, o.standing())
	}
	o.dir.set(func(d *directory) { d.fail = 0 })
	o.until("it goes on", time.Minute, known(7))
	o.until("no alarm stands", 0, func() bool { return !slices.Contains(o.standing(), "upkeep dir poll") })
}

func (o *office) errand(name revoke.ErrandName) revoke.Errand {
	o.Helper()
	all, err := o.store.Errands(o.Context(), "main", []string{"dir"})
	if err != nil {
		o.Fatal(err)
	}
	for _, e := range all {
		if e.Name == name {
			return e
		}
	}
	return revoke.Errand{}
}

// The cursor moves only behind what is durable: a page that was read while the store was away is asked for once more.
func TestPollsLoseNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.until("the first poll ended", 0, func() bool { return o.errand(revoke.ErrandPoll).DoneAt != 0 })
	o.store.RefuseNext(3)
	o.dir.set(func(d *directory) { d.log = append(d.log, `{"id":"p-1","about":"users/00u1"}`) })
	o.until("the event is kept", time.Minute, func() bool { return len(o.store.AllEvents()) == 1 })
	o.until("the cursor follows", time.Minute, func() bool { return o.errand(revoke.ErrandPoll).Kept == "1" })
}

func TestUpkeep(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	kept := func() revoke.Errand { return o.errand(revoke.ErrandUpkeep) }
	o.until("the subscription is made", 0, func() bool { return kept().Kept == `{"ID":"sub-1"}` })
	e := kept()
	if wait := e.NextAt.Sub(o.store.Clock().Now()); wait > 24*time.Hour || wait < 21*time.Hour || e.ExpiresAt == 0 || e.Health != "it is renewed in time" {
		t.Errorf("after %s: %+v", wait, e)
	}
	o.until("it is renewed", time.Hour, func() bool { return kept().Kept == `{"ID":"sub-2"}` })
	o.dir.set(func(d *directory) { d.fail = http.StatusInternalServerError })
	o.until("an alarm stands", time.Minute, func() bool { return slices.Contains(o.standing(), "upkeep dir upkeep") })
	if e := kept(); e.ExpiresAt < o.store.Clock().Now() || e.Kept != `{"ID":"sub-2"}` {
		t.Errorf("the alarm came at %s, after the end: %+v", o.store.Clock().Now(), e)
	}
	o.dir.set(func(d *directory) { d.fail = 0 })
	o.until("it is renewed and no alarm stands", time.Minute, func() bool {
		return kept().Kept == `{"ID":"sub-3"}` && !slices.Contains(o.standing(), "upkeep dir upkeep")
	})
}
