-- What several nodes share: who tries what until when, who has which duty, and how far each reader in order has come.

ALTER TABLE deliveries ADD COLUMN claimed_until BIGINT; -- an attempt is under way until then; NULL: none is
CREATE INDEX deliveries_under_way ON deliveries (claimed_until, address) WHERE claimed_until IS NOT NULL;

CREATE TABLE duties (
    duty  TEXT PRIMARY KEY,
    node  TEXT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE bookmarks (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
