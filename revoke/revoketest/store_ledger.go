package revoketest

import (
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp/cmpopts"

	"curfew/revoke"
)

// ledgerContract is about what people ask of the past and of what waits.
func ledgerContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"list events": listEvents, "replay an event": replayEvent, "list revocations": listRevocations, "what sources sent": heardSources,
		"backlogs": backlogs, "holdings of identifiers": holdingsOf, "many sessions by reference": findSessions, "devices by name": devicesNamed,
		"plan": planRow, "what is due by itself": dueByItself, "what an authority left behind": leftBehind, "break-glass people": sparedPeople,
	}
}

func byID[T any](id func(T) revoke.ID) func(a, b T) int {
	return func(a, b T) int { return id(a).Compare(id(b)) }
}

func listEvents(b *bench) {
	var all []revoke.Event
	states := []revoke.EventState{revoke.EventDecided, revoke.EventIgnored, revoke.EventUnknown, revoke.EventMalformed, revoke.EventHeld}
	for i := range 20 {
		all = append(all, revoke.Event{
			ID: b.id(), Org: org, Source: []string{"okta", "hr"}[i%2], Authority: "okta", Type: []string{"a", "b", "c"}[i%3], State: states[i%5], ReceivedAt: revoke.Instant(i + 1),
			Decided: revoke.Decided{Covers: i},
		})
	}
	foreign := with(all[0], func(e *revoke.Event) { e.ID, e.Org = b.id(), "other" })
	b.write(revoke.Effects{Events: append(slices.Clone(all), foreign)})
	cases := []struct {
		q    revoke.EventQuery
		want func(revoke.Event) bool
	}{
		{revoke.EventQuery{}, func(revoke.Event) bool { return true }},
		{revoke.EventQuery{ID: all[7].ID}, func(e revoke.Event) bool { return e.ID == all[7].ID }},
		{revoke.EventQuery{ID: foreign.ID}, func(revoke.Event) bool { return false }},
		{revoke.EventQuery{Source: "hr"}, func(e revoke.Event) bool { return e.Source == "hr" }},
		{revoke.EventQuery{Type: "b"}, func(e revoke.Event) bool { return e.Type == "b" }},
		{revoke.EventQuery{Source: "okta", Type: "c", State: revoke.EventHeld}, func(e revoke.Event) bool { return e.Source == "okta" && e.Type == "c" && e.State == revoke.EventHeld }},
		{revoke.EventQuery{State: "nonsense"}, func(revoke.Event) bool { return false }},
	}
	for _, state := range states {
		cases = append(cases, struct {
			q    revoke.EventQuery
			want func(revoke.Event) bool
		}{revoke.EventQuery{State: state}, func(e revoke.Event) bool { return e.State == state }})
	}
	newest := func(x, y revoke.Event) int { return y.ID.Compare(x.ID) }
	for _, c := range cases {
		want := slices.DeleteFunc(slices.Clone(all), func(e revoke.Event) bool { return !c.want(e) })
		slices.SortFunc(want, newest)
		for _, limit := range []int{1, 3, 100} {
			got := paged(b, limit, func(last *revoke.Event) ([]revoke.Event, error) {
				q := c.q
				if q.Org, q.Limit = org, limit; last != nil {
					q.Before = last.ID
				}
				return b.store.Events(b.deadline(), q)
			})
			b.same(fmt.Sprintf("events by %+v, %d at a time", c.q, limit), got, want)
		}
	}
	if got, err := b.store.Events(b.deadline(), revoke.EventQuery{Org: org}); err != nil || len(got) > 0 {
		b.Errorf("events, none of them: got %d, %v", len(got), err)
	}
}

// replayEvent writes an event again: its state, note and decision are those of the replay, and what came stays.
func replayEvent(b *bench) {
	for _, senderID := range []string{"", "evt-1"} {
		first := revoke.Event{
			ID: b.id(), Org: org, Source: "okta", Authority: "okta", SenderID: senderID, Type: "a", ReceivedAt: 5, OccurredAt: 4, State: revoke.EventHeld,
			Note: "waits", Body: []byte(`{"a": 1}`),
		}
		b.write(revoke.Effects{Events: []revoke.Event{first}})
		again := with(first, func(e *revoke.Event) {
			e.State, e.Note, e.Decided = revoke.EventDecided, "replayed", revoke.Decided{User: b.id(), Covers: 2}
			e.ReceivedAt, e.OccurredAt, e.Type, e.Body = 9, 9, "b", nil
		})
		want := with(first, func(e *revoke.Event) { e.State, e.Note, e.Decided = again.State, again.Note, again.Decided })
		b.write(revoke.Effects{Events: []revoke.Event{again}})
		got, err := b.store.Events(b.deadline(), revoke.EventQuery{Org: org, ID: first.ID, Limit: 10})
		if err != nil {
			b.Fatalf("read the event: %v", err)
		}
		b.same("a replayed event", got, []revoke.Event{want})
	}
}

func listRevocations(b *bench) {
	sally, bob := b.person(), b.person()
	var all []revoke.Revocation
	for i := range 9 {
		all = append(all, b.revocation([]revoke.ID{sally.ID, bob.ID, {}}[i%3]))
	}
	foreign := with(b.revocation(sally.ID), func(r *revoke.Revocation) { r.Org = "other" })
	b.write(revoke.Effects{Revocations: append(slices.Clone(all), foreign)})
	for _, users := range [][]revoke.ID{nil, {sally.ID}, {sally.ID, bob.ID, sally.ID}, {b.id()}, {{}}} {
		want := slices.DeleteFunc(slices.Clone(all), func(r revoke.Revocation) bool { return !slices.Contains(users, r.Scope.User) })
		slices.SortFunc(want, func(x, y revoke.Revocation) int { return y.ID.Compare(x.ID) })
		for _, limit := range []int{1, 2, 100} {
			got := paged(b, limit, func(last *revoke.Revocation) ([]revoke.Revocation, error) {
				q := revoke.RevocationQuery{Org: org, Users: users, Limit: limit}
				if last != nil {
					q.Before = last.ID
				}
				return b.store.Revocations(b.deadline(), q)
			})
			b.same(fmt.Sprintf("revocations of %v, %d at a time", users, limit), got, want)
		}
	}
}

func heardSources(b *bench) {
	var e revoke.Effects
	say := func(source, what string, state revoke.EventState, at revoke.Instant) revoke.ID {
		ev := revoke.Event{ID: revoke.NewID(at), Org: org, Source: source, Authority: source, Type: what, State: state, ReceivedAt: at}
		e.Events = append(e.Events, ev)
		return ev.ID
	}
	const ms = 1000 // ids of one millisecond have no order
	say("okta", "login", revoke.EventUnknown, 1*ms)
	say("okta", "logout", revoke.EventUnknown, 2*ms)
	newest := say("okta", "login", revoke.EventUnknown, 3*ms)
	other := say("okta", "alpha", revoke.EventUnknown, 4*ms)
	say("okta", "login", revoke.EventIgnored, 6*ms)
	say("okta", "suspend", revoke.EventDecided, 5*ms)
	say("hr", "left", revoke.EventDecided, 9*ms)
	logout := e.Events[1].ID
	foreign := revoke.Event{ID: revoke.NewID(20 * ms), Org: "other", Source: "okta", Authority: "okta", Type: "login", State: revoke.EventUnknown, ReceivedAt: 20 * ms}
	e.Events = append(e.Events, foreign)
	for i := range 120 {
		for range 1 + i%2 {
			say("noisy", fmt.Sprintf("type %03d", i), revoke.EventUnknown, revoke.Instant(100+i)*ms)
		}
	}
	b.write(e)
	got, err := b.store.Heard(b.deadline(), org, []string{"hr", "silent", "okta"})
	if err != nil {
		b.Fatalf("ask what sources sent: %v", err)
	}
	b.same("what sources sent", got, []revoke.SourceNews{
		{Source: "hr", LastAt: 9 * ms},
		{Source: "silent"},
		{Source: "okta", LastAt: 6 * ms, Unknown: []revoke.UnknownType{
			{Type: "login", Count: 2, LastAt: 3 * ms, Sample: newest}, {Type: "alpha", Count: 1, LastAt: 4 * ms, Sample: other}, {Type: "logout", Count: 1, LastAt: 2 * ms, Sample: logout},
		}},
	})
	noisy, err := b.store.Heard(b.deadline(), org, []string{"noisy"})
	if err != nil || len(noisy) != 1 || len(noisy[0].Unknown) != 100 {
		b.Fatalf("a source of 120 unknown types: got %+v, %v, want a hundred of them", noisy, err)
	}
	for i, u := range noisy[0].Unknown {
		if (u.Count == 2) != (i < 60) {
			b.Errorf("unknown type %d of the hundred shown, %s, came %d times: the most frequent stand first", i, u.Type, u.Count)
		}
	}
}

func backlogs(b *bench) {
	at := b.now()
	state := func(s revoke.DeliveryState, first revoke.Instant, halt revoke.Halt) func(*revoke.Delivery) {
		return func(d *revoke.Delivery) { d.State, d.FirstAt, d.Halt = s, first, halt }
	}
	for _, d := range []func(*revoke.Delivery){
		state(revoke.DeliveryDue, 50, ""), state(revoke.DeliveryDue, 40, revoke.HaltWait), state(revoke.DeliveryDone, 10, ""),
		state(revoke.DeliveryParked, 20, ""), state(revoke.DeliveryParked, 30, ""), state(revoke.DeliveryDropped, 5, ""),
		func(d *revoke.Delivery) {
			d.State, d.FirstAt, d.LeaseUntil, d.Lease = revoke.DeliveryClaimed, 60, at, b.id()
		},
	} {
		b.owe(b.person().ID, "canvas", d)
	}
	b.owe(b.person().ID, "portal", func(d *revoke.Delivery) {
		d.State, d.FirstAt, d.LeaseUntil, d.Lease, d.Halt = revoke.DeliveryClaimed, 7, at, b.id(), revoke.HaltDrop
	})
	b.owe(b.person().ID, "parked", state(revoke.DeliveryParked, 8, ""))
	r := with(b.revocation(revoke.ID{}), func(r *revoke.Revocation) { r.Org = "other" })
	b.write(revoke.Effects{Revocations: []revoke.Revocation{r}, Deliveries: []revoke.Delivery{with(b.delivery(r, "canvas"), func(d *revoke.Delivery) { d.FirstAt = 1 })}})
	got, err := b.store.Backlogs(b.deadline(), org, []string{"portal", "nobody", "canvas", "parked"})
	if err != nil {
		b.Fatalf("ask what waits: %v", err)
	}
	b.same("what waits at targets", got, []revoke.Backlog{
		{Target: "portal", Claimed: 1, OldestAt: 7}, {Target: "nobody"}, {Target: "canvas", Due: 2, Claimed: 1, Parked: 2, OldestAt: 40}, {Target: "parked", Parked: 1},
	})
}

func holdingsOf(b *bench) {
	sally, bob := b.person(email("sally@example.edu")), b.person()
	id := email("shared@example.edu")
	rows := []revoke.Holding{
		{Identifier: id, User: bob.ID, HeldFrom: 30, Authority: "okta", Event: b.id()},
		{Identifier: id, User: sally.ID, HeldFrom: 10, ReleasedAt: 20, Authority: "hr"},
	}
	b.write(revoke.Effects{Holdings: rows})
	got, err := b.store.Holdings(b.deadline(), []revoke.Identifier{id, email("nobody@example.edu"), email("sally@example.edu"), {Org: "other", Namespace: id.Namespace, Value: id.Value}})
	if err != nil {
		b.Fatalf("ask for holdings: %v", err)
	}
	at := slices.IndexFunc(got, func(h revoke.Holding) bool { return h.Identifier == id })
	if len(got) != 3 || at < 0 || at > 1 {
		b.Fatalf("holdings: got %+v, want three", got)
	}
	b.same("holdings of an identifier, oldest first", got[at:at+2], []revoke.Holding{rows[1], rows[0]})
	b.same("all holdings", got, []revoke.Holding{rows[1], rows[0], {Identifier: email("sally@example.edu"), User: sally.ID, HeldFrom: 1}})
}

func findSessions(b *bench) {
	sally := b.person()
	var all []revoke.Session
	var refs []revoke.SessionRef
	for i := range 300 {
		s := with(b.session(sally.ID, 10), func(s *revoke.Session) { s.App = []string{"portal", "canvas"}[i%2] })
		all = append(all, s)
		refs = append(refs, [...]revoke.SessionRef{{Org: org, Token: s.Token}, {Org: org, App: s.App, ClientID: s.ClientID}, {Org: org, ID: s.ID}, {Org: org, ClientID: s.ClientID}}[i%4])
	}
	twice := with(b.session(sally.ID, 20), func(s *revoke.Session) { s.SID = "sid-1" })
	again := with(b.session(sally.ID, 30), func(s *revoke.Session) { s.SID, s.App = "sid-1", "canvas" })
	foreign := with(b.session(sally.ID, 40), func(s *revoke.Session) { s.Org, s.Token, s.ClientID = "other", all[0].Token, all[1].ClientID })
	unasked := b.session(sally.ID, 50)
	bare := with(b.session(sally.ID, 60), func(s *revoke.Session) { s.Token, s.ClientID, s.SID = revoke.TokenHash{}, "", "" })
	b.write(revoke.Effects{Sessions: append(slices.Clone(all), twice, again, foreign, unasked, bare)})
	order := cmpopts.SortSlices(func(x, y revoke.Session) bool { return x.ID.Compare(y.ID) < 0 })
	find := func(what string, refs []revoke.SessionRef, want ...revoke.Session) {
		got, err := b.store.FindSessions(b.deadline(), refs)
		if err != nil {
			b.Fatalf("find sessions by %s: %v", what, err)
		}
		b.same("sessions by "+what, got, want, order)
	}
	find("three hundred references", refs, all...)
	find("the same reference twice, and one more way to it", []revoke.SessionRef{refs[0], refs[0], {Org: org, ID: all[0].ID}}, all[0])
	find("what is not there", []revoke.SessionRef{{Org: org, ID: b.id()}, {Org: org, Token: revoke.HashToken("nothing")}, {Org: org, App: "canvas", ClientID: all[0].ClientID}, {Org: org}})
	find("a provider's session id", []revoke.SessionRef{{Org: org, SID: "sid-1"}}, twice, again)
	find("a provider's session id at one app", []revoke.SessionRef{{Org: org, SID: "sid-1", App: "canvas"}}, again)
	find("nothing", nil)
}

func devicesNamed(b *bench) {
	name := func(namespace, value string) revoke.DeviceIdentifier {
		return revoke.DeviceIdentifier{Org: org, Namespace: namespace, Value: value}
	}
	udid, serial, app := name(revoke.NamespaceUDID, "U-1"), name(revoke.NamespaceSerial, "C02"), name(revoke.NamespaceDeviceID, "phone")
	phone := revoke.Device{ID: b.id(), Org: org, Name: "Sally's phone", Platform: "iOS", Identifiers: []revoke.DeviceIdentifier{serial, udid}, CreatedAt: b.now()}
	tablet := revoke.Device{ID: b.id(), Org: org, Identifiers: []revoke.DeviceIdentifier{app, serial}, CreatedAt: b.now()}
	foreign := revoke.Device{ID: b.id(), Org: "other", Identifiers: []revoke.DeviceIdentifier{{Org: "other", Namespace: serial.Namespace, Value: serial.Value}}, CreatedAt: 1}
	b.write(revoke.Effects{Devices: []revoke.Device{phone, tablet, foreign}})
	// A known device gains a name; its own facts stay.
	b.write(revoke.Effects{Devices: []revoke.Device{{ID: phone.ID, Org: org, Name: "another", Identifiers: []revoke.DeviceIdentifier{app, udid}, CreatedAt: 7}}})
	phone.Identifiers = []revoke.DeviceIdentifier{app, serial, udid}
	for _, c := range []struct {
		names []revoke.DeviceIdentifier
		want  []revoke.Device
	}{
		{nil, nil},
		{[]revoke.DeviceIdentifier{name(revoke.NamespaceMDM, "C02")}, nil},
		{[]revoke.DeviceIdentifier{udid}, []revoke.Device{phone}},
		{[]revoke.DeviceIdentifier{udid, app, serial}, []revoke.Device{phone, tablet}},
	} {
		got, err := b.store.DevicesNamed(b.deadline(), c.names)
		if err != nil {
			b.Fatalf("devices by %+v: %v", c.names, err)
		}
		slices.SortFunc(c.want, byID(func(d revoke.Device) revoke.ID { return d.ID }))
		b.same(fmt.Sprintf("devices by %+v", c.names), got, c.want)
	}
	s := with(b.session(b.person().ID, 70), func(s *revoke.Session) { s.Device = tablet.ID })
	b.write(revoke.Effects{Sessions: []revoke.Session{s}, Cutoffs: []revoke.Cutoff{{Scope: revoke.DeviceScope(org, phone.ID), At: 5}}})
	facts := b.facts(revoke.Need{Devices: []revoke.DeviceIdentifier{serial, app}, Cutoffs: true})
	both := []revoke.ID{phone.ID, tablet.ID}
	slices.SortFunc(both, revoke.ID.Compare)
	b.same("devices in the facts", facts.Devices, map[revoke.DeviceIdentifier][]revoke.ID{serial: both, app: both, udid: {phone.ID}})
	b.same("the newest session on each", facts.NewestOf, map[revoke.Scope]revoke.Instant{revoke.DeviceScope(org, phone.ID): 0, revoke.DeviceScope(org, tablet.ID): 70})
	b.same("their cutoffs", facts.Cutoffs, map[revoke.Scope]revoke.Cutoff{revoke.DeviceScope(org, phone.ID): {Scope: revoke.DeviceScope(org, phone.ID), At: 5}})
	sid := revoke.Cutoff{Scope: revoke.Scope{Org: org, Kind: revoke.ScopeSession, Key: revoke.SessionKey("", "sid-9")}, At: 6}
	b.write(revoke.Effects{Cutoffs: []revoke.Cutoff{sid}})
	facts = b.facts(revoke.Need{Sessions: []revoke.SessionRef{{Org: org, SID: "sid-9"}}, Cutoffs: true})
	b.same("the cutoff of a provider's session id that nobody registered", facts.Cutoffs, map[revoke.Scope]revoke.Cutoff{sid.Scope: sid})
}

func planRow(b *bench) {
	sally, sue := b.person(email("sally@example.edu")), b.person()
	b.write(revoke.Effects{Joins: []revoke.Join{revoke.NewJoin(sally.ID, sue.ID, 10, b.id())}})
	hr := revoke.Plan{PlanKey: revoke.PlanKey{User: sue.ID, Authority: "hr"}, SaidAt: 5, EffectiveAt: 100, Event: b.id()}
	okta := revoke.Plan{PlanKey: revoke.PlanKey{User: sue.ID, Authority: "okta"}, SaidAt: 6, EffectiveAt: 200, Event: b.id()}
	b.write(revoke.Effects{Plans: []revoke.Plan{hr, okta}})
	for i, step := range []func(*revoke.Plan){
		func(*revoke.Plan) {}, // written whole: what was said later is the decision's business
		func(p *revoke.Plan) { p.SaidAt, p.EffectiveAt, p.Event = 4, 90, b.id() },
		func(p *revoke.Plan) { p.CarriedAt = 101 },
		func(p *revoke.Plan) { p.EffectiveAt, p.CarriedAt = 0, 0 },
	} {
		step(&hr)
		b.write(revoke.Effects{Plans: []revoke.Plan{hr}})
		b.same(fmt.Sprintf("plans of the person after write %d", i), b.people(sue.ID)[0].Plans, []revoke.Plan{hr, okta})
		for what, need := range map[string]revoke.Need{"the user": {Users: []revoke.ID{sue.ID}}, "who is joined": {Users: []revoke.ID{sally.ID}}, "an identifier": {Identifiers: []revoke.Identifier{email("sally@example.edu")}}} {
			b.samePlans("facts by "+what, b.facts(need), hr, okta)
		}
	}
	other := b.person()
	b.samePlans("facts of somebody else", b.facts(revoke.Need{Users: []revoke.ID{other.ID}}))
}

// samePlans compares the plans that facts hold, which only another pair of facts can show.
func (b *bench) samePlans(what string, got *revoke.Facts, plans ...revoke.Plan) {
	b.Helper()
	want := revoke.NewFacts()
	for _, p := range plans {
		want.AddPlan(p)
	}
	b.same(what+": plans", got, want, cmpopts.IgnoreFields(revoke.Facts{}, "Now", "Users", "Newest", "holdings", "held", "joins"))
}

func dueByItself(b *bench) {
	var users []revoke.User
	for range 9 {
		users = append(users, b.person())
	}
	timed := func(i int, until, blocked, lifted revoke.Instant) revoke.Block {
		return revoke.Block{BlockKey: revoke.BlockKey{User: users[i].ID, Authority: revoke.AdminAuthority, Class: revoke.ClassTimed}, BlockedAt: blocked, LiftedAt: lifted, Until: until}
	}
	plan := func(i int, at, carried revoke.Instant) revoke.Plan {
		return revoke.Plan{PlanKey: revoke.PlanKey{User: users[i].ID, Authority: "hr"}, SaidAt: 1, EffectiveAt: at, CarriedAt: carried}
	}
	b.write(revoke.Effects{
		Blocks: []revoke.Block{
			timed(0, 100, 10, 0), timed(1, 300, 10, 0), timed(2, 50, 10, 11), timed(3, 60, 10, 10), timed(4, 70, 10, 0), timed(5, 80, 30, 0),
			{BlockKey: revoke.BlockKey{User: users[6].ID, Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: 10},
		},
		Plans: []revoke.Plan{plan(0, 90, 0), plan(6, 100, 0), plan(7, 40, 41), plan(8, 0, 0), plan(1, 200, 0)},
	})
	// An admin's lift is over what was stamped before it.
	b.write(revoke.Effects{Users: []revoke.User{with(users[4], func(u *revoke.User) { u.LiftedOver = 20 }), with(users[5], func(u *revoke.User) { u.LiftedOver = 20 })}})
	for _, c := range []struct {
		now  revoke.Instant
		want []int
	}{{59, nil}, {60, []int{3}}, {99, []int{3, 5, 0}}, {199, []int{3, 5, 0, 6}}, {200, []int{3, 5, 0, 6, 1}}, {1000, []int{3, 5, 0, 6, 1}}} {
		got, err := b.store.Due(b.deadline(), c.now, 100)
		if err != nil {
			b.Fatalf("ask what is due by itself: %v", err)
		}
		var want []revoke.Due
		for _, i := range c.want {
			want = append(want, revoke.Due{Org: org, User: users[i].ID})
		}
		b.same(fmt.Sprintf("due at %d", c.now), got, want)
	}
	if got, err := b.store.Due(b.deadline(), 1000, 2); err != nil || len(got) != 2 || got[0].User != users[3].ID || got[1].User != users[5].ID {
		b.Errorf("the two who wait longest: got %+v, %v", got, err)
	}
}

func leftBehind(b *bench) {
	var users []revoke.User
	for range 6 {
		users = append(users, b.person())
	}
	slices.SortFunc(users, byID(func(u revoke.User) revoke.ID { return u.ID }))
	block := func(i int, authority string, class revoke.Class, blocked, lifted revoke.Instant) revoke.Block {
		return revoke.Block{BlockKey: revoke.BlockKey{User: users[i].ID, Authority: authority, Class: class}, BlockedAt: blocked, LiftedAt: lifted}
	}
	b.write(revoke.Effects{
		Blocks: []revoke.Block{
			block(0, "okta", revoke.ClassPlain, 5, 0), block(0, "okta", revoke.ClassLocked, 6, 0), block(1, "hr", revoke.ClassPlain, 5, 0),
			block(2, "okta", revoke.ClassPlain, 5, 7), block(3, "okta", revoke.ClassPlain, 0, 7),
		},
		Plans: []revoke.Plan{
			{PlanKey: revoke.PlanKey{User: users[0].ID, Authority: "okta"}, EffectiveAt: 9},
			{PlanKey: revoke.PlanKey{User: users[4].ID, Authority: "okta"}, EffectiveAt: 9},
			{PlanKey: revoke.PlanKey{User: users[5].ID, Authority: "okta"}, EffectiveAt: 9, CarriedAt: 10},
			{PlanKey: revoke.PlanKey{User: users[1].ID, Authority: "okta"}},
		},
	})
	for _, c := range []struct {
		org, authority string
		want           []int
	}{{org, "okta", []int{0, 2, 4}}, {org, "hr", []int{1}}, {org, "nobody", nil}, {"other", "okta", nil}} {
		var want []revoke.ID
		for _, i := range c.want {
			want = append(want, users[i].ID)
		}
		for _, limit := range []int{1, 2, 10} {
			got := paged(b, limit, func(last *revoke.ID) ([]revoke.ID, error) {
				var after revoke.ID
				if last != nil {
					after = *last
				}
				return b.store.LeftBehind(b.deadline(), c.org, c.authority, after, limit)
			})
			b.same(fmt.Sprintf("left behind by %s in %s, %d at a time", c.authority, c.org, limit), got, want)
		}
	}
}

func sparedPeople(b *bench) {
	one, two, never := b.person(), b.person(), b.person()
	steps := []struct {
		user             revoke.User
		spared, unspared revoke.Instant
		want             []revoke.User
	}{
		{one, 5, 0, []revoke.User{one}},
		{two, 6, 0, []revoke.User{one, two}},
		{one, 5, 9, []revoke.User{two}},
		{one, 7, 0, []revoke.User{two}}, // both instants only move forward
		{one, 10, 0, []revoke.User{one, two}},
		{two, 0, 6, []revoke.User{one}},
		{never, 0, 8, []revoke.User{one}},
	}
	have := map[revoke.ID]revoke.User{}
	for i, step := range steps {
		u := with(step.user, func(u *revoke.User) { u.SparedAt, u.UnsparedAt = step.spared, step.unspared })
		b.write(revoke.Effects{Users: []revoke.User{u}})
		was := have[u.ID]
		u.SparedAt, u.UnsparedAt = max(u.SparedAt, was.SparedAt), max(u.UnsparedAt, was.UnsparedAt)
		have[u.ID] = u
		got, err := b.store.Spared(b.deadline(), org)
		if err != nil {
			b.Fatalf("list break-glass people: %v", err)
		}
		var want []revoke.User
		for _, each := range step.want {
			want = append(want, have[each.ID])
		}
		slices.SortFunc(want, byID(func(u revoke.User) revoke.ID { return u.ID }))
		b.same(fmt.Sprintf("break-glass people after write %d", i), got, want)
		b.same(fmt.Sprintf("the user in the facts after write %d", i), b.facts(revoke.Need{Users: []revoke.ID{u.ID}}).Users[u.ID], u)
	}
	if got, err := b.store.Spared(b.deadline(), "other"); err != nil || len(got) > 0 {
		b.Errorf("break-glass people of another org: got %+v, %v", got, err)
	}
	viewed := map[revoke.ID]revoke.Lift{}
	for _, c := range b.view() {
		if c.Lift != nil {
			viewed[c.Lift.User] = *c.Lift
		}
	}
	for _, id := range []revoke.ID{one.ID, two.ID} {
		b.same("a break-glass person in the view", viewed[id], revoke.Lift{User: id, SparedAt: have[id].SparedAt, UnsparedAt: have[id].UnsparedAt})
	}
}
