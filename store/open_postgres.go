package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/pressly/goose/v3"

	"curfew/revoke"
)

// How many connections a server holds. Two writers let one group be read while the other commits; more share no flush.
const (
	postgresDeciders = 2
	postgresSettlers = 2
	postgresReaders  = 8
)

// Our advisory locks, in the key space of two numbers; those of decisions are in that of one.
const (
	lockSpace     = 0x63757266 // "curf"
	lockServer    = 1
	lockMigration = 2
)

// postgresSettings hold on every connection. Statements are planned once, for any arguments: planning costs more than running.
var postgresSettings = map[string]string{
	"plan_cache_mode": "force_generic_plan", "jit": "off", "idle_in_transaction_session_timeout": "30000",
}

// writerSettings hold on the connections that decide. All their statements look rows up by key, so that no statistics, and
// none yet on a fresh database, may lead the planner to read a whole table under our locks.
var writerSettings = map[string]string{
	"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "statement_timeout": "15000", "lock_timeout": "10000",
}

// openPostgresPool returns a pool that connects when it is first asked. Errors never show the address, which may hold a password.
func openPostgresPool(url string, more ...map[string]string) (*sql.DB, error) {
	cfg, err := pq.NewConfig(url)
	if err != nil {
		return nil, revoke.Invalid{Field: "database", Problem: "is not a PostgreSQL address", Fix: "write postgres://user:password@host/curfew"}
	}
	cfg.FallbackApplicationName = "curfew"
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	cfg.BinaryParameters = true // for arrays: what is no []byte still goes as text
	cfg.Runtime = maps.Clone(cfg.Runtime)
	if cfg.Runtime == nil {
		cfg.Runtime = map[string]string{}
	}
	for _, settings := range append([]map[string]string{postgresSettings}, more...) {
		maps.Copy(cfg.Runtime, settings)
	}
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, revoke.Invalid{Field: "database", Problem: "is not a PostgreSQL address", Fix: "write postgres://user:password@host/curfew"}
	}
	connector.Dialer(patientDialer{silence})
	return sql.OpenDB(connector), nil
}

func (s *Store) openPostgres(ctx context.Context, cfg Config) (err error) {
	s.db = postgresDB{}
	reads, err := openPostgresPool(cfg.URL)
	if err != nil {
		return err
	}
	s.reads = sqlx.NewDb(reads, "postgres")
	s.reads.SetMaxOpenConns(postgresReaders)
	s.reads.SetMaxIdleConns(postgresReaders)
	if s.writes, err = openPostgresPool(cfg.URL, writerSettings); err != nil {
		return err
	}
	locks, err := openPostgresPool(cfg.URL)
	if err != nil {
		return err
	}
	s.lock = postgresLock(ctx, locks, cfg)
	if err := firstTake(ctx, s.lock); err != nil {
		return err
	}
	if err := migratePostgres(ctx, reads, cfg); err != nil {
		return err
	}
	s.deciding = writers(s.writes, postgresDeciders)
	s.settling = writers(s.writes, postgresSettlers)
	return nil
}

func writers(db *sql.DB, n int) chan *writer {
	all := make([]*writer, n)
	for i := range all {
		all[i] = &writer{pool: db}
	}
	return pool(all...)
}

// postgresLock is the server's lock: an advisory one of a connection that does nothing else, so that the lock goes when the
// connection does.
func postgresLock(ctx context.Context, db *sql.DB, cfg Config) *serverLock {
	db.SetMaxOpenConns(1)
	var conn *sql.Conn
	drop := func() {
		if conn != nil {
			discard(conn)
			conn = nil
		}
	}
	return &serverLock{
		doubt: cfg.Doubt,
		free: func() {
			if conn != nil { // else it is free only once the server has seen that we are gone
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				_, _ = conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1, $2)", lockSpace, lockServer)
				cancel()
			}
			drop()
			_ = db.Close()
		},
		check: func(ctx context.Context) error {
			if _, err := conn.ExecContext(ctx, "SELECT 1"); err != nil {
				drop()
				return err
			}
			return nil
		},
		take: func(ctx context.Context) (err error) {
			if conn, err = db.Conn(ctx); err != nil {
				return fmt.Errorf("connect to PostgreSQL: %w", err)
			}
			if err = takeServerLock(ctx, conn); err != nil {
				drop()
			}
			return err
		},
	}
}

func takeServerLock(ctx context.Context, conn *sql.Conn) error {
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		if err := conn.QueryRowContext(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return fmt.Errorf("ask PostgreSQL for %s: %w", setting, err)
		}
		if value == "off" {
			return fmt.Errorf("PostgreSQL runs with %s = off, so a power cut would lose revocations that were acknowledged: set %s = on for this database "+
				"(ALTER SYSTEM or ALTER DATABASE, then reload)", setting, setting)
		}
	}
	got := false
	if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockSpace, lockServer).Scan(&got); err != nil {
		return fmt.Errorf("take the server's lock: %w", err)
	}
	if !got {
		return fmt.Errorf("another curfew serves this database: stop it first; until the change feed for several servers exists, "+
			"one server works on a database: %w", errLocked)
	}
	return nil
}

const (
	lockProbe = 50 * time.Millisecond
	lockTries = 100 // a server that was killed holds the lock until PostgreSQL has seen it
)

// firstTake takes the lock, with some patience for a server that has just ended.
func firstTake(ctx context.Context, l *serverLock) error {
	tick := time.NewTicker(lockProbe)
	defer tick.Stop()
	for try := 1; ; try++ {
		err := l.take(ctx)
		if err == nil || try == lockTries || !errors.Is(err, errLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

const (
	migrationProbe = 100 * time.Millisecond
	migrationWait  = 10 * time.Second
)

// migratePostgres migrates under a lock of our own: goose's looks only every 5 s whether it is free.
func migratePostgres(ctx context.Context, db *sql.DB, cfg Config) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := waitForMigrations(ctx, conn); err != nil {
		return err
	}
	err = migrate(ctx, db, cfg, goose.DialectPostgres, "postgres", "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('meta')")
	if _, unlock := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1, $2)", lockSpace, lockMigration); unlock != nil {
		return errors.Join(err, fmt.Errorf("give the migrations' lock back: %w", unlock))
	}
	return err
}

func waitForMigrations(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, migrationWait)
	defer cancel()
	tick := time.NewTicker(migrationProbe)
	defer tick.Stop()
	for {
		got := false
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockSpace, lockMigration).Scan(&got); err != nil {
			return fmt.Errorf("take the migrations' lock: %w", err)
		}
		if got {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another curfew has been migrating this database for %s: wait for it, or end its session in pg_stat_activity", migrationWait)
		case <-tick.C:
		}
	}
}
