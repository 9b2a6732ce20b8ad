-- What many bodies, answers and receipts have in common is kept once: dictionaries by which they are packed; see adapters.store.packing.
-- contracts: an older hub would take what is packed for the bytes that came

CREATE TABLE dictionaries (
    number  BIGINT PRIMARY KEY,
    kind    TEXT NOT NULL UNIQUE,
    content BYTEA NOT NULL
);
