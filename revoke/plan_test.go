package revoke_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

var hrSource = revoke.Source{Name: "hr", Org: "main", Authority: "hr", IDs: "hr"}

func isBlocked(err error) bool { return errors.Is(err, revoke.ErrBlocked) }

// announce says that Sally's employment ends on a day, zero that it does not.
func (o *office) announce(day revoke.Instant) {
	o.t.Helper()
	o.send(hrSource, revoke.Signal{Kind: revoke.Terminated, Planned: true, EffectiveAt: day})
}

func TestPlanWaitsForItsDay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.signIn(revoke.Registration{})
	o.announce(o.now().Add(24 * time.Hour))
	o.want(s, true, "before the day")
	o.later(23 * time.Hour)
	o.want(s, true, "an hour before")
	o.wantBlocked(false, "an hour before")
	o.later(time.Hour)
	o.want(s, false, "on the day")
	o.wantBlocked(true, "on the day")
	o.later(time.Hour)
	if got := o.owed(); got[revoke.RevocationBlock] != 1 || len(got) != 1 {
		t.Errorf("owed = %v, want the one block", got)
	}
	o.restart()
	o.want(s, false, "after a restart")
	o.send(hrSource, revoke.Signal{Kind: revoke.Reactivated})
	o.wantBlocked(false, "rehired")
	o.want(s, false, "what the plan ended, after the lift")
	o.announce(o.now().Add(-2 * time.Hour)) // said again, in other words
	o.wantBlocked(false, "a day before the lift")
}

// What a source says of a day, and what stands then: each step says something, or nothing, at an hour.
func TestPlanIsMovedAndTakenBack(t *testing.T) {
	t.Parallel()
	const quiet, never = -1, 0
	type step struct {
		hour, day int
		blocked   bool
	}
	for name, c := range map[string]struct {
		steps         []step
		blocks, lifts int
	}{
		"moved later":                 {[]step{{0, 2, false}, {1, 4, false}, {3, quiet, false}, {4, quiet, true}}, 1, 0},
		"moved earlier":               {[]step{{0, 4, false}, {1, 2, false}, {2, quiet, true}, {5, quiet, true}}, 1, 0},
		"moved into the past":         {[]step{{0, 4, false}, {2, 1, true}, {5, quiet, true}}, 1, 0},
		"taken back in time":          {[]step{{0, 2, false}, {1, never, false}, {3, quiet, false}}, 0, 0},
		"taken back after its day":    {[]step{{0, 2, false}, {2, quiet, true}, {3, never, false}, {4, quiet, false}}, 1, 1},
		"taken back twice":            {[]step{{0, 2, false}, {3, never, false}, {4, never, false}}, 1, 1},
		"moved later after its day":   {[]step{{0, 2, false}, {3, 5, false}, {5, quiet, true}}, 2, 1},
		"announced once more":         {[]step{{0, 2, false}, {3, never, false}, {4, 1, true}}, 2, 1},
		"said again before and after": {[]step{{0, 2, false}, {1, 2, false}, {2, quiet, true}, {3, 2, true}}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			s := o.signIn(revoke.Registration{})
			start, was := o.now(), false
			day := func(n int) revoke.Instant { return start.Add(time.Duration(n) * time.Hour) }
			for _, step := range c.steps {
				o.store.Moving().MoveTo(day(step.hour))
				o.later(0)
				switch step.day {
				case quiet:
				case never:
					o.announce(0)
				default:
					o.announce(day(step.day))
				}
				o.wantBlocked(step.blocked, fmt.Sprintf("in hour %d", step.hour))
				if was = was || step.blocked; was {
					o.want(s, false, fmt.Sprintf("a session from before, in hour %d", step.hour))
				}
			}
			if got := o.owed(); got[revoke.RevocationBlock] != c.blocks || got[revoke.RevocationLift] != c.lifts {
				t.Errorf("owed = %v, want %d blocks and %d lifts", got, c.blocks, c.lifts)
			}
		})
	}
}

// Of two announcements the later said counts, whichever is heard last; of two said at one instant, the sooner day.
func TestPlanSaidLaterWins(t *testing.T) {
	t.Parallel()
	const hour = revoke.Instant(3_600_000_000)
	type said struct{ at, day revoke.Instant }
	for name, c := range map[string]struct {
		one, two said
		day      revoke.Instant // that counts, zero for none
	}{
		"a later day":          {said{1, 2 * hour}, said{2, 3 * hour}, 3 * hour},
		"a sooner day":         {said{1, 3 * hour}, said{2, 2 * hour}, 2 * hour},
		"none any more":        {said{1, 2 * hour}, said{2, 0}, 0},
		"at one instant":       {said{1, 2 * hour}, said{1, 3 * hour}, 2 * hour},
		"at one instant, none": {said{1, 2 * hour}, said{1, 0}, 2 * hour},
		"none, then a day":     {said{1, 0}, said{2, hour}, hour},
		"the same said twice":  {said{1, hour}, said{1, hour}, hour},
		"the same, said again": {said{1, hour}, said{2, hour}, hour},
	} {
		for _, order := range [][]said{{c.one, c.two}, {c.two, c.one}, {c.two, c.one, c.two}, {c.one, c.two, c.one}} {
			o := newOffice(t)
			o.signIn(revoke.Registration{})
			start := o.now()
			for _, a := range order {
				sig := revoke.Signal{Kind: revoke.Terminated, Planned: true, OccurredAt: start - 100 + a.at}
				if a.day != 0 {
					sig.EffectiveAt = start + a.day
				}
				o.send(hrSource, sig)
			}
			for hours := range revoke.Instant(4) {
				o.store.Moving().MoveTo(start + hours*hour + hour/2)
				o.later(0)
				o.wantBlocked(c.day != 0 && c.day < o.now()-start, fmt.Sprintf("%s in order %v after %d hours and a half", name, order, hours))
			}
		}
	}
}

func TestPlanStandsBesideOtherBlocks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(revoke.Registration{})
	start := o.now()
	o.announce(start.Add(time.Hour))
	o.send(hrSource, revoke.Signal{Kind: revoke.Suspended})
	o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: true, Until: start.Add(2 * time.Hour)})
	o.later(time.Hour)
	if got := o.blockers(); !slices.Equal(got, []string{"hr", revoke.AdminAuthority}) {
		t.Errorf("on the plan's day she is blocked by %v, want by HR and for another hour by an admin", got)
	}
	o.announce(0)
	if got := o.owed()[revoke.RevocationLift]; got != 0 {
		t.Errorf("%d lifts were delivered while others still block her", got)
	}
	o.wantBlocked(true, "suspended, and blocked by an admin")
	o.later(time.Hour + time.Minute)
	o.wantBlocked(true, "suspended; the admin's block has ended")
	o.send(hrSource, revoke.Signal{Kind: revoke.Reactivated})
	o.wantBlocked(false, "nothing stands any more")

	o.announce(o.now().Add(time.Hour))
	o.later(time.Hour)
	o.send(oktaSource, revoke.Signal{Kind: revoke.Reactivated})
	o.wantBlocked(true, "another authority lifts nothing")
	o.send(hrSource, revoke.Signal{Kind: revoke.Unlocked})
	o.wantBlocked(true, "unlocked lifts nothing but a lock")
	o.send(operator, revoke.Signal{Kind: revoke.Reactivated, Command: true})
	o.wantBlocked(false, "an admin lifts all")
}

// A plan was moved from ten minutes ago to twenty minutes ago. A lift stamped between the two ends it, in whatever order the
// three are heard; one stamped before both does not.
func TestLiftBetweenTheDaysOfAMovedPlan(t *testing.T) {
	t.Parallel()
	for name, lift := range map[string]time.Duration{"between": 15 * time.Minute, "before both": 25 * time.Minute} {
		for _, order := range []string{"abl", "alb", "bal", "bla", "lab", "lba"} {
			o := newOffice(t)
			start := o.now()
			ago := func(d time.Duration) revoke.Instant { return start.Add(-d) + 1 }
			for _, what := range order {
				sig := revoke.Signal{Kind: revoke.Terminated, Planned: true, OccurredAt: ago(time.Hour), EffectiveAt: ago(10 * time.Minute)}
				switch what {
				case 'b':
					sig.OccurredAt, sig.EffectiveAt = ago(50*time.Minute), ago(20*time.Minute)
				case 'l':
					sig = revoke.Signal{Kind: revoke.Reactivated, OccurredAt: ago(lift)}
				}
				o.send(hrSource, sig)
			}
			o.wantBlocked(name == "before both", fmt.Sprintf("a lift %s, in order %s", name, order))
		}
	}
}

func TestEachAuthoritysPlanIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	start := o.now()
	o.announce(start.Add(time.Hour))
	o.send(oktaSource, revoke.Signal{Kind: revoke.Terminated, Planned: true, EffectiveAt: start.Add(2 * time.Hour)})
	for hour, want := range [][]string{nil, {"hr"}, {"hr", "okta"}, {"hr", "okta"}} {
		o.store.Moving().MoveTo(start.Add(time.Duration(hour) * time.Hour))
		o.later(0)
		if got := o.blockers(); !slices.Equal(got, want) {
			t.Errorf("after %d hours she is blocked by %v, want %v", hour, got, want)
		}
	}
	if got := o.owed()[revoke.RevocationBlock]; got != 2 {
		t.Errorf("%d blocks are owed, want one for each plan", got)
	}
}

// A lift that is stamped after the plan's day was known first: the plan cuts at its day, and keeps nobody out.
func TestPlanAfterItsLift(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	old := o.signIn(revoke.Registration{IssuedAt: o.now().Add(-time.Hour)})
	young := o.signIn(revoke.Registration{IssuedAt: o.now().Add(-time.Minute)})
	o.send(hrSource, revoke.Signal{Kind: revoke.Reactivated, OccurredAt: o.now().Add(-5 * time.Minute)})
	o.announce(o.now().Add(-10 * time.Minute))
	o.wantBlocked(false, "lifted before the plan was known")
	o.want(old, false, "born before the day")
	o.want(young, true, "born after the lift")
}

// Two users, each with a plan, are found to be one person: the later said counts for both.
func TestPlansOfJoinedPeople(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mail, phone time.Duration }{
		"the sooner is newer": {3 * time.Hour, 2 * time.Hour},
		"the later is newer":  {2 * time.Hour, 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			var phone revoke.Subject
			phone.Add(revoke.NamespacePhone, "+44201234")
			start := o.now()
			o.signIn(revoke.Registration{})
			byPhone := o.signIn(revoke.Registration{Subject: phone})
			o.announce(start.Add(c.mail))
			o.send(hrSource, revoke.Signal{Kind: revoke.Terminated, Planned: true, Subject: phone, EffectiveAt: start.Add(c.phone)})
			o.send(oktaSource, revoke.Signal{Kind: revoke.IdentifierChanged, Subject: append(by("sally@example.edu"), phone...)})
			joins := revoke.Source{Name: "okta", Org: "main", Authority: "okta", IDs: "okta", Learns: true}
			o.send(joins, revoke.Signal{Kind: revoke.CredentialChanged, OccurredAt: start.Add(-time.Hour), Subject: append(by("sally@example.edu"), phone...)})
			for o.now() < start.Add(4*time.Hour) {
				o.wantBlocked(o.now() >= start.Add(c.phone), fmt.Sprintf("%s after the start", o.now().Sub(start)))
				o.later(30 * time.Minute)
			}
			o.want(byPhone, false, "the other user's session")
			if got := o.owed()[revoke.RevocationBlock]; got != 1 {
				t.Errorf("%d blocks are owed, want 1", got)
			}
		})
	}
}

// A plan that was carried out for one user, and none any more for another: once the two are one person, saying that there is none
// lifts what stands.
func TestTakingBackThePlanOfAJoinedPerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var phone revoke.Subject
	phone.Add(revoke.NamespacePhone, "+44201234")
	o.announce(o.now())
	o.send(hrSource, revoke.Signal{Kind: revoke.Terminated, Planned: true, Subject: phone})
	o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialChanged, OccurredAt: o.now().Add(-time.Hour), Subject: append(by("sally@example.edu"), phone...)})
	o.wantBlocked(true, "joined")
	o.announce(0)
	o.wantBlocked(false, "said to be none")
}

// blockers are the authorities whose blocks stand on Sally, asked one by one: what the others say is left out.
func (o *office) blockers() []string {
	o.t.Helper()
	var out []string
	for _, p := range o.store.AllUsers() {
		for _, authority := range []string{"hr", "okta", revoke.AdminAuthority} {
			v := revoke.NewView()
			for _, b := range p.Blocks {
				if b.Authority == authority {
					v.Apply(revoke.Change{Block: &b})
				}
			}
			s := revoke.Session{Org: "main", User: p.User.ID, Kind: revoke.Browser, BornAt: o.now(), ExpiresAt: o.now() + 1}
			if revoke.Live(&s, v, o.now()).Cause == revoke.CauseBlock && !slices.Contains(out, authority) {
				out = append(out, authority)
			}
		}
	}
	return out
}

type sent struct {
	src revoke.Source
	ev  revoke.Event
}

func (s sent) String() string {
	sig := s.ev.Signals[0]
	what := string(sig.Kind)
	if sig.Planned {
		what = "plans " + sig.EffectiveAt.String()
	}
	return fmt.Sprintf("%s: %s, says %s at %s\n", s.ev.SenderID, s.src.Name, what, sig.OccurredAt)
}

// What two authorities announced, blocked and lifted, in any order and with repeats, ends in the same standing blocks and the
// same effective cutoff, but for those made at receipt or by a plan since withdrawn: what the words of DESIGN section 3 say of
// the last announcement, the last block and the last lift.
func TestPlansInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := revoketest.Start
		// No two things share an instant, and none is a whole second.
		minutes := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).Draw(t, "minutes")
		next := func() revoke.Instant {
			m := minutes[0]
			minutes = minutes[1:]
			return start.Add(-time.Hour+time.Duration(m)*time.Minute) + 1
		}
		var all []sent
		for i := range rapid.IntRange(2, 6).Draw(t, "events") {
			src := rapid.SampledFrom([]revoke.Source{hrSource, hrSource, oktaSource}).Draw(t, "source")
			sig := revoke.Signal{Subject: by("sally@example.edu"), OccurredAt: next()}
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				sig.Kind = revoke.Deactivated
			case 1:
				sig.Kind = revoke.Reactivated
			case 2:
				sig.Kind, sig.Planned = revoke.Terminated, true
			default:
				sig.Kind, sig.Planned, sig.EffectiveAt = revoke.Terminated, true, next()
				if rapid.IntRange(0, 2).Draw(t, "ahead") == 0 {
					sig.EffectiveAt += 2 * revoke.Instant(time.Hour/time.Microsecond)
				}
			}
			all = append(all, sent{src, revoke.Event{SenderID: fmt.Sprint(i), Signals: []revoke.Signal{sig}}})
		}
		want := func(now revoke.Instant) (blockers []string, cut revoke.Instant, fromLosers map[revoke.Instant]bool) { // by the millisecond
			fromLosers = map[revoke.Instant]bool{}
			for _, authority := range []string{"hr", "okta"} {
				var plan revoke.Signal
				var blocked, lifted revoke.Instant
				for _, s := range all {
					switch sig := s.ev.Signals[0]; {
					case s.src.Authority != authority:
					case sig.Planned:
						loser := sig
						if sig.OccurredAt > plan.OccurredAt {
							loser, plan = plan, sig
						}
						fromLosers[loser.EffectiveAt/1000] = true
					case sig.Kind == revoke.Deactivated:
						blocked, cut = max(blocked, sig.OccurredAt), max(cut, sig.OccurredAt)
					default:
						lifted = max(lifted, sig.OccurredAt)
						fromLosers[sig.OccurredAt/1000] = true // unless something that counts was over by it
					}
				}
				if plan.EffectiveAt > now {
					plan.EffectiveAt = 0
				}
				if plan.EffectiveAt < start {
					cut = max(cut, plan.EffectiveAt)
				}
				over := func(block revoke.Instant) bool { return block != 0 && block < lifted }
				if max(blocked, plan.EffectiveAt) != 0 && max(blocked, plan.EffectiveAt) >= lifted {
					blockers = append(blockers, authority)
				}
				if over(blocked) || over(plan.EffectiveAt) {
					cut = max(cut, lifted)
					delete(fromLosers, lifted/1000)
				}
			}
			return blockers, cut, fromLosers
		}
		for range 2 {
			o := newOffice(t)
			o.signIn(revoke.Registration{IssuedAt: start.Add(-2 * time.Hour)})
			var numbers []int
			for i := range all {
				numbers = append(numbers, i)
			}
			repeats := numbers[:rapid.IntRange(0, len(all)).Draw(t, "repeats")]
			order := rapid.Permutation(append(slices.Clone(numbers), repeats...)).Draw(t, "order")
			for _, n := range order {
				o.receive(all[n].src, all[n].ev)
				if rapid.Bool().Draw(t, "tick") {
					o.later(0)
				}
			}
			for _, pause := range []time.Duration{0, 3 * time.Hour} {
				o.later(pause)
				blockers, cut, fromLosers := want(o.now())
				if got := o.blockers(); !slices.Equal(got, blockers) {
					t.Fatalf("%s after %v in order %v: blocked by %v, want %v", pause, all, order, got, blockers)
				}
				var got revoke.Instant
				lifts := o.lifts()
				for _, c := range o.store.Changes() {
					if c.Cutoff != nil && c.Cutoff.At < start && !fromLosers[c.Cutoff.At/1000] {
						got = max(got, c.Cutoff.At)
					}
				}
				if len(lifts) > 0 && got < cut { // a lift at receipt swallowed the one at the end of its block
					got = cut
				}
				if got != cut {
					t.Fatalf("%s after %v in order %v: cut at %s, want %s", pause, all, order, got, cut)
				}
			}
		}
	})
}

// What keeps nobody out any more ends without a cut: whoever signed in after the lift stays.
func TestEndOfWhatWasLiftedAlreadyCutsNobody(t *testing.T) {
	t.Parallel()
	for name, lifter := range map[string]revoke.Source{"by itself": hrSource, "by an admin": operator} {
		t.Run("a plan lifted "+name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.announce(o.now().Add(time.Hour))
			o.later(2 * time.Hour)
			o.send(lifter, revoke.Signal{Kind: revoke.Reactivated})
			s := o.signIn(revoke.Registration{})
			o.later(time.Hour)
			o.announce(0)
			o.want(s, true, "the announcement was taken back after the lift")
			if got := o.owed()[revoke.RevocationLift]; got != 1 {
				t.Errorf("%d lifts are owed, want 1", got)
			}
		})
	}
	t.Run("a timed block lifted by an admin", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.send(operator, revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: true, Until: o.now().Add(time.Hour)})
		o.announce(o.now().Add(24 * time.Hour))
		o.later(time.Minute)
		o.send(operator, revoke.Signal{Kind: revoke.Reactivated, Command: true})
		s := o.signIn(revoke.Registration{})
		o.later(2 * time.Hour)
		o.want(s, true, "the time of a block that was lifted is over")
		o.announce(o.now().Add(-time.Minute)) // so that there is something to do for her
		o.later(time.Minute)
		if got := o.owed()[revoke.RevocationLift]; got != 1 {
			t.Errorf("%d lifts are owed, want 1", got)
		}
	})
}

// A stop at each call of the store, in each way a store can fail: in the end the plan was carried out once, taken back once,
// and the timed block ended once.
func TestDueAfterAStopAtEachStoreCall(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*revoketest.Memory){
		"refused":                    func(m *revoketest.Memory) { m.RefuseNext(1) },
		"outcome unknown, lost":      func(m *revoketest.Memory) { m.LoseNext(1) },
		"outcome unknown, committed": func(m *revoketest.Memory) { m.DoubtNext(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for fail := 1; ; fail++ {
				o := newOffice(t)
				o.signIn(revoke.Registration{})
				f := &faulty{Memory: o.store, fail: fail, how: how}
				again := func(what string, try func() error) {
					t.Helper()
					for range 3 {
						err := try()
						if err == nil {
							return
						}
						if !errors.Is(err, revoke.ErrUnavailable) && !errors.Is(err, revoke.ErrUnknownCommit) {
							t.Fatalf("failing call %d: %s: %v", fail, what, err)
						}
						o.s = restart(t, f) // as after a crash
					}
					t.Fatalf("failing call %d: %s never succeeds", fail, what)
				}
				o.s = restart(t, f)
				start := o.now()
				say := func(id string, src revoke.Source, sig revoke.Signal) {
					t.Helper()
					sig.Subject = by("sally@example.edu")
					again(id, func() error {
						_, err := o.s.Receive(o.ctx, someone, src, revoke.Event{SenderID: id, Signals: []revoke.Signal{sig}})
						return err
					})
				}
				plan := func(id string, day revoke.Instant) {
					t.Helper()
					say(id, hrSource, revoke.Signal{Kind: revoke.Terminated, Planned: true, EffectiveAt: day})
				}
				until := func(hours int) {
					t.Helper()
					o.store.Moving().MoveTo(start.Add(time.Duration(hours) * time.Hour))
					again("what is due", func() error { return o.s.EndDue(o.ctx) })
				}
				out := func(when string, blockers ...string) {
					t.Helper()
					if got := o.blockers(); !slices.Equal(got, blockers) {
						t.Fatalf("failing call %d: %s: blocked by %v, want %v", fail, when, got, blockers)
					}
				}
				plan("announced", start.Add(2*time.Hour))
				say("blocked", operator, revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Block: true, Until: start.Add(time.Hour)})
				until(1)
				out("after the timed block")
				until(2)
				until(3)
				out("on the day", "hr")
				plan("moved", start.Add(5*time.Hour))
				out("moved")
				until(5)
				until(6)
				out("on the new day", "hr")
				if got := o.owed(); got[revoke.RevocationBlock] != 3 || got[revoke.RevocationLift] != 2 {
					t.Fatalf("failing call %d: owed = %v, want 3 blocks (one of them timed) and 2 lifts", fail, got)
				}
				if f.calls < fail {
					if fail < 7 {
						t.Fatalf("the story decides %d times only", f.calls)
					}
					break
				}
			}
		})
	}
}

// A plan that was taken back and is announced anew cuts at its day, and not at the stamp by which its block stands again.
func TestPlanAnnouncedAnewCutsAtItsDay(t *testing.T) {
	t.Parallel()
	start := revoketest.Start
	at := func(minute int) revoke.Instant {
		return start.Add(-time.Hour+time.Duration(minute)*time.Minute) + 1
	}
	o := newOffice(t)
	o.signIn(revoke.Registration{IssuedAt: start.Add(-2 * time.Hour)})
	sally := by("sally@example.edu")
	plan := func(day revoke.Instant, said int) revoke.Signal {
		return revoke.Signal{Kind: revoke.Terminated, Planned: true, Subject: sally, EffectiveAt: day, OccurredAt: at(said)}
	}
	later := 2 * revoke.Instant(time.Hour/time.Microsecond)
	for i, sig := range []revoke.Signal{
		plan(at(8), 7), plan(at(1), 9),
		{Kind: revoke.Deactivated, Subject: sally, OccurredAt: at(3)},
		plan(at(6)+later, 5),
		{Kind: revoke.Reactivated, Subject: sally, OccurredAt: at(2)},
		plan(at(4), 10),
	} {
		o.receive(hrSource, revoke.Event{SenderID: fmt.Sprint(i), Signals: []revoke.Signal{sig}})
	}
	if !slices.ContainsFunc(o.store.Changes(), func(c revoke.Change) bool { return c.Cutoff != nil && c.Cutoff.At == at(4) }) {
		t.Errorf("nothing was cut at %s, the day that was announced last", at(4))
	}
}
