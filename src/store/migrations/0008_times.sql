-- What is looked up by its moment: keys that are over, events of a period.
CREATE INDEX idempotency_by_time ON idempotency (at);
CREATE INDEX outbox_by_time ON outbox (at, id);
