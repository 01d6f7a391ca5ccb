package revoketest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"curfew/revoke"
)

// effectsContract is about what is written: every member of Effects comes back as it went in, and what is joined only
// moves forward, in whatever order it comes.
func effectsContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"user": userRow, "holding": holdingRow, "join": joinRow, "block": blockRow, "cutoff": cutoffRow, "every scope": everyScope,
		"device": deviceRow, "session": sessionRow, "end": endRow, "event": eventRow, "revocation": revocationRow, "view": viewRows,
	}
}

func userRow(b *bench) {
	u := revoke.User{ID: b.id(), Org: org, CreatedAt: b.now()}
	steps := []struct {
		write, want revoke.User
	}{
		{u, u},
		{with(u, func(u *revoke.User) { u.LiftedOver = 50 }), with(u, func(u *revoke.User) { u.LiftedOver = 50 })},
		{with(u, func(u *revoke.User) { u.SparedAt = 7 }), with(u, func(u *revoke.User) { u.LiftedOver, u.SparedAt = 50, 7 })},
		{with(u, func(u *revoke.User) { u.LiftedOver = 40 }), with(u, func(u *revoke.User) { u.LiftedOver, u.SparedAt = 50, 7 })},
		{with(u, func(u *revoke.User) { u.LiftedOver = 60 }), with(u, func(u *revoke.User) { u.LiftedOver, u.SparedAt = 60, 7 })},
	}
	for i, step := range steps {
		b.write(revoke.Effects{Users: []revoke.User{step.write}})
		b.same(fmt.Sprintf("user in the facts after write %d", i), b.facts(revoke.Need{Users: []revoke.ID{u.ID}}).Users[u.ID], step.want)
		b.same(fmt.Sprintf("person after write %d", i), b.people(u.ID), []revoke.Person{{User: step.want}})
	}
	b.same("facts of a user nobody knows", b.facts(revoke.Need{Users: []revoke.ID{b.id()}}).Users, map[revoke.ID]revoke.User{})
}

func with[T any](row T, change func(*T)) T {
	change(&row)
	return row
}

func (b *bench) people(users ...revoke.ID) []revoke.Person {
	b.Helper()
	people, err := b.store.People(b.deadline(), users)
	if err != nil {
		b.Fatalf("read people: %v", err)
	}
	return people
}

func holdingRow(b *bench) {
	u := b.person()
	first := revoke.Holding{Identifier: email("sally@example.edu"), User: u.ID, HeldFrom: 100, Authority: "okta", Event: b.id()}
	again := first
	again.HeldFrom, again.Event = 300, b.id()
	bare := revoke.Holding{Identifier: revoke.Identifier{Org: org, Namespace: "okta", Value: "00u1"}, User: u.ID, HeldFrom: 0}
	b.write(revoke.Effects{Holdings: []revoke.Holding{again, first, bare}})
	for _, step := range []struct{ write, want revoke.Instant }{{200, 200}, {150, 200}, {0, 200}, {250, 250}} {
		b.write(revoke.Effects{Holdings: []revoke.Holding{with(first, func(h *revoke.Holding) { h.ReleasedAt = step.write })}})
		want := with(first, func(h *revoke.Holding) { h.ReleasedAt = step.want })
		b.same(fmt.Sprintf("holdings after a release at %d", step.write), b.people(u.ID)[0].Holdings, []revoke.Holding{bare, want, again})
		facts := revoke.NewFacts()
		facts.Users[u.ID] = u
		for _, h := range []revoke.Holding{bare, want, again} {
			facts.AddHolding(h)
		}
		b.sameFacts("facts by identifier", b.facts(revoke.Need{Identifiers: []revoke.Identifier{first.Identifier}}), facts)
		b.sameFacts("facts by user", b.facts(revoke.Need{Users: []revoke.ID{u.ID}}), facts)
	}
	for _, authority := range []string{"hr", "", "okta"} { // the first directory that vouches for it
		b.write(revoke.Effects{Holdings: []revoke.Holding{with(bare, func(h *revoke.Holding) { h.Authority = authority })}})
		if got := b.people(u.ID)[0].Holdings[0]; got.Authority != "hr" {
			b.Errorf("authority of a holding that only a registration had used, written again by %q: got %q, want hr", authority, got.Authority)
		}
	}
}

func joinRow(b *bench) {
	a, c := b.person(), b.person()
	older := revoke.NewJoin(c.ID, a.ID, 100, b.id())
	newer := revoke.NewJoin(a.ID, c.ID, 300, b.id())
	steps := []struct {
		write, want revoke.Join
		one         bool // the two are one person
	}{
		{older, older, true},
		{with(older, func(j *revoke.Join) { j.SplitAt = 200 }), with(older, func(j *revoke.Join) { j.SplitAt = 200 }), false},
		{newer, with(newer, func(j *revoke.Join) { j.SplitAt = 200 }), true},
		{older, with(newer, func(j *revoke.Join) { j.SplitAt = 200 }), true},
		{with(newer, func(j *revoke.Join) { j.SplitAt = 300 }), with(newer, func(j *revoke.Join) { j.SplitAt = 300 }), false},
	}
	for i, step := range steps {
		b.write(revoke.Effects{Joins: []revoke.Join{step.write}})
		want := revoke.NewFacts()
		want.Users[a.ID] = a
		if step.one {
			want.Users[c.ID] = c
		}
		want.AddJoin(step.want)
		b.sameFacts(fmt.Sprintf("facts after write %d", i), b.facts(revoke.Need{Users: []revoke.ID{a.ID}}), want)
		b.same(fmt.Sprintf("person after write %d", i), b.people(c.ID), []revoke.Person{{User: c, Joins: []revoke.Join{step.want}}})
	}
}

func blockRow(b *bench) {
	u := b.person()
	key := revoke.BlockKey{User: u.ID, Authority: "okta", Class: revoke.ClassPlain}
	early := revoke.Block{BlockKey: key, BlockedAt: 100, Revocation: b.id(), Until: 1000}
	late := revoke.Block{BlockKey: key, BlockedAt: 300, Revocation: b.id()}
	lift := func(at revoke.Instant) revoke.Block { return revoke.Block{BlockKey: key, LiftedAt: at} }
	others := []revoke.Block{
		{BlockKey: revoke.BlockKey{User: u.ID, Authority: "okta", Class: revoke.ClassPlan}, BlockedAt: 1},
		{BlockKey: revoke.BlockKey{User: u.ID, Authority: revoke.AdminAuthority, Class: revoke.ClassTimed}, BlockedAt: 2, Until: 9, LiftedAt: 3},
	}
	b.write(revoke.Effects{Blocks: others})
	steps := []struct{ write, want revoke.Block }{
		{early, early},
		{lift(200), with(early, func(b *revoke.Block) { b.LiftedAt = 200 })},
		{late, with(late, func(b *revoke.Block) { b.LiftedAt = 200 })},
		{early, with(late, func(b *revoke.Block) { b.LiftedAt = 200 })},
		{lift(150), with(late, func(b *revoke.Block) { b.LiftedAt = 200 })},
		{lift(400), with(late, func(b *revoke.Block) { b.LiftedAt = 400 })},
	}
	for i, step := range steps {
		b.write(revoke.Effects{Blocks: []revoke.Block{step.write}})
		all := append([]revoke.Block{step.want}, others...)
		want := revoke.NewFacts()
		want.Users[u.ID] = u
		for _, each := range all {
			want.AddBlock(each)
		}
		b.sameFacts(fmt.Sprintf("facts after write %d", i), b.facts(revoke.Need{Users: []revoke.ID{u.ID}}), want)
		b.same(fmt.Sprintf("person after write %d", i), b.people(u.ID), []revoke.Person{{User: u, Blocks: all}})
	}
}

func cutoffRow(b *bench) {
	u := b.person()
	personal := revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: u.ID}
	one, two, three := b.id(), b.id(), b.id()
	for _, scope := range []revoke.Scope{personal, {Org: org, Kind: revoke.ScopeEveryone}} {
		steps := []struct{ write, want revoke.Cutoff }{
			{revoke.Cutoff{Scope: scope, At: 200, Revocation: two}, revoke.Cutoff{Scope: scope, At: 200, Revocation: two}},
			{revoke.Cutoff{Scope: scope, At: 100, Revocation: one}, revoke.Cutoff{Scope: scope, At: 200, Revocation: two}},
			{revoke.Cutoff{Scope: scope, SparedAt: 500, SparedBy: three}, revoke.Cutoff{Scope: scope, At: 200, Revocation: two, SparedAt: 500, SparedBy: three}},
			{revoke.Cutoff{Scope: scope, At: 300, Revocation: three, SparedAt: 400, SparedBy: one}, revoke.Cutoff{Scope: scope, At: 300, Revocation: three, SparedAt: 500, SparedBy: three}},
			{revoke.Cutoff{Scope: scope, At: 299, Revocation: one, SparedAt: 501, SparedBy: one}, revoke.Cutoff{Scope: scope, At: 300, Revocation: three, SparedAt: 501, SparedBy: one}},
		}
		for i, step := range steps {
			b.write(revoke.Effects{Cutoffs: []revoke.Cutoff{step.write}})
			b.same(fmt.Sprintf("cutoff on %s after write %d", scope.Kind, i), b.facts(revoke.Need{Users: []revoke.ID{u.ID}, Cutoffs: true}).Cutoffs[scope], step.want)
		}
	}
	b.same("no cutoff is read unless it is needed", b.facts(revoke.Need{Users: []revoke.ID{u.ID}}).Cutoffs, map[revoke.Scope]revoke.Cutoff{})
}

func everyScope(b *bench) {
	u, device := b.person(), revoke.DeviceIdentifier{Org: org, Namespace: "serial", Value: "C02"}
	held := revoke.DeviceIdentifier{Org: org, Namespace: revoke.NamespaceDeviceID, Value: "phone"}
	known := revoke.Device{ID: b.id(), Org: org, Identifiers: []revoke.DeviceIdentifier{held}, CreatedAt: b.now()}
	scopes := []revoke.Scope{
		{Org: org, Kind: revoke.ScopeEveryone},
		{Org: org, Kind: revoke.ScopeKindOf, Key: string(revoke.Mobile)},
		{Org: org, Kind: revoke.ScopeApp, Key: "portal"},
		{Org: org, Kind: revoke.ScopeUser, User: u.ID},
		{Org: org, Kind: revoke.ScopeUserKind, User: u.ID, Key: string(revoke.Browser)},
		{Org: org, Kind: revoke.ScopeUserApp, User: u.ID, Key: "portal"},
		{Org: org, Kind: revoke.ScopeUserDevice, User: u.ID, Device: known.ID},
		revoke.DeviceScope(org, known.ID),
		revoke.DeviceScope(org, revoke.DeviceID(device)),
		{Org: org, Kind: revoke.ScopeSession, Key: revoke.SessionKey("portal", "s-1")},
	}
	want := map[revoke.Scope]revoke.Cutoff{}
	e := revoke.Effects{Devices: []revoke.Device{known}}
	for i, scope := range scopes {
		want[scope] = revoke.Cutoff{Scope: scope, At: revoke.Instant(100 + i), Revocation: b.id()}
		e.Cutoffs = append(e.Cutoffs, want[scope])
	}
	elsewhere := revoke.Cutoff{Scope: revoke.Scope{Org: "other", Kind: revoke.ScopeEveryone}, At: 7}
	b.write(e)
	b.write(revoke.Effects{Cutoffs: []revoke.Cutoff{elsewhere}})
	got := b.facts(revoke.Need{
		Users: []revoke.ID{u.ID}, Devices: []revoke.DeviceIdentifier{device, held}, Cutoffs: true,
		Sessions: []revoke.SessionRef{{Org: org, App: "portal", ClientID: "s-1"}},
	})
	b.same("cutoffs in the facts", got.Cutoffs, want)
	b.same("devices in the facts", got.Devices, map[revoke.DeviceIdentifier][]revoke.ID{held: {known.ID}})
	b.same("cutoffs of the person", b.people(u.ID)[0].Cutoffs, []revoke.Cutoff{want[scopes[3]], want[scopes[4]], want[scopes[5]], want[scopes[6]]})
	read := map[revoke.Scope]revoke.Cutoff{}
	for _, c := range b.view() {
		if c.Cutoff != nil {
			read[c.Cutoff.Scope] = *c.Cutoff
		}
	}
	want[elsewhere.Scope] = elsewhere
	b.same("cutoffs of the view, every org's", read, want)
}

// view returns everything that LoadView hands over.
func (b *bench) view() (all []revoke.Change) {
	b.Helper()
	if err := b.store.LoadView(b.deadline(), func(c ...revoke.Change) { all = append(all, c...) }); err != nil {
		b.Fatalf("load the view: %v", err)
	}
	return all
}

func deviceRow(b *bench) {
	serial := revoke.DeviceIdentifier{Org: org, Namespace: "serial", Value: "C02"}
	name := revoke.DeviceIdentifier{Org: org, Namespace: revoke.NamespaceDeviceID, Value: "phone"}
	foreign := revoke.DeviceIdentifier{Org: "other", Namespace: "serial", Value: "C02"}
	d := revoke.Device{ID: revoke.DeviceID(name), Org: org, Name: "Sally's phone", Platform: "iOS", Identifiers: []revoke.DeviceIdentifier{name, serial}, CreatedAt: b.now()}
	b.write(revoke.Effects{Devices: []revoke.Device{d}})
	got := b.facts(revoke.Need{Devices: []revoke.DeviceIdentifier{serial, name, foreign}})
	b.same("device by each of its identifiers", got.Devices, map[revoke.DeviceIdentifier][]revoke.ID{serial: {d.ID}, name: {d.ID}})
}

func sessionRow(b *bench) {
	u := b.person()
	full := b.session(u.ID, 1_000_000)
	full.Device, full.SID, full.AuthTime, full.Idle, full.Spared = b.id(), "sid-1", 900_000, 15*time.Minute, true
	full.Facts = revoke.SessionFacts{DeviceID: "phone", DeviceName: "Sally's phone", Platform: "iOS", IP: "2001:db8::1", UserAgent: "Portal/1 (ü)", IssuedSent: true}
	full.BornAt = full.AuthTime
	bare := revoke.Session{ID: b.id(), Org: org, App: "portal", User: u.ID, Kind: revoke.API, IssuedAt: 5, BornAt: 5, ExpiresAt: 1 << 60, RegisteredAt: 6}
	other := bare // two without a token or an id of the application's are no conflict
	other.ID = b.id()
	b.write(revoke.Effects{Sessions: []revoke.Session{full, bare, other}})
	for _, want := range []revoke.Session{full, bare, other} {
		got, err := b.store.FindSession(b.deadline(), revoke.SessionRef{Org: org, ID: want.ID})
		if err != nil {
			b.Fatalf("find session %s: %v", want.ID, err)
		}
		b.same("session", got, want)
	}
	facts := b.facts(revoke.Need{Sessions: []revoke.SessionRef{{Org: org, ID: full.ID}, {Org: org, SID: "sid-1"}}})
	b.same("session in the facts", facts.Sessions, map[revoke.ID]revoke.Session{full.ID: full})
	b.same("its user in the facts", facts.Users, map[revoke.ID]revoke.User{u.ID: u})
	b.same("the user's newest session", facts.Newest[u.ID], revoke.Newest{Born: full.BornAt, Registered: full.RegisteredAt})
}

func endRow(b *bench) {
	s := b.session(b.person().ID, 10)
	b.write(revoke.Effects{Sessions: []revoke.Session{s}})
	first := revoke.End{Session: s.ID, At: 100, Revocation: b.id()}
	for _, end := range []revoke.End{first, {Session: s.ID, At: 50, Revocation: b.id()}, {Session: s.ID, At: 200, Revocation: b.id()}} {
		b.write(revoke.Effects{Ends: []revoke.End{end}})
		got, err := b.store.FindSession(b.deadline(), revoke.SessionRef{Org: org, Token: s.Token})
		if err != nil || got.EndedAt != first.At || got.EndedBy != first.Revocation {
			b.Errorf("session after an end at %d: got ended at %d by %s (%v), want the first end at %d by %s", end.At, got.EndedAt, got.EndedBy, err, first.At, first.Revocation)
		}
	}
}

func eventRow(b *bench) {
	u := b.person()
	at := b.now()
	changes := (&revoke.Effects{
		Users:   []revoke.User{{ID: u.ID, LiftedOver: at}},
		Joins:   []revoke.Join{revoke.NewJoin(u.ID, b.id(), at, b.id())},
		Blocks:  []revoke.Block{{BlockKey: revoke.BlockKey{User: u.ID, Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: at}},
		Cutoffs: []revoke.Cutoff{{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: u.ID}, At: at, Revocation: b.id()}},
		Ends:    []revoke.End{{Session: b.id(), At: at, Revocation: b.id()}},
	}).Changes(at)
	full := revoke.Event{
		ID: b.id(), Org: org, Source: "okta", Authority: "okta-prod", SenderID: "evt-1", Type: "user.lifecycle.deactivate",
		ReceivedAt: at, OccurredAt: at - 5, State: revoke.EventDecided, Note: "verified by the second key",
		Body: json.RawMessage(`{"b": 1,  "a": "x\u0000y ü"}`),
		Decided: revoke.Decided{
			User: u.ID, Revocations: []revoke.Revocation{b.revocation(u.ID)}, Changes: changes,
			Conflicts: []revoke.Identifier{{Namespace: "email", Value: "old@example.edu"}}, Covers: 3,
		},
	}
	bare := revoke.Event{ID: b.id(), Org: org, Source: "okta", Authority: "okta-prod", SenderID: "evt-2", ReceivedAt: at, State: revoke.EventUnknown}
	malformed := revoke.Event{ID: b.id(), Org: org, Source: "okta", Authority: "okta-prod", SenderID: "evt-3", ReceivedAt: at, State: revoke.EventMalformed, Body: json.RawMessage(`{"not": `)}
	namesake := revoke.Event{ID: b.id(), Org: org, Source: "hr", Authority: "hr", SenderID: "evt-1", ReceivedAt: at, State: revoke.EventIgnored}
	foreign := revoke.Event{ID: b.id(), Org: "other", Source: "okta", Authority: "okta-prod", SenderID: "evt-1", ReceivedAt: at, State: revoke.EventHeld}
	nameless := []revoke.Event{
		{ID: b.id(), Org: org, Source: "okta", Authority: "okta-prod", ReceivedAt: at, State: revoke.EventIgnored},
		{ID: b.id(), Org: org, Source: "okta", Authority: "okta-prod", ReceivedAt: at, State: revoke.EventIgnored},
	}
	b.write(revoke.Effects{Events: append(nameless, full, bare, malformed, namesake, foreign)})
	want := map[revoke.EventKey]revoke.Event{}
	need := revoke.Need{Events: []revoke.EventKey{{Org: org, Authority: "okta-prod", SenderID: "evt-4"}}}
	for _, ev := range []revoke.Event{full, bare, malformed, namesake, foreign} {
		need.Events = append(need.Events, ev.Key())
		want[ev.Key()] = ev
	}
	b.same("events by their keys", b.facts(need).Events, want)
}

// revocation returns a revocation of everything a user has, with every member set. It is not written.
func (b *bench) revocation(user revoke.ID) revoke.Revocation {
	return revoke.Revocation{
		ID: b.id(), Event: b.id(), Org: org, Kind: revoke.RevocationBlock, Signal: revoke.Suspended,
		Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: user}, At: b.now(), Blocked: true,
		Reason: "bullying; \"see\" the ticket", Actor: revoke.Actor{Kind: "source", Name: "okta"}, CreatedAt: b.now(),
	}
}

func revocationRow(b *bench) {
	u := b.person()
	block := b.revocation(u.ID)
	device := revoke.Revocation{
		ID: b.id(), Event: b.id(), Org: org, Kind: revoke.RevocationEnd, Signal: revoke.SessionsCleared, Session: b.id(),
		Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUserDevice, User: u.ID, Device: b.id()}, At: 5, CreatedAt: 6,
	}
	lift := revoke.Revocation{ID: b.id(), Event: b.id(), Org: org, Kind: revoke.RevocationLift, Scope: revoke.Scope{Org: org, Kind: revoke.ScopeApp, Key: "portal"}, CreatedAt: 7}
	owed := []revoke.Delivery{b.delivery(block, "canvas"), b.delivery(block, "portal")}
	b.write(revoke.Effects{Revocations: []revoke.Revocation{block, device, lift}, Deliveries: []revoke.Delivery{owed[1], owed[0]}})
	for _, want := range []revoke.Revocation{block, device, lift} {
		got, deliveries, err := b.store.Revocation(b.deadline(), org, want.ID)
		if err != nil {
			b.Fatalf("read revocation %s: %v", want.ID, err)
		}
		b.same("revocation", got, want)
		if want.ID == block.ID {
			b.same("its deliveries", deliveries, owed)
		} else {
			b.same("deliveries of one that owes none", deliveries, []revoke.Delivery{})
		}
		if _, _, err := b.store.Revocation(b.deadline(), "other", want.ID); !errors.Is(err, revoke.ErrNotFound) {
			b.Errorf("revocation asked for by another org: got %v, want %v", err, revoke.ErrNotFound)
		}
	}
	if _, _, err := b.store.Revocation(b.deadline(), org, b.id()); !errors.Is(err, revoke.ErrNotFound) {
		b.Errorf("revocation nobody made: got %v, want %v", err, revoke.ErrNotFound)
	}
}

// delivery returns a revocation owed to a target, due at once. It is not written.
func (b *bench) delivery(r revoke.Revocation, target string) revoke.Delivery {
	return revoke.Delivery{
		Revocation: r.ID, Target: target, Org: r.Org, User: r.Scope.User, Ord: r.CreatedAt,
		State: revoke.DeliveryDue, DueAt: r.CreatedAt, FirstAt: r.CreatedAt,
	}
}

// viewRows compares what LoadView reads with the sum of the changes that were written: the same questions get the same
// answers.
func viewRows(b *bench) {
	a, c, d := b.person(), b.person(), b.person()
	at := b.now()
	kind := revoke.Scope{Org: org, Kind: revoke.ScopeKindOf, Key: string(revoke.Mobile)}
	written := []revoke.Effects{
		{Cutoffs: []revoke.Cutoff{{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: a.ID}, At: at - 100, Revocation: b.id()}}},
		{Joins: []revoke.Join{revoke.NewJoin(a.ID, c.ID, at-50, b.id())}},
		{Blocks: []revoke.Block{{BlockKey: revoke.BlockKey{User: d.ID, Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: at - 40, Revocation: b.id()}}},
		{Blocks: []revoke.Block{{BlockKey: revoke.BlockKey{User: d.ID, Authority: "okta", Class: revoke.ClassPlain}, LiftedAt: at - 30}}},
		{Blocks: []revoke.Block{{BlockKey: revoke.BlockKey{User: c.ID, Authority: revoke.AdminAuthority, Class: revoke.ClassPlain}, BlockedAt: at - 20, Revocation: b.id()}}},
		{Users: []revoke.User{with(c, func(u *revoke.User) { u.LiftedOver = at - 10 })}},
		{Cutoffs: []revoke.Cutoff{{Scope: kind, SparedAt: at - 60, SparedBy: b.id()}}},
		{Joins: []revoke.Join{with(revoke.NewJoin(a.ID, c.ID, 0, revoke.ID{}), func(j *revoke.Join) { j.SplitAt = at - 5 })}},
		{Users: []revoke.User{with(d, func(u *revoke.User) { u.SparedAt = 7 })}},
	}
	summed := revoke.NewView()
	for i, e := range written {
		b.write(e)
		summed.Apply(e.Changes(at)...)
		loaded := revoke.NewView()
		loaded.Apply(b.view()...)
		for _, user := range []revoke.User{a, c, d} {
			b.same(fmt.Sprintf("members after write %d", i), loaded.Members(user.ID), summed.Members(user.ID))
			for _, born := range []revoke.Instant{at - 101, at - 100, at - 70, at - 60, at - 1} {
				s := revoke.Session{ID: b.id(), Org: org, App: "portal", User: user.ID, Kind: revoke.Mobile, BornAt: born, ExpiresAt: at + 1000}
				b.same(fmt.Sprintf("verdict on a session born at %d of %s after write %d", born, user.ID, i), revoke.Live(&s, loaded, at), revoke.Live(&s, summed, at))
			}
		}
	}
}
