-- +goose Up

-- Every value of a resource that has no column of its own, so that any filter is an index's work. head is the beginning of folded.
CREATE TABLE resource_values (
    org TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    path TEXT NOT NULL,
    n INTEGER NOT NULL,
    authority TEXT NOT NULL,
    type TEXT NOT NULL,
    head TEXT NOT NULL,
    folded TEXT NOT NULL,
    exact TEXT NOT NULL,
    numeric INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (org, resource_id, path, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX resource_values_head ON resource_values (org, authority, type, path, head, resource_id, n);
DROP TABLE resource_emails;
ALTER TABLE resources DROP COLUMN emails;
-- The program that migrates writes the values of what stands here already.
ALTER TABLE resources ADD COLUMN valued INTEGER NOT NULL DEFAULT 0;
CREATE INDEX resources_unvalued ON resources (valued) WHERE valued = 0;

-- A group is a resource. Nobody has written a group or a member yet.
DROP TABLE groups;
DROP TABLE members;
CREATE TABLE members (
    org TEXT NOT NULL,
    group_id TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (org, group_id, resource_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_resource ON members (org, resource_id, group_id);

UPDATE meta SET schema = 3, oldest_program = 3 WHERE one = 1;

DELETE FROM sqlite_stat1 WHERE tbl IN ('resource_emails', 'groups', 'members');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('resource_values', 'resource_values', '2500000 2500000 12 1 1'),
    ('resource_values', 'resource_values_head', '2500000 2500000 2000000 1900000 200000 3 1 1'),
    ('resources', 'resources_unvalued', '10 10'),
    ('members', 'members', '500000 500000 500 1'),
    ('members', 'members_resource', '500000 500000 3 1');
ANALYZE sqlite_schema;
