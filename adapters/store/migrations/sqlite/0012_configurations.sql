-- What record systems have said of their HER-ids, and which notifications those have deleted who do not read by offset.

CREATE TABLE configurations (
    her_id          TEXT PRIMARY KEY,
    channel         TEXT NOT NULL,
    locked          INTEGER NOT NULL,
    rejects         TEXT NOT NULL, -- JSON: codes of list 8279
    refused_notices INTEGER NOT NULL,
    client          TEXT NOT NULL
) WITHOUT ROWID;

ALTER TABLE notifications ADD COLUMN deleted_at INTEGER;
CREATE INDEX notifications_undeleted ON notifications (receiver, offset) WHERE deleted_at IS NULL;
