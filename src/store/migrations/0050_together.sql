-- What is bought together, as it was counted last; all of it is written anew by the next count.
CREATE TABLE together (
    product    TEXT NOT NULL,
    companion  TEXT NOT NULL,
    place      BIGINT NOT NULL,         -- 0: the surest of the product's companions
    orders     BIGINT NOT NULL,         -- that held both
    lift       BIGINT NOT NULL,         -- how much oftener than by chance, in percent
    PRIMARY KEY (product, companion)
);
CREATE TABLE together_counted (
    id         BIGINT PRIMARY KEY,      -- 1
    at         BIGINT NOT NULL          -- seconds since 1970; 0: orders were read in since
);
