-- Conversations and the append-only audit of turns. Messages are stored masked.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    document   TEXT NOT NULL,           -- domain::session::Session as JSON
    updated_at TEXT NOT NULL            -- RFC 3339, UTC
);
CREATE TABLE turns (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    session    TEXT NOT NULL,
    at         TEXT NOT NULL,           -- RFC 3339, UTC
    record     TEXT NOT NULL            -- audit::TurnRecord as JSON
);
CREATE INDEX turns_by_session ON turns (session, id);
