package store_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"curfew/internal/pgtest"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/store"
)

func TestContractOnSQLite(t *testing.T) {
	t.Parallel()
	revoketest.RunStore(t, openSQLite)
}

func openSQLite(t *testing.T) revoke.Store {
	t.Helper()
	return open(t, store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "curfew.db")})
}

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open %s: %v", cfg.URL, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestContractOnPostgreSQL(t *testing.T) {
	t.Parallel()
	revoketest.RunStore(t, openPostgreSQL)
}

func openPostgreSQL(t *testing.T) revoke.Store {
	t.Helper()
	return open(t, store.Config{URL: pgtest.Database(t)})
}
