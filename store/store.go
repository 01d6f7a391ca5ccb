// Package store keeps what Curfew knows in SQLite or PostgreSQL. It implements [revoke.Store]; the rules stay in revoke, and
// run here between a lock and a write: one transaction locks and reads what a group of decisions needs, lets each decide,
// and writes all of it at once (group.go).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"curfew/revoke"
)

// Config names everything a Store depends on.
type Config struct {
	// URL is sqlite:path or postgres://….
	URL string
	Log *slog.Logger
	// ProgramVersion is this program's, for messages.
	ProgramVersion string
	// Doubt is told when another server may have written since: what is known in memory must be read again. It may be nil
	// and must not block.
	Doubt func(error)
	// LargestGroup is how many events share a transaction at most: 0 is 64, and 1 groups nothing.
	LargestGroup int
}

// Store is a [revoke.Store] over a database. It is safe for concurrent use.
type Store struct {
	db     database
	log    *slog.Logger
	clock  revoke.ProcessClock
	lock   *serverLock
	queue  *queue
	reads  *sqlx.DB
	writes *sql.DB

	deciding chan *writer // the writers of groups
	settling chan *writer // those of the dispatcher; on SQLite the same one
	prepared sync.Map     // text to *sql.Stmt, on reads
	decided  atomic.Bool  // since the clock's mark was stored
	orphans  orphans
	stop     context.CancelFunc
	work     sync.WaitGroup
}

var _ revoke.Store = (*Store)(nil)

const (
	defaultGroup = 64
	// silence is how long a database may say nothing before its connection is given up. It is longer than a statement or a
	// lock may take.
	silence   = 20 * time.Second
	markEvery = time.Second
)

// Open takes the server's lock, brings the schema up to date and returns a Store that works until it is closed. A second
// server on the same database is refused in words.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Log == nil {
		return nil, errors.New("store.Open: Log is needed")
	}
	if cfg.Doubt == nil {
		cfg.Doubt = func(error) {}
	}
	if cfg.LargestGroup <= 0 {
		cfg.LargestGroup = defaultGroup
	}
	s := &Store{log: cfg.Log, queue: newQueue(cfg.LargestGroup)}
	if err := s.open(ctx, cfg); err != nil {
		s.release()
		return nil, err
	}
	if err := errors.Join(s.freeLeases(ctx), s.fillValues(ctx)); err != nil {
		s.release()
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if s.settling == s.deciding {
		s.work.Go(s.workAll)
	} else {
		for range cap(s.deciding) {
			s.work.Go(s.decideAll)
		}
		for range cap(s.settling) {
			s.work.Go(s.choreAll)
		}
	}
	s.work.Go(func() { s.keepMark(background) })
	s.work.Go(func() { s.lock.watch(background) })
	return s, nil
}

func (s *Store) open(ctx context.Context, cfg Config) error {
	scheme, path, _ := strings.Cut(cfg.URL, ":")
	switch scheme {
	case "sqlite":
		if err := s.openSQLite(ctx, cfg, path); err != nil {
			return err
		}
	case "postgres", "postgresql":
		if err := s.openPostgres(ctx, cfg); err != nil {
			return err
		}
	default:
		return revoke.Invalid{Field: "database", Problem: "names no database that we know", Fix: `write sqlite:curfew.db or postgres://user@host/curfew`}
	}
	return s.setClock(ctx)
}

func pool(writers ...*writer) chan *writer {
	c := make(chan *writer, len(writers))
	for _, w := range writers {
		c <- w
	}
	return c
}

// setClock holds the clock at or after every instant that was ever given out and is in the database.
func (s *Store) setClock(ctx context.Context) error {
	for _, text := range []string{
		"SELECT clock_mark FROM meta WHERE one = 1",
		"SELECT at FROM changes ORDER BY seq DESC LIMIT 1",
		"SELECT at FROM audit ORDER BY seq DESC LIMIT 1",
	} {
		var at revoke.Instant
		if err := s.reads.QueryRowContext(ctx, text).Scan(&at); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the clock's mark: %w", err)
		}
		s.clock.Hold(at)
	}
	return nil
}

// Clock is the one clock.
func (s *Store) Clock() revoke.Clock { return &s.clock }

// keepMark stores how far the clock has come, outside of every decision.
func (s *Store) keepMark(ctx context.Context) {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !s.decided.Swap(false) {
				continue
			}
			if err := s.settle(ctx, durable, s.mark); err != nil && ctx.Err() == nil {
				s.log.Warn("the clock's mark could not be stored", "err", err)
			}
		}
	}
}

func (s *Store) mark(ctx context.Context, w *writer) (bool, error) {
	_, err := w.exec(ctx, s.db.text("UPDATE meta SET clock_mark = GREATEST(clock_mark, $1) WHERE one = 1"), int64(s.clock.Now()))
	return true, err
}

// alone runs a transaction while nobody works off the queue.
func (s *Store) alone(ctx context.Context, do func(context.Context, *writer) (bool, error)) error {
	if err := s.lock.held(); err != nil {
		return err
	}
	w := <-s.settling
	defer func() { s.settling <- w }()
	return s.retrying(ctx, w, durable, func(ctx context.Context) (bool, error) { return do(ctx, w) })
}

// Close carries out what is queued, stores the clock's mark and gives the lock back. It may be called once.
func (s *Store) Close() error {
	s.queue.close()
	s.stop()
	s.work.Wait()
	err := errors.Join(s.alone(context.Background(), s.mark), s.reads.Close())
	w := <-s.deciding
	err = errors.Join(err, s.db.fold(context.Background(), w))
	s.deciding <- w
	s.release()
	return err
}

// release closes what open opened, however far it came.
func (s *Store) release() {
	if s.reads != nil {
		_ = s.reads.Close() // first: on SQLite the last connection folds the log into the database
	}
	for range cap(s.deciding) {
		(<-s.deciding).drop()
	}
	if s.settling != s.deciding {
		for range cap(s.settling) {
			(<-s.settling).drop()
		}
	}
	if s.writes != nil {
		_ = s.writes.Close()
	}
	if s.lock != nil {
		s.lock.release()
	}
}
