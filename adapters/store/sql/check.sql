-- Each statement finds rows that must not be; its name says what is broken.

-- name: message_without_document
SELECT m.id FROM messages m LEFT JOIN bodies b ON b.sha256 = m.document WHERE b.sha256 IS NULL LIMIT 10

-- name: delivery_without_message
SELECT d.id FROM deliveries d LEFT JOIN messages m ON m.id = d.message_id WHERE m.id IS NULL LIMIT 10

-- name: received_without_message
SELECT arrival_id FROM journal WHERE event = 'received' EXCEPT SELECT arrival_id FROM messages LIMIT 10

-- name: message_of_no_arrival
SELECT m.id FROM messages m LEFT JOIN arrivals a ON a.id = m.arrival_id WHERE m.arrival_id <> '' AND a.id IS NULL LIMIT 10

-- name: claim_of_no_arrival
SELECT c.key FROM claims c LEFT JOIN arrivals a ON a.id = c.arrival_id WHERE c.arrival_id <> '' AND a.id IS NULL LIMIT 10

-- name: waiting_without_a_time
SELECT id FROM deliveries WHERE state = 'waiting' AND next_at IS NULL LIMIT 10

-- name: settled_with_a_time
SELECT id FROM deliveries WHERE state NOT IN ('waiting', 'sent') AND next_at IS NOT NULL LIMIT 10

-- name: attempts_do_not_add_up
SELECT d.id FROM deliveries d WHERE d.attempts <> (SELECT COUNT(*) FROM attempts a WHERE a.delivery_id = d.id) LIMIT 10

-- name: under_way_without_an_attempt
SELECT id FROM deliveries WHERE claimed_until IS NOT NULL AND attempts = 0 LIMIT 10

-- name: business_message_without_a_fate
SELECT m.id FROM messages m WHERE m.kind = 'business' AND m.direction <> 'in'
    AND m.received_at >= COALESCE((SELECT value FROM bookmarks WHERE name = 'journal since'), 0)
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id)
    AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.message_id = m.id AND j.message_id <> '' AND j.event IN ('refused', 'dead')) LIMIT 10

-- name: message_nobody_journaled
SELECT m.id FROM messages m WHERE m.kind = 'business'
    AND m.received_at >= COALESCE((SELECT value FROM bookmarks WHERE name = 'journal since'), 0)
    AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.message_id = m.id AND j.message_id <> '') LIMIT 10

-- name: two_apprecs_of_one_receiver
SELECT from_her FROM messages m WHERE kind = 'apprec' AND door = 'hub' AND original_msg_id <> ''
    AND arrival_id NOT IN (SELECT o.arrival_id FROM messages o WHERE o.code = 'document-msgid')
GROUP BY from_her, to_her, original_msg_id HAVING COUNT(*) > 1 LIMIT 10

-- name: counted_wrong
SELECT kind || ' ' || state FROM (
    SELECT 'delivery' AS kind, state, COUNT(*) AS number FROM deliveries GROUP BY state
    UNION ALL SELECT 'arrival', state, COUNT(*) FROM arrivals GROUP BY state
    UNION ALL SELECT kind, state, -number FROM standing
) AS counted GROUP BY kind, state HAVING SUM(number) <> 0 LIMIT 10
