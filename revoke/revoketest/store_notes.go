package revoketest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"curfew/revoke"
)

// notesContract is about what is written beside decisions.
func notesContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"alarm": alarmRow, "alarms of one batch": alarmsTogether, "list alarms": listAlarms, "alarms of a settlement": settledAlarms, "tell of alarms": toldAlarms,
		"last use": lastUse, "idempotency keys": idempotencyKeys, "many take one key": oneTakesTheKey,
	}
}

func (b *bench) alarms(q revoke.AlarmQuery) []revoke.Alarm {
	b.Helper()
	q.Org, q.Limit = org, 1000
	got, err := b.store.Alarms(b.deadline(), q)
	if err != nil {
		b.Fatalf("list alarms by %+v: %v", q, err)
	}
	return got
}

func alarm(kind revoke.AlarmKind, about, text string, at revoke.Instant) revoke.Alarm {
	return revoke.NewAlarm(revoke.AlarmKey{Org: org, Kind: kind, About: about}, text, at)
}

func alarmRow(b *bench) {
	const ms = 1000 // alarms of one millisecond have no order
	first := alarm(revoke.AlarmHeld, "okta", "one waits", 10*ms)
	b.write(revoke.Effects{Alarms: []revoke.Alarm{first}})
	want := first
	b.same("an alarm", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{want})
	for i, next := range []revoke.Alarm{
		alarm(revoke.AlarmHeld, "okta", "two wait", 20*ms),
		with(alarm(revoke.AlarmHeld, "okta", "heard late", 15*ms), func(a *revoke.Alarm) { a.Count, a.ToldAt = 3, 5 }),
		alarm(revoke.AlarmHeld, "okta", "at the same time", 20*ms),
	} {
		b.write(revoke.Effects{Alarms: []revoke.Alarm{next}})
		want.Count += next.Count
		want.ToldAt = max(want.ToldAt, next.ToldAt)
		if next.LastAt >= want.LastAt {
			want.Text, want.LastAt = next.Text, next.LastAt
		}
		b.same(fmt.Sprintf("it stands and is raised again, %d", i), b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{want})
	}
	others := []revoke.Alarm{
		alarm(revoke.AlarmHeld, "hr", "another source", 21*ms), alarm(revoke.AlarmSameID, "okta", "another kind", 22*ms),
		with(alarm(revoke.AlarmHeld, "okta", "another org", 23*ms), func(a *revoke.Alarm) { a.Org = "other" }),
	}
	b.write(revoke.Effects{Alarms: others})
	b.same("others are others", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{others[1], others[0], want})
	b.same("one by its id", b.alarms(revoke.AlarmQuery{ID: others[0].ID}), []revoke.Alarm{others[0]})
	b.write(revoke.Effects{Cleared: []revoke.AlarmKey{first.AlarmKey, {Org: org, Kind: revoke.AlarmClock, About: "nothing"}}})
	got := b.alarms(revoke.AlarmQuery{})
	if len(got) != 3 || got[2].ClearedAt < want.LastAt {
		b.Fatalf("after one was cleared: got %+v, want that one with an instant", got)
	}
	want.ClearedAt = got[2].ClearedAt
	b.same("a cleared alarm keeps the rest", got, []revoke.Alarm{others[1], others[0], want})
	b.write(revoke.Effects{Cleared: []revoke.AlarmKey{first.AlarmKey}})
	again := alarm(revoke.AlarmHeld, "okta", "again", 30*ms)
	b.write(revoke.Effects{Alarms: []revoke.Alarm{again}})
	b.same("raised after it was cleared it is new", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{again, others[1], others[0], want})
	if got := b.alarms(revoke.AlarmQuery{Standing: true, Kind: revoke.AlarmHeld}); len(got) != 2 {
		b.Errorf("standing alarms of a kind: got %+v, want two", got)
	}
	foreign, err := b.store.Alarms(b.deadline(), revoke.AlarmQuery{Org: "other", Limit: 10})
	if err != nil {
		b.Fatal(err)
	}
	b.same("another org's, which was not cleared", foreign, others[2:])
}

// alarmsTogether clears an alarm and raises it again in one decision: what stands afterwards is new.
func alarmsTogether(b *bench) {
	first := alarm(revoke.AlarmParked, "canvas", "some wait", 1000)
	b.write(revoke.Effects{Alarms: []revoke.Alarm{first}})
	second := alarm(revoke.AlarmParked, "canvas", "others wait", 2000)
	b.write(revoke.Effects{Cleared: []revoke.AlarmKey{first.AlarmKey}, Alarms: []revoke.Alarm{second}})
	got := b.alarms(revoke.AlarmQuery{})
	if len(got) != 2 || got[1].ClearedAt == 0 {
		b.Fatalf("cleared and raised in one: got %+v, want a cleared one and a new one", got)
	}
	first.ClearedAt = got[1].ClearedAt
	b.same("cleared and raised in one", got, []revoke.Alarm{second, first})
	b.allWell(20, func(ctx context.Context, i int) error {
		return b.store.Decide(ctx, revoke.Need{Org: org}, func(f *revoke.Facts) (revoke.Effects, error) {
			return revoke.Effects{Alarms: []revoke.Alarm{alarm(revoke.AlarmParked, "canvas", fmt.Sprint(i), f.Now)}}, nil
		})
	})
	if got := b.alarms(revoke.AlarmQuery{Standing: true}); len(got) != 1 || got[0].Count != 21 || got[0].ID != second.ID {
		b.Errorf("raised twenty times more at once: got %+v, want one that was raised 21 times", got)
	}
}

func listAlarms(b *bench) {
	var all []revoke.Alarm
	kinds := revoke.AlarmKinds()[:3]
	for i := range 12 {
		all = append(all, alarm(kinds[i%3], fmt.Sprint(i), "", revoke.Instant(i+1)*1000))
	}
	b.write(revoke.Effects{Alarms: all})
	b.write(revoke.Effects{Cleared: []revoke.AlarmKey{all[2].AlarmKey, all[3].AlarmKey, all[7].AlarmKey}})
	all = b.alarms(revoke.AlarmQuery{})
	if !slices.IsSortedFunc(all, func(x, y revoke.Alarm) int { return y.ID.Compare(x.ID) }) || len(all) != 12 {
		b.Fatalf("alarms: got %d, want 12, newest first", len(all))
	}
	for _, q := range []revoke.AlarmQuery{{}, {Standing: true}, {Kind: kinds[1]}, {Kind: kinds[1], Standing: true}, {Kind: "nothing"}} {
		want := slices.DeleteFunc(slices.Clone(all), func(a revoke.Alarm) bool {
			return q.Standing && a.ClearedAt != 0 || q.Kind != "" && a.Kind != q.Kind
		})
		for _, limit := range []int{1, 2, 100} {
			got := paged(b, limit, func(last *revoke.Alarm) ([]revoke.Alarm, error) {
				if q.Org, q.Limit, q.Before = org, limit, (revoke.ID{}); last != nil {
					q.Before = last.ID
				}
				return b.store.Alarms(b.deadline(), q)
			})
			b.same(fmt.Sprintf("alarms by %+v, %d at a time", q, limit), got, want)
		}
	}
}

// settledAlarms raises and clears alarms with what became of a call, and not at all when its lease is lost.
func settledAlarms(b *bench) {
	b.owe(b.person().ID, "canvas", nil)
	at := b.now()
	refused, parked := alarm(revoke.AlarmCredential, "canvas", "refused", at), alarm(revoke.AlarmParked, "canvas", "parked", at+1)
	settle := func(owed revoke.Owed, s revoke.Settlement) error {
		s.Attempt.At = at
		return b.store.Settle(b.deadline(), owed, s)
	}
	owed := b.claim("canvas", 1, at, at.Add(time.Minute))[0]
	lost := owed
	lost.Items = slices.Clone(owed.Items)
	lost.Items[0].Delivery.Lease = b.id()
	if err := settle(lost, revoke.Settlement{State: revoke.DeliveryDone, Alarms: []revoke.Alarm{parked}}); !errors.Is(err, revoke.ErrLeaseLost) {
		b.Fatalf("settle under a lost lease: got %v, want %v", err, revoke.ErrLeaseLost)
	}
	b.same("alarms of what was not settled", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{})
	if err := settle(owed, revoke.Settlement{State: revoke.DeliveryDue, DueAt: at, Alarms: []revoke.Alarm{refused}}); err != nil {
		b.Fatal(err)
	}
	b.same("raised with a settlement", b.alarms(revoke.AlarmQuery{}), []revoke.Alarm{refused})
	owed = b.claim("canvas", 1, at, at.Add(time.Minute))[0]
	again := alarm(revoke.AlarmCredential, "canvas", "refused again", at+2000)
	if err := settle(owed, revoke.Settlement{State: revoke.DeliveryParked, Alarms: []revoke.Alarm{parked, again}, Cleared: []revoke.AlarmKey{refused.AlarmKey}}); err != nil {
		b.Fatal(err)
	}
	got := b.alarms(revoke.AlarmQuery{})
	if i := slices.IndexFunc(got, func(a revoke.Alarm) bool { return a.ID == refused.ID }); i < 0 || got[i].ClearedAt < refused.LastAt {
		b.Errorf("cleared with a settlement: got %+v", got)
	}
	b.same("what stands", b.alarms(revoke.AlarmQuery{Standing: true, Kind: revoke.AlarmCredential}), []revoke.Alarm{again})
	b.same("what stands besides", b.alarms(revoke.AlarmQuery{Standing: true, Kind: revoke.AlarmParked}), []revoke.Alarm{parked})
}

func toldAlarms(b *bench) {
	const ms = 1000
	all := []revoke.Alarm{
		alarm(revoke.AlarmHeld, "a", "", 1*ms), alarm(revoke.AlarmHeld, "b", "", 2*ms), alarm(revoke.AlarmHeld, "c", "", 3*ms),
		with(alarm(revoke.AlarmHeld, "d", "", 4*ms), func(a *revoke.Alarm) { a.Org = "other" }),
	}
	b.write(revoke.Effects{Alarms: all})
	b.write(revoke.Effects{Cleared: []revoke.AlarmKey{all[1].AlarmKey}})
	untold := func(what string, again revoke.Instant, limit int, want ...string) {
		b.Helper()
		got, err := b.store.Untold(b.deadline(), again, limit)
		if err != nil {
			b.Fatalf("alarms nobody was told of: %v", err)
		}
		var about []string
		for _, a := range got {
			about = append(about, a.About)
		}
		b.same("untold "+what, about, want)
	}
	told := func(i int, at revoke.Instant) {
		b.Helper()
		if err := b.store.Told(b.deadline(), all[i].Org, all[i].ID, at); err != nil {
			b.Fatalf("note that an alarm was told: %v", err)
		}
	}
	untold("at first", 0, 10, "a", "c", "d")
	untold("at most two", 0, 2, "a", "c")
	told(0, 10*ms)
	told(3, 10*ms)
	told(0, 5*ms) // only moves forward
	if err := b.store.Told(b.deadline(), "other", all[2].ID, 10*ms); err != nil {
		b.Error(err)
	}
	untold("after two were told", 100*ms, 10, "c")
	if got := b.alarms(revoke.AlarmQuery{Standing: true}); len(got) != 2 || got[1].ToldAt != 10*ms || got[0].ToldAt != 0 {
		b.Errorf("when receivers were told: got %+v", got)
	}
	b.write(revoke.Effects{Alarms: []revoke.Alarm{alarm(revoke.AlarmHeld, "a", "", 20*ms)}})
	untold("raised again, told a moment ago", 10*ms, 10, "c")
	untold("raised again, told long ago", 10*ms+1, 10, "a", "c")
}

func lastUse(b *bench) {
	sally := b.person()
	one, two, never := b.session(sally.ID, 10), b.session(sally.ID, 20), b.session(sally.ID, 30)
	one.UsedAt = 5 // no part of the fact
	b.write(revoke.Effects{Sessions: []revoke.Session{one, two, never}})
	one.UsedAt = 0
	check := func(what string, oneAt, twoAt revoke.Instant) {
		b.Helper()
		want := []revoke.Session{never, with(two, func(s *revoke.Session) { s.UsedAt = twoAt }), with(one, func(s *revoke.Session) { s.UsedAt = oneAt })}
		listed, err := b.store.SessionsOf(b.deadline(), revoke.SessionQuery{Org: org, Users: []revoke.ID{sally.ID}, Limit: 10})
		if err != nil {
			b.Fatal(err)
		}
		b.same("listed "+what, listed, want)
		found, err := b.store.FindSessions(b.deadline(), []revoke.SessionRef{{Org: org, Token: two.Token}})
		if err != nil {
			b.Fatal(err)
		}
		b.same("found among many "+what, found, want[1:2])
		single, err := b.store.FindSession(b.deadline(), revoke.SessionRef{Org: org, ID: one.ID})
		if err != nil {
			b.Fatal(err)
		}
		b.same("found "+what, single, want[2])
	}
	use := func(uses ...revoke.Use) {
		b.Helper()
		if err := b.store.Used(b.deadline(), uses); err != nil {
			b.Fatalf("note %d uses: %v", len(uses), err)
		}
	}
	check("before any use", 0, 0)
	use()
	use(revoke.Use{Org: org, Session: one.ID, At: 100}, revoke.Use{Org: org, Session: two.ID, At: 50}, revoke.Use{Org: org, Session: one.ID, At: 90})
	check("after the first uses", 100, 50)
	use(revoke.Use{Org: org, Session: one.ID, At: 99}, revoke.Use{Org: org, Session: two.ID, At: 51})
	check("after an older one", 100, 51)
	use(revoke.Use{Org: "other", Session: one.ID, At: 200}, revoke.Use{Org: org, Session: b.id(), At: 200})
	check("after uses of others", 100, 51)
	many := make([]revoke.Use, 2500)
	for i := range many {
		many[i] = revoke.Use{Org: org, Session: revoke.NewID(1), At: 1}
	}
	many[2400] = revoke.Use{Org: org, Session: two.ID, At: 300}
	b.allWell(4, func(ctx context.Context, i int) error {
		uses := slices.Clone(many)
		if i%2 == 1 {
			slices.Reverse(uses)
		}
		return b.store.Used(ctx, uses)
	})
	check("after many at once", 100, 300)
}

func idempotencyKeys(b *bench) {
	key := revoke.Key{Org: org, Source: "ops", Name: `k "1"`, Request: [32]byte{1, 2, 255}, At: 100}
	take := func(what string, k revoke.Key, after revoke.Instant, want revoke.Key, wantTaken bool) {
		b.Helper()
		have, taken, err := b.store.TakeKey(b.deadline(), k, after)
		if err != nil {
			b.Fatalf("take a key %s: %v", what, err)
		}
		if b.same("key taken "+what, have, want); taken != wantTaken {
			b.Errorf("taken %s: got %t, want %t", what, taken, wantTaken)
		}
	}
	answer := func(k revoke.Key) {
		b.Helper()
		if err := b.store.AnswerKey(b.deadline(), k); err != nil {
			b.Fatalf("answer a key: %v", err)
		}
	}
	take("first", key, 50, key, true)
	other := with(key, func(k *revoke.Key) { k.Request, k.At = [32]byte{9}, 110 })
	take("again while it is worked on", other, 50, key, false)
	answered := with(key, func(k *revoke.Key) { k.Status, k.Answer = 201, `{"a": "ü"}` })
	answer(answered)
	take("again when it is answered", other, 50, answered, false)
	take("again at the instant", other, 99, answered, false)
	for what, change := range map[string]func(*revoke.Key){
		"by another source": func(k *revoke.Key) { k.Source = "portal" },
		"in another org":    func(k *revoke.Key) { k.Org = "other" },
		"by another name":   func(k *revoke.Key) { k.Name = "k2" },
	} {
		take(what, with(key, change), 50, with(key, change), true)
	}
	take("after it has expired", other, 100, other, true)
	answer(answered) // of the one before, which is gone
	take("and is the new one's", key, 50, other, false)
	for _, c := range []struct {
		before revoke.Instant
		want   int
	}{{100, 0}, {101, 3}, {110, 0}, {111, 1}, {1000, 0}} {
		if n, err := b.store.DropKeys(b.deadline(), c.before); err != nil || n != c.want {
			b.Errorf("keys taken before %d that were forgotten: got %d, %v, want %d", c.before, n, err, c.want)
		}
	}
	take("after it was forgotten", key, 50, key, true)
}

// oneTakesTheKey lets many take one key at once, fresh and expired: one has it, and the others see whose it is.
func oneTakesTheKey(b *bench) {
	for round := range 3 {
		var taken atomic.Int32
		at := revoke.Instant(1000 * (round + 1))
		b.allWell(8, func(ctx context.Context, i int) error {
			k := revoke.Key{Org: org, Source: "ops", Name: "k", At: at + revoke.Instant(i)}
			have, got, err := b.store.TakeKey(ctx, k, at-1)
			if got {
				taken.Add(1)
			}
			if err == nil && have.At < at {
				err = fmt.Errorf("got a key that was taken at %d, before %d", have.At, at)
			}
			return err
		})
		if n := taken.Load(); n != 1 {
			b.Errorf("round %d: %d took the key, want one", round, n)
		}
	}
}
