-- Codes sent to phones and e-mails, which orders name which contact, parcels that come back, and times that are booked.
CREATE TABLE codes (
    id         TEXT PRIMARY KEY,        -- UUID v7: sorts by time
    session    TEXT NOT NULL,           -- the conversation it is typed in
    client     TEXT NOT NULL,           -- who asked; empty: not known
    contact    TEXT NOT NULL,           -- sha256 of the contact it went to
    digest     TEXT NOT NULL,           -- keyed digest of id and code; the code itself is nowhere
    tries      BIGINT NOT NULL,
    state      TEXT NOT NULL,           -- open, used, replaced
    at         BIGINT NOT NULL,         -- seconds since 1970
    expires    BIGINT NOT NULL          -- seconds since 1970
);
CREATE INDEX codes_by_session ON codes (session, state);
CREATE INDEX codes_by_contact ON codes (contact, at);
CREATE INDEX codes_by_client ON codes (client, at);
CREATE TABLE order_contacts (
    contact    TEXT NOT NULL,           -- phone:DIGITS or email:ADDRESS in lower case
    number     TEXT NOT NULL,           -- the order's, as orders.number
    PRIMARY KEY (contact, number)
);
CREATE INDEX order_contacts_by_number ON order_contacts (number);
CREATE TABLE returns (
    number     TEXT PRIMARY KEY,        -- the order's, as orders.number
    rma        TEXT NOT NULL UNIQUE,    -- what the parcel bears
    secret     TEXT NOT NULL,           -- what opens its label
    state      TEXT NOT NULL,           -- registered, received, refunded, refused
    at         BIGINT NOT NULL,         -- seconds since 1970: registered
    changed    BIGINT NOT NULL          -- seconds since 1970: last step
);
CREATE TABLE bookings (
    starts     BIGINT NOT NULL,         -- seconds since 1970
    seat       BIGINT NOT NULL,         -- counts from nought: several visits side by side
    session    TEXT NOT NULL,
    state      TEXT NOT NULL,           -- held, booked
    until      BIGINT NOT NULL,         -- seconds since 1970: a hold is free again after it
    PRIMARY KEY (starts, seat)
);
CREATE INDEX bookings_by_session ON bookings (session);
