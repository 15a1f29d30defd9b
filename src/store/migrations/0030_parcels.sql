-- Parcels of orders, what carriers told of them, and when each is asked about next.
CREATE TABLE parcels (
    tracking   TEXT NOT NULL,           -- letters and digits in upper case
    number     TEXT NOT NULL,           -- the order's, as orders.number
    next_at    BIGINT NOT NULL,         -- seconds since 1970: not asked about before
    failures   BIGINT NOT NULL,         -- questions in a row to which the carrier did not know the parcel
    PRIMARY KEY (tracking, number)
);
CREATE INDEX parcels_by_number ON parcels (number);
CREATE INDEX parcels_by_time ON parcels (next_at);
CREATE TABLE parcel_events (
    id         TEXT PRIMARY KEY,        -- the carrier and its id of the event, or the digest of what it says
    carrier    TEXT NOT NULL,
    tracking   TEXT NOT NULL,
    at         BIGINT NOT NULL,         -- seconds since 1970: when the carrier says it happened
    heard      BIGINT NOT NULL,         -- seconds since 1970
    result     TEXT NOT NULL,           -- moved, older, ahead, unknown_word, unknown_parcel
    document   TEXT NOT NULL            -- domain::shipment::ParcelEvent as JSON
);
CREATE INDEX parcel_events_by_result ON parcel_events (result, heard);
CREATE INDEX parcel_events_by_parcel ON parcel_events (tracking);
CREATE TABLE shipments (
    number     TEXT PRIMARY KEY,        -- the order's, as orders.number
    state      TEXT NOT NULL,
    at         BIGINT NOT NULL,
    document   TEXT NOT NULL            -- domain::shipment::Shipment as JSON
);
CREATE TABLE carrier_health (
    carrier    TEXT PRIMARY KEY,
    failures   BIGINT NOT NULL,         -- questions in a row that it did not answer
    rests      BIGINT NOT NULL          -- seconds since 1970: nobody asks it before
);
