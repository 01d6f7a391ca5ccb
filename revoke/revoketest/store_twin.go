package revoketest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"curfew/revoke"
)

// twinContract writes random rows to the store and to a [Memory], and asks both the same: whatever decisions see, and
// whatever readers and claimers get, is the same. It finds the case that nobody thought of writing down.
func twinContract() map[string]func(*bench) {
	return map[string]func(*bench){"agrees with the memory": agreesWithMemory}
}

func agreesWithMemory(b *bench) {
	runs := 0
	rapid.Check(b.T, func(t *rapid.T) {
		runs++
		w := &twins{T: t, ctx: b.Context(), org: fmt.Sprintf("twin-%d", runs), stores: [2]revoke.Store{NewMemory(), b.store}}
		w.begin()
		t.Repeat(map[string]func(*rapid.T){
			"write": w.writeSome, "write more": w.writeSome, "write on": w.writeSome,
			"facts": w.sameFacts, "people": w.samePeople, "lists": w.sameLists, "claim": w.sameClaims, "retry": w.sameRetry,
			"ledger": w.sameLedger, "orders": w.sameOrders, "notes": w.sameNotes,
		})
	})
}

// twins are two stores that hold the same. Both are asked about an org and about targets of this run's own.
type twins struct {
	*rapid.T
	ctx    context.Context //nolint:containedctx // a run lives inside one test
	org    string
	stores [2]revoke.Store
	n      int

	users, resources []revoke.ID
	sessions         []revoke.Session
	revocations      []revoke.ID
	ids              []revoke.Identifier
	device           revoke.Device
	events           []revoke.Event
}

func (w *twins) begin() {
	for i := range 4 {
		w.users = append(w.users, w.id("user", i))
		w.resources = append(w.resources, w.id("resource", i))
		w.ids = append(w.ids, revoke.Identifier{Org: w.org, Namespace: []string{"email", "okta"}[i%2], Value: fmt.Sprintf("v%d", i/2)})
	}
	name := revoke.DeviceIdentifier{Org: w.org, Namespace: revoke.NamespaceDeviceID, Value: "phone"}
	w.device = revoke.Device{ID: revoke.DeviceID(name), Org: w.org, Identifiers: []revoke.DeviceIdentifier{name}, CreatedAt: 1}
	e := revoke.Effects{Devices: []revoke.Device{w.device}}
	for _, user := range w.users {
		e.Users = append(e.Users, revoke.User{ID: user, Org: w.org, CreatedAt: 1})
	}
	w.write(e)
}

func (w *twins) id(what string, n int) revoke.ID { return revoke.NameID(w.org, what, fmt.Sprint(n)) }

// drawn picks one of rows.
func drawn[T any](t *rapid.T, what string, rows []T) T { return rapid.SampledFrom(rows).Draw(t, what) }

func small(t *rapid.T, what string) revoke.Instant {
	return revoke.Instant(rapid.IntRange(0, 9).Draw(t, what))
}

func (w *twins) write(e revoke.Effects) {
	w.Helper()
	for _, s := range w.stores {
		need := lockFor(e)
		need.Org = w.org
		if err := s.Decide(w.ctx, need, func(*revoke.Facts) (revoke.Effects, error) { return e, nil }); err != nil {
			w.Fatalf("write %+v: %v", e, err)
		}
	}
}

// writeSome writes a few rows of a few sorts. What a join leaves open (whose row it is at equal instants) is the same in all.
func (w *twins) writeSome(t *rapid.T) {
	var e revoke.Effects
	for range rapid.IntRange(1, 6).Draw(t, "rows") {
		w.n++
		user := drawn(t, "user", w.users)
		one := revoke.Effects{}
		switch rapid.IntRange(0, 11).Draw(t, "sort") {
		case 0:
			one.Users = []revoke.User{{ID: user, Org: w.org, CreatedAt: 1, LiftedOver: small(t, "lifted over"), SparedAt: small(t, "spared"), UnsparedAt: small(t, "unspared")}}
		case 1:
			id := drawn(t, "identifier", w.ids)
			from := 10*small(t, "from") + revoke.Instant(slices.Index(w.users, user)+1)
			one.Holdings = []revoke.Holding{{Identifier: id, User: user, HeldFrom: from, ReleasedAt: from * small(t, "released") / 3, Authority: drawn(t, "authority", []string{"", "okta"})}}
		case 2:
			at := small(t, "joined")
			one.Joins = []revoke.Join{revoke.NewJoin(user, drawn(t, "other", w.users), at, w.id("event", int(at)))}
			if one.Joins[0].SplitAt = small(t, "split"); one.Joins[0].A == one.Joins[0].B {
				continue
			}
		case 3:
			at := small(t, "blocked")
			one.Blocks = []revoke.Block{{
				BlockKey:  revoke.BlockKey{User: user, Authority: drawn(t, "authority", []string{"okta", revoke.AdminAuthority}), Class: drawn(t, "class", []revoke.Class{revoke.ClassPlain, revoke.ClassTimed})},
				BlockedAt: at, LiftedAt: small(t, "lifted"), Until: at * 3, Revocation: w.id("revocation", int(at)),
			}}
		case 4:
			at, spared := small(t, "cut"), small(t, "cut but spared")
			one.Cutoffs = []revoke.Cutoff{{Scope: w.scope(t, user), At: at, SparedAt: spared, Revocation: w.id("revocation", int(at)), SparedBy: w.id("revocation", int(spared))}}
		case 5:
			one.Sessions = []revoke.Session{w.newSession(t, user)}
			w.sessions = append(w.sessions, one.Sessions...)
		case 6:
			if len(w.sessions) == 0 {
				continue
			}
			at := 1 + small(t, "ended")
			one.Ends = []revoke.End{{Session: drawn(t, "session", w.sessions).ID, At: at, Revocation: w.id("revocation", int(at))}}
		case 7:
			one.Events = []revoke.Event{w.newEvent(t, user)}
		case 8:
			one.Resources = []revoke.Resource{w.newResource(t, user)}
		case 9:
			r := revoke.Revocation{ID: w.id("revocation", 100+w.n), Event: w.id("event", 1), Org: w.org, Kind: revoke.RevocationEnd, Scope: w.scope(t, user), CreatedAt: 3}
			w.revocations = append(w.revocations, r.ID)
			one.Revocations = []revoke.Revocation{r}
			one.Deliveries = []revoke.Delivery{{
				Revocation: r.ID, Target: w.org + "/canvas", Org: w.org, User: r.Scope.User, Ord: revoke.Instant(w.n), State: revoke.DeliveryDue,
				Priority: drawn(t, "priority", []revoke.Priority{revoke.PrioritySingle, revoke.PriorityMass}), DueAt: 1 + small(t, "due"), FirstAt: 1,
			}}
		case 10:
			one.Plans = []revoke.Plan{{
				PlanKey: revoke.PlanKey{User: user, Authority: drawn(t, "authority", []string{"okta", "hr"})}, SaidAt: small(t, "said"), EffectiveAt: small(t, "effective"), CarriedAt: small(t, "carried") / 5,
			}}
		case 11:
			w.alarm(t, &one)
		}
		e = revoke.Merge(e, one)
	}
	w.write(e)
}

func (w *twins) scope(t *rapid.T, user revoke.ID) revoke.Scope {
	return drawn(t, "scope", []revoke.Scope{
		{Org: w.org, Kind: revoke.ScopeUser, User: user},
		{Org: w.org, Kind: revoke.ScopeUserKind, User: user, Key: "mobile"},
		{Org: w.org, Kind: revoke.ScopeUserApp, User: user, Key: "portal"},
		{Org: w.org, Kind: revoke.ScopeUserDevice, User: user, Device: w.device.ID},
		{Org: w.org, Kind: revoke.ScopeEveryone},
		{Org: w.org, Kind: revoke.ScopeKindOf, Key: "mobile"},
		{Org: w.org, Kind: revoke.ScopeApp, Key: "portal"},
		revoke.DeviceScope(w.org, w.device.ID),
		{Org: w.org, Kind: revoke.ScopeSession, Key: revoke.SessionKey("portal", "s-1")},
	})
}

func (w *twins) newSession(t *rapid.T, user revoke.ID) revoke.Session {
	s := revoke.Session{
		ID: w.id("session", w.n), Org: w.org, App: drawn(t, "app", []string{"portal", "canvas"}), User: user, Kind: drawn(t, "kind", revoke.Kinds()),
		SID: drawn(t, "sid", []string{"", "sid-1", "sid-2"}), IssuedAt: 5, BornAt: small(t, "born"), ExpiresAt: drawn(t, "expires", []revoke.Instant{1, 1 << 60}), RegisteredAt: small(t, "registered"),
	}
	if rapid.Bool().Draw(t, "with a token") {
		s.Token = revoke.HashToken(s.ID.String())
	}
	if rapid.Bool().Draw(t, "with an id") {
		s.ClientID = fmt.Sprintf("s-%d", w.n)
	}
	if rapid.Bool().Draw(t, "on a device") {
		s.Device = w.device.ID
	}
	return s
}

func (w *twins) newResource(t *rapid.T, user revoke.ID) revoke.Resource {
	which := rapid.IntRange(0, len(w.resources)-1).Draw(t, "resource")
	r := revoke.Resource{
		ID: w.resources[which], Org: w.org, Authority: "okta", Type: "User", User: user, UserName: drawn(t, "name", []string{"Sally", "sally", "bob"}),
		ExternalID: drawn(t, "external id", []string{"", "x", "X"}), Active: rapid.Bool().Draw(t, "active"), Profile: drawnProfile(t), Version: int64(w.n), CreatedAt: 1, UpdatedAt: small(t, "updated"),
	}
	if rapid.IntRange(0, 4).Draw(t, "deleted") == 4 {
		r.DeletedAt = 7
	} else if which < 2 && rapid.Bool().Draw(t, "named") { // no two answer to one name
		r.Named, r.UserName = true, [][]string{{"Sally", "sally"}, {"bob", "BOB"}}[which][w.n%2]
	}
	return r
}

// both asks the two stores the same and compares.
func both[T any](w *twins, what string, ask func(revoke.Store) (T, error), also ...cmp.Option) T {
	w.Helper()
	var got [2]T
	var errs [2]error
	for i, s := range w.stores {
		got[i], errs[i] = ask(s)
	}
	for _, sentinel := range []error{revoke.ErrNotFound, revoke.ErrConflict, revoke.ErrLeaseLost} {
		if isA, isB := errors.Is(errs[0], sentinel), errors.Is(errs[1], sentinel); isA != isB {
			w.Fatalf("%s: the memory says %v, the store says %v", what, errs[0], errs[1])
		}
	}
	if (errs[0] == nil) != (errs[1] == nil) {
		w.Fatalf("%s: the memory says %v, the store says %v", what, errs[0], errs[1])
	}
	if diff := cmp.Diff(got[0], got[1], append(slices.Clone(loose), also...)...); diff != "" {
		w.Fatalf("%s (-memory +store):\n%s", what, diff)
	}
	return got[1]
}

func someOf[T any](t *rapid.T, what string, rows []T) []T {
	var out []T
	for _, row := range rows {
		if rapid.IntRange(0, 2).Draw(t, what) == 2 {
			out = append(out, row)
		}
	}
	return out
}

func (w *twins) refs(t *rapid.T) []revoke.SessionRef {
	var all []revoke.SessionRef
	for _, s := range w.sessions {
		all = append(all, revoke.SessionRef{Org: w.org, ID: s.ID}, revoke.SessionRef{Org: w.org, Token: s.Token}, revoke.SessionRef{Org: w.org, ClientID: s.ClientID, App: drawn(t, "app", []string{"", "portal", "canvas"})})
	}
	all = append(all, revoke.SessionRef{Org: w.org, SID: "sid-1"}, revoke.SessionRef{Org: w.org, SID: "sid-2", App: "portal"}, revoke.SessionRef{Org: w.org, App: "portal", ClientID: "s-1"})
	return slices.DeleteFunc(someOf(t, "session named", all), revoke.SessionRef.IsZero)
}

func (w *twins) sameFacts(t *rapid.T) {
	need := revoke.Need{
		Org: w.org, Identifiers: someOf(t, "identifier needed", w.ids), Users: someOf(t, "user needed", w.users), Sessions: w.refs(t),
		Devices: someOf(t, "device needed", w.device.Identifiers), Resources: someOf(t, "resource needed", w.resources),
		Cutoffs: rapid.Bool().Draw(t, "cutoffs needed"), SessionsOf: rapid.Bool().Draw(t, "sessions needed"),
		NewestOf: someOf(t, "newest needed", []revoke.Scope{{Org: w.org, Kind: revoke.ScopeEveryone}, {Org: w.org, Kind: revoke.ScopeKindOf, Key: "mobile"}, {Org: w.org, Kind: revoke.ScopeApp, Key: "portal"}, revoke.DeviceScope(w.org, w.device.ID)}),
		Names: someOf(t, "name needed", []revoke.ResourceName{
			{Org: w.org, Authority: "okta", Type: "User", UserName: "sally"}, {Org: w.org, Authority: "okta", Type: "User", ExternalID: "x"}, {Org: w.org, Authority: "okta", Type: "User", UserName: "bob", ExternalID: "X"},
		}),
	}
	for range rapid.IntRange(0, 3).Draw(t, "events needed") {
		need.Events = append(need.Events, revoke.EventKey{Org: w.org, Authority: "okta", SenderID: fmt.Sprintf("evt-%d", rapid.IntRange(1, w.n+1).Draw(t, "event"))})
	}
	both(w, fmt.Sprintf("facts of %+v", need), func(s revoke.Store) (seen *revoke.Facts, err error) {
		err = s.Decide(w.ctx, need, func(f *revoke.Facts) (revoke.Effects, error) {
			seen = f
			return revoke.Effects{}, nil
		})
		return seen, err
	}, cmpopts.IgnoreFields(revoke.Facts{}, "Now"), cmpopts.IgnoreMapEntries(func(scope revoke.Scope, _ revoke.Cutoff) bool {
		return scope.Kind == revoke.ScopeDevice && len(need.Devices) == 0 // those of the sessions' devices do no harm
	}), cmpopts.IgnoreMapEntries(func(_ revoke.ID, n revoke.Newest) bool { return n == revoke.Newest{} }))
}

func (w *twins) samePeople(t *rapid.T) {
	users := someOf(t, "person asked for", w.users)
	both(w, fmt.Sprintf("people %v", users), func(s revoke.Store) ([]revoke.Person, error) { return s.People(w.ctx, users) },
		cmpopts.SortSlices(func(a, b revoke.Person) bool { return a.User.ID.Compare(b.User.ID) < 0 }))
	ids := someOf(t, "identifier asked for", w.ids)
	both(w, fmt.Sprintf("holders of %v", ids), func(s revoke.Store) ([]revoke.ID, error) { return s.Holders(w.ctx, ids) },
		cmpopts.SortSlices(func(a, b revoke.ID) bool { return a.Compare(b) < 0 }))
	q := revoke.UserQuery{Org: w.org, Namespace: drawn(t, "namespace", []string{"", "email", "okta", revoke.AnyOwnID}), Limit: rapid.IntRange(1, 5).Draw(t, "limit")}
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		q.Value = drawn(t, "value", []string{"v0", "v1", "v"})
	case 1:
		q.Prefix = drawn(t, "prefix", []string{"v", "v1", "w"})
	case 2:
		q.EveryoneIn = true
	}
	if rapid.Bool().Draw(t, "after somebody") {
		q.After = drawn(t, "after", w.users)
	}
	both(w, fmt.Sprintf("users by %+v", q), func(s revoke.Store) ([]revoke.User, error) { return s.Users(w.ctx, q) })
}

func (w *twins) sameLists(t *rapid.T) {
	for _, ref := range w.refs(t) {
		both(w, fmt.Sprintf("session %+v", ref), func(s revoke.Store) (revoke.Session, error) { return s.FindSession(w.ctx, ref) })
	}
	sq := revoke.SessionQuery{Org: w.org, Users: someOf(t, "user", w.users), App: drawn(t, "app", []string{"", "portal"}), Limit: 1000}
	both(w, fmt.Sprintf("sessions by %+v", sq), func(s revoke.Store) ([]revoke.Session, error) { return s.SessionsOf(w.ctx, sq) },
		cmpopts.SortSlices(func(a, b revoke.Session) bool { return a.ID.Compare(b.ID) < 0 }))
	for _, id := range someOf(t, "resource", w.resources) {
		both(w, "resource", func(s revoke.Store) (revoke.Resource, error) { return s.Resource(w.ctx, w.org, "okta", id) })
	}
	rq := revoke.ResourceQuery{
		Org: w.org, Authority: "okta", Type: "User", Limit: rapid.IntRange(0, 5).Draw(t, "limit"), Offset: rapid.IntRange(0, 3).Draw(t, "offset"),
		Filter: drawnFilter(t, 3, false, w.resources), Count: rapid.Bool().Draw(t, "count"),
		SortBy: drawn(t, "sort by", []string{"", "userName", "externalId", "title", "number", "emails.value", "active"}), Descending: rapid.Bool().Draw(t, "descending"),
	}
	if rq.SortBy == "" && !rq.Descending && rapid.Bool().Draw(t, "after") {
		rq.After, rq.Offset = &revoke.ResourceCursor{CreatedAt: 1, ID: rapid.SampledFrom(w.resources).Draw(t, "cursor")}, 0
	}
	type page struct {
		Rows []revoke.Resource
		N    int
	}
	both(w, fmt.Sprintf("resources by %+v", rq), func(s revoke.Store) (p page, err error) {
		p.Rows, p.N, err = s.Resources(w.ctx, rq)
		return p, err
	})
	dq := revoke.DeliveryQuery{Org: w.org, State: drawn(t, "state", []revoke.DeliveryState{"", revoke.DeliveryDue, revoke.DeliveryDone, revoke.DeliveryParked}), Limit: rapid.IntRange(1, 9).Draw(t, "deliveries")}
	both(w, fmt.Sprintf("deliveries by %+v", dq), func(s revoke.Store) ([]revoke.Delivery, error) { return s.Deliveries(w.ctx, dq) }, settled)
	for _, id := range someOf(t, "revocation", w.revocations) {
		both(w, "revocation", func(s revoke.Store) (revoke.Revocation, error) {
			r, _, err := s.Revocation(w.ctx, w.org, id)
			return r, err
		})
	}
}

// settled leaves out what says nothing about where a delivery stands.
var settled = cmpopts.IgnoreFields(revoke.Delivery{}, "DoneAt", "Lease", "LeaseUntil", "DueAt")

// sameClaims lets both claim everything that is due, and settles it alike.
func (w *twins) sameClaims(t *rapid.T) {
	now := 1 + small(t, "now")
	lease := w.id("lease", w.n)
	target := w.org + "/canvas"
	for range 2 {
		both(w, "next due", func(s revoke.Store) (revoke.Instant, error) { return s.NextDue(w.ctx, target) })
		claimed := map[revoke.Store][]revoke.Owed{}
		both(w, fmt.Sprintf("claims at %d", now), func(s revoke.Store) ([]revoke.Owed, error) {
			owed, err := s.Claim(w.ctx, target, 100, now, now+2, lease)
			slices.SortFunc(owed, func(a, b revoke.Owed) int { return strings.Compare(a.User.String(), b.User.String()) })
			claimed[s] = owed
			return owed, err
		})
		settlement := revoke.Settlement{State: drawn(t, "ends", []revoke.DeliveryState{revoke.DeliveryDone, revoke.DeliveryDue, revoke.DeliveryParked}), DueAt: now + small(t, "again in"), Attempt: revoke.Attempt{At: now, Error: "x"}}
		some := rapid.IntRange(0, 4).Draw(t, "settle so many")
		for i := range min(some, len(claimed[w.stores[0]])) {
			both(w, "settle", func(s revoke.Store) (bool, error) { return true, s.Settle(w.ctx, claimed[s][i], settlement) })
		}
		now += small(t, "later")
	}
}

func (w *twins) sameRetry(t *rapid.T) {
	q := revoke.DeliveryQuery{Org: w.org, State: drawn(t, "state", []revoke.DeliveryState{"", revoke.DeliveryParked, revoke.DeliveryDue})}
	if rapid.Bool().Draw(t, "of one") {
		q.User = drawn(t, "user", w.users)
	}
	now := 1 + small(t, "now")
	both(w, fmt.Sprintf("retry %+v", q), func(s revoke.Store) (int, error) {
		return s.Retry(w.ctx, q, now, revoke.AuditEntry{Org: w.org, At: now, Kind: "delivery", Entry: []byte(`{}`), Person: []byte(`{}`)})
	})
}
