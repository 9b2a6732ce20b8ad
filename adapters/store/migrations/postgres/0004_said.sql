-- What a partner says of a delivery without proving it, and how often in a row it answered that it takes nothing just now.

ALTER TABLE deliveries ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN said TEXT NOT NULL DEFAULT '';
