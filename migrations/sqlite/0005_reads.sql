-- +goose Up

-- What waits until its sender's API was read. ready_at is due_at while a reading is due and lease_until while somebody reads: from then
-- on it may be claimed. What was answered is gone.
CREATE TABLE readings (
    org TEXT NOT NULL,
    event_id TEXT NOT NULL,
    source TEXT NOT NULL,
    about TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (org, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX readings_ready ON readings (org, source, ready_at) WHERE state <> 'parked';
CREATE INDEX readings_about ON readings (org, source, about, event_id);
CREATE INDEX readings_state ON readings (org, state, event_id);

-- What was known about something at a source when it was read last.
CREATE TABLE source_notes (
    org TEXT NOT NULL,
    source TEXT NOT NULL,
    about TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (org, source, about)
) STRICT, WITHOUT ROWID;

-- What is done for a source again and again: polls and upkeep.
CREATE TABLE errands (
    org TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    kept TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    health TEXT NOT NULL,
    lease TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (org, source, name)
) STRICT, WITHOUT ROWID;

UPDATE meta SET schema = 5 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('readings', 'readings', '10000 10000 1'),
    ('readings', 'readings_ready', '10000 10000 5000 2'),
    ('readings', 'readings_about', '10000 10000 5000 2 1'),
    ('readings', 'readings_state', '10000 10000 5000 1'),
    ('source_notes', 'source_notes', '200000 200000 100000 1'),
    ('errands', 'errands', '10 10 2 1');
ANALYZE sqlite_schema;
