-- +goose Up

-- A name leads to every device that carries it. A program that knows only the first schema takes it to be unique, so it is refused.
CREATE TABLE device_names (
    org TEXT NOT NULL,
    namespace TEXT NOT NULL,
    value TEXT NOT NULL,
    device_id TEXT NOT NULL,
    PRIMARY KEY (org, namespace, value, device_id)
) STRICT, WITHOUT ROWID;
INSERT INTO device_names (org, namespace, value, device_id) SELECT org, namespace, value, device_id FROM device_identifiers;
DROP TABLE device_identifiers;
ALTER TABLE device_names RENAME TO device_identifiers;
CREATE INDEX device_identifiers_device ON device_identifiers (org, device_id);

-- Since when somebody is a break-glass person, and since when not any more. The old flag 1 is an instant long ago.
ALTER TABLE users ADD COLUMN unspared_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX users_spared ON users (org, id) WHERE spared <> 0;

-- What happens by itself. The source of a plan is its authority.
ALTER TABLE plans ADD COLUMN carried_at INTEGER NOT NULL DEFAULT 0;
DROP INDEX plans_due;
CREATE INDEX plans_due ON plans (effective_at) WHERE effective_at <> 0 AND carried_at = 0;
CREATE INDEX blocks_due ON blocks (until) WHERE until <> 0 AND lifted_at <= blocked_at;

-- What a person ordered about a delivery: to wait, or to be dropped after the call that is under way. What waits is not in the
-- index of what is ready; what is under way stays there until its lease ends.
ALTER TABLE deliveries ADD COLUMN halt TEXT NOT NULL DEFAULT '';
DROP INDEX deliveries_ready;
CREATE INDEX deliveries_ready ON deliveries (target, priority, ready_at, revocation_id) WHERE state = 'claimed' OR state = 'due' AND halt = '';
CREATE INDEX deliveries_halted ON deliveries (org, target, revocation_id) WHERE halt <> '';
CREATE INDEX deliveries_parked_at ON deliveries (org, target, revocation_id) WHERE state = 'parked';
CREATE TABLE paused (
    target TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (target)
) STRICT, WITHOUT ROWID;

-- One alarm of a kind about one thing stands at a time; nothing has raised any yet.
ALTER TABLE alarms ADD COLUMN told_at INTEGER NOT NULL DEFAULT 0;
DROP INDEX alarms_standing;
CREATE UNIQUE INDEX alarms_standing ON alarms (org, kind, about) WHERE cleared_at = 0;
CREATE INDEX alarms_open ON alarms (org, id) WHERE cleared_at = 0;
CREATE INDEX alarms_kind ON alarms (org, kind, id);
CREATE INDEX alarms_untold ON alarms (id) WHERE cleared_at = 0 AND (told_at = 0 OR told_at < last_at);

-- Lists go by id, which is by time. Most events are decided or ignored: the few others have an index of their own.
DROP INDEX events_source;
CREATE INDEX events_source_id ON events (org, source, id);
CREATE INDEX events_type ON events (org, type, id);
CREATE INDEX events_odd ON events (org, state, id) WHERE state IN ('held', 'unknown', 'malformed');
CREATE INDEX events_unknown ON events (org, source, type, id) WHERE state = 'unknown';
DROP INDEX revocations_user;
CREATE INDEX revocations_user_id ON revocations (org, user_id, id);

UPDATE meta SET schema = 2, oldest_program = 2 WHERE one = 1;

-- What the first schema says of these numbers holds for the new indexes.
DELETE FROM sqlite_stat1 WHERE idx IN ('plans_due', 'deliveries_ready', 'alarms_standing', 'events_source', 'revocations_user');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('device_identifiers', 'device_identifiers', '500000 500000 250000 2 1'),
    ('device_identifiers', 'device_identifiers_device', '500000 500000 2'),
    ('users', 'users_spared', '5 5 1'),
    ('plans', 'plans', '1000 1000 1 1'),
    ('plans', 'plans_due', '100 2'),
    ('blocks', 'blocks_due', '100 2'),
    ('deliveries', 'deliveries_ready', '1000 300 200 2 1'),
    ('deliveries', 'deliveries_halted', '100 100 50 1'),
    ('deliveries', 'deliveries_parked_at', '100 100 50 1'),
    ('paused', 'paused', '2 1'),
    ('alarms', 'alarms', '10000 10000 1'),
    ('alarms', 'alarms_standing', '50 50 10 1'),
    ('alarms', 'alarms_open', '50 50 1'),
    ('alarms', 'alarms_kind', '10000 10000 1000 1'),
    ('alarms', 'alarms_untold', '10 1'),
    ('idempotency', 'idempotency', '10000 10000 5000 1'),
    ('idempotency', 'idempotency_at', '10000 1'),
    ('events', 'events_source_id', '500000 500000 100000 1'),
    ('events', 'events_type', '500000 500000 20000 1'),
    ('events', 'events_odd', '1000 1000 300 1'),
    ('events', 'events_unknown', '1000 1000 300 30 1'),
    ('revocations', 'revocations_user_id', '500000 500000 3 1');
ANALYZE sqlite_schema;
