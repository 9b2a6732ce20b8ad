-- Record systems that were made by command, and API keys by their digest: several at a time for each, with their ends.

CREATE TABLE record_systems (
    id      TEXT PRIMARY KEY,
    said    TEXT NOT NULL, -- what a [[system]] of the party file would say, as JSON
    made_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_keys (
    sha256     TEXT PRIMARY KEY,
    system     TEXT NOT NULL,
    number     INTEGER NOT NULL, -- 0: the key stands in the party file; this row only narrows what that grants
    made_at    INTEGER,
    expires_at INTEGER,
    revoked_at INTEGER,
    used_at    INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_number ON api_keys (system, number) WHERE number > 0;
