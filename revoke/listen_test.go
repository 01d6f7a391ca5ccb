package revoke_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

var (
	entraTenant = revoke.Source{Name: "directory", Org: "main", Type: "scim", Authority: "directory", IDs: "directory"}
	sender      = revoke.Source{Name: "okta", Org: "main", Type: "okta", Authority: "okta", IDs: "okta"}
	person      = revoke.Source{Name: "ops", Org: "main", Type: revoke.TypeToken, Authority: "ops"}
)

// switchboard is two replicas that listen to some sources, over one store.
type switchboard struct {
	*testing.T
	store    *revoketest.Memory
	replicas []*revoke.Service
	raised   int
	log      bytes.Buffer
}

// Alarmed counts alarms.
func (b *switchboard) Alarmed(revoke.AlarmKind) { b.raised++ }

type counting struct {
	revoke.Unobserved
	b *switchboard
}

// Alarmed counts alarms.
func (c counting) Alarmed(kind revoke.AlarmKind) { c.b.Alarmed(kind) }

func newSwitchboard(t *testing.T) *switchboard {
	t.Helper()
	b := &switchboard{T: t, store: revoketest.NewMemory()}
	b.replicas = []*revoke.Service{b.begin(), b.begin()}
	return b
}

func (b *switchboard) begin() *revoke.Service {
	b.Helper()
	s, err := revoke.New(revoke.Config{Store: b.store, Observer: counting{b: b}, Log: slog.New(slog.NewTextHandler(&b.log, nil))})
	if err != nil {
		b.Fatal(err)
	}
	s.SetSources([]revoke.Source{entraTenant, sender, person})
	return s
}

// pass lets a while pass, in which the replicas write and look every so often, and hear a source in turns if it is named.
func (b *switchboard) pass(d, every time.Duration, source string) {
	b.Helper()
	turn := 0
	for end := b.store.Clock().Now().Add(d); b.store.Clock().Now() < end; turn++ {
		b.store.Moving().Advance(every)
		if source != "" {
			b.replicas[turn%2].Hear("main", source)
		}
		b.look()
	}
}

func (b *switchboard) look() {
	b.Helper()
	for _, s := range b.replicas {
		if err := errors.Join(s.WriteHearings(b.Context()), s.Watch(b.Context())); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *switchboard) pulse(source string) revoke.Pulse {
	b.Helper()
	found, err := b.replicas[1].Pulses(b.Context(), "main", []string{source})
	if err != nil {
		b.Fatal(err)
	}
	return found[0]
}

func (b *switchboard) wantAlarms(what string, kind revoke.AlarmKind, raised, standing int) {
	b.Helper()
	got, err := b.store.Alarms(b.Context(), revoke.AlarmQuery{Org: "main", Kind: kind, Standing: true, Limit: 10})
	if err != nil {
		b.Fatal(err)
	}
	if b.raised != raised || len(got) != standing || standing == 1 && got[0].Count != 1 {
		b.Errorf("%s: %d raised, %d standing (%+v), want %d and %d, each raised once", what, b.raised, len(got), got, raised, standing)
	}
}

func TestSilenceIsAlarmedOnce(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	b.look()
	if p := b.pulse("directory"); p.State() != revoke.PulseNever || p.KnownSince == 0 {
		t.Errorf("never heard: got %+v, %s", p, p.State())
	}
	b.pass(22*24*time.Hour, 40*time.Minute, "directory")
	b.wantAlarms("heard every 40 minutes for weeks, and another source never", revoke.AlarmSilent, 0, 0)
	if p := b.pulse("directory"); p.State() != revoke.PulseUsual || p.UsualGap != 40*time.Minute || p.SilentAfter != 80*time.Minute {
		t.Errorf("as usual: got %+v, %s", p, p.State())
	}
	last := b.store.Clock().Now()
	b.pass(80*time.Minute, time.Minute, "")
	b.wantAlarms("at twice the usual gap", revoke.AlarmSilent, 0, 0)
	b.pass(time.Minute, time.Minute, "")
	b.wantAlarms("after it", revoke.AlarmSilent, 1, 1)
	if p := b.pulse("directory"); p.State() != revoke.PulseSilent || last.Sub(p.SilentSince) > time.Second || len(p.Wrongs("directory")) != 1 {
		t.Errorf("silent: got %+v, %s, want since %s", p, p.State(), last)
	}
	if err := b.replicas[0].Clear(t.Context(), someone, revoke.AlarmKey{Org: "main", Kind: revoke.AlarmSilent, About: "directory"}); err != nil {
		t.Fatal(err)
	}
	b.pass(48*time.Hour, time.Hour, "")
	b.replicas[0] = b.begin()
	b.pass(48*time.Hour, time.Hour, "")
	b.wantAlarms("a person cleared it, and a replica began anew", revoke.AlarmSilent, 1, 0)
	b.pass(time.Minute, time.Minute, "directory")
	if p := b.pulse("directory"); p.State() != revoke.PulseUsual || p.UsualGap != 40*time.Minute {
		t.Errorf("heard again: got %+v, %s", p, p.State())
	}
	b.pass(2*time.Hour, time.Minute, "")
	b.wantAlarms("silent once more", revoke.AlarmSilent, 2, 1)
	b.pass(time.Minute, time.Minute, "directory")
	b.wantAlarms("heard once more", revoke.AlarmSilent, 2, 0)
}

// racing is a store on which another replica says first that a spell began.
type racing struct {
	*revoketest.Memory
	other *revoke.Service
}

// BeginSpell lets the other replica be first.
func (r *racing) BeginSpell(ctx context.Context, spell revoke.Spell, alarms []revoke.Alarm) (bool, error) {
	if err := r.other.Watch(ctx); err != nil {
		return false, err
	}
	return r.Memory.BeginSpell(ctx, spell, alarms)
}

func TestOneOfTwoRaisesTheAlarm(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	b.pass(22*24*time.Hour, 40*time.Minute, "directory")
	slow, err := revoke.New(revoke.Config{Store: &racing{b.store, b.replicas[0]}, Observer: counting{b: b}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	slow.SetSources([]revoke.Source{entraTenant})
	b.store.Moving().Advance(2 * time.Hour)
	if err := slow.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantAlarms("noticed by two at once", revoke.AlarmSilent, 1, 1)
}

func TestASilenceOfPeopleMeansNothing(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	b.pass(22*24*time.Hour, time.Hour, "ops")
	b.pass(9*24*time.Hour, time.Hour, "")
	b.wantAlarms("a token of people", revoke.AlarmSilent, 0, 0)
}

// TestAWordThatAnotherReplicaHeard ends a silence, though it came before that was noticed.
func TestAWordThatAnotherReplicaHeard(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	b.pass(22*24*time.Hour, 40*time.Minute, "directory")
	b.store.Moving().Advance(82 * time.Minute)
	b.replicas[1].Hear("main", "directory")
	b.store.Moving().Advance(time.Second)
	if err := b.replicas[0].Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantAlarms("noticed by who did not hear it", revoke.AlarmSilent, 1, 1)
	b.look()
	b.wantAlarms("written by who did", revoke.AlarmSilent, 1, 0)
}

// TestWhoBeginsListensFirst: our own outage is nobody's silence.
func TestWhoBeginsListensFirst(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	b.pass(22*24*time.Hour, 40*time.Minute, "directory")
	b.store.Moving().Advance(30 * time.Hour)
	b.replicas = []*revoke.Service{b.begin(), b.begin()}
	b.pass(39*time.Minute, time.Minute, "")
	b.wantAlarms("for less than a gap after the start", revoke.AlarmSilent, 0, 0)
	for _, s := range b.replicas { // the settings are read again: nobody listens any shorter
		s.SetSources([]revoke.Source{entraTenant, sender})
	}
	b.pass(2*time.Minute, time.Minute, "")
	b.wantAlarms("for longer", revoke.AlarmSilent, 1, 1)
}

func TestHearingsOutliveAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	s := b.replicas[0]
	b.store.Moving().Advance(time.Hour)
	s.Hear("main", "okta")
	at := b.store.Clock().Now()
	b.store.SetDown(true)
	if err := s.WriteHearings(t.Context()); !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("write to a store that is away: got %v, want %v", err, revoke.ErrUnavailable)
	}
	b.store.SetDown(false)
	if p, err := s.Pulses(t.Context(), "main", []string{"okta"}); err != nil || p[0].LastAt != at {
		t.Errorf("before it is written: got %+v, %v, want last at %s", p, err, at)
	}
	if p := b.pulse("okta"); p.LastAt != 0 {
		t.Errorf("at another replica: got %+v, want nothing", p)
	}
	if err := s.WriteHearings(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := b.pulse("okta"); p.LastAt != at {
		t.Errorf("at another replica, written: got %+v, want last at %s", p, at)
	}
}

func TestLatenessIsAlarmedOnce(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(t)
	send := func(n int, late time.Duration) {
		t.Helper()
		for range n {
			now := b.store.Moving().Advance(time.Minute)
			b.replicas[0].Hear("main", "okta")
			ev := revoke.Event{ID: revoke.NewID(now), Org: "main", Source: "okta", Authority: "okta", Type: "t", ReceivedAt: now, OccurredAt: now.Add(-late), State: revoke.EventIgnored}
			if _, err := b.replicas[0].Receive(t.Context(), someone, sender, ev); err != nil {
				t.Fatal(err)
			}
			b.look()
		}
	}
	send(4, 10*time.Minute)
	b.wantAlarms("four late ones", revoke.AlarmLate, 0, 0)
	send(30, 10*time.Minute)
	b.wantAlarms("many", revoke.AlarmLate, 1, 1)
	if p := b.pulse("okta"); p.State() != revoke.PulseLate || p.Median/time.Second != 600 || len(p.Wrongs("okta")) != 1 {
		t.Errorf("late: got %+v, %s", p, p.State())
	}
	send(revoke.EventsTimed, 4*time.Minute)
	b.wantAlarms("a little less late", revoke.AlarmLate, 1, 1)
	send(revoke.EventsTimed, 6*time.Minute)
	b.wantAlarms("and more again", revoke.AlarmLate, 1, 1)
	send(revoke.EventsTimed, time.Second)
	b.wantAlarms("in time", revoke.AlarmLate, 1, 0)
	send(revoke.EventsTimed, 4*time.Minute)
	b.wantAlarms("a little late", revoke.AlarmLate, 1, 0)
	send(revoke.EventsTimed, 6*time.Minute)
	b.wantAlarms("late again", revoke.AlarmLate, 2, 1)
}
