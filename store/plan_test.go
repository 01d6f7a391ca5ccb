package store

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// Without its numbers SQLite answers "whose is this" by reading every row of the org.
func TestSQLitePlansUseTheWholeKey(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "curfew.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct{ text, want string }{
		{userOf, "PRIMARY KEY (org=? AND id=?)"},
		{"SELECT * FROM users WHERE id IN (?1, ?2, ?3)", "(id=?)"},
		{"SELECT * FROM users WHERE org = ?1 AND id > ?2 ORDER BY id LIMIT 10", "(org=? AND id>?)"},
		{strings.ReplaceAll(holdingsOf, "LIST", identifiersTable.list), "COVERING INDEX identifiers_user (org=? AND user_id=?)"},
		{"SELECT * FROM identifiers WHERE org = ?1 AND user_id IN (?2, ?3)", "(org=? AND user_id=?)"},
		{heldBy, "(org=? AND namespace=? AND value=?)"},
		{"SELECT user_id FROM identifiers WHERE org = ?1 AND value >= ?2 AND value < ?3", "(org=? AND value>? AND value<?)"},
		{joinsOf, "(org=? AND a=?)"},
		{joinsOf, "(org=? AND b=?)"},
		{blocksOf, "(org=? AND user_id=?)"},
		{cutoffsOf, "(org=? AND user_id=?)"},
		{cutoffsWide, "(org=? AND user_id=? AND scope=?)"},
		{cutoffsNarrow, "(org=? AND user_id=? AND scope=? AND device_id=? AND key=?)"},
		{newestOfUser, "USING COVERING INDEX sessions_user (org=? AND user_id=?)"},
		{"SELECT * FROM sessions WHERE org = ?1 AND token_hash = ?2 AND token_hash <> ''", "(org=? AND token_hash=?)"},
		{"SELECT * FROM sessions WHERE org = ?1 AND client_id = ?2 AND client_id <> '' AND app = ?3", "(org=? AND client_id=? AND app=?)"},
		{"SELECT * FROM sessions WHERE org = ?1 AND sid = ?2 AND sid <> ''", "(org=? AND sid=?)"},
		{liveOf, "(org=? AND user_id=?)"},
		{"SELECT * FROM sessions WHERE org = ?1 AND user_id = ?2 AND (born_at, id) < (?3, ?4) ORDER BY born_at DESC, id DESC LIMIT 10", "sessions_user (org=? AND user_id=? AND (born_at,id)<(?,?))"},
		{"SELECT * FROM sessions WHERE org = ?1 AND app = ?2 ORDER BY born_at DESC, id DESC LIMIT 10", "sessions_app (org=? AND app=?)"},
		{"SELECT max(born_at) FROM sessions WHERE org = ?1", "sessions_born (org=?)"},
		{"SELECT max(born_at) FROM sessions WHERE org = ?1 AND kind = ?2", "(org=? AND kind=?)"},
		{eventBy, "(org=? AND authority=? AND sender_id=?)"},
		{namesOfDevice, "(org=? AND device_id=?)"},
		{deviceBy, "(org=? AND namespace=? AND value=?)"},
		{resourceOf, "(org=? AND id=?)"},
		{resourceNamed, "(org=? AND authority=? AND type=? AND user_name_folded=?)"},
		{resourceKnown, "(org=? AND authority=? AND type=? AND external_id=?)"},
		{"SELECT * FROM resources WHERE org = ?1 AND authority = ?2 AND type = ?3 AND deleted_at = 0 ORDER BY created_at, id LIMIT 100", "resources_created"},
		{sqliteMemberships, "(org=? AND resource_id=?)"},
		{"SELECT * FROM revocations WHERE org = ?1 AND id IN (?2, ?3)", "(org=? AND id=?)"},
		{"SELECT * FROM deliveries WHERE org = ?1 AND revocation_id = ?2 ORDER BY target", "(org=? AND revocation_id=?)"},
		{"SELECT * FROM deliveries WHERE org = ?1 AND state = 'parked' ORDER BY revocation_id, target LIMIT 10", "deliveries_parked"},
		{readyPage, "deliveries_ready (target=? AND priority=?"},
		{sqliteLease + "target", "(org=? AND revocation_id=? AND target=?)"},
		{sqliteSettle, "(org=? AND revocation_id=? AND target=?)"},
	} {
		text := strings.ReplaceAll(s.db.text(c.text), "LIST", "*")
		rows, err := s.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, make([]any, marks(text))...)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		plan := ""
		err = drain(rows, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan += detail + "\n"
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		plan = strings.NewReplacer("SCAN single\n", "", "SCAN mass\n", "").Replace(plan) // what a subquery hands over
		if c.text == sqliteMemberships {                                                 // its order is not that of its index
			plan = strings.ReplaceAll(plan, "USE TEMP B-TREE FOR ORDER BY\n", "")
			plan = strings.ReplaceAll(plan, "SCAN json_each VIRTUAL TABLE INDEX 1:\n", "")
		}
		if !strings.Contains(plan, c.want) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n got plan %s want %s", c.text, fmt.Sprint(plan), c.want)
		}
	}
}

// marks is how many arguments a statement takes.
func marks(text string) (n int) {
	for strings.Contains(text, fmt.Sprintf("?%d", n+1)) {
		n++
	}
	return n
}
