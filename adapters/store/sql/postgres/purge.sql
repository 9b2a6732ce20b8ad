-- Bodies go that only messages settled before a moment name. Found in one look; each batch is locked, in the order in
-- which everybody locks, and looked at again before it goes.

-- name: going
SELECT b.sha256, b.size FROM bodies b WHERE b.size > 0 AND length(b.content) > 0
AND NOT EXISTS (
    SELECT 1 FROM messages m WHERE m.document = b.sha256 AND (%(sealed)s OR (m.received_at >= %(before)s OR NOT (%(only)s = '' OR lower(m.type_code) = %(only)s) OR strpos(%(others)s, '|' || lower(m.type_code) || '|') > 0 OR EXISTS (
        SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND (
            d.state NOT IN ('done', 'rejected', 'discarded') OR COALESCE(d.changed_at, d.created_at) >= %(before)s)))))
AND NOT EXISTS (
    SELECT 1 FROM parcels p JOIN deliveries o ON o.id = p.delivery_id JOIN messages m ON m.id = o.message_id
    WHERE p.body = b.sha256 AND (m.received_at >= %(before)s OR NOT (%(only)s = '' OR lower(m.type_code) = %(only)s) OR strpos(%(others)s, '|' || lower(m.type_code) || '|') > 0 OR EXISTS (
        SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND (
            d.state NOT IN ('done', 'rejected', 'discarded') OR COALESCE(d.changed_at, d.created_at) >= %(before)s))))
AND NOT EXISTS (
    SELECT 1 FROM arrivals a WHERE a.body = b.sha256 AND (a.state = 'undecided' OR a.received_at >= CASE a.state WHEN 'accepted' THEN %(before)s ELSE %(quarantine)s END
    OR (%(only)s <> '' AND NOT EXISTS (SELECT 1 FROM messages o WHERE o.arrival_id = a.id AND o.arrival_id <> '' AND lower(o.type_code) = %(only)s)) OR EXISTS (
        SELECT 1 FROM messages m WHERE m.arrival_id = a.id AND m.arrival_id <> '' AND (m.received_at >= %(before)s OR NOT (%(only)s = '' OR lower(m.type_code) = %(only)s) OR strpos(%(others)s, '|' || lower(m.type_code) || '|') > 0 OR EXISTS (
            SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND (
                d.state NOT IN ('done', 'rejected', 'discarded')
                OR COALESCE(d.changed_at, d.created_at) >= %(before)s))))))
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
