-- +goose Up

-- Every value of a resource that has no column of its own, so that any filter is an index's work. head is the beginning of folded.
CREATE TABLE resource_values (
    org TEXT COLLATE "C" NOT NULL,
    resource_id UUID NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    head TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    exact TEXT COLLATE "C" NOT NULL,
    numeric BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (org, resource_id, path, n)
);
CREATE INDEX resource_values_head ON resource_values (org, authority, type, path, head, resource_id, n);
DROP TABLE resource_emails;
ALTER TABLE resources DROP COLUMN emails;
-- The program that migrates writes the values of what stands here already.
ALTER TABLE resources ADD COLUMN valued BIGINT NOT NULL DEFAULT 0;
CREATE INDEX resources_unvalued ON resources (valued) WHERE valued = 0;

-- A group is a resource. Nobody has written a group or a member yet.
DROP TABLE groups;
DROP TABLE members;
CREATE TABLE members (
    org TEXT COLLATE "C" NOT NULL,
    group_id UUID NOT NULL,
    resource_id UUID NOT NULL,
    user_id UUID NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (org, group_id, resource_id)
);
CREATE INDEX members_resource ON members (org, resource_id, group_id);

UPDATE meta SET schema = 3, oldest_program = 3 WHERE one = 1;
