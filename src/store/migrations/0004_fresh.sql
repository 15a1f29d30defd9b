-- Prices and stock told after a feed was written: by the API or a delta feed. They outlive index generations; a newer
-- word wins over an older one, whoever spoke. Moments are microseconds since 1970.
CREATE TABLE fresh_prices (
    sku        TEXT PRIMARY KEY,
    as_of      BIGINT NOT NULL,
    source     TEXT NOT NULL,
    max_age_s  BIGINT,                  -- older it is not told; NULL: the settings decide
    document   TEXT NOT NULL            -- the variant's prices as JSON; an empty list: it has none
);
CREATE TABLE fresh_stock (
    sku        TEXT NOT NULL,
    place      TEXT NOT NULL,           -- empty: no place in particular
    as_of      BIGINT NOT NULL,
    source     TEXT NOT NULL,
    max_age_s  BIGINT,
    count      BIGINT NOT NULL,
    PRIMARY KEY (sku, place)
);
