-- The catalog of one index generation. Money is whole minor units; days are ISO dates; moments are RFC 3339 in UTC.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE products (
    id TEXT PRIMARY KEY,
    -- The product as JSON, its prices taken out: a price is read from `prices` alone.
    document TEXT NOT NULL
);

CREATE TABLE variants (
    sku TEXT PRIMARY KEY,
    product TEXT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    size TEXT,
    colour TEXT,
    as_of TEXT NOT NULL
);
CREATE INDEX variants_of_product ON variants (product, position);

CREATE TABLE prices (
    sku TEXT NOT NULL REFERENCES variants (sku) ON DELETE CASCADE,
    currency TEXT NOT NULL,
    position INTEGER NOT NULL,
    minor INTEGER NOT NULL CHECK (minor >= 0),
    old_minor INTEGER CHECK (old_minor >= 0),
    -- The last day of a reduction, for telling it; the moments between which it holds.
    until TEXT,
    starts TEXT,
    ends TEXT,
    as_of TEXT NOT NULL,
    -- Older than so many seconds it is not told; NULL: the settings decide.
    max_age_s INTEGER,
    PRIMARY KEY (sku, currency)
) WITHOUT ROWID;

CREATE TABLE stock (
    sku TEXT NOT NULL REFERENCES variants (sku) ON DELETE CASCADE,
    place TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    as_of TEXT NOT NULL,
    max_age_s INTEGER,
    PRIMARY KEY (sku, place)
) WITHOUT ROWID;

-- `weight` 0: the product's own id or SKU; 1: a further code, which several products may share.
CREATE TABLE codes (
    code TEXT NOT NULL,
    weight INTEGER NOT NULL,
    product TEXT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    sku TEXT
);
CREATE INDEX codes_by_code ON codes (code, weight);
CREATE INDEX codes_of_product ON codes (product);
