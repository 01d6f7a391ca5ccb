package store

import (
	"context"
	"time"

	"curfew/revoke"
)

// maxAttempts is how many calls of one delivery are shown: a week of them is 180.
const maxAttempts = 1000

// AttemptsOf returns the calls made for a delivery, oldest first.
func (s *Store) AttemptsOf(ctx context.Context, org string, revocation revoke.ID, target string) ([]revoke.Attempt, error) {
	var out []revoke.Attempt
	err := s.rowsOf(ctx, attemptsTable, "org = $1 AND revocation_id = $2 AND target = $3 ORDER BY number LIMIT $4", func(row record) error {
		a, err := row.attempt()
		out = append(out, a)
		return err
	}, org, idText(revocation), clean(target), maxAttempts)
	return out, err
}

func (r *record) attempt() (revoke.Attempt, error) {
	a := revoke.Attempt{
		Revocation: r.id[0], Target: r.text[1], Number: int(r.num[0]), At: revoke.Instant(r.num[1]),
		Took: time.Duration(r.num[2]) * time.Microsecond, Error: r.text[2],
	}
	if r.text[3] == "" {
		return a, nil
	}
	a.Receipt = &revoke.Receipt{}
	return a, fromJSON(r.text[3], a.Receipt)
}

// EachSession calls each with every session in a scope of many people that has neither ended by itself nor expired.
func (s *Store) EachSession(ctx context.Context, scope revoke.Scope, now revoke.Instant, each func(*revoke.Session)) error {
	in, ok := sessionsIn(scope)
	if !ok {
		return nil
	}
	c := clauses{text: in.where, args: in.args}
	c.and("ended_at = 0 AND expires_at > ", int64(now))
	return s.rowsOf(ctx, sessionsTable, c.text, func(row record) error {
		session, err := row.session()
		if err == nil {
			each(&session)
		}
		return err
	}, c.args...)
}
