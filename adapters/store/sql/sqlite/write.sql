-- name: state_of
SELECT state FROM deliveries WHERE id = ?

-- name: take
UPDATE deliveries SET attempts = attempts + 1, next_at = ?, claimed_until = ? WHERE id = ? AND next_at <= ?
RETURNING attempts
