-- +goose Up

-- An application asks for a link to somebody's own devices, and says when they last proved who they are.
ALTER TABLE links ADD COLUMN app TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN proved_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX links_over ON links (expires_at);

UPDATE meta SET schema = 12 WHERE one = 1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('links', 'links_over', '1000 2');
ANALYZE sqlite_schema;
