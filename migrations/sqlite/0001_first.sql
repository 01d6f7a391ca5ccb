-- +goose Up

-- Instants are microseconds since 1970 in UTC and never NULL: 0 is never. Flags are 0 or 1. JSON is text that no statement looks
-- into. No table refers to another by a foreign key: a key into a small hot table halves the inserts of many clients.
-- Tables small in rows have no rowid, so that one page is written where two would be. STRICT keeps types what they say.
-- A key of names begins with the org, so that nothing of one org can be reached with a name of another's.
-- What people are and what stands against them.
CREATE TABLE users (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    spared INTEGER NOT NULL,
    lifted_over INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_id ON users (id);
CREATE TABLE joins (
    org TEXT NOT NULL,
    a TEXT NOT NULL,
    b TEXT NOT NULL,
    at INTEGER NOT NULL,
    split_at INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (org, a, b)
) STRICT, WITHOUT ROWID;
CREATE INDEX joins_other ON joins (org, b, a);
CREATE TABLE identifiers (
    org TEXT NOT NULL,
    namespace TEXT NOT NULL,
    value TEXT NOT NULL,
    held_from INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    released_at INTEGER NOT NULL,
    authority TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (org, namespace, value, held_from)
) STRICT, WITHOUT ROWID;
-- Holds every column, so that what a person is called is read in one place.
CREATE INDEX identifiers_user ON identifiers (org, user_id, released_at, authority, event_id);
CREATE INDEX identifiers_value ON identifiers (org, value, namespace);
-- A source's block, or an admin's: two instants that only move forward.
CREATE TABLE blocks (
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    authority TEXT NOT NULL,
    class TEXT NOT NULL,
    blocked_at INTEGER NOT NULL,
    lifted_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    revocation_id TEXT NOT NULL,
    PRIMARY KEY (org, user_id, authority, class)
) STRICT, WITHOUT ROWID;
-- The user leads, so that what covers one person lies together; everyone, kind, app and device lie under no user.
-- A session's scope is only for ids that nobody registered yet; a registered one has ended_at.
CREATE TABLE cutoffs (
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    device_id TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    spared_at INTEGER NOT NULL,
    revocation_id TEXT NOT NULL,
    spared_by TEXT NOT NULL,
    PRIMARY KEY (org, user_id, scope, device_id, key)
) STRICT, WITHOUT ROWID;

-- Sessions are facts; only ended_at and ended_by are ever written again, once. Of a token only the hash is kept.
CREATE TABLE sessions (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    app TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    device_id TEXT NOT NULL,
    sid TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    auth_time INTEGER NOT NULL,
    born_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    idle INTEGER NOT NULL,
    spared INTEGER NOT NULL,
    facts TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    ended_by TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT;
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
    org TEXT NOT NULL,
    session_id TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (org, session_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE devices (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE device_identifiers (
    org TEXT NOT NULL,
    namespace TEXT NOT NULL,
    value TEXT NOT NULL,
    device_id TEXT NOT NULL,
    PRIMARY KEY (org, namespace, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_identifiers_device ON device_identifiers (org, device_id);

-- The inbox, what was decided, and what is owed for it.
CREATE TABLE events (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    authority TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    type TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    body TEXT NOT NULL,
    decided TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT;
CREATE UNIQUE INDEX events_sender ON events (org, authority, sender_id) WHERE sender_id <> '';
CREATE INDEX events_source ON events (org, source, received_at);
CREATE TABLE revocations (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    signal TEXT NOT NULL,
    scope TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    key TEXT NOT NULL,
    session_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    reason TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_user ON revocations (org, user_id, created_at);
-- ready_at is due_at while a delivery is due and lease_until while it is claimed: from then on it may be claimed.
CREATE TABLE deliveries (
    org TEXT NOT NULL,
    revocation_id TEXT NOT NULL,
    target TEXT NOT NULL,
    user_id TEXT NOT NULL,
    ord INTEGER NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    lease TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    receipt TEXT NOT NULL,
    done_at INTEGER NOT NULL,
    PRIMARY KEY (org, revocation_id, target)
) STRICT;
CREATE INDEX deliveries_ready ON deliveries (target, priority, ready_at, revocation_id) WHERE state IN ('due', 'claimed');
CREATE INDEX deliveries_parked ON deliveries (org, revocation_id, target) WHERE state = 'parked';
CREATE TABLE attempts (
    org TEXT NOT NULL,
    revocation_id TEXT NOT NULL,
    target TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    took INTEGER NOT NULL,
    error TEXT NOT NULL,
    receipt TEXT NOT NULL,
    PRIMARY KEY (org, revocation_id, target, number)
) STRICT, WITHOUT ROWID;

-- What directories wrote over SCIM. Names are folded by us, because the databases fold differently.
CREATE TABLE resources (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    authority TEXT NOT NULL,
    type TEXT NOT NULL,
    user_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    user_name_folded TEXT NOT NULL,
    external_id TEXT NOT NULL,
    active INTEGER NOT NULL,
    named INTEGER NOT NULL,
    emails TEXT NOT NULL,
    profile TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT;
CREATE UNIQUE INDEX resources_named ON resources (org, authority, type, user_name_folded) WHERE named = 1 AND deleted_at = 0;
CREATE INDEX resources_user_name ON resources (org, authority, type, user_name_folded);
CREATE INDEX resources_external ON resources (org, authority, type, external_id) WHERE external_id <> '';
CREATE INDEX resources_created ON resources (org, authority, type, created_at, id) WHERE deleted_at = 0;
CREATE INDEX resources_user ON resources (org, user_id);
CREATE TABLE resource_emails (
    org TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    authority TEXT NOT NULL,
    type_folded TEXT NOT NULL,
    value_folded TEXT NOT NULL,
    PRIMARY KEY (org, resource_id, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX resource_emails_value ON resource_emails (org, authority, value_folded, resource_id);
CREATE TABLE groups (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    authority TEXT NOT NULL,
    display_name TEXT NOT NULL,
    display_name_folded TEXT NOT NULL,
    external_id TEXT NOT NULL,
    profile TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT;
CREATE INDEX groups_name ON groups (org, authority, display_name_folded);
CREATE INDEX groups_external ON groups (org, authority, external_id) WHERE external_id <> '';
CREATE TABLE members (
    org TEXT NOT NULL,
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (org, group_id, user_id, resource_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (org, user_id);

-- What is announced, ordered, kept for a person, and shown to one.
CREATE TABLE plans (
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    source TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    effective_at INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (org, user_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX plans_due ON plans (org, effective_at) WHERE effective_at <> 0;
CREATE TABLE runs (
    org TEXT NOT NULL,
    schedule TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    revocation_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL,
    PRIMARY KEY (org, schedule, due_at)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    source TEXT NOT NULL,
    user_id TEXT NOT NULL,
    why TEXT NOT NULL,
    held_at INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_waiting ON held (org, held_at, id) WHERE decided_at = 0;
CREATE TABLE alarms (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    text TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    cleared_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarms_standing ON alarms (org, kind, about) WHERE cleared_at = 0;
CREATE TABLE idempotency (
    org TEXT NOT NULL,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (org, source, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

-- The feed and the audit log. Whoever prunes keeps the last row, or numbers would be given twice.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL
) STRICT;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    org TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL,
    person TEXT NOT NULL
) STRICT;
CREATE TABLE leaves (
    n INTEGER PRIMARY KEY,
    audit_seq INTEGER NOT NULL UNIQUE,
    hash BLOB NOT NULL
) STRICT;

-- One row. schema is this file's number; oldest_program is the number of the newest file that a program must at least know in order
-- to run on it: a migration that older programs cannot bear raises it. horizon is the instant before which sessions were pruned.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    schema INTEGER NOT NULL,
    oldest_program INTEGER NOT NULL,
    clock_mark INTEGER NOT NULL,
    horizon INTEGER NOT NULL
) STRICT;
INSERT INTO meta (one, epoch, schema, oldest_program, clock_mark, horizon) VALUES (1, lower(hex(randomblob(16))), 1, 1, 0, 0);

-- How many rows each prefix of an index selects on the tables of a large school: nearly all rows are of one org. Without these
-- numbers SQLite takes the org alone for a good key and reads a whole table to find one person.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('users', 'users', '200000 200000 1'),
    ('users', 'users_id', '200000 1'),
    ('joins', 'joins', '1000 1000 2 1'),
    ('joins', 'joins_other', '1000 1000 2 1'),
    ('identifiers', 'identifiers', '800000 800000 200000 1 1'),
    ('identifiers', 'identifiers_user', '800000 800000 4 4 4 4'),
    ('identifiers', 'identifiers_value', '800000 800000 3 2'),
    ('blocks', 'blocks', '20000 20000 2 2 1'),
    ('cutoffs', 'cutoffs', '50000 50000 2 2 1 1'),
    ('sessions', 'sqlite_autoindex_sessions_1', '1000000 1000000 1'),
    ('sessions', 'sessions_client', '1000000 1000000 1 1'),
    ('sessions', 'sessions_token', '1000000 1000000 1'),
    ('sessions', 'sessions_sid', '500000 500000 2'),
    ('sessions', 'sessions_user', '1000000 1000000 5 1 1 1'),
    ('sessions', 'sessions_born', '1000000 1000000 2 1'),
    ('sessions', 'sessions_kind', '1000000 1000000 200000 2'),
    ('sessions', 'sessions_app', '1000000 1000000 50000 2 1'),
    ('sessions', 'sessions_device', '500000 500000 3 1'),
    ('sessions', 'sessions_expiry', '1000000 1000000 2'),
    ('devices', 'devices', '500000 500000 1'),
    ('device_identifiers', 'device_identifiers', '500000 500000 250000 1'),
    ('device_identifiers', 'device_identifiers_device', '500000 500000 2'),
    ('events', 'sqlite_autoindex_events_1', '500000 500000 1'),
    ('events', 'events_sender', '500000 500000 250000 1'),
    ('events', 'events_source', '500000 500000 100000 1'),
    ('revocations', 'revocations', '500000 500000 1'),
    ('revocations', 'revocations_user', '500000 500000 3 1'),
    ('deliveries', 'sqlite_autoindex_deliveries_1', '2000000 2000000 5 1'),
    ('deliveries', 'deliveries_ready', '1000 300 200 2 1'),
    ('deliveries', 'deliveries_parked', '100 100 2 1'),
    ('attempts', 'attempts', '3000000 3000000 6 1 1'),
    ('resources', 'sqlite_autoindex_resources_1', '200000 200000 1'),
    ('resources', 'resources_named', '200000 200000 150000 150000 1'),
    ('resources', 'resources_user_name', '200000 200000 150000 150000 2'),
    ('resources', 'resources_external', '200000 200000 150000 150000 1'),
    ('resources', 'resources_created', '200000 200000 150000 150000 2 1'),
    ('resources', 'resources_user', '200000 200000 1'),
    ('resource_emails', 'resource_emails', '300000 300000 2 1'),
    ('resource_emails', 'resource_emails_value', '300000 300000 200000 2 1');
ANALYZE sqlite_schema;
