-- Times are microseconds since 1970 in UTC; ids are UUIDs in text; documents lie in `bodies` by their SHA-256.

CREATE TABLE bodies (
    sha256  TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    content BLOB            -- NULL: in a file beside the database, named by its SHA-256
);

CREATE TABLE arrivals (
    id             TEXT PRIMARY KEY,
    door           TEXT NOT NULL,
    received_at    INTEGER NOT NULL,
    headers        TEXT NOT NULL,
    body           TEXT NOT NULL REFERENCES bodies (sha256),
    system         TEXT,
    receivers      TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('accepted', 'refused', 'quarantined', 'undecided')),
    code           TEXT NOT NULL,
    because        TEXT NOT NULL,
    answer_status  INTEGER NOT NULL,
    answer_headers TEXT NOT NULL,
    answer         BLOB NOT NULL,
    next_at        INTEGER
);
CREATE INDEX arrivals_undecided ON arrivals (next_at) WHERE state = 'undecided';
CREATE INDEX arrivals_by_state ON arrivals (state, received_at);

CREATE TABLE claims (
    key        TEXT PRIMARY KEY,
    digest     TEXT NOT NULL,
    arrival_id TEXT NOT NULL,
    message_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE messages (
    id              TEXT PRIMARY KEY,
    arrival_id      TEXT NOT NULL,
    direction       TEXT NOT NULL,
    kind            TEXT NOT NULL,
    door            TEXT NOT NULL,
    received_at     INTEGER NOT NULL,
    from_her        TEXT NOT NULL,
    to_her          TEXT NOT NULL,
    type_code       TEXT NOT NULL,
    standard        TEXT NOT NULL,
    version         TEXT NOT NULL,
    namespace       TEXT NOT NULL,
    msg_id          TEXT NOT NULL,
    document_id     TEXT NOT NULL,
    gen_date        INTEGER,
    eb_message_id   TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    cpa_id          TEXT NOT NULL,
    service         TEXT NOT NULL,
    action          TEXT NOT NULL,
    system          TEXT NOT NULL,
    original_msg_id TEXT NOT NULL,
    original_type   TEXT NOT NULL,
    size            INTEGER NOT NULL,
    sha256          TEXT NOT NULL,
    code            TEXT NOT NULL,
    because         TEXT NOT NULL,
    document        TEXT NOT NULL REFERENCES bodies (sha256)
);
CREATE INDEX messages_by_msg_id ON messages (msg_id) WHERE msg_id <> '';
CREATE INDEX messages_by_document_id ON messages (document_id) WHERE document_id <> '';
CREATE INDEX messages_by_eb_message_id ON messages (eb_message_id) WHERE eb_message_id <> '';
CREATE INDEX messages_by_time ON messages (received_at);

CREATE TABLE deliveries (
    id             TEXT PRIMARY KEY,
    message_id     TEXT NOT NULL REFERENCES messages (id),
    sender         TEXT NOT NULL,
    receiver       TEXT NOT NULL,
    channel        TEXT NOT NULL,
    address        TEXT NOT NULL,
    state          TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    next_at        INTEGER,
    give_up_at     INTEGER,
    apprec_due_at  INTEGER,
    attempts       INTEGER NOT NULL,
    handed_over    INTEGER NOT NULL,
    retries        INTEGER NOT NULL,
    retry_interval INTEGER NOT NULL,
    expires_at     INTEGER,
    eb_message_id  TEXT NOT NULL,
    kind           TEXT NOT NULL,
    priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    rule           TEXT NOT NULL,
    code           TEXT NOT NULL,
    because        TEXT NOT NULL,
    apprec_status  TEXT NOT NULL,
    apprec_code    TEXT NOT NULL,
    changed_at     INTEGER
);
-- What is due, in the two orders that claiming asks for; settled deliveries are in neither.
CREATE INDEX deliveries_due ON deliveries (priority, next_at, address)
    WHERE next_at IS NOT NULL AND state IN ('waiting', 'sent');
CREATE INDEX deliveries_due_by_address ON deliveries (address, priority, next_at)
    WHERE next_at IS NOT NULL AND state IN ('waiting', 'sent');
CREATE INDEX deliveries_apprec_due ON deliveries (apprec_due_at)
    WHERE apprec_due_at IS NOT NULL AND state IN ('sent', 'available', 'acknowledged');
CREATE INDEX deliveries_by_message ON deliveries (message_id);
CREATE INDEX deliveries_by_eb_message_id ON deliveries (eb_message_id) WHERE eb_message_id <> '';
CREATE INDEX deliveries_by_state ON deliveries (state, created_at);

CREATE TABLE attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    number      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    reached     TEXT NOT NULL,
    code        TEXT NOT NULL,
    because     TEXT NOT NULL,
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;

CREATE TABLE parcels (
    delivery_id TEXT PRIMARY KEY REFERENCES deliveries (id),
    headers     TEXT NOT NULL,
    body        TEXT NOT NULL REFERENCES bodies (sha256),
    digests     TEXT NOT NULL
);

CREATE TABLE receipts (
    number      INTEGER PRIMARY KEY,
    message_id  TEXT NOT NULL REFERENCES messages (id),
    delivery_id TEXT NOT NULL,
    kind        TEXT NOT NULL,
    direction   TEXT NOT NULL,
    at          INTEGER NOT NULL,
    proven      INTEGER NOT NULL,
    body        BLOB NOT NULL,
    code        TEXT NOT NULL
);
CREATE INDEX receipts_by_message ON receipts (message_id);

CREATE TABLE notifications (
    offset       INTEGER PRIMARY KEY AUTOINCREMENT, -- only grows, also after the newest were deleted
    type         TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    receiver     TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    at           INTEGER NOT NULL,
    description  TEXT NOT NULL
);
CREATE INDEX notifications_by_receiver ON notifications (receiver, offset);

CREATE TABLE journal (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    event       TEXT NOT NULL,
    code        TEXT NOT NULL,
    because     TEXT NOT NULL,
    message_id  TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    arrival_id  TEXT NOT NULL,
    actor       TEXT NOT NULL
);
CREATE INDEX journal_by_message ON journal (message_id) WHERE message_id <> '';
CREATE INDEX journal_by_arrival ON journal (arrival_id) WHERE arrival_id <> '';
