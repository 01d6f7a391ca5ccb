package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jmoiron/sqlx"

	"curfew/revoke"
)

// errLocked: another process holds the lock.
var errLocked = errors.New("the lock is taken")

const sqliteReaders = 4

func (s *Store) openSQLite(ctx context.Context, cfg Config, path string) error {
	free, err := lockSQLite(path)
	if err != nil {
		return err
	}
	s.db, s.lock = sqliteDB{}, &serverLock{free: free, doubt: cfg.Doubt}
	if s.writes, err = sql.Open("sqlite", sqliteDSN(path, "cache_size(-65536)")); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.writes.SetMaxOpenConns(1)
	if err := migrateSQLite(ctx, s.writes, cfg); err != nil {
		return err
	}
	// Every connection keeps pages of its own: a reader finds more in the system's memory, which all share.
	if s.reads, err = sqlx.Open("sqlite", sqliteDSN(path, "query_only(ON)", "cache_size(-16384)")); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.reads.SetMaxOpenConns(sqliteReaders)
	s.reads.SetMaxIdleConns(sqliteReaders)
	s.deciding = pool(&writer{pool: s.writes, finalizes: true})
	s.settling = s.deciding
	return nil
}

// lockSQLite takes the file lock beside the database, under which also migrations run.
func lockSQLite(path string) (free func(), err error) {
	if path == "" || path == ":memory:" {
		return nil, revoke.Invalid{Field: "database", Problem: "names no file", Fix: "write sqlite:curfew.db"}
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return nil, revoke.Invalid{Field: "database", Problem: "lies in a folder that is not there: " + filepath.Dir(path), Fix: "make the folder"}
	}
	if free, err = lockFile(path + ".lock"); errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another curfew works on %s: stop it first; a SQLite database serves one server", path)
	}
	if err != nil {
		return nil, err
	}
	// It holds names and addresses. The log and its index take its mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the database
	if err != nil {
		free()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return free, f.Close()
}
