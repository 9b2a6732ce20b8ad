-- name: standing
SELECT id, state FROM deliveries WHERE id = ANY(?) ORDER BY id FOR NO KEY UPDATE

-- name: lock_lanes
SELECT pg_advisory_xact_lock(lane) FROM (
    SELECT DISTINCT hashtextextended(current_schema() || ' samhub lane ' || address, 0) AS lane FROM unnest(?::text[]) AS address
    ORDER BY lane
) AS lanes

-- name: due_of
SELECT d.id, d.address, d.priority, d.next_at
FROM unnest(?::text[]) AS a (address), generate_series(?::bigint, 9) AS p (priority), LATERAL (
    SELECT id, address, priority, next_at FROM deliveries
    WHERE address = a.address AND priority = p.priority AND next_at <= ? AND next_at IS NOT NULL
      AND state IN ('waiting', 'sent') AND (claimed_until IS NULL OR claimed_until <= ? OR next_at <> claimed_until)
    ORDER BY next_at LIMIT ?
) AS d

-- name: take
WITH free AS (
    SELECT id FROM deliveries WHERE id = ANY(?) AND next_at <= ? AND state IN ('waiting', 'sent') AND (claimed_until IS NULL OR claimed_until <= ? OR next_at <> claimed_until)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deliveries SET attempts = attempts + 1, next_at = ?, claimed_until = ? FROM free WHERE deliveries.id = free.id
RETURNING deliveries.id, attempts

-- name: undecided
SELECT id FROM arrivals WHERE state = 'undecided' AND next_at <= ? ORDER BY next_at LIMIT ? FOR NO KEY UPDATE SKIP LOCKED

-- name: one_at_a_time
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' samhub ' || ?::text, 0))

-- name: give_offsets
UPDATE notifications SET "offset" = given."offset" FROM (
    SELECT number, nextval('notification_offsets') AS "offset" FROM (
        SELECT number FROM notifications WHERE "offset" IS NULL ORDER BY number
    ) AS waiting
) AS given WHERE notifications.number = given.number

-- name: sum_up
WITH gone AS (DELETE FROM standing RETURNING kind, state, number)
INSERT INTO standing (kind, state, number) SELECT kind, state, SUM(number) FROM gone GROUP BY kind, state HAVING SUM(number) <> 0

-- name: raise_offsets
SELECT setval('notification_offsets', GREATEST(last_value, ?)) FROM notification_offsets

-- name: delete_notifications
UPDATE notifications SET deleted_at = ?
WHERE "offset" = ANY(ARRAY(SELECT json_array_elements_text(?::json)::bigint))
  AND receiver = ANY(ARRAY(SELECT json_array_elements_text(?::json))) AND deleted_at IS NULL

-- name: claim_proof
INSERT INTO proofs (digest, until) VALUES (?, ?)
ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE proofs.until < ?

-- name: sweep_proofs
DELETE FROM proofs WHERE until < ?
