-- +goose Up

-- What is asked of sessions of a kind: of everybody's under the zero group, else of those of a group's members. The rest is JSON, that no
-- statement looks into. A removed one keeps its row.
CREATE TABLE policies (
    org TEXT NOT NULL,
    kind TEXT NOT NULL,
    group_id TEXT NOT NULL,
    entry TEXT NOT NULL,
    set_at INTEGER NOT NULL,
    PRIMARY KEY (org, kind, group_id)
) STRICT, WITHOUT ROWID;
-- A cutoff that moves by itself; at only moves forward. The user leads, as among the cutoffs.
CREATE TABLE limits (
    org TEXT NOT NULL,
    user_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    max_age INTEGER NOT NULL,
    idle INTEGER NOT NULL,
    at INTEGER NOT NULL,
    revocation_id TEXT NOT NULL,
    PRIMARY KEY (org, user_id, scope, key, max_age, idle)
) STRICT, WITHOUT ROWID;
-- In which groups somebody is.
CREATE INDEX members_user ON members (org, user_id, group_id);

UPDATE meta SET schema = 10 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('policies', 'policies', '20 10 4 1'),
    ('limits', 'limits', '20000 10000 4 3 2 1 1'),
    ('members', 'members_user', '200000 100000 3 1 1');
ANALYZE sqlite_schema;
