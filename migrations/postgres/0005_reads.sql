-- +goose Up

-- What waits until its sender's API was read. ready_at is due_at while a reading is due and lease_until while somebody reads: from then
-- on it may be claimed. What was answered is gone.
CREATE TABLE readings (
    org TEXT COLLATE "C" NOT NULL,
    event_id UUID NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    due_at BIGINT NOT NULL,
    ready_at BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    lease UUID NOT NULL,
    lease_until BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (org, event_id)
);
CREATE INDEX readings_ready ON readings (org, source, ready_at) WHERE state <> 'parked';
CREATE INDEX readings_about ON readings (org, source, about, event_id);
CREATE INDEX readings_state ON readings (org, state, event_id);

-- What was known about something at a source when it was read last.
CREATE TABLE source_notes (
    org TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (org, source, about)
);

-- What is done for a source again and again: polls and upkeep.
CREATE TABLE errands (
    org TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kept TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    done_at BIGINT NOT NULL,
    failed_at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    health TEXT NOT NULL,
    lease UUID NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (org, source, name)
);

UPDATE meta SET schema = 5 WHERE one = 1;

