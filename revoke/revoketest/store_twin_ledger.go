package revoketest

import (
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"curfew/revoke"
)

// newEvent returns an event, or one that was written before as its replay leaves it.
func (w *twins) newEvent(t *rapid.T, user revoke.ID) revoke.Event {
	state := drawn(t, "event's state", []revoke.EventState{revoke.EventDecided, revoke.EventIgnored, revoke.EventUnknown, revoke.EventMalformed, revoke.EventHeld})
	if len(w.events) > 0 && rapid.IntRange(0, 3).Draw(t, "replay") == 3 {
		at := rapid.IntRange(0, len(w.events)-1).Draw(t, "event replayed")
		ev := &w.events[at]
		ev.State, ev.Note, ev.Decided = state, "replayed", revoke.Decided{User: user, Covers: w.n}
		return *ev
	}
	ev := revoke.Event{
		ID: w.id("event", 100+w.n), Org: w.org, Source: drawn(t, "source", []string{"okta", "hr"}), Authority: "okta", SenderID: fmt.Sprintf("evt-%d", w.n), Type: drawn(t, "event's type", []string{"a", "b"}),
		ReceivedAt: 5, State: state, Decided: revoke.Decided{User: user},
	}
	w.events = append(w.events, ev)
	return ev
}

// alarm raises or clears one. What was raised last has the latest instant, as where decisions raise them.
func (w *twins) alarm(t *rapid.T, e *revoke.Effects) {
	key := revoke.AlarmKey{Org: w.org, Kind: drawn(t, "alarm", revoke.AlarmKinds()[:2]), About: drawn(t, "about", []string{"okta", "canvas"})}
	if rapid.IntRange(0, 2).Draw(t, "clear") == 2 {
		e.Cleared = []revoke.AlarmKey{key}
		return
	}
	a := revoke.NewAlarm(key, fmt.Sprintf("alarm %d", w.n), revoke.Instant(w.n))
	a.ID = w.id("alarm", w.n)
	e.Alarms = []revoke.Alarm{a}
}

var cleared = cmpopts.IgnoreFields(revoke.Alarm{}, "ClearedAt") // at each store's own time

func (w *twins) sameLedger(t *rapid.T) {
	limit := rapid.IntRange(1, 9).Draw(t, "limit")
	eq := revoke.EventQuery{
		Org: w.org, Source: drawn(t, "source", []string{"", "okta"}), Type: drawn(t, "type", []string{"", "b"}), Limit: limit,
		State: drawn(t, "state", []revoke.EventState{"", revoke.EventHeld, revoke.EventUnknown, revoke.EventDecided}),
	}
	if len(w.events) > 0 && rapid.Bool().Draw(t, "before one") {
		eq.Before = drawn(t, "before", w.events).ID
	}
	both(w, fmt.Sprintf("events by %+v", eq), func(s revoke.Store) ([]revoke.Event, error) { return s.Events(w.ctx, eq) })
	rq := revoke.RevocationQuery{Org: w.org, Users: someOf(t, "user", append([]revoke.ID{{}}, w.users...)), Limit: limit}
	if len(w.revocations) > 0 && rapid.Bool().Draw(t, "before one") {
		rq.Before = drawn(t, "before", w.revocations)
	}
	both(w, fmt.Sprintf("revocations by %+v", rq), func(s revoke.Store) ([]revoke.Revocation, error) { return s.Revocations(w.ctx, rq) })
	aq := revoke.AlarmQuery{Org: w.org, Kind: drawn(t, "kind", []revoke.AlarmKind{"", revoke.AlarmKinds()[0]}), Standing: rapid.Bool().Draw(t, "standing"), Limit: limit}
	both(w, fmt.Sprintf("alarms by %+v", aq), func(s revoke.Store) ([]revoke.Alarm, error) { return s.Alarms(w.ctx, aq) }, cleared)
	both(w, "what sources sent", func(s revoke.Store) ([]revoke.SourceNews, error) {
		return s.Heard(w.ctx, w.org, []string{"okta", "hr", "x"})
	})
	both(w, "what waits", func(s revoke.Store) ([]revoke.Backlog, error) {
		return s.Backlogs(w.ctx, w.org, []string{w.org + "/canvas", "x"})
	})
	ids := someOf(t, "identifier", w.ids)
	both(w, fmt.Sprintf("holdings of %v", ids), func(s revoke.Store) ([]revoke.Holding, error) { return s.Holdings(w.ctx, ids) })
	refs := w.refs(t)
	both(w, fmt.Sprintf("sessions by %+v", refs), func(s revoke.Store) ([]revoke.Session, error) { return s.FindSessions(w.ctx, refs) },
		cmpopts.SortSlices(func(a, b revoke.Session) bool { return a.ID.Compare(b.ID) < 0 }))
	both(w, "devices", func(s revoke.Store) ([]revoke.Device, error) { return s.DevicesNamed(w.ctx, w.device.Identifiers) })
	both(w, "break-glass people", func(s revoke.Store) ([]revoke.User, error) { return s.Spared(w.ctx, w.org) })
	both(w, "left behind", func(s revoke.Store) ([]revoke.ID, error) {
		return s.LeftBehind(w.ctx, w.org, "okta", revoke.ID{}, limit)
	})
	now := small(t, "now") * 3
	both(w, fmt.Sprintf("due by %d", now), func(s revoke.Store) ([]revoke.Due, error) {
		due, err := s.Due(w.ctx, now, 1000)
		return slices.DeleteFunc(due, func(d revoke.Due) bool { return d.Org != w.org }), err
	})
}

// sameOrders gives both the same order about deliveries or the target.
func (w *twins) sameOrders(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "about the target") == 2 {
		at := small(t, "since") / 5
		both(w, "pause", func(s revoke.Store) (bool, error) {
			return true, s.Pause(w.ctx, w.org+"/canvas", at, revoke.AuditEntry{Org: w.org, At: 1})
		})
		both(w, "paused", func(s revoke.Store) (revoke.Instant, error) {
			all, err := s.Paused(w.ctx)
			return all[w.org+"/canvas"], err
		})
		return
	}
	q := revoke.DeliveryQuery{Org: w.org}
	if rapid.Bool().Draw(t, "of one") {
		q.User = drawn(t, "user", w.users)
	}
	halt := drawn(t, "order", []revoke.Halt{revoke.HaltNone, revoke.HaltWait, revoke.HaltDrop})
	both(w, fmt.Sprintf("halt %q of %+v", halt, q), func(s revoke.Store) (int, error) {
		return s.Halt(w.ctx, q, halt, 1, revoke.AuditEntry{Org: w.org, At: 1})
	})
}

// sameNotes writes last uses and idempotency keys to both.
func (w *twins) sameNotes(t *rapid.T) {
	var uses []revoke.Use
	for _, s := range someOf(t, "session used", w.sessions) {
		uses = append(uses, revoke.Use{Org: w.org, Session: s.ID, At: 1 + small(t, "used")})
	}
	both(w, "uses", func(s revoke.Store) (bool, error) { return true, s.Used(w.ctx, uses) })
	k := revoke.Key{Org: w.org, Source: "ops", Name: drawn(t, "key", []string{"a", "b"}), Request: revoke.HashToken(fmt.Sprint(w.n)), At: 1 + small(t, "taken")}
	after := small(t, "after")
	type answer struct {
		Have  revoke.Key
		Taken bool
	}
	both(w, fmt.Sprintf("key %s after %d", k.Name, after), func(s revoke.Store) (a answer, err error) {
		a.Have, a.Taken, err = s.TakeKey(w.ctx, k, after)
		return a, err
	})
	if rapid.Bool().Draw(t, "answer") {
		k.Status, k.Answer = 200, fmt.Sprint(w.n)
		both(w, "answer", func(s revoke.Store) (bool, error) { return true, s.AnswerKey(w.ctx, k) })
	}
}
