-- +goose Up

-- What people are told about their own devices: one row for each person and kind, so that nobody gets many messages.
CREATE TABLE notices (
    org TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    signal TEXT COLLATE "C" NOT NULL,
    devices TEXT COLLATE "C" NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    PRIMARY KEY (org, user_id, kind)
);
CREATE INDEX notices_due ON notices (due_at) WHERE count > 0;
CREATE INDEX notices_sent ON notices (last_at) WHERE count = 0;

UPDATE meta SET schema = 6 WHERE one = 1;
