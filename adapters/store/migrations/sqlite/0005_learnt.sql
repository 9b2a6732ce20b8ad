-- What partners' proven messages have shown of them: a row for each partner and fact, the newest counts.

CREATE TABLE learnt (
    her_id TEXT NOT NULL,
    fact   TEXT NOT NULL,
    value  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (her_id, fact)
) WITHOUT ROWID;
