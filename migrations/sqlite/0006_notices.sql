-- +goose Up

-- What people are told about their own devices: one row for each person and kind, so that nobody gets many messages.
CREATE TABLE notices (
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    signal TEXT NOT NULL,
    devices TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (org, user_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_due ON notices (due_at) WHERE count > 0;
CREATE INDEX notices_sent ON notices (last_at) WHERE count = 0;

UPDATE meta SET schema = 6 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('notices', 'notices', '100000 100000 2 1'),
    ('notices', 'notices_due', '1000 1'),
    ('notices', 'notices_sent', '100000 1');
ANALYZE sqlite_schema;
