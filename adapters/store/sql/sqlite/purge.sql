-- What may go is found in one look, without holding anybody up; each batch is looked at again before it goes.

-- name: old
CREATE TEMP TABLE old AS SELECT m.id FROM messages m WHERE m.received_at < :before
AND (:only = '' OR lower(m.type_code) = :only) AND instr(:others, '|' || lower(m.type_code) || '|') = 0 AND NOT EXISTS (
    SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND NOT (
        d.state IN ('done', 'rejected', 'discarded') AND COALESCE(d.changed_at, d.created_at) < :before
        OR :confirmed AND d.state = 'acknowledged' AND d.channel NOT IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < :before
        OR :unfetched AND d.state = 'overdue' AND d.code = 'apprec-missing' AND d.channel IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < :before
        OR (:confirmed OR :unfetched) AND d.state = 'expired' AND d.code = 'not-fetched'))
AND (NOT :confirmed OR m.kind <> 'signal' AND EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id))

-- name: old_by_id
CREATE UNIQUE INDEX temp.old_by_id ON old (id)

-- name: needed
CREATE TEMP TABLE needed (sha256 TEXT PRIMARY KEY) WITHOUT ROWID

-- name: needed_documents
INSERT OR IGNORE INTO needed SELECT document FROM messages WHERE :sealed OR id NOT IN (SELECT id FROM old)

-- name: needed_parcels
INSERT OR IGNORE INTO needed SELECT p.body FROM parcels p JOIN deliveries d ON d.id = p.delivery_id
WHERE d.message_id NOT IN (SELECT id FROM old)

-- name: needed_arrivals
INSERT OR IGNORE INTO needed SELECT a.body FROM arrivals a
WHERE a.state = 'undecided' OR a.received_at >= CASE a.state WHEN 'accepted' THEN :before ELSE :quarantine END
OR ((:only <> '' OR :confirmed) AND a.id NOT IN (SELECT arrival_id FROM messages WHERE id IN (SELECT id FROM old)))
OR a.id IN (SELECT arrival_id FROM messages WHERE id NOT IN (SELECT id FROM old) AND door <> 'hub')
-- an AppRec that was made here needs nothing of what came

-- name: going
CREATE TEMP TABLE going AS SELECT sha256, size FROM bodies
WHERE (content IS NULL OR length(content) > 0) AND sha256 NOT IN (SELECT sha256 FROM needed)

-- name: named
CREATE TEMP TABLE named AS
SELECT document AS sha256, id AS message_id FROM messages WHERE document IN (SELECT sha256 FROM going)
UNION SELECT p.body, d.message_id FROM parcels p JOIN deliveries d ON d.id = p.delivery_id
WHERE p.body IN (SELECT sha256 FROM going)

-- name: named_by_content
CREATE INDEX temp.named_by_content ON named (sha256)

-- name: newest
SELECT (SELECT COALESCE(MAX(rowid), 0) FROM messages), (SELECT COALESCE(MAX(rowid), 0) FROM arrivals),
       (SELECT COALESCE(MAX(rowid), 0) FROM parcels)

-- name: wanted_again
SELECT 1 WHERE EXISTS (
    SELECT 1 FROM named n JOIN deliveries d ON d.message_id = n.message_id WHERE n.sha256 = :sha256 AND NOT (
        d.state IN ('done', 'rejected', 'discarded') AND COALESCE(d.changed_at, d.created_at) < :before
        OR :confirmed AND d.state = 'acknowledged' AND d.channel NOT IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < :before
        OR :unfetched AND d.state = 'overdue' AND d.code = 'apprec-missing' AND d.channel IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < :before
        OR (:confirmed OR :unfetched) AND d.state = 'expired' AND d.code = 'not-fetched'))
OR EXISTS (SELECT 1 FROM messages WHERE rowid > :message AND document = :sha256)
OR EXISTS (SELECT 1 FROM arrivals WHERE rowid > :arrival AND body = :sha256)
OR EXISTS (SELECT 1 FROM parcels WHERE rowid > :parcel AND body = :sha256)

-- name: empty
UPDATE bodies SET content = x'', rowid = (SELECT MAX(rowid) + 1 FROM bodies) WHERE sha256 = :sha256
-- moved to the end: in its old place it would leave a page nearly empty

-- name: has_file
SELECT 1 FROM bodies WHERE sha256 = ? AND content IS NULL

-- name: known
SELECT 1 FROM bodies WHERE sha256 = ?
