package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// pageRows is how many rows a page has.
const pageRows = 100

// page is a page of a list, as far as it matters how to go on.
type page struct {
	Items []json.RawMessage `json:"items"`
	Next  *string           `json:"next"`
}

// pages compares the first page of every long list with a page far behind it.
func (b *bench) pages(ctx context.Context, d *database) (err error) {
	if err := b.history(ctx, d); err != nil {
		return err
	}
	c, err := startClient(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	s, err := b.start(ctx, d, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for _, list := range []string{"/v1/sessions", "/v1/users", "/v1/events", "/v1/deliveries", "/v1/alarms?all=true", "/v1/users/" + firstID + "/timeline"} {
		if err := b.pagesOf(ctx, d, s, c, list); err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
	}
	return nil
}

// history writes what is behind the lists, once.
func (b *bench) history(ctx context.Context, d *database) error {
	if d.historic {
		return nil
	}
	d.historic = true
	b.progress("%s: writing %s events, and %s rows behind each other list", d.name, thousands(b.events), thousands(b.rows))
	if err := d.writeHistory(ctx, b.rows, b.events); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return d.settle(ctx)
}

// pagesOf says by how much two pages differ, whichever is the slower.
func (b *bench) pagesOf(ctx context.Context, d *database, s *server, c client, list string) error {
	cursor, err := s.walk(ctx, list, b.page)
	if err != nil {
		return err
	}
	asking := func(name, cursor string) contender {
		return c.sending(list+", "+name, load{Address: s.address, Requests: [][]byte{s.get(onPage(list, cursor), "ops")}, Expect: `"items":[{`, Clients: 1})
	}
	rates, err := b.rates(ctx, b.rounds, b.slice/4, asking("first page", ""), asking("page "+thousands(b.page), cursor))
	if err != nil {
		return err
	}
	slower := ratio(rates[0], rates[1])
	what := fmt.Sprintf("page %s of %s, in first pages", thousands(b.page), strings.Replace(list, firstID, "{id}", 1))
	if slower < 1 {
		slower, what = 1/slower, fmt.Sprintf("the first page of %s, in pages %s", strings.Replace(list, firstID, "{id}", 1), thousands(b.page))
	}
	b.say(verdict{
		what: d.name + ": " + what, ratio: slower, goal: 2, beside: fmt.Sprintf("%.0f pages a second here", median(rates[0])),
		where: b.where(thousands(b.rows)+" rows of each other list", fmt.Sprintf("%d a page", pageRows), clients(1), "HTTP"),
	})
	return nil
}

// walk follows the list to a page, and returns the cursor that asks for it.
func (s *server) walk(ctx context.Context, list string, to int) (string, error) {
	cursor := ""
	for at := 1; at < to; at++ {
		answer, err := s.call(ctx, http.MethodGet, onPage(list, cursor), "ops", nil)
		if err != nil {
			return "", err
		}
		var p page
		if err := json.Unmarshal(answer.Body, &p); err != nil || answer.Status != http.StatusOK || len(p.Items) != pageRows || p.Next == nil {
			return "", fmt.Errorf("page %d has %d items and no page behind it: %d %.300s", at, len(p.Items), answer.Status, answer.Body)
		}
		cursor = *p.Next
	}
	return cursor, nil
}

// onPage asks for so many rows of a list, behind the cursor if there is one.
func onPage(list, cursor string) string {
	separator := "?"
	if strings.Contains(list, separator) {
		separator = "&"
	}
	list += fmt.Sprintf("%slimit=%d", separator, pageRows)
	if cursor != "" {
		list += "&cursor=" + url.QueryEscape(cursor)
	}
	return list
}

// get is a question under a token's secret as a client process sends it.
func (s *server) get(path, token string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, s.address, s.secrets[token])
}

// firstID is the id of the first row that writeHistory writes to each table.
const firstID = "01900000-0000-7000-8000-000000000001"

// writeHistory writes so many events, and so many people, revocations of one person with a delivery each, and alarms of the past. It goes past the
// store, whose transactions would take half an hour for so much.
func (d *database) writeHistory(ctx context.Context, rows, events int) error {
	db, err := sql.Open(d.driver, d.storeDSN)
	if err != nil {
		return err
	}
	// What differs: how the n-th id is written, and an id that is none.
	id, one, none := "printf('01900000-0000-7000-8000-%012x', n)", "'"+firstID+"'", "'"+noID+"'"
	if d.driver == "postgres" {
		id = "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
		one, none = one+"::uuid", none+"::uuid"
	}
	const at = "1720000000000000"
	for _, insert := range []string{
		"users (org, id, spared, lifted_over, created_at) SELECT 'main', ID, 0, 0, AT + n",
		"identifiers (org, namespace, value, held_from, user_id, released_at, authority, event_id) SELECT 'main', 'email', 'former-' || n || '@example.edu', AT, ID, 0, 'okta', NONE",
		"events (org, id, source, authority, sender_id, type, received_at, occurred_at, state, note, body, decided) " +
			`SELECT 'main', ID, 'okta', 'okta', 'former-' || n, 'user.lifecycle.deactivate', AT + n, AT + n, 'decided', '', '{"eventType":"user.lifecycle.deactivate"}', '{}'`,
		"revocations (org, id, event_id, kind, signal, scope, user_id, device_id, key, session_id, at, blocked, reason, actor_kind, actor_name, created_at) " +
			"SELECT 'main', ID, ID, 'end', 'sessions-cleared', 'user', ONE, NONE, '', NONE, AT + n, 0, 'lost', 'source', 'okta', AT + n",
		"deliveries (org, revocation_id, target, user_id, ord, state, priority, due_at, attempts, first_at, lease, lease_until, ready_at, last_error, receipt, done_at) " +
			"SELECT 'main', ID, 'canvas', ONE, AT + n, 'done', 0, AT + n, 1, AT + n, NONE, 0, 0, '', '', AT + n",
		"alarms (org, id, kind, about, text, raised_at, last_at, count, cleared_at) SELECT 'main', ID, 'parked', 'canvas', 'deliveries wait', AT + n, AT + n, 1, AT + n + 1",
	} {
		filled := strings.NewReplacer("ID", id, "ONE", one, "NONE", none, "AT", at)
		columns, values, _ := strings.Cut(insert, "SELECT")
		// #nosec G202 -- nothing of it comes from outside
		statement := "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) INSERT INTO " + columns + "SELECT" + filled.Replace(values) + " FROM numbers"
		count := rows
		if strings.HasPrefix(insert, "events ") {
			count = events
		}
		if _, err := db.ExecContext(ctx, statement, count); err != nil {
			return errors.Join(fmt.Errorf("%.40s: %w", insert, err), db.Close())
		}
	}
	return db.Close()
}
