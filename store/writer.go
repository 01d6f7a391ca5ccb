package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"curfew/revoke"
)

// writer is one connection that writes, with the statements prepared on it. It serves one transaction at a time.
type writer struct {
	pool       *sql.DB
	finalizes  bool // statements must be closed before their connection: SQLite's
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	texts      map[sized]string
	unflushed  bool // on SQLite: its commits are not flushed
}

// sized is a statement made for a number of rows.
type sized struct {
	of string
	n  int
}

// text returns the statement for n rows, made once.
func (w *writer) text(of string, n int, build func() string) string {
	text, ok := w.texts[sized{of, n}]
	if !ok {
		text = build()
		w.texts[sized{of, n}] = text
	}
	return text
}

const maxPrepared = 1000 // more than there are; a bound all the same

// open takes a connection when there is none, as at first and after one was lost.
func (w *writer) open(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.statements, w.texts, w.unflushed = conn, map[string]*sql.Stmt{}, map[sized]string{}, false
	return nil
}

// drop closes the connection, and with it whatever is under way there.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	if w.finalizes { // database/sql does not, and SQLite keeps a connection and its lock while a statement is left
		for _, stmt := range w.statements {
			_ = stmt.Close()
		}
	}
	discard(w.conn)
	w.conn, w.statements, w.texts = nil, nil, nil
}

// discard closes a connection for good. It must not go back into the pool: it may be inside a transaction, or hold a lock.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}

func (w *writer) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := w.statements[text]; ok {
		return stmt, nil
	}
	if len(w.statements) >= maxPrepared {
		for key, stmt := range w.statements {
			_ = stmt.Close()
			delete(w.statements, key)
		}
	}
	stmt, err := w.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", text, err)
	}
	w.statements[text] = stmt
	return stmt, nil
}

// exec runs a prepared statement and returns how many rows it changed.
func (w *writer) exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := w.statement(ctx, text) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query runs a prepared statement and calls each on its rows.
func (w *writer) query(ctx context.Context, text string, each func(*sql.Rows) error, args ...any) error {
	stmt, err := w.statement(ctx, text) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return drain(rows, each)
}

func drain(rows *sql.Rows, each func(*sql.Rows) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// transact runs do inside a transaction on w and commits when do says that it wrote. The error is [revoke.ErrUnknownCommit]
// when only the database knows whether it committed; on any other nothing was done.
func (s *Store) transact(ctx context.Context, w *writer, keep durability, do func(context.Context) (wrote bool, err error)) error {
	if err := w.open(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := s.db.begin(ctx, w, keep); err != nil {
		w.drop()
		return fmt.Errorf("begin: %w", err)
	}
	wrote, err := do(ctx)
	if err == nil && wrote {
		err = s.lock.held() // decided on under a lock that may have gone to another server since
	}
	if err != nil || !wrote {
		if _, back := w.conn.ExecContext(ctx, "ROLLBACK"); back != nil {
			w.drop()
		}
		return err
	}
	if err := s.db.commit(ctx, w); err != nil {
		w.drop()
		if s.db.refused(err) {
			return fmt.Errorf("commit: %w", err)
		}
		return fmt.Errorf("%w: %w", revoke.ErrUnknownCommit, err)
	}
	return nil
}

// retrying runs transact again while the database asks for it.
func (s *Store) retrying(ctx context.Context, w *writer, keep durability, do func(context.Context) (bool, error)) error {
	for try := 1; ; try++ {
		err := s.transact(ctx, w, keep, do)
		if err == nil || try == maxTries || !s.db.again(err) || errors.Is(err, revoke.ErrUnknownCommit) || s.db.gone(err) && try > 1 {
			return err
		}
	}
}

// maxTries bounds how often a transaction is run that lost against another: a deadlock, or a row that came in between.
const maxTries = 5
