-- Conversations that need a person, and what was written while one had them.
CREATE TABLE cases (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    session    TEXT NOT NULL,
    state      TEXT NOT NULL,           -- waiting, taken, given_back, closed
    priority   BIGINT NOT NULL,         -- greater comes first
    opened     BIGINT NOT NULL,         -- seconds since 1970
    version    BIGINT NOT NULL,
    document   TEXT NOT NULL            -- domain::handover::Case as JSON
);
CREATE INDEX cases_by_state ON cases (state, priority, opened);
-- A conversation has one open case.
CREATE UNIQUE INDEX cases_open ON cases (session) WHERE state IN ('waiting', 'taken');
CREATE TABLE messages (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    session    TEXT NOT NULL,
    by_whom    TEXT NOT NULL,           -- shopper, operator, note, assistant
    at         TEXT NOT NULL,           -- RFC 3339, UTC
    text       TEXT NOT NULL            -- the shopper's masked
);
CREATE INDEX messages_by_session ON messages (session, id);
