-- Proofs of possession that were shown: each is taken once. Lost with a crash of the server, and the seconds of their life with it.

CREATE UNLOGGED TABLE proofs (
    digest TEXT PRIMARY KEY,
    until  BIGINT NOT NULL
);
