-- Orders and customers as the desk sees them, tasks with their proposals, events for the merchant's systems, and
-- what was answered under which Idempotency-Key. A version counts the writes of a document.
CREATE TABLE orders (
    number     TEXT PRIMARY KEY,        -- letters and digits in lower case
    customer   TEXT NOT NULL,
    source     TEXT NOT NULL,           -- sha256 of the line it was read from
    version    BIGINT NOT NULL,
    document   TEXT NOT NULL            -- domain::order::Order as JSON
);
CREATE INDEX orders_by_customer ON orders (customer);
CREATE TABLE customers (
    id         TEXT PRIMARY KEY,
    source     TEXT NOT NULL,
    version    BIGINT NOT NULL,
    document   TEXT NOT NULL            -- domain::desk::Customer as JSON
);
CREATE TABLE tasks (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    state      TEXT NOT NULL,
    document   TEXT NOT NULL            -- domain::desk::Task as JSON
);
CREATE TABLE outbox (
    id         TEXT PRIMARY KEY,        -- the task's id: one event per task
    at         TEXT NOT NULL,           -- RFC 3339, UTC
    document   TEXT NOT NULL            -- domain::desk::Task as JSON
);
CREATE TABLE idempotency (
    caller     TEXT NOT NULL,           -- digest of the API key, or empty
    key        TEXT NOT NULL,
    body       TEXT NOT NULL,           -- sha256 of path and body
    at         BIGINT NOT NULL,         -- seconds since 1970
    status     BIGINT NOT NULL,         -- 0 while the first request runs
    answer     TEXT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE TABLE proofs (
    number     TEXT NOT NULL,           -- the order whose owner somebody claimed to be
    at         BIGINT NOT NULL          -- when the claim was wrong
);
CREATE INDEX proofs_by_number ON proofs (number, at);
