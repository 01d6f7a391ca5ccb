-- +goose Up

-- What is asked of sessions of a kind: of everybody's under the zero group, else of those of a group's members. The rest is JSON, that no
-- statement looks into. A removed one keeps its row.
CREATE TABLE policies (
    org TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    group_id UUID NOT NULL,
    entry TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (org, kind, group_id)
);
-- A cutoff that moves by itself; at only moves forward. The user leads, as among the cutoffs.
CREATE TABLE limits (
    org TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    max_age BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    at BIGINT NOT NULL,
    revocation_id UUID NOT NULL,
    PRIMARY KEY (org, user_id, scope, key, max_age, idle)
);
-- In which groups somebody is.
CREATE INDEX members_user ON members (org, user_id, group_id);

UPDATE meta SET schema = 10 WHERE one = 1;
