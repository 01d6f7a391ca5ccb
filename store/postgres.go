package store

import (
	"context"
	"database/sql"
	"errors"
)

func openPostgresPool(string) (*sql.DB, error) { return nil, errors.New("x") }
func migratePostgres(context.Context, *sql.DB, Config) error { return nil }
func (s *Store) openPostgres(context.Context, Config) error { return errors.New("x") }
