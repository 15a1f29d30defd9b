-- Turns of one conversation, one after another: how often it was written, and until when a turn is writing for it.
ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN busy_until BIGINT NOT NULL DEFAULT 0; -- milliseconds since 1970; 0: no turn
