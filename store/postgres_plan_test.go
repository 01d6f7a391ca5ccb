package store

import (
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"curfew/internal/pgtest"
)

// fillPostgres writes what a database of some size holds: nearly all rows are of one org, and few wait for anything.
var fillPostgres = []string{
	`INSERT INTO users (org, id, spared, lifted_over, created_at) SELECT 'main', gen_random_uuid(), 0, 0, n FROM generate_series(1, 20000) n`,
	`INSERT INTO identifiers (org, namespace, value, held_from, user_id, released_at, authority, event_id)
		SELECT 'main', 'email', 'u' || row_number() OVER () || '@example.edu', 1, id, 0, '', id FROM users`,
	`INSERT INTO blocks (org, user_id, authority, class, blocked_at, lifted_at, until, revocation_id)
		SELECT 'main', id, 'okta', 'plain', 1, 0, 0, id FROM users LIMIT 5000`,
	`INSERT INTO sessions (org, id, app, client_id, user_id, kind, device_id, sid, token_hash, issued_at, auth_time, born_at, expires_at, idle, spared, facts, registered_at, ended_at, ended_by)
		SELECT 'main', gen_random_uuid(), 'portal', 'c' || created_at, id, 'mobile', id, 's' || created_at, 't' || created_at, 1, 0, created_at, 9e15, 0, 0, '{}', 1, 0, id FROM users`,
	`INSERT INTO events (org, id, source, authority, sender_id, type, received_at, occurred_at, state, note, body, decided)
		SELECT 'main', gen_random_uuid(), 's' || n % 5, 'okta', 'e' || n, 't' || n % 20, n, n, CASE WHEN n % 100 = 0 THEN 'unknown' ELSE 'ignored' END, '', '', '' FROM generate_series(1, 20000) n`,
	`INSERT INTO revocations (org, id, event_id, kind, signal, scope, user_id, device_id, key, session_id, at, blocked, reason, actor_kind, actor_name, created_at)
		SELECT 'main', gen_random_uuid(), id, 'end', 'suspended', 'user', id, id, '', id, 1, 0, '', '', '', created_at FROM users`,
	`INSERT INTO deliveries (org, revocation_id, target, user_id, ord, state, priority, due_at, attempts, first_at, lease, lease_until, ready_at, last_error, receipt, done_at)
		SELECT 'main', id, t, user_id, created_at, CASE WHEN created_at % 200 = 0 THEN 'due' WHEN created_at % 300 = 1 THEN 'parked' ELSE 'done' END, 0, 1, 1, 1, id, 0, 1, '', '', 1
		FROM revocations CROSS JOIN unnest(ARRAY['canvas', 'portal']) t`,
	`INSERT INTO alarms (org, id, kind, about, text, raised_at, last_at, count, told_at, cleared_at)
		SELECT 'main', gen_random_uuid(), 'k' || n % 20, 's' || n, '', n, n, 1, n, CASE WHEN n % 500 = 0 THEN 0 ELSE n END FROM generate_series(1, 20000) n`,
	`INSERT INTO members (org, group_id, resource_id, user_id, added_at) SELECT 'main', '00000000-0000-0000-0000-000000000001', id, id, 1 FROM users LIMIT 10000`,
	`INSERT INTO members (org, group_id, resource_id, user_id, added_at) SELECT 'main', gen_random_uuid(), id, id, 1 FROM users LIMIT 1000`,
	`ANALYZE`,
}

// With generic plans, as the product runs, no question that is asked often or page by page reads a whole table.
func TestPostgreSQLPlansReadNoWholeTable(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{URL: pgtest.Database(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := s.reads.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, text := range fillPostgres {
		if text == "ANALYZE" { // a directory that has just been filled is asked before anybody counted it
			plan := genericPlan(t, conn, "uncounted", postgresMemberships)
			if !strings.Contains(plan, "members_resource") || strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "Nested Loop") {
				t.Errorf("without statistics: %s\n got plan %s want members_resource in a nested loop", postgresMemberships, plan)
			}
		}
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	for i, c := range []struct{ text, want string }{
		{"SELECT " + sessionsTable.list + " FROM sessions WHERE org = $1 AND token_hash <> '' AND token_hash IN ($2, $3)", "sessions_token"},
		{"SELECT " + sessionsTable.list + " FROM sessions WHERE org = $1 AND (born_at, id) < ($2, $3) ORDER BY born_at DESC, id DESC LIMIT $4", "sessions_born"},
		{"SELECT " + identifiersTable.list + " FROM identifiers WHERE org = $1 AND namespace = $2 AND value = $3 ORDER BY held_from", "identifiers_"},
		{"SELECT " + eventsTable.list + " FROM events WHERE org = $1 AND id < $2 ORDER BY id DESC LIMIT $3", "events_pkey"},
		{"SELECT " + eventsTable.list + " FROM events WHERE org = $1 AND source = $2 AND id < $3 ORDER BY id DESC LIMIT $4", "events_source_id"},
		{"SELECT " + eventsTable.list + " FROM events WHERE org = $1 AND type = $2 ORDER BY id DESC LIMIT $3", "events_type"},
		{"SELECT " + eventsTable.list + " FROM events WHERE org = $1 AND state IN ('held', 'unknown', 'malformed') AND state = 'held' ORDER BY id DESC LIMIT $2", "events_odd"},
		{"SELECT type, count(*) FROM events WHERE org = $1 AND source = $2 AND state = 'unknown' GROUP BY type", "events_unknown"},
		{"SELECT " + revocationsTable.list + " FROM revocations WHERE org = $1 AND user_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4", "revocations_user_id"},
		{"SELECT " + deliveriesTable.list + " FROM deliveries WHERE org = $1 AND (revocation_id, target) > ($2, $3) ORDER BY revocation_id, target LIMIT $4", "deliveries_pkey"},
		{"SELECT " + deliveriesTable.list + " FROM deliveries WHERE org = $1 AND state = 'parked' ORDER BY revocation_id, target LIMIT $2", "deliveries_parked"},
		{readyPage, "deliveries_ready"},
		{"SELECT state, count(*), min(first_at) FROM deliveries WHERE " + waitingAt[0] + " GROUP BY state", "deliveries_ready"},
		{"SELECT state, count(*), min(first_at) FROM deliveries WHERE " + waitingAt[1] + " GROUP BY state", "deliveries_halted"},
		{"SELECT state, count(*), min(first_at) FROM deliveries WHERE " + waitingAt[2] + " GROUP BY state", "deliveries_parked"},
		{"SELECT " + alarmsTable.list + " FROM alarms WHERE org = $1 AND cleared_at = 0 ORDER BY id DESC LIMIT $2", "alarms_open"},
		{"SELECT " + alarmsTable.list + " FROM alarms WHERE org = $1 AND kind = $2 ORDER BY id DESC LIMIT $3", "alarms_kind"},
		{"SELECT " + membersTable.list + " FROM members WHERE org = $1 AND group_id = $2 AND resource_id > $3 ORDER BY group_id, resource_id LIMIT $4", "members_pkey"},
		{"SELECT " + membersTable.list + " FROM members WHERE org = $1 AND group_id IN ($2, $3)", "members_pkey"},
		{postgresMemberships, "members_resource"},
		{blocksDue, "blocks_due"},
		{plansDue, "plans_due"},
	} {
		plan := genericPlan(t, conn, fmt.Sprintf("plan_%d", i), c.text)
		whole := strings.NewReplacer("Seq Scan on plans", "", "Seq Scan on paused", "").Replace(plan) // they are empty here
		if !strings.Contains(plan, c.want) && !strings.Contains(plan, "Seq Scan on plans") || strings.Contains(whole, "Seq Scan") {
			t.Errorf("%s\n got plan %s want %s", c.text, plan, c.want)
		}
	}
}

// genericPlan is how PostgreSQL would answer a question whose arguments it does not look at.
func genericPlan(t *testing.T, conn *sql.Conn, name, text string) (plan string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), "PREPARE "+name+" AS "+text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	arguments := strings.TrimSuffix(strings.Repeat("NULL, ", marks(strings.ReplaceAll(text, "$", "?"))), ", ")
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN EXECUTE "+name+"("+arguments+")")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	err = drain(rows, func(rows *sql.Rows) error {
		var line string
		err := rows.Scan(&line)
		plan += line + "\n"
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return plan
}
