package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"curfew/revoke"
)

// claim is what a worker asks for.
type claim struct {
	target     string
	n          int
	now, until revoke.Instant
	lease      revoke.ID
}

// lane is one person at a target, whose deliveries go one after the other; with no user it is everyone's.
type lane struct {
	org  string
	user revoke.ID
}

// halted is a delivery whose lease ended without a result after a person had ordered it to wait or to be dropped.
type halted struct {
	org        string
	revocation revoke.ID
}

// place is where a walk through what is ready goes on.
type place struct {
	ready      int64
	revocation revoke.ID
}

// Claim leases everything that is open for up to n people of whom something is due, single people first. Who they are is read
// aside; only the leases themselves take the turn of a writer, and look again.
func (s *Store) Claim(ctx context.Context, target string, n int, now, until revoke.Instant, lease revoke.ID) ([]revoke.Owed, error) {
	if err := s.lock.held(); err != nil {
		return nil, err
	}
	if err := s.endOrphans(ctx, target, now); err != nil {
		return nil, s.failed("end leases that nobody works under", err)
	}
	rows, err := s.claimLanes(ctx, claim{target, n, now, until, lease})
	var owed []revoke.Owed
	if err == nil {
		owed, err = inLanes(target, rows)
	}
	if err != nil {
		s.orphan(orphan{target: target, lease: lease, all: true}, err)
		return nil, s.failed("claim deliveries", err)
	}
	for i := range owed {
		if err := s.complete(ctx, &owed[i]); err != nil {
			s.orphan(orphan{target: target, lease: lease, all: true}, err)
			return nil, fmt.Errorf("claim deliveries: %w", err)
		}
	}
	return owed, nil
}

// isOpen are the open deliveries of a priority in the words of their index.
func isOpen(priority revoke.Priority) string {
	return fmt.Sprintf("priority = %d AND (state = 'claimed' OR state = 'due' AND halt = '')", priority)
}

// readyPage reads what is ready of both priorities, each from where the walk has come.
var readyPage = "SELECT * FROM (" + readyOf(revoke.PrioritySingle, "$4, $5") + ") AS single UNION ALL SELECT * FROM (" + readyOf(revoke.PriorityMass, "$6, $7") + ") AS mass"

func readyOf(priority revoke.Priority, after string) string {
	return "SELECT priority, org, user_id, ready_at, revocation_id, halt FROM deliveries WHERE target = $1 AND " + isOpen(priority) +
		" AND ready_at <= $2 AND (ready_at, revocation_id) > (" + after + ") AND NOT EXISTS (SELECT 1 FROM paused WHERE target = $1) ORDER BY ready_at, revocation_id LIMIT $3"
}

// claimLanes walks what is ready in its order until enough people are leased.
func (s *Store) claimLanes(ctx context.Context, c claim) (out []record, err error) {
	seen := map[lane]bool{}
	var at [2]place
	for leased := 0; leased < c.n; {
		size := min(4*(c.n-leased), 1000)
		var lanes []lane
		var ended []halted
		var n [2]int
		err := s.read(ctx, readyPage, func(rows *sql.Rows) error {
			var priority int
			var l lane
			var p place
			var halt revoke.Halt
			if err := rows.Scan(&priority, &l.org, (*storedID)(&l.user), &p.ready, (*storedID)(&p.revocation), &halt); err != nil {
				return err
			}
			if priority == int(revoke.PriorityMass) && n[0] == size {
				return nil // more single people come first
			}
			n[priority]++
			at[priority] = p
			if halt != revoke.HaltNone {
				ended = append(ended, halted{l.org, p.revocation})
			} else if !seen[l] && len(lanes) < c.n-leased {
				seen[l] = true
				lanes = append(lanes, l)
			}
			return nil
		}, clean(c.target), int64(c.now), size, at[0].ready, idText(at[0].revocation), at[1].ready, idText(at[1].revocation))
		if err != nil {
			return out, err
		}
		rows, err := s.lease(ctx, c, lanes, ended)
		if err != nil {
			return out, err
		}
		got := map[lane]bool{}
		for _, r := range rows {
			got[lane{r.text[0], r.id[1]}] = true
		}
		leased += len(got)
		out = append(out, rows...)
		if n[0] < size && n[1] < size {
			break
		}
	}
	return out, nil
}

// haltedLease carries out what was ordered about a delivery whose lease has ended.
const haltedLease = `UPDATE deliveries SET state = CASE WHEN halt = 'drop' THEN 'dropped' ELSE 'due' END,
	halt = CASE WHEN halt = 'drop' THEN '' ELSE halt END, lease = '` + zeroID + `', lease_until = 0, ready_at = due_at
	WHERE org = $1 AND revocation_id = $2 AND target = $3 AND state = 'claimed' AND halt <> '' AND lease_until <= $4`

// lease takes those of the lanes in which something is still due and nobody works.
func (s *Store) lease(ctx context.Context, c claim, lanes []lane, ended []halted) (out []record, err error) {
	if len(lanes)+len(ended) == 0 {
		return nil, nil
	}
	err = s.settle(ctx, lazy, func(ctx context.Context, w *writer) (bool, error) {
		for _, h := range ended {
			_, err := w.exec(ctx, s.db.text(haltedLease), h.org, idText(h.revocation), clean(c.target), int64(c.now))
			if err != nil {
				return false, err
			}
		}
		var err error
		out, err = s.db.claim(ctx, w, c, lanes)
		return len(out)+len(ended) > 0, err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// inLanes turns leased rows into what each person is owed, in order, people in the order in which they were leased.
func inLanes(target string, rows []record) ([]revoke.Owed, error) {
	var owed []revoke.Owed
	at := map[lane]int{}
	for _, r := range rows {
		d, err := r.delivery()
		if err != nil {
			return nil, err
		}
		l := lane{d.Org, d.User}
		if _, ok := at[l]; !ok {
			at[l] = len(owed)
			owed = append(owed, revoke.Owed{Target: target, Org: d.Org, User: d.User})
		}
		o := &owed[at[l]]
		o.Items = append(o.Items, revoke.OwedItem{Delivery: d})
	}
	for i := range owed {
		slices.SortFunc(owed[i].Items, func(a, b revoke.OwedItem) int {
			return cmp.Or(cmp.Compare(a.Delivery.Ord, b.Delivery.Ord), a.Delivery.Revocation.Compare(b.Delivery.Revocation))
		})
	}
	return owed, nil
}
