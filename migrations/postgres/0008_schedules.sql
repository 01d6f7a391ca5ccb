-- +goose Up

-- What admins ordered for later.
CREATE TABLE schedules (
    org TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    recurrence TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL,
    actor_name TEXT COLLATE "C" NOT NULL,
    last_event UUID NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    skipped_at BIGINT NOT NULL,
    PRIMARY KEY (org, name)
);
CREATE INDEX schedules_due ON schedules (next_at, org, name) WHERE next_at > 0;

UPDATE meta SET schema = 8 WHERE one = 1;
