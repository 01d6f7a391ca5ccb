package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"
)

// Fault stands between the store and the database on every connection that writes. It is called before each statement; an
// error is what the store hears instead of the statement's own outcome. Run carries the statement out all the same, as a
// database does whose answer is lost on the way.
type Fault func(conn *FaultyConn, text string, run func() error) error

// Through takes every writer's connection away and opens new ones, with fault on each.
func (s *Store) Through(t *testing.T, fault Fault) {
	t.Helper()
	var all []*writer
	for range cap(s.deciding) {
		all = append(all, <-s.deciding)
	}
	if s.settling != s.deciding {
		for range cap(s.settling) {
			all = append(all, <-s.settling)
		}
	}
	under := s.writes
	s.writes = sql.OpenDB(connector{under, fault})
	s.writes.SetMaxOpenConns(len(all)) // on SQLite one, as before
	for i, w := range all {
		w.drop()
		w.pool = s.writes
		if i < cap(s.deciding) {
			s.deciding <- w
		} else {
			s.settling <- w
		}
	}
}

// connector opens connections of another pool, which it keeps for itself, and so with all of that pool's settings.
type connector struct {
	under *sql.DB
	fault Fault
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	held, err := c.under.Conn(ctx)
	if err != nil {
		return nil, err
	}
	conn := &FaultyConn{held: held, fault: c.fault}
	err = held.Raw(func(under any) error {
		conn.driverConn = under.(driverConn)
		return nil
	})
	return conn, err
}

// Close obeys [io.Closer]: the pool that is built on c closes it last.
func (c connector) Close() error { return c.under.Close() }

func (c connector) Driver() driver.Driver { return c.under.Driver() }

// driverConn is what both drivers' connections can do.
type driverConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
}

// FaultyConn is a connection with a fault on it.
type FaultyConn struct {
	driverConn
	held  *sql.Conn
	fault Fault
	// Statements counts those since BEGIN, and Doomed is for the fault to remember what it has in mind for the transaction.
	Statements, Doomed int
}

// Exec runs a statement past the fault.
func (c *FaultyConn) Exec(text string) error {
	_, err := c.driverConn.ExecContext(context.Background(), text, nil)
	return err
}

// Close obeys [driver.Conn].
func (c *FaultyConn) Close() error {
	discard(c.held)
	return nil
}

func (c *FaultyConn) do(text string, run func() error) error {
	c.Statements++
	if strings.HasPrefix(text, "BEGIN") {
		c.Statements, c.Doomed = 0, 0
	}
	return c.fault(c, text, run)
}

// CheckNamedValue obeys [driver.NamedValueChecker].
func (c *FaultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.driverConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// ExecContext obeys [driver.ExecerContext].
func (c *FaultyConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.do(text, func() (err error) {
		result, err = c.driverConn.ExecContext(ctx, text, args)
		return err
	})
	return result, err
}

// PrepareContext obeys [driver.ConnPrepareContext].
func (c *FaultyConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	under, err := c.driverConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &faultyStmt{under.(driverStmt), c, text}, nil
}

type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type faultyStmt struct {
	driverStmt
	conn *FaultyConn
	text string
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	err = s.conn.do(s.text, func() (err error) {
		result, err = s.driverStmt.ExecContext(ctx, args)
		return err
	})
	return result, err
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.conn.do(s.text, func() (err error) {
		rows, err = s.driverStmt.QueryContext(ctx, args)
		return err
	})
	return rows, err
}
