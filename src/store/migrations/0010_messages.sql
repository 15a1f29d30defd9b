-- Messages the shop starts: who agreed to what, who waits for what, what was decided and what became of it; and how far each
-- event of the outbox got.
ALTER TABLE outbox ADD COLUMN delivery TEXT NOT NULL DEFAULT 'waiting'; -- waiting, done, dropped, given_up, before
ALTER TABLE outbox ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;        -- seconds since 1970: not carried before
-- What was kept before there was a courier has been read by other ways.
UPDATE outbox SET delivery = 'before';
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE delivery = 'waiting';
CREATE TABLE permissions (
    person     TEXT NOT NULL,           -- customer:ID, session:UUID, email:ADDRESS or phone:NUMBER
    topic      TEXT NOT NULL,           -- marketing, service, personal
    granted    BIGINT NOT NULL,         -- 0 or 1
    at         BIGINT NOT NULL,         -- seconds since 1970
    document   TEXT NOT NULL,           -- domain::outreach::Permission as JSON
    PRIMARY KEY (person, topic)
);
CREATE TABLE permission_log (           -- every word of it, only ever added to
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    person     TEXT NOT NULL,
    document   TEXT NOT NULL
);
CREATE INDEX permission_log_by_person ON permission_log (person, id);
CREATE TABLE waiting (
    id         TEXT PRIMARY KEY,        -- the id of the consent it came from
    person     TEXT NOT NULL,
    address    TEXT NOT NULL,           -- email:ADDRESS or phone:NUMBER
    product    TEXT NOT NULL,
    variant    TEXT NOT NULL,           -- size and colour as they were said
    state      TEXT NOT NULL,           -- open, told, left
    round      BIGINT NOT NULL,         -- how often it was there and gone again before it could be told
    at         BIGINT NOT NULL,
    document   TEXT NOT NULL            -- domain::outreach::Wanted as JSON
);
-- One wish of one person waits once.
CREATE UNIQUE INDEX waiting_open ON waiting (address, product, variant) WHERE state = 'open';
CREATE INDEX waiting_by_person ON waiting (person);
CREATE TABLE outreach (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time; the event and the message bear it too
    cause      TEXT NOT NULL UNIQUE,    -- what it is about: decided once
    kind       TEXT NOT NULL,
    person     TEXT NOT NULL,
    address    TEXT NOT NULL,
    state      TEXT NOT NULL,           -- decided, sent, withdrawn
    at         BIGINT NOT NULL,         -- when it was decided
    document   TEXT NOT NULL            -- domain::outreach::Outgoing as JSON
);
CREATE INDEX outreach_by_person ON outreach (person, at);
CREATE INDEX outreach_by_address ON outreach (address, at);
CREATE TABLE outreach_turns (           -- decisions about one person are made one after another
    person     TEXT PRIMARY KEY,
    decided    BIGINT NOT NULL
);
