-- Carts, the orders they become, how those are paid, and what was done under which operation.
CREATE TABLE carts (
    owner      TEXT PRIMARY KEY,        -- customer:ID or session:UUID
    version    BIGINT NOT NULL,
    at         BIGINT NOT NULL,         -- seconds since 1970, of the last write
    document   TEXT NOT NULL            -- domain::cart::Cart as JSON
);
CREATE INDEX carts_by_time ON carts (at);
CREATE TABLE cart_edits (
    owner      TEXT NOT NULL,
    operation  TEXT NOT NULL,           -- digest of what was asked and where: done once
    at         BIGINT NOT NULL,
    PRIMARY KEY (owner, operation)
);
CREATE TABLE checkouts (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    state      TEXT NOT NULL,
    document   TEXT NOT NULL            -- domain::cart::Checkout as JSON
);
CREATE TABLE order_numbers (
    number     BIGINT PRIMARY KEY,      -- counts up; the prefix is the merchant's
    checkout   TEXT NOT NULL UNIQUE
);
CREATE TABLE payments (
    provider   TEXT NOT NULL,
    reference  TEXT NOT NULL,           -- the provider's id
    number     TEXT NOT NULL,           -- the order's, as orders.number
    attempt    BIGINT NOT NULL,
    url        TEXT NOT NULL,
    minor      BIGINT NOT NULL,         -- what was asked for, in minor units
    currency   TEXT NOT NULL,
    paid       BIGINT NOT NULL,         -- 0 or 1
    at         TEXT NOT NULL,           -- RFC 3339, UTC
    PRIMARY KEY (provider, reference)
);
CREATE INDEX payments_by_order ON payments (number, attempt);
