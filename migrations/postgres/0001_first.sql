-- +goose Up

-- Instants are microseconds since 1970 in UTC and never NULL: 0 is never. Flags are 0 or 1. JSON is text that no statement looks
-- into. No table refers to another by a foreign key: a key into a small hot table halves the inserts of many clients.
-- Text that is compared has the byte order of Go and SQLite.
-- A key of names begins with the org, so that nothing of one org can be reached with a name of another's.
-- What people are and what stands against them.
CREATE TABLE users (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    spared SMALLINT NOT NULL,
    lifted_over BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX users_id ON users (id);
CREATE TABLE joins (
    org TEXT COLLATE "C" NOT NULL,
    a UUID NOT NULL,
    b UUID NOT NULL,
    at BIGINT NOT NULL,
    split_at BIGINT NOT NULL,
    event_id UUID NOT NULL,
    PRIMARY KEY (org, a, b)
);
CREATE INDEX joins_other ON joins (org, b, a);
CREATE TABLE identifiers (
    org TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    held_from BIGINT NOT NULL,
    user_id UUID NOT NULL,
    released_at BIGINT NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    event_id UUID NOT NULL,
    PRIMARY KEY (org, namespace, value, held_from)
);
CREATE INDEX identifiers_user ON identifiers (org, user_id);
CREATE INDEX identifiers_value ON identifiers (org, value, namespace);
-- A source's block, or an admin's: two instants that only move forward.
CREATE TABLE blocks (
    org TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    class TEXT COLLATE "C" NOT NULL,
    blocked_at BIGINT NOT NULL,
    lifted_at BIGINT NOT NULL,
    until BIGINT NOT NULL,
    revocation_id UUID NOT NULL,
    PRIMARY KEY (org, user_id, authority, class)
);
-- The user leads, so that what covers one person lies together; everyone, kind, app and device lie under no user.
-- A session's scope is only for ids that nobody registered yet; a registered one has ended_at.
CREATE TABLE cutoffs (
    org TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    device_id UUID NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    spared_at BIGINT NOT NULL,
    revocation_id UUID NOT NULL,
    spared_by UUID NOT NULL,
    PRIMARY KEY (org, user_id, scope, device_id, key)
);

-- Sessions are facts; only ended_at and ended_by are ever written again, once. Of a token only the hash is kept.
CREATE TABLE sessions (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    app TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    device_id UUID NOT NULL,
    sid TEXT COLLATE "C" NOT NULL,
    token_hash TEXT COLLATE "C" NOT NULL,
    issued_at BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    born_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    spared SMALLINT NOT NULL,
    facts TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    ended_by UUID NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX sessions_client ON sessions (org, client_id, app) WHERE client_id <> '';
CREATE UNIQUE INDEX sessions_token ON sessions (org, token_hash) WHERE token_hash <> '';
CREATE INDEX sessions_sid ON sessions (org, sid) WHERE sid <> '';
CREATE INDEX sessions_user ON sessions (org, user_id, born_at, id, registered_at);
CREATE INDEX sessions_born ON sessions (org, born_at, id);
CREATE INDEX sessions_kind ON sessions (org, kind, born_at);
CREATE INDEX sessions_app ON sessions (org, app, born_at, id);
CREATE INDEX sessions_device ON sessions (org, device_id, born_at) WHERE device_id <> '00000000-0000-0000-0000-000000000000';
CREATE INDEX sessions_expiry ON sessions (org, expires_at);
CREATE TABLE session_uses (
    org TEXT COLLATE "C" NOT NULL,
    session_id UUID NOT NULL,
    used_at BIGINT NOT NULL,
    PRIMARY KEY (org, session_id)
);
CREATE TABLE devices (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    platform TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE TABLE device_identifiers (
    org TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    device_id UUID NOT NULL,
    PRIMARY KEY (org, namespace, value)
);
CREATE INDEX device_identifiers_device ON device_identifiers (org, device_id);

-- The inbox, what was decided, and what is owed for it.
CREATE TABLE events (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    sender_id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    note TEXT COLLATE "C" NOT NULL,
    body TEXT NOT NULL,
    decided TEXT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX events_sender ON events (org, authority, sender_id) WHERE sender_id <> '';
CREATE INDEX events_source ON events (org, source, received_at);
CREATE TABLE revocations (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    event_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    signal TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    device_id UUID NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    session_id UUID NOT NULL,
    at BIGINT NOT NULL,
    blocked SMALLINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL,
    actor_name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX revocations_user ON revocations (org, user_id, created_at);
-- ready_at is due_at while a delivery is due and lease_until while it is claimed: from then on it may be claimed.
CREATE TABLE deliveries (
    org TEXT COLLATE "C" NOT NULL,
    revocation_id UUID NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    ord BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    priority BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    lease UUID NOT NULL,
    lease_until BIGINT NOT NULL,
    ready_at BIGINT NOT NULL,
    last_error TEXT COLLATE "C" NOT NULL,
    receipt TEXT NOT NULL,
    done_at BIGINT NOT NULL,
    PRIMARY KEY (org, revocation_id, target)
);
CREATE INDEX deliveries_ready ON deliveries (target, priority, ready_at, revocation_id) WHERE state IN ('due', 'claimed');
CREATE INDEX deliveries_parked ON deliveries (org, revocation_id, target) WHERE state = 'parked';
CREATE TABLE attempts (
    org TEXT COLLATE "C" NOT NULL,
    revocation_id UUID NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took BIGINT NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    receipt TEXT NOT NULL,
    PRIMARY KEY (org, revocation_id, target, number)
);

-- What directories wrote over SCIM. Names are folded by us, because the databases fold differently.
CREATE TABLE resources (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    user_name TEXT COLLATE "C" NOT NULL,
    user_name_folded TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    active SMALLINT NOT NULL,
    named SMALLINT NOT NULL,
    emails TEXT NOT NULL,
    profile TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL,
    refused_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX resources_named ON resources (org, authority, type, user_name_folded) WHERE named = 1 AND deleted_at = 0;
CREATE INDEX resources_user_name ON resources (org, authority, type, user_name_folded);
CREATE INDEX resources_external ON resources (org, authority, type, external_id) WHERE external_id <> '';
CREATE INDEX resources_created ON resources (org, authority, type, created_at, id) WHERE deleted_at = 0;
CREATE INDEX resources_user ON resources (org, user_id);
CREATE TABLE resource_emails (
    org TEXT COLLATE "C" NOT NULL,
    resource_id UUID NOT NULL,
    n BIGINT NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    type_folded TEXT COLLATE "C" NOT NULL,
    value_folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (org, resource_id, n)
);
CREATE INDEX resource_emails_value ON resource_emails (org, authority, value_folded, resource_id);
CREATE TABLE groups (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C" NOT NULL,
    display_name_folded TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    profile TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX groups_name ON groups (org, authority, display_name_folded);
CREATE INDEX groups_external ON groups (org, authority, external_id) WHERE external_id <> '';
CREATE TABLE members (
    org TEXT COLLATE "C" NOT NULL,
    group_id UUID NOT NULL,
    user_id UUID NOT NULL,
    resource_id UUID NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (org, group_id, user_id, resource_id)
);
CREATE INDEX members_user ON members (org, user_id);

-- What is announced, ordered, kept for a person, and shown to one.
CREATE TABLE plans (
    org TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    said_at BIGINT NOT NULL,
    effective_at BIGINT NOT NULL,
    event_id UUID NOT NULL,
    PRIMARY KEY (org, user_id, source)
);
CREATE INDEX plans_due ON plans (org, effective_at) WHERE effective_at <> 0;
CREATE TABLE runs (
    org TEXT COLLATE "C" NOT NULL,
    schedule TEXT COLLATE "C" NOT NULL,
    due_at BIGINT NOT NULL,
    revocation_id UUID NOT NULL,
    started_at BIGINT NOT NULL,
    done_at BIGINT NOT NULL,
    PRIMARY KEY (org, schedule, due_at)
);
CREATE TABLE held (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    event_id UUID NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    why TEXT COLLATE "C" NOT NULL,
    held_at BIGINT NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    decided_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX held_waiting ON held (org, held_at, id) WHERE decided_at = 0;
CREATE TABLE alarms (
    org TEXT COLLATE "C" NOT NULL,
    id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    raised_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    cleared_at BIGINT NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX alarms_standing ON alarms (org, kind, about) WHERE cleared_at = 0;
CREATE TABLE idempotency (
    org TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    request_hash TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    answer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (org, source, key)
);
CREATE INDEX idempotency_at ON idempotency (at);

-- The feed and the audit log. xid tells a reader which rows may still have older neighbours that are not committed yet.
CREATE TABLE changes (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    entry TEXT NOT NULL
);
CREATE INDEX changes_xid ON changes (xid);
CREATE TABLE audit (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    org TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    entry TEXT NOT NULL,
    person TEXT NOT NULL
);
CREATE TABLE leaves (
    n BIGINT PRIMARY KEY,
    audit_seq BIGINT NOT NULL UNIQUE,
    hash BYTEA NOT NULL
);

-- One row. schema is this file's number; oldest_program is the number of the newest file that a program must at least know in order
-- to run on it: a migration that older programs cannot bear raises it. horizon is the instant before which sessions were pruned.
CREATE TABLE meta (
    one SMALLINT PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    schema BIGINT NOT NULL,
    oldest_program BIGINT NOT NULL,
    clock_mark BIGINT NOT NULL,
    horizon BIGINT NOT NULL
);
INSERT INTO meta (one, epoch, schema, oldest_program, clock_mark, horizon) VALUES (1, gen_random_uuid()::text, 1, 1, 0, 0);
