-- Addresses that are left alone, but for one probe now and then, until they answer: known to every node, and to people.

CREATE TABLE circuits (
    address  TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    cause    TEXT NOT NULL
) WITHOUT ROWID;
