-- Bodies go that only messages settled before a moment name. Found in one look; each batch is locked, in the order in
-- which everybody locks, and looked at again before it goes.

-- name: going
SELECT b.sha256, b.size FROM bodies b WHERE b.size > 0 AND length(b.content) > 0
AND NOT EXISTS (
    SELECT 1 FROM messages m WHERE m.document = b.sha256 AND (%(sealed)s OR (m.received_at >= %(before)s OR (%(confirmed)s AND (m.kind = 'signal' OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id))) OR NOT (%(only)s = '' OR lower(m.type_code) = %(only)s) OR strpos(%(others)s, '|' || lower(m.type_code) || '|') > 0 OR EXISTS (
        SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND NOT (
            d.state IN ('done', 'rejected', 'discarded') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR %(confirmed)s AND d.state = 'acknowledged' AND d.channel NOT IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR %(unfetched)s AND d.state = 'overdue' AND d.code = 'apprec-missing' AND d.channel IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR (%(confirmed)s OR %(unfetched)s) AND d.state = 'expired' AND d.code = 'not-fetched')))))
AND NOT EXISTS (
    SELECT 1 FROM parcels p JOIN deliveries o ON o.id = p.delivery_id JOIN messages m ON m.id = o.message_id
    WHERE p.body = b.sha256 AND (m.received_at >= %(before)s OR (%(confirmed)s AND (m.kind = 'signal' OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id))) OR NOT (%(only)s = '' OR lower(m.type_code) = %(only)s) OR strpos(%(others)s, '|' || lower(m.type_code) || '|') > 0 OR EXISTS (
        SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND NOT (
            d.state IN ('done', 'rejected', 'discarded') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR %(confirmed)s AND d.state = 'acknowledged' AND d.channel NOT IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR %(unfetched)s AND d.state = 'overdue' AND d.code = 'apprec-missing' AND d.channel IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR (%(confirmed)s OR %(unfetched)s) AND d.state = 'expired' AND d.code = 'not-fetched'))))
AND NOT EXISTS (
    SELECT 1 FROM arrivals a WHERE a.body = b.sha256 AND (a.state = 'undecided' OR a.received_at >= CASE a.state WHEN 'accepted' THEN %(before)s ELSE %(quarantine)s END
    OR ((%(only)s <> '' OR %(confirmed)s) AND NOT EXISTS (SELECT 1 FROM messages o WHERE o.arrival_id = a.id AND o.arrival_id <> '' AND (%(only)s = '' OR lower(o.type_code) = %(only)s))) OR EXISTS (
        SELECT 1 FROM messages m WHERE m.arrival_id = a.id AND m.arrival_id <> '' AND m.door <> 'hub' AND (m.received_at >= %(before)s OR (%(confirmed)s AND (m.kind = 'signal' OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id))) OR NOT (%(only)s = '' OR lower(m.type_code) = %(only)s) OR strpos(%(others)s, '|' || lower(m.type_code) || '|') > 0 OR EXISTS (
            SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND NOT (
            d.state IN ('done', 'rejected', 'discarded') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR %(confirmed)s AND d.state = 'acknowledged' AND d.channel NOT IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR %(unfetched)s AND d.state = 'overdue' AND d.code = 'apprec-missing' AND d.channel IN ('mailbox', 'folder', 'queue') AND COALESCE(d.changed_at, d.created_at) < %(before)s
            OR (%(confirmed)s OR %(unfetched)s) AND d.state = 'expired' AND d.code = 'not-fetched'))))))
AND (%(some)s::text[] IS NULL OR b.sha256 = ANY(%(some)s))

-- name: lock_deliveries
SELECT 1 FROM deliveries d WHERE d.message_id IN (
    SELECT m.id FROM messages m WHERE m.document = ANY(%(some)s)
    UNION SELECT o.message_id FROM parcels p JOIN deliveries o ON o.id = p.delivery_id WHERE p.body = ANY(%(some)s)
    UNION SELECT m.id FROM arrivals a JOIN messages m ON m.arrival_id = a.id AND m.arrival_id <> '' WHERE a.body = ANY(%(some)s)
) ORDER BY d.id FOR NO KEY UPDATE

-- name: lock_bodies
SELECT 1 FROM bodies WHERE sha256 = ANY(%(some)s) ORDER BY sha256 FOR NO KEY UPDATE

-- name: empty
UPDATE bodies SET content = '' WHERE sha256 = ANY(%(some)s)
