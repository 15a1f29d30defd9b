-- What shoppers thought of a conversation.
CREATE TABLE scores (
    session    TEXT PRIMARY KEY,
    score      BIGINT NOT NULL,         -- 1 to 5
    at         BIGINT NOT NULL          -- seconds since 1970
);
CREATE INDEX scores_by_time ON scores (at);
CREATE INDEX turns_by_time ON turns (at);
