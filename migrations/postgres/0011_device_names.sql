-- +goose Up

-- What people call their devices.
CREATE TABLE device_names (
    org TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    named_at BIGINT NOT NULL,
    PRIMARY KEY (org, user_id, device)
);

UPDATE meta SET schema = 11 WHERE one = 1;
