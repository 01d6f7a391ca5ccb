-- +goose Up

-- What is held: who asked, why, and what is decided on approval. Nothing has been held yet.
ALTER TABLE held ADD COLUMN authority TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN cause TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN said TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN by_itself BIGINT NOT NULL DEFAULT 0;
DROP INDEX held_waiting;
CREATE INDEX held_waiting ON held (org, source, id) WHERE decided_at = 0;
CREATE INDEX held_user ON held (org, user_id) WHERE decided_at = 0;
CREATE INDEX held_long ON held (held_at) WHERE decided_at = 0 AND by_itself = 1;

-- Whom each source and each operator hit last: what the brake counts. A day later a row may go.
CREATE TABLE hits (
    org TEXT COLLATE "C" NOT NULL,
    voice TEXT COLLATE "C" NOT NULL,
    subject_id UUID NOT NULL,
    at BIGINT NOT NULL,
    spare_at BIGINT NOT NULL,
    PRIMARY KEY (org, voice, subject_id)
);
CREATE INDEX hits_at ON hits (org, voice, at, spare_at);
CREATE INDEX hits_old ON hits (at);

UPDATE meta SET schema = 7 WHERE one = 1;
