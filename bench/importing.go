package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// imports compares the import of sessions over HTTP, a thousand a request, with the fastest way in which the database takes the
// same rows into the same table: COPY on PostgreSQL, prepared inserts in one transaction on SQLite. Each thousand is committed.
func (b *bench) imports(ctx context.Context, d *database) (err error) {
	s, err := b.start(ctx, d, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	importing := steady("import over HTTP", counting(1000, workers(1, func(ctx context.Context, _ int) error {
		return s.importSome(ctx, d)
	})))
	rates, err := b.rates(ctx, b.rounds, b.slice, d.bulk(), importing)
	if err != nil {
		return err
	}
	way := map[string]string{"postgres": "COPY", "sqlite": "a bulk insert"}[d.name]
	b.say(verdict{
		what: d.name + ": sessions imported per second, of rows by " + way, ratio: ratio(rates[1], rates[0]), goal: 0.5, atLeast: true,
		beside: fmt.Sprintf("%.0f sessions a second here", median(rates[1])),
		where:  b.where(clients(1), "1,000 a commit", "people known by their address", "HTTP"),
	})
	return nil
}

// counting returns a rate of things of which an operation does so many.
func counting(each float64, work rate) rate {
	return func(ctx context.Context, slice time.Duration) (float64, error) {
		perSecond, err := work(ctx, slice)
		return each * perSecond, err
	}
}

// importSome registers the next thousand sessions.
func (s *server) importSome(ctx context.Context, d *database) error {
	var body bytes.Buffer
	issued := time.Now().UTC().Add(-time.Hour)
	for range asked {
		n := d.events.Add(1)
		fmt.Fprintf(&body, `{"subject":{"format":"email","email":%q},"kind":"mobile","id":"app-session-%d","token":"token-%032d","issued_at":%q,"expires_at":%q,"ip":"192.0.2.7","user_agent":"PortalApp/7.1"}`+"\n",
			address(d.spared.pick()), n, n, issued.Format(time.RFC3339Nano), issued.Add(revoke.DefaultLifetime).Format(time.RFC3339Nano))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/v1/sessions", &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Authorization", "Bearer "+s.secrets["portal"])
	answer, err := outbound.Do(s.client, r, 1<<20)
	if err != nil {
		return err
	}
	if made := bytes.Count(answer.Body, []byte(`"created":true`)); answer.Status != http.StatusOK || made != asked {
		return fmt.Errorf("%d of a thousand sessions were registered: %d %.300s", made, answer.Status, answer.Body)
	}
	return nil
}

// sessionColumns are those of the table, in the order of sessionRow.
func sessionColumns() []string {
	return []string{
		"org", "id", "app", "client_id", "user_id", "kind", "device_id", "sid", "token_hash", "issued_at", "auth_time", "born_at", "expires_at",
		"idle", "spared", "facts", "registered_at", "ended_at", "ended_by",
	}
}

const noID = "00000000-0000-0000-0000-000000000000"

// sessionRow is a row as an import writes it, of somebody of whom there is nothing else.
func sessionRow(n int64) []any {
	now := revoke.InstantOf(time.Now())
	hash := sha256.Sum256(fmt.Appendf(nil, "copied-%d", n))
	user := revoke.ID(hash[:len(revoke.ID{})]) // anywhere in the index, as known people are
	return []any{
		org, revoke.NewID(now).String(), "portal", fmt.Sprintf("copied-%d", n), user.String(), "mobile", noID, "", base64.RawURLEncoding.EncodeToString(hash[:]),
		int64(now), int64(0), int64(now), int64(now.Add(revoke.DefaultLifetime)),
		int64(0), int64(0), `{"ip":"192.0.2.7","user_agent":"PortalApp/7.1","issued_sent":true}`, int64(now), int64(0), noID,
	}
}

// bulkStatement writes such rows the fastest way there is.
func (d *database) bulkStatement() string {
	columns := sessionColumns()
	if d.driver == "sqlite" {
		return "INSERT INTO sessions (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	}
	return "COPY sessions (" + strings.Join(columns, ", ") + ") FROM STDIN"
}

// bulk is the contender that writes such rows itself, beside the server.
func (d *database) bulk() contender {
	return contender{name: "rows written in bulk", open: func(context.Context) (rate, func() error, error) {
		db, err := sql.Open(d.driver, d.storeDSN)
		if err != nil {
			return nil, nil, err
		}
		db.SetMaxOpenConns(1)
		return counting(asked, workers(1, func(ctx context.Context, _ int) error {
			return d.writeRows(ctx, db, d.bulkStatement())
		})), db.Close, nil
	}}
}

// writeRows writes a thousand rows in one transaction.
func (d *database) writeRows(ctx context.Context, db *sql.DB, statement string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	row, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	for range asked {
		if _, err := row.ExecContext(ctx, sessionRow(d.events.Add(1))...); err != nil {
			return err
		}
	}
	if d.driver == "postgres" {
		if _, err := row.ExecContext(ctx); err != nil { // the end of COPY
			return err
		}
	}
	if err := row.Close(); err != nil { //nolint:sqlclosecheck // COPY ends with it, before the commit
		return err
	}
	return tx.Commit()
}
