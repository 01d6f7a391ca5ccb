package store_test

import (
	"context"
	"log/slog"
	"testing"

	"curfew/internal/pgtest"
	"curfew/store"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		return store.Migrate(ctx, store.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	})
}
