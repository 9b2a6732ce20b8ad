-- name: notifications
SELECT n.* FROM unnest(?::text[]) AS r (receiver), LATERAL (
    SELECT * FROM notifications WHERE receiver = r.receiver AND "offset" > ? ORDER BY "offset" LIMIT ?
) AS n ORDER BY n."offset" LIMIT ?

-- name: without_offset
SELECT 1 FROM notifications WHERE "offset" IS NULL LIMIT 1

-- name: newest_offset
SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS newest FROM notification_offsets

-- name: delivery
SELECT * FROM deliveries WHERE id = ANY(?)

-- name: message
SELECT * FROM messages WHERE id = ANY(?)

-- name: parcel
SELECT p.delivery_id, p.headers, p.digests, b.sha256, b.size, b.content
FROM parcels p JOIN bodies b ON b.sha256 = p.body WHERE p.delivery_id = ANY(?)

-- name: arrival
SELECT a.*, b.sha256, b.content FROM arrivals a JOIN bodies b ON b.sha256 = a.body WHERE a.id = ANY(?)

-- name: clock
SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)

-- name: ring
SELECT pg_notify(?, ?)
