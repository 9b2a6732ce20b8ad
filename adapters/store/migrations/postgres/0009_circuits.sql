-- Addresses that are left alone, but for one probe now and then, until they answer: known to every node, and to people.

CREATE TABLE circuits (
    address  TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    cause    TEXT NOT NULL
);
