-- +goose Up

-- In which minutes of an hour a source was heard, a bit for each: whoever writes what was heard joins it with what is here.
CREATE TABLE hearings (
    org TEXT NOT NULL,
    source TEXT NOT NULL,
    hour INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (org, source, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX hearings_hour ON hearings (hour);

-- What a source goes through for a while: it is silent, or late. Both instants only move forward.
CREATE TABLE spells (
    org TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (org, source, kind)
) STRICT, WITHOUT ROWID;

UPDATE meta SET schema = 4 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('hearings', 'hearings', '20000 2000 1000 1'),
    ('hearings', 'hearings_hour', '20000 10 10 10 1'),
    ('spells', 'spells', '60 30 3 1');
ANALYZE sqlite_schema;
