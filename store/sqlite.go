package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"curfew/revoke"
)

// sqliteDB is SQLite: one writer, so that the transaction itself is the lock.
type sqliteDB struct{}

// sqlitePragmas are set on every connection. FULL makes a commit wait until the log is on the disk: with less, a power cut
// loses revocations that were acknowledged.
var sqlitePragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "temp_store(MEMORY)", "cache_size(-65536)"}

func sqliteDSN(path string, more ...string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append(append([]string(nil), sqlitePragmas...), more...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (sqliteDB) begin() string { return "BEGIN IMMEDIATE" }

// bounded bounds nothing: the database is in this process, and a context that can end costs every statement a goroutine.
func (sqliteDB) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithoutCancel(ctx), func() {}
}

func (sqliteDB) text(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "GREATEST(", "max("), "$", "?")
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func (sqliteDB) refused(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY }

func (d sqliteDB) again(err error) bool {
	return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY || d.duplicate(err) || d.gone(err)
}

func (sqliteDB) gone(err error) bool { return errors.Is(err, driver.ErrBadConn) }

func (sqliteDB) duplicate(err error) bool {
	code := sqliteCode(err)
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// write runs one statement a row: a call costs no round trip here.
func (d sqliteDB) write(ctx context.Context, w *writer, b batch) error {
	for _, part := range b {
		text := d.text(part.table.insert)
		for i := range part.rows {
			if _, err := w.exec(ctx, text, part.table.args(&part.rows[i])...); err != nil {
				return errorIn(part.table, err)
			}
		}
	}
	return nil
}

// reading is one group's reading on SQLite.
type reading struct {
	w     *writer
	need  *needs
	facts *revoke.Facts
	seen  map[orgID]bool
	users []orgID // everybody whom the need leads to, joined people included
}

// gather follows the need to its people and reads what hangs on them. The one writer is the lock.
func (d sqliteDB) gather(ctx context.Context, w *writer, u *needs) (*revoke.Facts, revoke.Instant, error) {
	r := &reading{w: w, need: u, facts: u.empty(), seen: map[orgID]bool{}}
	for _, step := range []func(context.Context) error{r.people, r.personal, r.things, r.newest, r.cutoffs} {
		if err := step(ctx); err != nil {
			return nil, 0, err
		}
	}
	return r.facts, 0, nil
}

// look reads the rows of a table that a condition selects.
func (r *reading) look(ctx context.Context, t *table, where string, each func(record) error, args ...any) error {
	return r.w.query(ctx, "SELECT "+t.list+" FROM "+t.name+" WHERE "+where, func(rows *sql.Rows) error {
		row, err := t.scan(rows)
		if err != nil {
			return err
		}
		return each(row)
	}, args...)
}

func (r *reading) reach(org string, user revoke.ID) {
	if k := (orgID{org, user}); !user.IsZero() && !r.seen[k] {
		r.seen[k] = true
		r.users = append(r.users, k)
	}
}

func (r *reading) holding(row record) error {
	h := row.holding()
	r.facts.AddHolding(h)
	r.reach(h.Org, h.User)
	return nil
}

func (r *reading) session(row record) error {
	s, err := row.session()
	if err != nil {
		return err
	}
	r.facts.Sessions[s.ID] = s
	r.reach(s.Org, s.User)
	return nil
}

func (r *reading) resource(row record) error {
	v, err := row.resource()
	if err != nil {
		return err
	}
	r.facts.Resources[v.ID] = v
	r.reach(v.Org, v.User)
	return nil
}

// people finds everybody whom the need leads to, and who is one person with them.
func (r *reading) people(ctx context.Context) error {
	for _, u := range r.need.users {
		r.reach(u.org, u.id)
	}
	for _, id := range r.need.identifiers {
		if err := r.look(ctx, identifiersTable, "org = ?1 AND namespace = ?2 AND value = ?3", r.holding, id.Org, clean(id.Namespace), clean(id.Value)); err != nil {
			return err
		}
	}
	for _, ref := range r.need.sessions {
		for _, by := range sessionsBy(ref) {
			if err := r.look(ctx, sessionsTable, sqliteDB{}.text(by.where), r.session, by.args...); err != nil {
				return err
			}
		}
	}
	for _, id := range r.need.resources {
		if err := r.look(ctx, resourcesTable, "org = ?1 AND id = ?2", r.resource, id.org, id.id); err != nil {
			return err
		}
	}
	for _, n := range r.need.names {
		if n.UserName != "" {
			err := r.look(ctx, resourcesTable, "org = ?1 AND authority = ?2 AND type = ?3 AND user_name_folded = ?4", r.resource,
				n.Org, n.Authority, n.Type, clean(n.UserName))
			if err != nil {
				return err
			}
		}
		if n.ExternalID != "" {
			err := r.look(ctx, resourcesTable, "org = ?1 AND authority = ?2 AND type = ?3 AND external_id = ?4 AND external_id <> ''", r.resource,
				n.Org, n.Authority, n.Type, clean(n.ExternalID))
			if err != nil {
				return err
			}
		}
	}
	for i := 0; i < len(r.users); i++ {
		u := r.users[i]
		follow := func(row record) error {
			j := row.join()
			r.facts.AddJoin(j)
			if j.At > j.SplitAt {
				r.reach(u.org, j.A)
				r.reach(u.org, j.B)
			}
			return nil
		}
		for _, side := range []string{"org = ?1 AND a = ?2", "org = ?1 AND b = ?2"} {
			if err := r.look(ctx, joinsTable, side, follow, u.org, u.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// personal reads what hangs on the people.
func (r *reading) personal(ctx context.Context) error {
	for _, u := range r.users {
		err := r.look(ctx, usersTable, "org = ?1 AND id = ?2", func(row record) error {
			r.facts.Users[u.id] = row.user()
			return nil
		}, u.org, u.id)
		if err != nil {
			return err
		}
		err = r.look(ctx, identifiersTable, "org = ?1 AND user_id = ?2", func(row record) error {
			r.facts.AddHolding(row.holding())
			return nil
		}, u.org, u.id)
		if err != nil {
			return err
		}
		err = r.look(ctx, blocksTable, "org = ?1 AND user_id = ?2", func(row record) error {
			r.facts.AddBlock(row.block())
			return nil
		}, u.org, u.id)
		if err != nil {
			return err
		}
		err = r.w.query(ctx, newestOfUser, func(rows *sql.Rows) error {
			var n revoke.Newest
			if err := rows.Scan(&n.Born, &n.Registered); err != nil {
				return err
			}
			if n != (revoke.Newest{}) {
				r.facts.Newest[u.id] = n
			}
			return nil
		}, u.org, u.id)
		if err != nil {
			return err
		}
		if r.need.sessionsOf {
			err := r.look(ctx, sessionsTable, "org = ?1 AND user_id = ?2 AND ended_at = 0 AND expires_at > ?3", r.session, u.org, u.id, int64(r.need.now))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

const newestOfUser = "SELECT coalesce(max(born_at), 0), coalesce(max(registered_at), 0) FROM sessions WHERE org = ?1 AND user_id = ?2"

// things reads the events and devices that the need names.
func (r *reading) things(ctx context.Context) error {
	for _, k := range r.need.events {
		err := r.look(ctx, eventsTable, "org = ?1 AND authority = ?2 AND sender_id = ?3 AND sender_id <> ''", func(row record) error {
			e, err := row.event()
			r.facts.Events[k] = e
			return err
		}, k.Org, k.Authority, clean(k.SenderID))
		if err != nil {
			return err
		}
	}
	for _, d := range r.need.devices {
		err := r.look(ctx, deviceIdentifiersTable, "org = ?1 AND namespace = ?2 AND value = ?3", func(row record) error {
			r.facts.Devices[d] = row.id[0]
			return nil
		}, d.Org, clean(d.Namespace), clean(d.Value))
		if err != nil {
			return err
		}
	}
	return nil
}

// newest reads the newest birth in each scope of many people.
func (r *reading) newest(ctx context.Context) error {
	for _, scope := range r.need.newestOf {
		where, args := newestIn(scope)
		err := r.w.query(ctx, "SELECT coalesce(max(born_at), 0) FROM sessions WHERE "+where, func(rows *sql.Rows) error {
			var at revoke.Instant
			err := rows.Scan(&at)
			r.facts.NewestOf[scope] = at
			return err
		}, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func newestIn(scope revoke.Scope) (where string, args []any) {
	switch scope.Kind {
	case revoke.ScopeEveryone:
		return "org = ?1", []any{scope.Org}
	case revoke.ScopeKindOf:
		return "org = ?1 AND kind = ?2", []any{scope.Org, scope.Key}
	case revoke.ScopeApp:
		return "org = ?1 AND app = ?2", []any{scope.Org, clean(scope.Key)}
	case revoke.ScopeDevice:
		return "org = ?1 AND device_id = ?2 AND device_id <> '" + zeroID + "'", []any{scope.Org, scope.Device}
	case revoke.ScopeUser, revoke.ScopeUserKind, revoke.ScopeUserApp, revoke.ScopeUserDevice, revoke.ScopeSession:
	}
	return "org = ?1 AND id = '' AND id <> ''", []any{scope.Org} // covers nobody but one person's
}

// cutoffs reads what covers the sessions of the people.
func (r *reading) cutoffs(ctx context.Context) error {
	if !r.need.cutoffs() {
		return nil
	}
	add := func(row record) error {
		c := row.cutoff()
		r.facts.Cutoffs[c.Scope] = c
		return nil
	}
	for _, org := range r.need.orgs {
		err := r.look(ctx, cutoffsTable, "org = ?1 AND user_id = '"+zeroID+"' AND scope IN ('everyone', 'kind', 'app')", add, org)
		if err != nil {
			return err
		}
	}
	for _, u := range r.users {
		if err := r.look(ctx, cutoffsTable, "org = ?1 AND user_id = ?2", add, u.org, u.id); err != nil {
			return err
		}
	}
	narrow := r.need.narrow()
	for d, id := range r.facts.Devices {
		narrow = append(narrow, revoke.DeviceScope(d.Org, id))
	}
	for _, s := range r.facts.Sessions {
		if !s.Device.IsZero() {
			narrow = append(narrow, revoke.DeviceScope(s.Org, s.Device))
		}
	}
	for _, scope := range narrow {
		err := r.look(ctx, cutoffsTable, "org = ?1 AND user_id = ?2 AND scope = ?3 AND device_id = ?4 AND key = ?5", add,
			scope.Org, scope.User, string(scope.Kind), scope.Device, clean(scope.Key))
		if err != nil {
			return err
		}
	}
	return nil
}
