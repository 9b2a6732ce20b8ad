-- As the shared statements, where a notification is numbered before it has its offset.

-- name: notifications_in_order
SELECT number AS place, at FROM notifications WHERE number > ? ORDER BY number LIMIT ?

-- name: forget_notifications
DELETE FROM notifications WHERE number >= ? AND number <= ? AND at < ? AND "offset" IS NOT NULL
