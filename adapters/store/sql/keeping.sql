-- For keeping house: what takes its time, beside what everybody waits for.

-- name: needed_bodies
SELECT sha256, content FROM bodies WHERE sha256 IN (
    SELECT document FROM messages UNION SELECT body FROM parcels UNION SELECT body FROM arrivals)

-- name: large_bodies
SELECT sha256, size FROM bodies INDEXED BY bodies_large WHERE content IS NULL
