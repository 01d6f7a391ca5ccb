-- +goose Up

-- Who signed in to Curfew itself, beside the session that it is.
CREATE TABLE sign_ins (
    session_id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    by_link INTEGER NOT NULL,
    proved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Links that let somebody in once. Of a link itself only its SHA-256 is kept.
CREATE TABLE links (
    hash TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

UPDATE meta SET schema = 9 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sign_ins', 'sign_ins', '10000 1'),
    ('links', 'links', '1000 1');
ANALYZE sqlite_schema;
