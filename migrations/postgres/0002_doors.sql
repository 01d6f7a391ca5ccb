-- +goose Up

-- A name leads to every device that carries it. A program that knows only the first schema takes it to be unique, so it is refused.
ALTER TABLE device_identifiers DROP CONSTRAINT device_identifiers_pkey;
ALTER TABLE device_identifiers ADD PRIMARY KEY (org, namespace, value, device_id);

-- Since when somebody is a break-glass person, and since when not any more. The old flag 1 is an instant long ago.
ALTER TABLE users ALTER COLUMN spared TYPE BIGINT, ADD COLUMN unspared_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_spared ON users (org, id) WHERE spared <> 0;

-- What happens by itself. The source of a plan is its authority.
ALTER TABLE plans ADD COLUMN carried_at BIGINT NOT NULL DEFAULT 0;
DROP INDEX plans_due;
CREATE INDEX plans_due ON plans (effective_at) WHERE effective_at <> 0 AND carried_at = 0;
CREATE INDEX blocks_due ON blocks (until) WHERE until <> 0 AND lifted_at <= blocked_at;

-- What a person ordered about a delivery: to wait, or to be dropped after the call that is under way. What waits is not in the
-- index of what is ready; what is under way stays there until its lease ends.
ALTER TABLE deliveries ADD COLUMN halt TEXT COLLATE "C" NOT NULL DEFAULT '';
DROP INDEX deliveries_ready;
CREATE INDEX deliveries_ready ON deliveries (target, priority, ready_at, revocation_id) WHERE state = 'claimed' OR state = 'due' AND halt = '';
CREATE INDEX deliveries_halted ON deliveries (org, target, revocation_id) WHERE halt <> '';
CREATE INDEX deliveries_parked_at ON deliveries (org, target, revocation_id) WHERE state = 'parked';
CREATE TABLE paused (
    target TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (target)
);

-- One alarm of a kind about one thing stands at a time; nothing has raised any yet.
ALTER TABLE alarms ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0;
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
