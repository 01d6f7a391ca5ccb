package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"curfew/revoke"
)

// sqliteDB is SQLite: one writer, so that the transaction itself is the lock.
type sqliteDB struct{}

// sqlitePragmas are set on every connection. FULL makes a commit wait until the log is on the disk: with less, a power cut
// loses revocations that were acknowledged.
var sqlitePragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)"}

func sqliteDSN(path string, more ...string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append(append([]string(nil), sqlitePragmas...), more...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (sqliteDB) begin(ctx context.Context, w *writer, keep durability) error {
	if unflushed := keep == lazy; unflushed != w.unflushed {
		level := "FULL"
		if unflushed {
			level = "NORMAL" // the log is written in order: the next flush brings what came before it to the disk
		}
		// Never prepared: SQLite obeys it when it is compiled (https://sqlite.org/pragma.html).
		if _, err := w.conn.ExecContext(ctx, "PRAGMA synchronous = "+level); err != nil {
			return err
		}
		w.unflushed = unflushed
	}
	_, err := w.exec(ctx, "BEGIN IMMEDIATE")
	return err
}

func (sqliteDB) commit(ctx context.Context, w *writer) error {
	_, err := w.exec(ctx, "COMMIT")
	return err
}

// fold empties the log into the database, so that after a clean stop one file is all there is.
func (sqliteDB) fold(ctx context.Context, w *writer) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	_, err := w.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// sqliteWords are what SQLite calls otherwise than PostgreSQL.
var sqliteWords = strings.NewReplacer("GREATEST(", "max(", "LEAST(", "min(", "STRPOS(", "instr(", "$", "?")

func (sqliteDB) text(s string) string {
	return sqliteWords.Replace(s)
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// refused: SQLITE_FULL and a failed write come before the commit's own frame is whole in the log, so that nobody will ever
// read the transaction. A failed sync comes after it, and says nothing.
func (sqliteDB) refused(err error) bool {
	code := sqliteCode(err)
	return code&0xff == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_WRITE
}

func (d sqliteDB) again(err error) bool {
	return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY || d.duplicate(err) || d.gone(err)
}

func (sqliteDB) gone(err error) bool { return errors.Is(err, driver.ErrBadConn) }

func (sqliteDB) duplicate(err error) bool {
	code := sqliteCode(err)
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// write inserts several rows with one statement: there is no round trip to save, but a statement has its price.
func (d sqliteDB) write(ctx context.Context, w *writer, b batch) error {
	for _, part := range b {
		for at := 0; at < len(part.rows); {
			n := atOnce(len(part.rows) - at)
			if part.table.sqlite != "" {
				n = 1
			}
			text := w.text(part.table.insert, n, func() string { return d.text(part.table.inserts(n)) })
			var args []any
			for i := range n {
				args = append(args, part.table.args(&part.rows[at+i])...)
			}
			if _, err := w.exec(ctx, text, args...); err != nil {
				return errorIn(part.table, err)
			}
			at += n
		}
	}
	return nil
}

// atOnce is how many of n rows one statement writes or looks up: few sizes, so that each is prepared once.
func atOnce(n int) int {
	for _, size := range []int{32, 16} {
		if n >= size {
			return size
		}
	}
	return min(n, 8)
}

// sqliteMemberships names its index, for the order of the key would have the groups of everybody read.
var sqliteMemberships = "SELECT " + membersTable.list + ` FROM members INDEXED BY members_resource
	WHERE org = $1 AND resource_id IN (SELECT value FROM json_each($2)) ORDER BY group_id, resource_id LIMIT $3`

func (sqliteDB) memberships(resources []revoke.ID) (text string, list any) {
	quoted := make([]string, len(resources))
	for i, id := range resources {
		quoted[i] = `"` + idText(id) + `"`
	}
	return sqliteMemberships, "[" + strings.Join(quoted, ",") + "]"
}
