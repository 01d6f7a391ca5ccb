package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/pressly/goose/v3"

	"curfew/migrations"
	"curfew/revoke"
)

// Migrate brings the schema up to date and does nothing else. On SQLite no server may be running; on PostgreSQL one may.
func Migrate(ctx context.Context, cfg Config) (err error) {
	scheme, path, _ := strings.Cut(cfg.URL, ":")
	switch scheme {
	case "sqlite":
		free, err := lockSQLite(path)
		if err != nil {
			return err
		}
		defer free()
		db, err := sql.Open("sqlite", sqliteDSN(path))
		if err != nil {
			return fmt.Errorf("open %s: %w", path, err)
		}
		db.SetMaxOpenConns(1)
		return errors.Join(migrateSQLite(ctx, db, cfg), db.Close())
	case "postgres", "postgresql":
		db, err := openPostgresPool(cfg.URL)
		if err != nil {
			return err
		}
		return errors.Join(migratePostgres(ctx, db, cfg), db.Close())
	default:
		return revoke.Invalid{Field: "database", Problem: "names no database that we know", Fix: `write sqlite:curfew.db or postgres://user@host/curfew`}
	}
}

func migrateSQLite(ctx context.Context, db *sql.DB, cfg Config) error {
	return migrate(ctx, db, cfg, goose.DialectSQLite3, "sqlite", "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'")
}

// schemaOf is what a database's meta row says.
type schemaOf struct{ schema, oldest int64 }

// migrate compares versions before goose does, which says nothing about a database newer than itself: a schema that an older
// program can bear is left as it is, one that it cannot is refused.
func migrate(ctx context.Context, db *sql.DB, cfg Config, dialect goose.Dialect, folder, there string) error {
	files, err := fs.Sub(migrations.Files, folder)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	var known int64
	for _, source := range provider.ListSources() {
		known = max(known, source.Version)
	}
	var n int
	if err := db.QueryRowContext(ctx, there).Scan(&n); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if n > 0 {
		var m schemaOf
		if err := db.QueryRowContext(ctx, "SELECT schema, oldest_program FROM meta WHERE one = 1").Scan(&m.schema, &m.oldest); err != nil {
			return fmt.Errorf("read the schema's number: %w", err)
		}
		if newer, err := m.bears(known, cfg); newer || err != nil {
			return err
		}
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	for _, r := range results {
		cfg.Log.LogAttrs(ctx, slog.LevelInfo, "schema migrated", slog.Int64("number", r.Source.Version), slog.Duration("took", r.Duration))
	}
	return nil
}

// bears reports whether the schema is newer than the program, and refuses when it is too new for it.
func (m schemaOf) bears(known int64, cfg Config) (newer bool, err error) {
	if m.oldest > known {
		return true, fmt.Errorf("the database has schema %d, which needs a curfew that knows schema %d at least; this one (version %s) knows %d: "+
			"start the newer curfew that migrated it, or restore a backup from before", m.schema, m.oldest, cfg.ProgramVersion, known)
	}
	return m.schema > known, nil
}
