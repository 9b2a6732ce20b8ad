-- name: delivery
SELECT * FROM deliveries WHERE id = ?

-- name: message
SELECT * FROM messages WHERE id = ?

-- name: document
SELECT b.sha256, b.size, b.content FROM messages m JOIN bodies b ON b.sha256 = m.document WHERE m.id = ?

-- name: dictionaries
SELECT number, kind, content FROM dictionaries

-- name: dictionary
SELECT content FROM dictionaries WHERE number = ?

-- name: body
SELECT sha256, content FROM bodies WHERE sha256 = ?

-- name: parcel
SELECT p.headers, p.digests, b.sha256, b.size, b.content FROM parcels p JOIN bodies b ON b.sha256 = p.body WHERE p.delivery_id = ?

-- name: missing_apprecs
SELECT * FROM deliveries INDEXED BY deliveries_apprec_due
WHERE apprec_due_at <= ? AND apprec_due_at IS NOT NULL AND state IN ('sent', 'available', 'acknowledged')
ORDER BY apprec_due_at LIMIT ?

-- name: claim_of
SELECT digest, arrival_id, message_id FROM claims WHERE key = ?

-- name: arrival
SELECT a.*, b.sha256, b.content FROM arrivals a JOIN bodies b ON b.sha256 = a.body WHERE a.id = ?

-- name: attempts
SELECT * FROM attempts WHERE delivery_id = ? ORDER BY number

-- name: receipts
SELECT * FROM receipts WHERE message_id = ? ORDER BY number

-- name: journal_of_message
SELECT * FROM journal WHERE message_id = ? AND message_id <> '' ORDER BY number LIMIT ?

-- name: journal_of_arrival
SELECT * FROM journal WHERE arrival_id = ? AND arrival_id <> '' ORDER BY number LIMIT ?

-- name: journal_newest
SELECT * FROM (SELECT * FROM journal ORDER BY number DESC LIMIT ?) AS newest ORDER BY number

-- name: notifications
SELECT * FROM notifications WHERE receiver = ? AND "offset" > ? ORDER BY "offset" LIMIT ?

-- name: newest_offset
SELECT MAX("offset") AS value FROM notifications WHERE receiver = ?

-- name: jumped
SELECT at FROM journal WHERE number > (SELECT MAX(number) FROM journal) - 1000000 AND event = 'clock_jumped'
ORDER BY number DESC LIMIT 1

-- name: counts
SELECT kind, state, CAST(SUM(number) AS BIGINT) AS number FROM standing GROUP BY kind, state HAVING SUM(number) > 0

-- name: bookmark
SELECT value FROM bookmarks WHERE name = ?

-- name: nodes
SELECT node, revision, since, seen, answered, changes, faults FROM nodes ORDER BY node

-- name: circuits
SELECT address, failures, since, until, cause FROM circuits ORDER BY since, address

-- name: learnt
SELECT her_id, fact, value, at FROM learnt ORDER BY her_id, fact

-- name: any_undecided
SELECT 1 FROM arrivals INDEXED BY arrivals_undecided WHERE state = 'undecided' AND next_at <= ? LIMIT 1

-- name: refusals
SELECT state, code, COUNT(*) AS number FROM arrivals INDEXED BY arrivals_open
WHERE state IN ('refused', 'quarantined', 'undecided') AND state <> 'accepted' AND discarded_at IS NULL GROUP BY state, code

-- name: record_systems
SELECT id, said, made_at FROM record_systems ORDER BY id

-- name: api_keys
SELECT sha256, system, number, made_at, expires_at, revoked_at, used_at FROM api_keys ORDER BY system, number, sha256

-- name: configurations
SELECT her_id, channel, locked, rejects, refused_notices, client FROM configurations ORDER BY her_id

-- name: undeleted
SELECT * FROM notifications WHERE receiver = ? AND "offset" > ? AND deleted_at IS NULL ORDER BY "offset" LIMIT ?

-- name: hooks
SELECT system, lane, told, ends, tries, since, next_at, code, because, given_up_at FROM webhooks
ORDER BY system /* by bytes */, lane /* by bytes */
