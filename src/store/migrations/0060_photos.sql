-- Photos that shoppers sent where a rule asks for one, as they came; gone when their days are over.
CREATE TABLE photos (
    id         TEXT PRIMARY KEY,        -- UUID v4: nobody guesses it
    session    TEXT NOT NULL,
    digest     TEXT NOT NULL,           -- sha256 of the bytes: the same photo is kept once
    at         BIGINT NOT NULL,         -- seconds since 1970
    kind       TEXT NOT NULL,           -- image/jpeg, image/png or image/webp, by its first bytes
    bytes      BLOB NOT NULL,
    UNIQUE (session, digest)
);
CREATE INDEX photos_by_time ON photos (at);
