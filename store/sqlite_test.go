package store

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
)

// kill -9 cannot show what a power cut would lose; the setting of every connection can.
func TestEverySQLiteConnectionIsDurable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a ?b#c%d.db") // as a folder may be called
	s, err := Open(t.Context(), Config{URL: "sqlite:" + path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "a *.db")); len(found) != 1 {
		t.Errorf("files: got %v, want the one that was named", found)
	}
	var conns []*sql.Conn
	for range sqliteReaders {
		conn, err := s.reads.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	if got := s.reads.Stats().OpenConnections; got != sqliteReaders {
		t.Errorf("readers: got %d connections, want %d", got, sqliteReaders)
	}
	w := <-s.deciding
	defer func() { s.deciding <- w }()
	if err := w.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.settling != s.deciding || s.writes.Stats().MaxOpenConnections != 1 {
		t.Error("SQLite must have one writer")
	}
	for i, conn := range append(conns, w.conn) {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "1"} {
			if pragma == "query_only" && conn == w.conn {
				want = "0"
			}
			if got := pragmaOf(t.Context(), t, conn, pragma); got != want {
				t.Errorf("connection %d of %d: PRAGMA %s: got %s, want %s", i+1, len(conns)+1, pragma, got, want)
			}
		}
	}
}

func pragmaOf(ctx context.Context, t *testing.T, conn *sql.Conn, pragma string) (value string) {
	t.Helper()
	if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
		t.Fatalf("PRAGMA %s: %v", pragma, err)
	}
	return value
}
