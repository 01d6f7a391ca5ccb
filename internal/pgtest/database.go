package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Migrate brings the schema of a database up to date.
type Migrate func(ctx context.Context, url string) error

// shared is the one cluster of a test binary, started when the first test asks.
var shared struct {
	sync.Mutex
	migrate Migrate
	cluster *Cluster
	admin   *sql.DB
	err     error
	made    int
}

const template = "curfew_template"

// Main is a TestMain: it runs the tests and ends what they started. Databases are copies of one that migrate has migrated.
func Main(m *testing.M, migrate Migrate) {
	shared.Lock()
	shared.migrate = migrate
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	if shared.admin != nil {
		_ = shared.admin.Close()
	}
	if shared.cluster != nil {
		shared.cluster.Stop()
	}
	shared.Unlock()
	os.Exit(code)
}

// Database returns the address of a migrated, empty database of the test's own.
func Database(tb testing.TB) string {
	tb.Helper()
	return database(tb, " TEMPLATE "+template+" STRATEGY wal_log")
}

// EmptyDatabase returns the address of a database without a schema.
func EmptyDatabase(tb testing.TB) string {
	tb.Helper()
	return database(tb, "")
}

func database(tb testing.TB, from string) string {
	tb.Helper()
	cluster, admin, name, err := next(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := admin.ExecContext(tb.Context(), "CREATE DATABASE "+name+from); err != nil {
		tb.Fatalf("make a database: %v", err)
	}
	tb.Cleanup(func() {
		if _, err := admin.ExecContext(context.WithoutCancel(tb.Context()), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop the database: %v", err)
		}
	})
	return cluster.URL(name)
}

// next starts the cluster when there is none yet, and names the next database.
func next(ctx context.Context) (*Cluster, *sql.DB, string, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.err = prepare(context.WithoutCancel(ctx))
	}
	shared.made++
	return shared.cluster, shared.admin, fmt.Sprintf("test_%d", shared.made), shared.err
}

func prepare(ctx context.Context) (err error) {
	if shared.migrate == nil {
		return fmt.Errorf("pgtest: the package's TestMain must call pgtest.Main")
	}
	if shared.cluster, err = Start(ctx); err != nil {
		return err
	}
	if shared.admin, err = sql.Open("postgres", shared.cluster.URL("postgres")); err != nil {
		return fmt.Errorf("open PostgreSQL: %w", err)
	}
	if _, err := shared.admin.ExecContext(ctx, "CREATE DATABASE "+template); err != nil {
		return fmt.Errorf("make the template: %w", err)
	}
	if err := shared.migrate(ctx, shared.cluster.URL(template)); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	return nil
}
