-- +goose Up

-- What admins ordered for later.
CREATE TABLE schedules (
    org TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    recurrence TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    last_event TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    skipped_at INTEGER NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (next_at, org, name) WHERE next_at > 0;

UPDATE meta SET schema = 8 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('schedules', 'schedules', '100 100 1'),
    ('schedules', 'schedules_due', '100 2 1 1');
ANALYZE sqlite_schema;
