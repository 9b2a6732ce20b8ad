-- name: state_of
SELECT state FROM deliveries WHERE id = ?

-- name: take
UPDATE deliveries SET attempts = attempts + 1, next_at = ?, claimed_until = ? WHERE id = ? AND next_at <= ?
  AND (claimed_until IS NULL OR claimed_until <= ? OR next_at <> claimed_until)
RETURNING attempts

-- name: begin_offsets
INSERT INTO sqlite_sequence (name, seq) SELECT 'notifications', ?
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'notifications')

-- name: raise_offsets
UPDATE sqlite_sequence SET seq = ? WHERE name = 'notifications' AND seq < ?

-- name: delete_notifications
UPDATE notifications SET deleted_at = ?
WHERE "offset" IN (SELECT value FROM json_each(?)) AND receiver IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL
