package revoketest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"curfew/revoke"
)

// Journal is what a store may offer besides, so that the contract can also see the rows that nothing in [revoke.Store]
// reads back.
type Journal interface {
	// Journal returns the whole change log and the whole audit log, each in its order.
	Journal(ctx context.Context) ([]revoke.Change, []revoke.AuditEntry, error)
}

// RunStore is the one contract of every store. open returns a fresh, empty store and leaves its closing to t.Cleanup; each
// subtest asks for one of its own. A store that is a [Journal] has its change and audit rows looked at too.
func RunStore(t *testing.T, open func(t *testing.T) revoke.Store) {
	t.Helper()
	for _, group := range []map[string]func(*bench){
		effectsContract(), decideContract(), concurrencyContract(), sessionsContract(), peopleContract(), resourcesContract(), queueContract(), ledgerContract(), notesContract(), hearingsContract(), haltContract(), bulkContract(), readsContract(), overviewContract(), heldContract(), noticesContract(),
		schedulesContract(), deviceNamesContract(), signInsContract(), policiesContract(), twinContract(),
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(&bench{T: t, store: open(t)})
			})
		}
	}
}

const org = "main"

// patience bounds every wait of the contract: a store that needs longer hangs.
const patience = 90 * time.Second

// bench is one fresh store under test.
type bench struct {
	*testing.T
	store revoke.Store
}

func (b *bench) now() revoke.Instant { return b.store.Clock().Now() }

// deadline is the context of a step that must end.
func (b *bench) deadline() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	b.Cleanup(cancel)
	return ctx
}

// write commits e as it stands.
func (b *bench) write(e revoke.Effects) {
	b.Helper()
	err := b.store.Decide(b.deadline(), lockFor(e), func(*revoke.Facts) (revoke.Effects, error) { return e, nil })
	if err != nil {
		b.Fatalf("write %d users, %d holdings, %d sessions, %d deliveries: %v", len(e.Users), len(e.Holdings), len(e.Sessions), len(e.Deliveries), err)
	}
}

// lockFor names everybody whom e writes about, as the core's decisions do.
func lockFor(e revoke.Effects) revoke.Need {
	need := revoke.Need{Org: org}
	for _, u := range e.Users {
		need.Users = append(need.Users, u.ID)
	}
	for _, h := range e.Holdings {
		need.Identifiers, need.Users = append(need.Identifiers, h.Identifier), append(need.Users, h.User)
	}
	for _, bl := range e.Blocks {
		need.Users = append(need.Users, bl.User)
	}
	for _, c := range e.Cutoffs {
		if !c.User.IsZero() {
			need.Users = append(need.Users, c.User)
		}
	}
	for _, j := range e.Joins {
		need.Users = append(need.Users, j.A, j.B)
	}
	for _, s := range e.Sessions {
		need.Users = append(need.Users, s.User)
	}
	return need
}

// facts returns what a decision with this need sees.
func (b *bench) facts(need revoke.Need) (seen *revoke.Facts) {
	b.Helper()
	if need.Org == "" {
		need.Org = org
	}
	err := b.store.Decide(b.deadline(), need, func(f *revoke.Facts) (revoke.Effects, error) {
		seen = f
		return revoke.Effects{}, nil
	})
	if err != nil {
		b.Fatalf("read the facts of %+v: %v", need, err)
	}
	return seen
}

// same compares two values; nil and empty are the same, and so are orders that nobody promised.
func (b *bench) same(what string, got, want any, also ...cmp.Option) {
	b.Helper()
	if diff := cmp.Diff(want, got, append(slices.Clone(loose), also...)...); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var loose = []cmp.Option{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b revoke.ID) bool { return a == b }), // or each byte is compared, and that takes most of the time
	cmp.Comparer(func(a, b revoke.TokenHash) bool { return a == b }),
	cmp.AllowUnexported(revoke.Facts{}),
	cmpopts.SortSlices(func(a, b revoke.Identifier) bool { return a.Namespace+"\n"+a.Value < b.Namespace+"\n"+b.Value }),
	cmpopts.SortSlices(func(a, b revoke.Block) bool { return a.Authority+string(a.Class) < b.Authority+string(b.Class) }),
	cmpopts.SortSlices(func(a, b revoke.Plan) bool { return a.Authority < b.Authority }),
	cmpopts.SortSlices(func(a, b revoke.Cutoff) bool {
		return strings.Compare(string(a.Kind)+a.Key+a.Device.String(), string(b.Kind)+b.Key+b.Device.String()) < 0
	}),
	cmpopts.SortSlices(func(a, b revoke.Join) bool { return a.A.Compare(b.A) < 0 || a.A == b.A && a.B.Compare(b.B) < 0 }),
	cmpopts.SortSlices(func(a, b revoke.Holding) bool {
		return a.HeldFrom < b.HeldFrom || a.HeldFrom == b.HeldFrom && a.Namespace+"\n"+a.Value < b.Namespace+"\n"+b.Value
	}),
}

// sameFacts compares what a decision saw with what it must see, but for the instant. Rows that say nothing are no
// difference: a user without sessions may have an empty newest one.
func (b *bench) sameFacts(what string, got, want *revoke.Facts) {
	b.Helper()
	b.same(what, got, want, cmpopts.IgnoreFields(revoke.Facts{}, "Now"),
		cmpopts.IgnoreMapEntries(func(_ revoke.ID, n revoke.Newest) bool { return n == revoke.Newest{} }))
}

// together runs n steps at once and waits for all of them; the first error of each is returned in its place.
func (b *bench) together(n int, step func(ctx context.Context, i int) error) []error {
	b.Helper()
	ctx := b.deadline()
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = step(ctx, i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// allWell runs n steps at once, none of which may fail.
func (b *bench) allWell(n int, step func(ctx context.Context, i int) error) {
	b.Helper()
	for i, err := range b.together(n, step) {
		if err != nil {
			b.Errorf("step %d of %d at once: %v", i, n, err)
		}
	}
	if b.Failed() {
		b.FailNow()
	}
}

// id returns a new id of this moment.
func (b *bench) id() revoke.ID { return revoke.NewID(b.now()) }

// email is an identifier that people type.
func email(value string) revoke.Identifier {
	return revoke.Identifier{Org: org, Namespace: revoke.NamespaceEmail, Value: value}
}

// person writes one user who holds the identifiers and returns it.
func (b *bench) person(ids ...revoke.Identifier) revoke.User {
	b.Helper()
	u := revoke.User{ID: b.id(), Org: org, CreatedAt: b.now()}
	e := revoke.Effects{Users: []revoke.User{u}}
	for _, id := range ids {
		e.Holdings = append(e.Holdings, revoke.Holding{Identifier: id, User: u.ID, HeldFrom: 1})
	}
	b.write(e)
	return u
}

// session returns a session of a user, born at an instant, that ends in a year. It is not written.
func (b *bench) session(user revoke.ID, born revoke.Instant) revoke.Session {
	id := b.id()
	return revoke.Session{
		ID: id, Org: org, App: "portal", ClientID: "client " + id.String(), User: user, Kind: revoke.Mobile,
		Token: revoke.HashToken(id.String()), IssuedAt: born, BornAt: born,
		ExpiresAt: b.now().Add(365 * 24 * time.Hour), RegisteredAt: b.now(),
	}
}
