-- For keeping house: what takes its time, beside what everybody waits for.

-- name: needed_bodies
SELECT sha256, content FROM bodies WHERE sha256 IN (
    SELECT document FROM messages UNION SELECT body FROM parcels UNION SELECT body FROM arrivals)

-- name: large_bodies
SELECT sha256, size FROM bodies INDEXED BY bodies_large WHERE content IS NULL

-- name: keep_dictionary
INSERT INTO dictionaries (number, kind, content)
SELECT (SELECT COALESCE(MAX(number), 0) + 1 FROM dictionaries), ?, ? WHERE true ON CONFLICT DO NOTHING

-- name: dictionary_of
SELECT number, content FROM dictionaries WHERE kind = ?

-- name: documents_behind
SELECT m.rowid AS place, b.sha256 AS name, b.content AS content FROM messages m JOIN bodies b ON b.sha256 = m.document
WHERE m.rowid > ? AND m.received_at < ? ORDER BY m.rowid LIMIT ?

-- name: arrivals_behind
SELECT a.rowid AS place, b.sha256 AS name, b.content AS content FROM arrivals a JOIN bodies b ON b.sha256 = a.body
WHERE a.rowid > ? AND a.received_at < ? ORDER BY a.rowid LIMIT ?

-- name: parcels_behind
SELECT d.rowid AS place, b.sha256 AS name, b.content AS content
FROM deliveries d JOIN parcels p ON p.delivery_id = d.id JOIN bodies b ON b.sha256 = p.body
WHERE d.rowid > ? AND d.created_at < ? ORDER BY d.rowid LIMIT ?

-- name: answers_behind
SELECT rowid AS place, id AS name, answer AS content FROM arrivals
WHERE rowid > ? AND received_at < ? ORDER BY rowid LIMIT ?

-- name: receipts_behind
SELECT number AS place, number AS name, body AS content FROM receipts WHERE number > ? AND at < ? ORDER BY number LIMIT ?

-- name: pack_body
UPDATE bodies SET content = ? WHERE sha256 = ? AND content = ?

-- name: pack_answer
UPDATE arrivals SET answer = ? WHERE id = ? AND answer = ?

-- name: pack_receipt
UPDATE receipts SET body = ? WHERE number = ? AND body = ?

-- name: journal_in_order
SELECT number AS place, at FROM journal WHERE number > ? ORDER BY number LIMIT ?

-- name: forget_journal
DELETE FROM journal WHERE number >= ? AND number <= ? AND at < ? AND NOT EXISTS (
    SELECT 1 FROM deliveries d WHERE d.message_id = journal.message_id AND d.state NOT IN ('done', 'rejected', 'discarded'))

-- name: receipts_in_order
SELECT number AS place, at FROM receipts WHERE number > ? ORDER BY number LIMIT ?

-- name: forget_receipts
DELETE FROM receipts WHERE number >= ? AND number <= ? AND at < ? AND NOT EXISTS (
    SELECT 1 FROM deliveries d WHERE d.message_id = receipts.message_id AND d.state NOT IN ('done', 'rejected', 'discarded'))

-- name: oldest_notification
SELECT MIN("offset") AS value FROM notifications

-- name: bookmarks_in_order
SELECT name, value FROM bookmarks WHERE name > ? ORDER BY name LIMIT ?

-- name: forget_bookmark
DELETE FROM bookmarks WHERE name = ? AND value = ?
