-- name: keep_body
INSERT INTO bodies (sha256, size, content) VALUES (?, ?, ?)
ON CONFLICT (sha256) DO UPDATE SET content = excluded.content
WHERE bodies.content <> excluded.content OR (bodies.content IS NULL) <> (excluded.content IS NULL) -- purged, or damaged

-- name: mend_body
UPDATE bodies SET content = ? WHERE sha256 = ?

-- name: keep_arrival
INSERT INTO arrivals (id, door, received_at, headers, body, system, receivers, state, code, because,
                      answer_status, answer_headers, answer, next_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, code = excluded.code, because = excluded.because,
    answer_status = excluded.answer_status, answer_headers = excluded.answer_headers, answer = excluded.answer,
    next_at = excluded.next_at

-- name: keep_facts
UPDATE arrivals SET discarded_at = ?,
    from_her = COALESCE(NULLIF(?, ''), from_her), to_her = COALESCE(NULLIF(?, ''), to_her),
    type_code = COALESCE(NULLIF(?, ''), type_code), msg_id = COALESCE(NULLIF(?, ''), msg_id),
    eb_message_id = COALESCE(NULLIF(?, ''), eb_message_id),
    conversation_id = COALESCE(NULLIF(?, ''), conversation_id), peer = COALESCE(NULLIF(?, ''), peer)
WHERE id = ? -- what was read or seen once stays

-- name: keep_claim
INSERT INTO claims (key, digest, arrival_id, message_id) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING

-- name: keep_message
INSERT INTO messages (id, arrival_id, direction, kind, door, received_at, from_her, to_her, type_code, standard, version,
                      namespace, msg_id, document_id, gen_date, eb_message_id, conversation_id, cpa_id, service, action,
                      system, original_msg_id, original_type, size, sha256, code, because, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: keep_wishes
UPDATE messages SET transport = ? WHERE id = ?

-- name: keep_delivery
INSERT INTO deliveries (id, message_id, sender, receiver, channel, address, state, created_at, next_at, give_up_at,
                        apprec_due_at, attempts, handed_over, retries, retry_interval, expires_at, eb_message_id, kind,
                        priority, rule, code, because, apprec_status, apprec_code, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: keep_urgent
UPDATE deliveries SET urgent = 1 WHERE id = ?

-- name: move
UPDATE deliveries SET state = ?, next_at = CASE WHEN claimed_until > ? THEN next_at ELSE ? END, code = ?, because = ?, changed_at = ?,
    handed_over = COALESCE(?, handed_over), apprec_status = COALESCE(?, apprec_status),
    apprec_code = COALESCE(?, apprec_code), eb_message_id = COALESCE(?, eb_message_id),
    give_up_at = COALESCE(?, give_up_at), apprec_due_at = COALESCE(?, apprec_due_at),
    failures = COALESCE(?, failures), said = COALESCE(?, said),
    expires_at = COALESCE(?, expires_at), interval_from = COALESCE(?, interval_from), lost = COALESCE(?, lost),
    cause = COALESCE(?, cause), channel = COALESCE(?, channel), address = COALESCE(?, address), rule = COALESCE(?, rule)
WHERE id = ?

-- name: keep_word
UPDATE deliveries SET said = ?, cause = COALESCE(?, cause) WHERE id = ?

-- name: forget_parcel
DELETE FROM parcels WHERE delivery_id = ?

-- name: keep_receipt
INSERT INTO receipts (message_id, delivery_id, kind, direction, at, proven, body, code) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: keep_notification
INSERT INTO notifications (type, message_id, receiver, triggered_by, at, description) VALUES (?, ?, ?, ?, ?, ?)

-- name: keep_entry
INSERT INTO journal (at, event, code, because, message_id, delivery_id, arrival_id, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: due_addresses
WITH RECURSIVE due (address) AS (
    SELECT MIN(address) FROM deliveries INDEXED BY deliveries_due_by_address
    WHERE next_at IS NOT NULL AND state IN ('waiting', 'sent')
    UNION ALL
    SELECT (SELECT MIN(d.address) FROM deliveries d INDEXED BY deliveries_due_by_address
            WHERE d.next_at IS NOT NULL AND d.state IN ('waiting', 'sent') AND d.address > due.address)
    FROM due WHERE due.address IS NOT NULL
)
SELECT address FROM due WHERE address IS NOT NULL

-- name: due_of_address
SELECT id, address, priority, next_at FROM deliveries INDEXED BY deliveries_due_by_address
WHERE address = ? AND priority = ? AND next_at <= ? AND next_at IS NOT NULL AND state IN ('waiting', 'sent')
  AND (claimed_until IS NULL OR claimed_until <= ? OR next_at <> claimed_until)
ORDER BY next_at LIMIT ?

-- name: under_way
SELECT address, COUNT(*) FROM deliveries INDEXED BY deliveries_under_way
WHERE claimed_until > ? AND claimed_until IS NOT NULL GROUP BY address

-- name: begin_attempt
INSERT INTO attempts (delivery_id, number, started_at, ended_at, reached, code, because) VALUES (?, ?, ?, NULL, '', '', '')

-- name: end_attempt
UPDATE attempts SET ended_at = ?, reached = ?, code = ?, because = ? WHERE delivery_id = ? AND number = ?

-- name: forget_attempt
DELETE FROM attempts WHERE number = ? AND delivery_id = (SELECT id FROM deliveries WHERE id = ? AND attempts = ?) -- the newest

-- name: take_back_attempt
UPDATE deliveries SET attempts = attempts - 1 WHERE id = ? AND attempts = ?

-- name: end_lease
UPDATE deliveries SET claimed_until = NULL WHERE id = ? AND attempts = ? -- a later attempt's lease stays

-- name: extend
UPDATE deliveries SET claimed_until = ?, next_at = CASE WHEN next_at = claimed_until THEN ? ELSE next_at END
WHERE id = ? AND claimed_until < ?

-- name: release_ended
UPDATE deliveries SET next_at = ?, claimed_until = NULL
WHERE claimed_until <= ? AND claimed_until IS NOT NULL AND next_at = claimed_until AND next_at > ?

-- name: shorten_leases
UPDATE deliveries SET next_at = CASE WHEN next_at = claimed_until THEN ? ELSE next_at END, claimed_until = ?
WHERE claimed_until > ? AND claimed_until IS NOT NULL

-- name: pull_back_deliveries
UPDATE deliveries SET next_at = ? + CASE WHEN state = 'sent' AND retry_interval / 5 * 6 > ? THEN retry_interval / 5 * 6 ELSE ? END
WHERE next_at IS NOT NULL AND state IN ('waiting', 'sent') AND next_at > ? AND next_at > ? + retry_interval / 5 * 6
  AND (claimed_until IS NULL OR next_at <> claimed_until)

-- name: pull_back_arrivals
UPDATE arrivals SET next_at = ? WHERE state = 'undecided' AND next_at > ?

-- name: keep_parcel
INSERT INTO parcels (delivery_id, headers, body, digests) VALUES (?, ?, ?, ?)
ON CONFLICT (delivery_id) DO NOTHING

-- name: name_parcel
UPDATE deliveries SET eb_message_id = ? WHERE id = ?

-- name: keep_terms
UPDATE deliveries SET ack_requested = ?, retries = ?, retry_interval = ?, sealed_by = ? WHERE id = ?

-- name: undecided
SELECT id FROM arrivals INDEXED BY arrivals_undecided WHERE state = 'undecided' AND next_at <= ? ORDER BY next_at LIMIT ?

-- name: postpone_arrival
UPDATE arrivals SET next_at = ? WHERE id = ?

-- name: lead
INSERT INTO duties (duty, node, until) VALUES (?, ?, ?)
ON CONFLICT (duty) DO UPDATE SET node = excluded.node, until = excluded.until
WHERE duties.node = excluded.node OR duties.until <= ? OR duties.until > ? -- no term is so long: its clock was another

-- name: keep_bookmark
INSERT INTO bookmarks (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE bookmarks.value < excluded.value

-- name: tell_node
INSERT INTO nodes (node, revision, since, seen, answered, changes, faults) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (node) DO UPDATE SET revision = excluded.revision, since = excluded.since, seen = excluded.seen,
    answered = excluded.answered, changes = excluded.changes, faults = excluded.faults

-- name: forget_nodes
DELETE FROM nodes WHERE seen < ?

-- name: forget_node
DELETE FROM nodes WHERE node = ?

-- name: keep_circuit
INSERT INTO circuits (address, failures, since, until, cause) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET failures = excluded.failures, until = excluded.until, cause = excluded.cause

-- name: close_circuit
DELETE FROM circuits WHERE address = ?

-- name: keep_learnt
INSERT INTO learnt (her_id, fact, value, at) VALUES (?, ?, ?, ?)
ON CONFLICT (her_id, fact) DO UPDATE SET value = excluded.value, at = excluded.at WHERE learnt.at <= excluded.at

-- name: touch
INSERT INTO bookmarks (name, value) VALUES ('touched', 1) ON CONFLICT (name) DO UPDATE SET value = bookmarks.value + 1

-- name: begin_revision
INSERT INTO bookmarks (name, value) VALUES (?, 0) ON CONFLICT (name) DO NOTHING

-- name: next_revision
UPDATE bookmarks SET value = value + 1 WHERE name = ? AND value = ?

-- name: keep_system
INSERT INTO record_systems (id, said, made_at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET said = excluded.said

-- name: forget_system
DELETE FROM record_systems WHERE id = ?

-- name: keep_key
INSERT INTO api_keys (sha256, system, number, made_at, expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (sha256) DO UPDATE SET expires_at = excluded.expires_at, revoked_at = excluded.revoked_at

-- name: forget_keys
DELETE FROM api_keys WHERE system = ? AND number > 0

-- name: use_key
UPDATE api_keys SET used_at = ? WHERE sha256 = ? AND (used_at IS NULL OR used_at < ?)

-- name: use_file_key
INSERT INTO api_keys (sha256, system, number, used_at) VALUES (?, ?, 0, ?)
ON CONFLICT (sha256) DO UPDATE SET used_at = excluded.used_at WHERE api_keys.used_at IS NULL OR api_keys.used_at < excluded.used_at

-- name: raise_revision
INSERT INTO bookmarks (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = bookmarks.value + 1

-- name: locked_by
SELECT client FROM configurations WHERE her_id = ? AND locked = 1

-- name: keep_configuration
INSERT INTO configurations (her_id, channel, locked, rejects, refused_notices, client) VALUES (?, ?, ?, ?, ?, ?)

-- name: forget_configuration
DELETE FROM configurations WHERE her_id = ?

-- name: keep_hook
INSERT INTO webhooks (system, lane, told, ends, tries, since, next_at, code, because, given_up_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (system, lane) DO UPDATE SET told = excluded.told, ends = excluded.ends, tries = excluded.tries,
    since = excluded.since, next_at = excluded.next_at, code = excluded.code, because = excluded.because,
    given_up_at = excluded.given_up_at
WHERE webhooks.told <= excluded.told

-- name: drop_hook
DELETE FROM webhooks WHERE system = ? AND lane = ?
