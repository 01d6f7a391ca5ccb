package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"

	"curfew/revoke"
)

const addLink = "INSERT INTO links (hash, org, subject, role, expires_at, used_at, app, proved_at) VALUES ($1, $2, $3, $4, $5, 0, $6, $7)"

func linkArgs(l revoke.Link) []any {
	return []any{hex.EncodeToString(l.Hash[:]), l.Org, toJSON(l.Subject), string(l.Role), int64(l.ExpiresAt), clean(l.App), int64(l.ProvedAt)}
}

// AddLink writes a link.
func (s *Store) AddLink(ctx context.Context, l revoke.Link, audit revoke.AuditEntry) error {
	_, err := s.ordered(ctx, "add a link", audit, addLink, linkArgs(l)...)
	return err
}

// TakeLink uses a link up: of two who come with it at once, one is let in.
func (s *Store) TakeLink(ctx context.Context, hash revoke.TokenHash, now revoke.Instant, audit revoke.AuditEntry) (l revoke.Link, err error) {
	name := hex.EncodeToString(hash[:])
	n, err := s.ordered(ctx, "take a link", audit, "UPDATE links SET used_at = $2 WHERE hash = $1 AND used_at = 0 AND expires_at > $2", name, int64(now))
	if err != nil {
		return l, err
	}
	if n == 0 {
		return l, fmt.Errorf("take a link: %w", revoke.ErrNotFound)
	}
	l.Hash = hash
	err = s.read(ctx, "SELECT org, subject, role, expires_at, app, proved_at FROM links WHERE hash = $1", func(rows *sql.Rows) error {
		var subject string
		if err := rows.Scan(&l.Org, &subject, &l.Role, &l.ExpiresAt, &l.App, &l.ProvedAt); err != nil {
			return err
		}
		return fromJSON(subject, &l.Subject)
	}, name)
	return l, err
}

// linksAtOnce is how many links one statement forgets.
const linksAtOnce = 2000

// DropLinks forgets links that were over before an instant, and says how many.
func (s *Store) DropLinks(ctx context.Context, before revoke.Instant) (int, error) {
	return s.run(ctx, "forget links", "DELETE FROM links WHERE hash IN (SELECT hash FROM links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)", int64(before), linksAtOnce)
}

// KeepSignIn writes who signed in with a session.
func (s *Store) KeepSignIn(ctx context.Context, in revoke.SignIn, audit revoke.AuditEntry) error {
	roles := make([]string, len(in.Roles))
	for i, role := range in.Roles {
		roles[i] = string(role)
	}
	byLink := 0
	if in.ByLink {
		byLink = 1
	}
	_, err := s.ordered(ctx, "keep a sign-in", audit,
		"INSERT INTO sign_ins (session_id, org, user_id, name, roles, by_link, proved_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		idText(in.Session), in.Org, idText(in.User), clean(in.Name), strings.Join(roles, " "), byLink, int64(in.ProvedAt))
	return err
}

// SignIn returns who signed in with a session.
func (s *Store) SignIn(ctx context.Context, session revoke.ID) (in revoke.SignIn, err error) {
	found := false
	err = s.read(ctx, "SELECT org, user_id, name, roles, by_link, proved_at FROM sign_ins WHERE session_id = $1", func(rows *sql.Rows) error {
		var user, roles string
		var byLink int
		if err := rows.Scan(&in.Org, &user, &in.Name, &roles, &byLink, &in.ProvedAt); err != nil {
			return err
		}
		for role := range strings.FieldsSeq(roles) {
			in.Roles = append(in.Roles, revoke.Role(role))
		}
		found, in.Session, in.ByLink = true, session, byLink == 1
		in.User, err = revoke.ParseID(user)
		if user == zeroID {
			in.User, err = revoke.ID{}, nil
		}
		return err
	}, idText(session))
	if err == nil && !found {
		err = revoke.ErrNotFound
	}
	if err != nil {
		return revoke.SignIn{}, fmt.Errorf("read sign-in %s: %w", session, err)
	}
	return in, nil
}

// Admitted reports whether anybody has signed in as an admin at the provider.
func (s *Store) Admitted(ctx context.Context) (yes bool, err error) {
	err = s.read(ctx, "SELECT 1 FROM sign_ins WHERE by_link = 0 AND ' ' || roles || ' ' LIKE '% admin %' LIMIT 1", func(*sql.Rows) error {
		yes = true
		return nil
	})
	return yes, err
}

// AddLink writes a link from beside a running server, or while none runs: it takes no lock, and never migrates. On SQLite the file's
// own lock lets one of two processes write at a time; nothing that is written here is remembered by a server.
func AddLink(ctx context.Context, cfg Config, l revoke.Link, audit revoke.AuditEntry, alarm revoke.Alarm) (err error) {
	var db *sql.DB
	text := sqliteDB{}.text
	scheme, path, _ := strings.Cut(cfg.URL, ":")
	if scheme == "sqlite" {
		db, err = sql.Open("sqlite", sqliteDSN(path))
	} else {
		text = postgresDB{}.text
		db, err = openPostgresPool(cfg.URL)
	}
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer func() {
		if bad := db.Close(); err == nil {
			err = bad
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var schema int
	if err := tx.QueryRowContext(ctx, "SELECT schema FROM meta WHERE one = 1").Scan(&schema); err != nil || schema < 12 {
		return fmt.Errorf("the database is not ready for links: start curfew serve once (%w)", err)
	}
	for _, do := range []struct {
		text string
		args []any
	}{
		{addLink, linkArgs(l)},
		{"INSERT INTO audit (org, kind, entry, person, at) VALUES ($1, $2, $3, $4, $5)", []any{audit.Org, audit.Kind, string(audit.Entry), string(audit.Person), int64(audit.At)}},
		{`INSERT INTO alarms (id, org, kind, about, text, raised_at, last_at, count, told_at, cleared_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)
			ON CONFLICT DO NOTHING`, []any{idText(alarm.ID), alarm.Org, string(alarm.Kind), alarm.About, alarm.Text, int64(alarm.RaisedAt), int64(alarm.LastAt), alarm.Count}},
	} {
		if _, err := tx.ExecContext(ctx, text(do.text), do.args...); err != nil {
			return fmt.Errorf("write the link: %w", err)
		}
	}
	return tx.Commit()
}
