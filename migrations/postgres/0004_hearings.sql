-- +goose Up

-- In which minutes of an hour a source was heard, a bit for each: whoever writes what was heard joins it with what is here.
CREATE TABLE hearings (
    org TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    minutes BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (org, source, hour)
);
CREATE INDEX hearings_hour ON hearings (hour);

-- What a source goes through for a while: it is silent, or late. Both instants only move forward.
CREATE TABLE spells (
    org TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (org, source, kind)
);

UPDATE meta SET schema = 4 WHERE one = 1;
