package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"curfew/revoke"
)

// read runs a prepared question on the readers and calls each on its rows.
func (s *Store) read(ctx context.Context, text string, each func(*sql.Rows) error, args ...any) error {
	stmt, err := s.question(ctx, text) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return unreadable(err)
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return unreadable(err)
	}
	if err := drain(rows, each); err != nil {
		return unreadable(err)
	}
	return nil
}

func (s *Store) question(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared.Load(text); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := s.reads.PrepareContext(ctx, s.db.text(text))
	if err != nil {
		return nil, err
	}
	if first, loaded := s.prepared.LoadOrStore(text, stmt); loaded {
		_ = stmt.Close() //nolint:sqlclosecheck // only the one that came second
		return first.(*sql.Stmt), nil
	}
	return stmt, nil
}

// unreadable is a reader's error: the caller's own end, or a store that does not answer.
func unreadable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("read: %w: %w", revoke.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", revoke.ErrUnavailable, err)
}

// rowsOf reads the records of a table that a condition selects.
func (s *Store) rowsOf(ctx context.Context, t *table, where string, each func(record) error, args ...any) error {
	return s.records(ctx, t, "SELECT "+t.list+" FROM "+t.name+" WHERE "+where, each, args...)
}

// records reads the records of a table that a question with its list answers.
func (s *Store) records(ctx context.Context, t *table, text string, each func(record) error, args ...any) error {
	return s.read(ctx, text, func(rows *sql.Rows) error {
		row, err := t.scan(rows)
		if err != nil {
			return err
		}
		return each(row)
	}, args...)
}

// collect appends the rows of a table that was selected with its list.
func collect(t *table, into *[]record) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		r, err := t.scan(rows)
		*into = append(*into, r)
		return err
	}
}

// Ping asks whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.lock.held(); err != nil {
		return err
	}
	return s.read(ctx, "SELECT one FROM meta WHERE one = 1", func(rows *sql.Rows) error {
		var one int
		return rows.Scan(&one)
	})
}

// clauses collects conditions with their arguments.
type clauses struct {
	text string
	args []any
}

// and adds a condition that ends in an argument.
func (c *clauses) and(before string, arg any) {
	if c.text != "" {
		c.text += " AND "
	}
	c.text += before + c.arg(arg)
}

// arg adds an argument and returns its mark.
func (c *clauses) arg(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

// manyIDs is how many values one statement asks for. The last list is filled up with its last, so that a few texts serve all.
var manyIDs = [...]int{1, 8, 128}

// byIDs reads the records of a table whose column holds one of ids; org is left out when it is empty.
func (s *Store) byIDs(ctx context.Context, t *table, column, org string, ids []revoke.ID, each func(record) error) error {
	where, args := column+" IN (?)", []any(nil)
	if org != "" {
		where, args = "org = ? AND "+where, []any{org}
	}
	values := make([]string, len(ids))
	for i, id := range ids {
		values[i] = idText(id)
	}
	return inLists(where, args, values, func(where string, args ...any) error { return s.rowsOf(ctx, t, where, each, args...) })
}

// inLists asks once for every list of values, which stands last in the condition.
func inLists(condition string, before []any, values []string, ask func(where string, args ...any) error) error {
	for len(values) > 0 {
		size := manyIDs[len(manyIDs)-1]
		for i := len(manyIDs) - 1; i >= 0 && manyIDs[i] >= len(values); i-- {
			size = manyIDs[i]
		}
		n := min(size, len(values))
		list := make([]string, size)
		for i := range list {
			list[i] = values[min(i, n-1)]
		}
		where, args, err := sqlx.In(condition, append(slices.Clone(before), list)...)
		if err != nil {
			return fmt.Errorf("list %d values: %w", size, err)
		}
		if err := ask(sqlx.Rebind(sqlx.DOLLAR, where), args...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}
