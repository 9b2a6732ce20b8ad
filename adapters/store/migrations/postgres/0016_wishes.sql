-- What the sender of a message wishes in its envelope, as JSON; empty where nothing is wished. See hub.wishes.

ALTER TABLE messages ADD COLUMN transport TEXT NOT NULL DEFAULT '';
