package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/store"
)

// disrupted is a store on a real database, some of whose transactions fail: by chance as they do against others, or as
// the model orders.
type disrupted struct {
	*store.Store
	lost []error // what a transaction that loses against another is told

	mu      sync.Mutex
	share   float64 // of the transactions that lose
	told    int     // how many did
	streak  int     // how many in a row were to
	begun   int
	refused int
	next    []ordered // what becomes of the next decisions
	now     ordered
}

// ordered is what becomes of a decision that is ordered to fail.
type ordered string

const (
	refused      ordered = "refused"        // nothing was done, and the database says so
	lostBefore   ordered = "lost before it" // the connection dies before the database hears of the commit
	lostAfter    ordered = "lost after it"  // the database commits, and its answer is lost
	undisturbed  ordered = ""
	lastDoomable         = 12 // statements of a transaction that can be the one which fails; its commit, if it has fewer
)

var (
	_ revoketest.Faulty  = (*disrupted)(nil)
	_ revoketest.Journal = (*disrupted)(nil)
)

// disrupt opens a store of which a share of all transactions loses.
func disrupt(t *testing.T, url string, share float64) *disrupted {
	t.Helper()
	d := &disrupted{Store: open(t, quiet(url)), share: share}
	if strings.HasPrefix(url, "sqlite:") {
		d.lost = []error{busy(t)}
	} else {
		d.lost = []error{
			&pq.Error{Severity: "ERROR", Code: pqerror.TRSerializationFailure, Message: "could not serialize access"},
			&pq.Error{Severity: "ERROR", Code: pqerror.TRDeadlockDetected, Message: "deadlock detected"},
		}
	}
	d.Through(t, d.fault)
	return d
}

// busy returns what SQLite says to a transaction that cannot have the lock.
func busy(t *testing.T) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "busy.db")
	var errs []error
	for range 2 {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		_, err = db.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
		errs = append(errs, err)
	}
	if errs[0] != nil || errs[1] == nil {
		t.Fatalf("two writers of one SQLite: got %v, want the second to be told that it is busy", errs)
	}
	return errs[1]
}

func (d *disrupted) fault(conn *store.FaultyConn, text string, run func() error) error {
	d.mu.Lock()
	begins, commits := strings.HasPrefix(text, "BEGIN"), text == "COMMIT"
	if begins {
		d.begun++
		// A decision that loses every one of its tries by chance would be refused without an order, some day.
		if rand.Float64() < d.share && (d.share == 1 || d.streak < 3) {
			conn.Doomed = 1 + rand.IntN(lastDoomable)
			d.streak++
		} else {
			d.streak = 0
		}
	}
	loses := conn.Doomed > 0 && text != "ROLLBACK" && (commits || conn.Statements >= conn.Doomed)
	if loses {
		conn.Doomed = 0
		d.told++
	}
	now, loss := d.now, d.lost[d.told%len(d.lost)]
	if now == refused && commits {
		d.refused++
	}
	d.mu.Unlock()
	switch {
	case loses, commits && now == refused:
		return errors.Join(loss, conn.Exec("ROLLBACK"))
	case commits && now == lostBefore:
		return io.ErrUnexpectedEOF
	case commits && now == lostAfter:
		if err := run(); err != nil {
			return err
		}
		return io.ErrUnexpectedEOF
	}
	return run()
}

func (d *disrupted) order(n int, what ordered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = append(d.next, slices.Repeat([]ordered{what}, n)...)
}

// RefuseNext obeys [revoketest.Faulty].
func (d *disrupted) RefuseNext(n int) { d.order(n, refused) }

// LoseNext obeys [revoketest.Faulty].
func (d *disrupted) LoseNext(n int) { d.order(n, lostBefore) }

// DoubtNext obeys [revoketest.Faulty].
func (d *disrupted) DoubtNext(n int) { d.order(n, lostAfter) }

// Decide obeys [revoke.Decider].
func (d *disrupted) Decide(ctx context.Context, need revoke.Need, decide revoke.Decision) error {
	d.mu.Lock()
	var what ordered
	if len(d.next) > 0 {
		what, d.next = d.next[0], d.next[1:]
	}
	d.mu.Unlock()
	if what == undisturbed {
		return d.Store.Decide(ctx, need, decide)
	}
	return d.during(what, func() error { return d.Store.Decide(ctx, need, decide) })
}

// during runs a step of which every commit ends as ordered.
func (d *disrupted) during(what ordered, step func() error) error {
	d.mu.Lock()
	d.now = what
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.now = undisturbed
		d.mu.Unlock()
	}()
	return step()
}

// lose sets the share of the transactions that lose.
func (d *disrupted) lose(share float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.share, d.told, d.begun, d.refused = share, 0, 0, 0
}

// TestF9TransactionsThatLose runs the model on both databases while one in twenty transactions is told that it lost against
// another, at any of its statements or at its commit, and while some commits end with the connection. Everything that is
// true of a store stays true.
func TestF9TransactionsThatLose(t *testing.T) {
	t.Parallel()
	for name, address := range addresses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var all []*disrupted
			openOne := func(t *testing.T) revoke.Store {
				t.Helper()
				d := disrupt(t, address(t), 0.05)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, d)
				return d
			}
			t.Cleanup(func() {
				var told, begun, refused int
				for _, d := range all {
					told, begun, refused = told+d.told, begun+d.begun, refused+d.refused
				}
				if told*100 < begun*2 || refused == 0 {
					t.Errorf("%d of %d transactions lost, and %d were refused as ordered: too few to prove anything", told, begun, refused)
				}
			})
			revoketest.RunModel(t, openOne)
			if *thorough {
				revoketest.RunStore(t, openOne)
			}
		})
	}
}

// TestF9TriesAreBounded: a database that refuses every transaction is not asked for ever, the caller hears that nothing was
// done, and nothing was.
func TestF9TriesAreBounded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		d := disrupt(t, url, 0)
		release := d.HoldSettlers() // every transaction that is counted is the decision's
		if strings.HasPrefix(url, "sqlite:") {
			release() // there the decision's writer is the same
		} else {
			defer release()
		}
		d.lose(1)
		id := revoke.NewID(d.Clock().Now())
		err := d.Decide(t.Context(), revoke.Need{Org: "main"}, making(id))
		if !errors.Is(err, revoke.ErrUnavailable) || errors.Is(err, revoke.ErrUnknownCommit) {
			t.Errorf("got %v, want unavailable and nothing unknown", err)
		}
		if d.told < 2 || d.told > 10 {
			t.Errorf("tried %d times, want a few", d.told)
		}
		if known(t, d.Store, id) {
			t.Error("what was refused is there")
		}
		d.lose(0)
		if err := d.Decide(t.Context(), revoke.Need{Org: "main"}, making(id)); err != nil || !known(t, d.Store, id) {
			t.Errorf("afterwards: got %v, want nil and the user there", err)
		}
	})
}

// TestF7LeasesThatNobodyWorksUnder: the database committed a claim and its answer was lost, or a result was not recorded.
// Nobody at the target waits until the lease has run out.
func TestF7LeasesThatNobodyWorksUnder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		d := disrupt(t, url, 0)
		now := d.Clock().Now()
		r := revoke.Revocation{ID: revoke.NewID(now), Org: "main", Kind: revoke.RevocationEnd, CreatedAt: now}
		owed := revoke.Delivery{Revocation: r.ID, Target: "canvas", Org: "main", Ord: now, State: revoke.DeliveryDue, DueAt: now, FirstAt: now}
		if err := d.Decide(t.Context(), revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) {
			return revoke.Effects{Revocations: []revoke.Revocation{r}, Deliveries: []revoke.Delivery{owed}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		claim := func() ([]revoke.Owed, error) {
			return d.Claim(t.Context(), "canvas", 10, now, now.Add(time.Hour), revoke.NewID(d.Clock().Now()))
		}
		if err := d.during(lostAfter, func() error { _, err := claim(); return err }); !errors.Is(err, revoke.ErrUnknownCommit) {
			t.Fatalf("a claim whose answer is lost: got %v, want an unknown commit", err)
		}
		claimed, err := claim()
		if err != nil || len(claimed) != 1 {
			t.Fatalf("the claim after it: got %d, %v, want the delivery", len(claimed), err)
		}
		if again, err := claim(); err != nil || len(again) != 0 {
			t.Errorf("a claim of what somebody works on: got %d, %v, want nothing", len(again), err)
		}
		done := revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: now}}
		if err := d.during(lostBefore, func() error { return d.Settle(t.Context(), claimed[0], done) }); !errors.Is(err, revoke.ErrUnknownCommit) {
			t.Fatalf("a result whose commit is lost: got %v, want an unknown commit", err)
		}
		if claimed, err = claim(); err != nil || len(claimed) != 1 {
			t.Fatalf("the claim after it: got %d, %v, want the delivery", len(claimed), err)
		}
		if err := d.during(lostAfter, func() error { return d.Settle(t.Context(), claimed[0], done) }); !errors.Is(err, revoke.ErrUnknownCommit) {
			t.Fatalf("a result whose answer is lost: got %v, want an unknown commit", err)
		}
		if again, err := claim(); err != nil || len(again) != 0 {
			t.Errorf("a claim after the result was recorded: got %d, %v, want nothing", len(again), err)
		}
	})
}

// TestF4DiskFull: SQLite's own word that there is no room. What was refused is not there and is not in doubt, what is
// there can be read, and when there is room again nobody has to do anything.
func TestF4DiskFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "curfew.db")
	s := open(t, quiet("sqlite:"+path))
	before := revoke.NewID(s.Clock().Now())
	if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(before)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	full := true
	s.Through(t, func(conn *store.FaultyConn, text string, run func() error) error {
		mu.Lock()
		defer mu.Unlock()
		pages := 0 // as many as there are
		if !full {
			pages = 1 << 30
		}
		if strings.HasPrefix(text, "BEGIN") {
			if err := conn.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", max(pages, 1))); err != nil {
				t.Errorf("limit the pages: %v", err)
			}
		}
		return run()
	})
	var refused []revoke.ID
	for tries := 0; len(refused) < 3 && tries < 10_000; tries++ { // what room there is inside the pages is used up first
		id := revoke.NewID(s.Clock().Now())
		err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(id))
		switch {
		case err == nil:
		case errors.Is(err, revoke.ErrUnavailable) && !errors.Is(err, revoke.ErrUnknownCommit) && strings.Contains(err.Error(), "full"):
			refused = append(refused, id)
		default:
			t.Fatalf("on a full disk: got %v, want unavailable because it is full", err)
		}
	}
	if len(refused) == 0 {
		t.Fatal("the disk never was full")
	}
	for _, id := range refused {
		if known(t, s, id) {
			t.Error("what was refused is there")
		}
	}
	if !known(t, s, before) {
		t.Error("what was there before cannot be read")
	}
	mu.Lock()
	full = false
	mu.Unlock()
	for _, id := range refused {
		if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(id)); err != nil || !known(t, s, id) {
			t.Errorf("with room again: got %v, want nil and the user there", err)
		}
	}
	sound(t, path)
}

// sound asks SQLite whether a database is whole.
func sound(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: got %q, %v, want ok", verdict, err)
	}
}
