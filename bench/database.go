package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver of both the product and the bare commits

	"curfew/internal/pgtest"
	"curfew/revoke"
	"curfew/store"
)

// database is one of the two that Curfew runs on, with a place beside it for bare commits.
type database struct {
	name      string
	home      string // a folder
	url       string // as the configuration names it
	groupGoal float64
	historic  bool         // the rows behind the lists are there
	resources []revoke.ID  // of the directory's people, by their number
	crowd     crowd        // nine of ten
	spared    crowd        // the rest, to whom nothing happens
	events    atomic.Int64 // ids given to events
	bareDSN   string
	storeDSN  string // of the store's own database, for contenders that write there themselves
	driver    string
	stop      func()
}

// openDatabase makes an empty database in home.
func openDatabase(ctx context.Context, name, home string, users int) (*database, error) {
	d := &database{name: name, home: home, stop: func() {}}
	d.crowd.users = max(1, users*9/10)
	d.spared.first, d.spared.users = users-max(1, users/10), max(1, users/10)
	switch name {
	case "sqlite":
		d.url, d.groupGoal, d.driver = "sqlite:"+filepath.Join(home, "curfew.db"), 1.6, "sqlite"
		// As durable as the store's own: section 3 of https://sqlite.org/pragma.html#pragma_synchronous.
		q := url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)"}}
		d.bareDSN = "file:" + filepath.Join(home, "bare.db") + "?" + q.Encode()
		d.storeDSN = "file:" + filepath.Join(home, "curfew.db") + "?" + q.Encode()
	case "postgres":
		c, err := pgtest.Start(ctx, "shared_buffers=256MB")
		if err != nil {
			return nil, err
		}
		d.stop = c.Stop
		d.url, d.groupGoal, d.driver, d.bareDSN = c.URL("curfew"), 2.5, "postgres", c.URL("postgres")
		d.storeDSN = d.url
	default:
		return nil, fmt.Errorf("no database is called %q: take sqlite, postgres or both", name)
	}
	if err := d.makeBare(ctx); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// makeBare makes the table of the bare commits, which on PostgreSQL lie beside the database in a cluster.
func (d *database) makeBare(ctx context.Context) error {
	db, err := sql.Open(d.driver, d.bareDSN)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE bare (id BIGINT PRIMARY KEY, at BIGINT NOT NULL, said TEXT NOT NULL)")
	if err == nil && d.driver == "postgres" {
		_, err = db.ExecContext(ctx, "CREATE DATABASE curfew")
	}
	return errors.Join(err, db.Close())
}

// bare is the contender that every promise is measured by: one prepared insert of one small row, committed durably. On
// SQLite all clients wait for the one writer, as they do in the store.
func (d *database) bare(clients int) contender {
	return contender{name: "bare durable commits", open: func(ctx context.Context) (rate, func() error, error) {
		db, err := sql.Open(d.driver, d.bareDSN)
		if err != nil {
			return nil, nil, err
		}
		connections := clients
		if d.driver == "sqlite" {
			connections = 1
		}
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		insert, err := db.PrepareContext(ctx, "INSERT INTO bare (id, at, said) VALUES ($1, $2, $3)")
		if err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		return workers(clients, func(ctx context.Context, _ int) error {
			n := d.events.Add(1)
			_, err := insert.ExecContext(ctx, n, n, "a small row")
			return err
		}), db.Close, nil
	}}
}

// open opens the store. A largest group of one makes every decision wait for a commit of its own; zero is the product's.
func (d *database) open(ctx context.Context, largestGroup int) (revoke.Store, error) {
	return store.Open(ctx, store.Config{URL: d.url, Log: slog.New(slog.DiscardHandler), ProgramVersion: "bench", LargestGroup: largestGroup})
}

// settle brings the database into the state it would be in some minutes after so much was written: PostgreSQL looks at new
// tables in the background, which would fall into one contender's slice or another's.
func (d *database) settle(ctx context.Context) error {
	if d.driver != "postgres" {
		return nil // the store wrote back its log when it was closed
	}
	db, err := sql.Open(d.driver, d.url)
	if err != nil {
		return err
	}
	for _, command := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err = db.ExecContext(ctx, command); err != nil {
			break
		}
	}
	return errors.Join(err, db.Close())
}
