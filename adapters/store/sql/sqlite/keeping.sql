-- As the shared statements, where a file has pages.

-- name: pack_body
UPDATE bodies SET content = ?, rowid = (SELECT MAX(rowid) + 1 FROM bodies) WHERE sha256 = ? AND content = ?
-- moved to the end: in its old place it would leave most of a page empty

-- name: notifications_in_order
SELECT "offset" AS place, at FROM notifications WHERE "offset" > ? ORDER BY "offset" LIMIT ?

-- name: forget_notifications
DELETE FROM notifications WHERE "offset" >= ? AND "offset" <= ? AND at < ?
