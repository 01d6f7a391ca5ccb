-- +goose Up

-- What people call their devices.
CREATE TABLE device_names (
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    named_at INTEGER NOT NULL,
    PRIMARY KEY (org, user_id, device)
) STRICT, WITHOUT ROWID;

UPDATE meta SET schema = 11 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('device_names', 'device_names', '10000 10000 2 1');
ANALYZE sqlite_schema;
