-- +goose Up

-- What is held: who asked, why, and what is decided on approval. Nothing has been held yet.
ALTER TABLE held ADD COLUMN authority TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN said TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN by_itself INTEGER NOT NULL DEFAULT 0;
DROP INDEX held_waiting;
CREATE INDEX held_waiting ON held (org, source, id) WHERE decided_at = 0;
CREATE INDEX held_user ON held (org, user_id) WHERE decided_at = 0;
CREATE INDEX held_long ON held (held_at) WHERE decided_at = 0 AND by_itself = 1;

-- Whom each source and each operator hit last: what the brake counts. A day later a row may go.
CREATE TABLE hits (
    org TEXT NOT NULL,
    voice TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    spare_at INTEGER NOT NULL,
    PRIMARY KEY (org, voice, subject_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hits_at ON hits (org, voice, at, spare_at);
CREATE INDEX hits_old ON hits (at);

UPDATE meta SET schema = 7 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('hits', 'hits', '100000 100000 300 1'),
    ('hits', 'hits_at', '100000 100000 300 1 1'),
    ('hits', 'hits_old', '100000 1'),
    ('held', 'held', '100000 100000 1'),
    ('held', 'held_waiting', '10000 10000 1000 1'),
    ('held', 'held_user', '10000 10000 1'),
    ('held', 'held_long', '10000 1');
ANALYZE sqlite_schema;
