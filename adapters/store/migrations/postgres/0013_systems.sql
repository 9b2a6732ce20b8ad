-- Record systems that were made by command, and API keys by their digest: several at a time for each, with their ends.
-- contracts: an older hub would go on to let in keys that were taken away

CREATE TABLE record_systems (
    id      TEXT PRIMARY KEY,
    said    TEXT NOT NULL, -- what a [[system]] of the party file would say, as JSON
    made_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    sha256     TEXT PRIMARY KEY,
    system     TEXT NOT NULL,
    number     BIGINT NOT NULL, -- 0: the key stands in the party file; this row only narrows what that grants
    made_at    BIGINT,
    expires_at BIGINT,
    revoked_at BIGINT,
    used_at    BIGINT
);
CREATE UNIQUE INDEX api_keys_number ON api_keys (system, number) WHERE number > 0;
