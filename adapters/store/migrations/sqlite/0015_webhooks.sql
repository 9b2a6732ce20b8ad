-- How far each record system has been told over its webhook: what is new, and what is tried again or was given up apart from that.

CREATE TABLE webhooks (
    system      TEXT NOT NULL,
    lane        TEXT NOT NULL, -- empty: what is new
    told        INTEGER NOT NULL,
    ends        INTEGER, -- NULL: it goes on
    tries       INTEGER NOT NULL,
    since       INTEGER,
    next_at     INTEGER,
    code        TEXT NOT NULL,
    because     TEXT NOT NULL,
    given_up_at INTEGER,
    PRIMARY KEY (system, lane)
) WITHOUT ROWID;
