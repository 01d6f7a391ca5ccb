package revoke_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// Alarms with one key are one; what is cleared and then raised stands, what is raised and then cleared does not.
func TestMergeOfAlarms(t *testing.T) {
	t.Parallel()
	key := revoke.AlarmKey{Org: "main", Kind: revoke.AlarmHeld, About: "hr"}
	raised := func(at revoke.Instant) revoke.Effects {
		return revoke.Effects{Alarms: []revoke.Alarm{revoke.NewAlarm(key, "look", at)}}
	}
	cleared := revoke.Effects{Cleared: []revoke.AlarmKey{key}}
	other := revoke.Effects{Alarms: []revoke.Alarm{revoke.NewAlarm(revoke.AlarmKey{Org: "other", Kind: revoke.AlarmHeld, About: "hr"}, "look", 1)}}
	for name, c := range map[string]struct {
		group []revoke.Effects
		count []int
		clear int
	}{
		"raised twice":                {[]revoke.Effects{raised(1), raised(2)}, []int{2}, 0},
		"of another org":              {[]revoke.Effects{raised(1), other, raised(2)}, []int{2, 1}, 0},
		"cleared, raised":             {[]revoke.Effects{cleared, raised(2)}, []int{1}, 1},
		"raised, cleared":             {[]revoke.Effects{raised(1), cleared}, nil, 1},
		"raised, cleared, raised":     {[]revoke.Effects{raised(1), raised(1), cleared, raised(2)}, []int{1}, 1},
		"another's beside it cleared": {[]revoke.Effects{other, raised(1), cleared}, []int{1}, 1},
	} {
		got := revoke.Merge(c.group...)
		var counts []int
		for _, a := range got.Alarms {
			counts = append(counts, a.Count)
		}
		if len(counts) != len(c.count) || len(got.Cleared) != c.clear {
			t.Errorf("%s: %+v, cleared %v", name, got.Alarms, got.Cleared)
			continue
		}
		for i := range counts {
			if counts[i] != c.count[i] {
				t.Errorf("%s: raised %v times, want %v", name, counts, c.count)
			}
		}
	}
}

func TestAlarmStandsUntilItIsCleared(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.raise("hr")
	first := o.alarms()[revoke.AlarmHeld]
	o.raise("hr")
	if again := o.alarms()[revoke.AlarmHeld]; again.ID != first.ID || again.Count != 2 || again.RaisedAt != first.RaisedAt || again.LastAt <= first.LastAt {
		t.Errorf("raised twice: %+v, want the first, %+v, once more", again, first)
	}
	if err := o.s.Clear(o.ctx, someone, first.AlarmKey); err != nil {
		t.Fatal(err)
	}
	if left := o.alarms(); len(left) != 0 {
		t.Errorf("after it was cleared %+v stand", left)
	}
	o.raise("hr")
	if anew := o.alarms()[revoke.AlarmHeld]; anew.ID == first.ID || anew.Count != 1 {
		t.Errorf("raised after it was cleared: %+v, want a new one", anew)
	}
}

// unsettled is a store that loses settlements while told to.
type unsettled struct {
	*revoketest.Memory
	lose atomic.Bool
}

func (u *unsettled) Settle(ctx context.Context, owed revoke.Owed, s revoke.Settlement) error {
	if u.lose.Load() {
		return revoke.ErrUnavailable
	}
	return u.Memory.Settle(ctx, owed, s)
}

// A target that refuses our credential is one alarm for as long as it does, also over a restart and where the result of a call
// was lost; its first success takes it back.
func TestRefusedCredentialIsAlarmedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		var refuse, trouble atomic.Bool
		portal := &system{answer: func(int, revoke.Owed) (revoke.Receipt, error) {
			if trouble.Load() {
				return revoke.Receipt{}, errors.New("503")
			}
			if refuse.Load() {
				return revoke.Receipt{}, revoke.RefusedCredential{Err: errors.New("401")}
			}
			return revoke.Receipt{Evidence: revoke.Accepted}, nil
		}}
		queue := &unsettled{Memory: o.store}
		run := func() (stop func()) {
			d, err := revoke.NewDispatcher(revoke.DispatcherConfig{
				Queue: queue, Clock: bubbleClock{o.store}, Targets: map[string]revoke.Target{"portal": portal}, Owed: o.s.Owed(), Raised: o.s.Raised, Log: quiet,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- d.Run(ctx) }()
			return func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Run = %v", err)
				}
			}
		}
		want := func(count int, when string) {
			t.Helper()
			a, stands := o.alarms()[revoke.AlarmCredential]
			if stands != (count > 0) || a.Count != count || stands && a.About != "portal" {
				t.Errorf("%s: alarm %+v stands %t, want raised %d times", when, a, stands, count)
			}
		}
		stop := run()
		refuse.Store(true)
		queue.lose.Store(true)
		o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended})
		pass(time.Minute)
		want(0, "while results are lost")
		queue.lose.Store(false)
		pass(10 * time.Minute) // the lease ends, and it is called again
		want(1, "refused")
		o.send(oktaSource, revoke.Signal{Kind: revoke.Suspended, Subject: by("bob@example.edu")})
		pass(time.Hour)
		want(1, "refused for an hour")
		trouble.Store(true)
		pass(20 * time.Minute)
		want(1, "while it does not answer at all")
		trouble.Store(false)
		stop()
		stop = run()
		pass(10 * time.Minute)
		if a := o.alarms()[revoke.AlarmCredential]; a.Count > 2 {
			t.Errorf("after a restart: raised %d times, want at most once more", a.Count)
		}
		stop()
		refuse.Store(false)
		stop = run()
		defer func() { stop() }()
		pass(2 * time.Hour)
		want(0, "taken again, by a server that was started since")
		refuse.Store(true)
		o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialCompromised})
		pass(time.Minute)
		want(1, "refused anew")
	})
}

func TestParkedDeliveryIsAlarmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		portal := &system{answer: func(int, revoke.Owed) (revoke.Receipt, error) {
			return revoke.Receipt{}, revoke.Permanent(errors.New("no such tenant"))
		}}
		o := dispatching(t, map[string]revoke.Target{"portal": portal})
		o.suspend(t, "a@example.edu")
		o.suspend(t, "b@example.edu")
		pass(time.Minute)
		alarms, err := o.store.Alarms(t.Context(), revoke.AlarmQuery{Org: "main", Standing: true, Limit: 10})
		if err != nil || len(alarms) != 1 || alarms[0].Kind != revoke.AlarmParked || alarms[0].About != "portal" || alarms[0].Count != 2 {
			t.Errorf("alarms = %+v, %v; want the one of the target, raised twice", alarms, err)
		}
	})
}
