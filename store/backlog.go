package store

import (
	"context"
	"database/sql"
	"fmt"

	"curfew/revoke"
)

// What is open or parked at a target, each part by its own index.
var waitingAt = [...]string{
	"target = $1 AND org = $2 AND (state = 'claimed' OR state = 'due' AND halt = '')",
	"target = $1 AND org = $2 AND halt <> '' AND state = 'due'",
	"target = $1 AND org = $2 AND state = 'parked'",
}

// Backlogs returns what waits at each of these targets, in their order.
func (s *Store) Backlogs(ctx context.Context, org string, targets []string) ([]revoke.Backlog, error) {
	out := make([]revoke.Backlog, len(targets))
	for i, target := range targets {
		b := &out[i]
		b.Target = target
		for _, where := range waitingAt {
			err := s.read(ctx, "SELECT state, count(*), min(first_at) FROM deliveries WHERE "+where+" GROUP BY state", func(rows *sql.Rows) error {
				var state revoke.DeliveryState
				var n int
				var first revoke.Instant
				if err := rows.Scan(&state, &n, &first); err != nil {
					return err
				}
				switch state {
				case revoke.DeliveryDue:
					b.Due += n
				case revoke.DeliveryClaimed:
					b.Claimed += n
				case revoke.DeliveryParked:
					b.Parked += n
					return nil
				case revoke.DeliveryDone, revoke.DeliveryDropped:
				}
				if b.OldestAt == 0 || first < b.OldestAt {
					b.OldestAt = first
				}
				return nil
			}, clean(target), org)
			if err != nil {
				return nil, fmt.Errorf("count what waits at target %s: %w", target, err)
			}
		}
	}
	return out, nil
}
