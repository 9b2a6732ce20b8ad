-- How far each record system has been told over its webhook: what is new, and what is tried again or was given up apart from that.

CREATE TABLE webhooks (
    system      TEXT NOT NULL,
    lane        TEXT NOT NULL, -- empty: what is new
    told        BIGINT NOT NULL,
    ends        BIGINT, -- NULL: it goes on
    tries       BIGINT NOT NULL,
    since       BIGINT,
    next_at     BIGINT,
    code        TEXT NOT NULL,
    because     TEXT NOT NULL,
    given_up_at BIGINT,
    PRIMARY KEY (system, lane)
);
