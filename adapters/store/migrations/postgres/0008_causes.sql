-- Whose an arrival is, as far as it could be read, also where it was not taken; what is behind the end of a delivery; and
-- everything is found by any of its ids, however that is spelt: in capitals, in braces, with or without hyphens.

ALTER TABLE arrivals ADD COLUMN from_her TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN to_her TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN type_code TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN msg_id TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN eb_message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN conversation_id TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN peer TEXT NOT NULL DEFAULT '';
ALTER TABLE arrivals ADD COLUMN discarded_at BIGINT;
ALTER TABLE deliveries ADD COLUMN cause TEXT NOT NULL DEFAULT '';

-- What was not taken and nobody has put away: few, however many were taken.
CREATE INDEX arrivals_open ON arrivals (state, code) WHERE state <> 'accepted' AND discarded_at IS NULL;

DROP INDEX messages_by_msg_id;
DROP INDEX messages_by_document_id;
DROP INDEX messages_by_eb_message_id;
DROP INDEX deliveries_by_eb_message_id;
CREATE INDEX messages_by_msg_id ON messages ((rtrim(replace(ltrim(replace(lower(msg_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE msg_id <> '';
CREATE INDEX messages_by_document_id ON messages ((rtrim(replace(ltrim(replace(lower(document_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE document_id <> '';
CREATE INDEX messages_by_eb_message_id ON messages ((rtrim(replace(ltrim(replace(lower(eb_message_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE eb_message_id <> '';
CREATE INDEX messages_by_conversation_id ON messages ((rtrim(replace(ltrim(replace(lower(conversation_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE conversation_id <> '';
CREATE INDEX deliveries_by_eb_message_id ON deliveries ((rtrim(replace(ltrim(replace(lower(eb_message_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE eb_message_id <> '';
CREATE INDEX arrivals_by_msg_id ON arrivals ((rtrim(replace(ltrim(replace(lower(msg_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE msg_id <> '' AND state <> 'accepted';
CREATE INDEX arrivals_by_eb_message_id ON arrivals ((rtrim(replace(ltrim(replace(lower(eb_message_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE eb_message_id <> '' AND state <> 'accepted';
CREATE INDEX arrivals_by_conversation_id ON arrivals ((rtrim(replace(ltrim(replace(lower(conversation_id), 'urn:uuid:', ''), '{<'), '-', ''), '}>')) COLLATE "C") WHERE conversation_id <> '' AND state <> 'accepted';
-- The order of a primary key is the database's own, which may pass over hyphens.
CREATE INDEX messages_by_id ON messages (id COLLATE "C");
CREATE INDEX deliveries_by_id ON deliveries (id COLLATE "C");
CREATE INDEX arrivals_by_id ON arrivals (id COLLATE "C");
