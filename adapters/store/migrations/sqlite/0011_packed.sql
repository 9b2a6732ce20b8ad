-- What many bodies, answers and receipts have in common is kept once: dictionaries by which they are packed; see adapters.store.packing.

CREATE TABLE dictionaries (
    number  INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL UNIQUE,
    content BLOB NOT NULL
);
