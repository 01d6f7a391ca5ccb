-- +goose Up

-- Who signed in to Curfew itself, beside the session that it is.
CREATE TABLE sign_ins (
    session_id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    by_link BIGINT NOT NULL,
    proved_at BIGINT NOT NULL
);

-- Links that let somebody in once. Of a link itself only its SHA-256 is kept.
CREATE TABLE links (
    hash TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL
);

UPDATE meta SET schema = 9 WHERE one = 1;
