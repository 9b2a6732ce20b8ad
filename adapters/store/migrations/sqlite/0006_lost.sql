-- Hand-overs whose answer was lost are made again within the agreed interval, and count as one: when it began, and how many.

ALTER TABLE deliveries ADD COLUMN interval_from INTEGER; -- of its first hand-over; NULL: nothing was handed over yet
ALTER TABLE deliveries ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
