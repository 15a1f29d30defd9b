-- What is bought most, as it was counted last; all of it is written anew by the next count.
CREATE TABLE popular (
    product    TEXT NOT NULL PRIMARY KEY,
    place      BIGINT NOT NULL,         -- 0: bought most
    orders     BIGINT NOT NULL          -- that held it
);
-- The next count is due at once.
UPDATE together_counted SET at = 0;
