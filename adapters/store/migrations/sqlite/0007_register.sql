-- What was agreed about receipts when a delivery was sealed, and by whose certificates; which register each node runs.

ALTER TABLE deliveries ADD COLUMN ack_requested INTEGER;             -- NULL: it has not been sealed since this was kept
ALTER TABLE deliveries ADD COLUMN sealed_by TEXT NOT NULL DEFAULT ''; -- digests of the receiver's certificate and of the rest
ALTER TABLE deliveries ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET urgent = 1 WHERE priority = 1;

CREATE TABLE nodes (
    node     TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    since    INTEGER NOT NULL,
    seen     INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    changes  TEXT NOT NULL,
    faults   TEXT NOT NULL
) WITHOUT ROWID;
