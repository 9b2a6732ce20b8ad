-- How many stand where is counted as they move: asking for it must not walk every delivery that there ever was.

CREATE TABLE standing (
    kind   TEXT NOT NULL CHECK (kind IN ('delivery', 'arrival')),
    state  TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (kind, state)
) WITHOUT ROWID;

INSERT INTO standing (kind, state, number) VALUES ('delivery', 'waiting', 0);
INSERT INTO standing (kind, state, number) SELECT 'delivery', state, COUNT(*) FROM deliveries WHERE true GROUP BY state
    ON CONFLICT (kind, state) DO UPDATE SET number = excluded.number;
INSERT INTO standing (kind, state, number) SELECT 'arrival', state, COUNT(*) FROM arrivals GROUP BY state;

CREATE TRIGGER delivery_promised AFTER INSERT ON deliveries BEGIN
    INSERT INTO standing (kind, state, number) VALUES ('delivery', new.state, 1)
        ON CONFLICT (kind, state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON deliveries WHEN old.state <> new.state BEGIN
    UPDATE standing SET number = number - 1 WHERE kind = 'delivery' AND state = old.state;
    INSERT INTO standing (kind, state, number) VALUES ('delivery', new.state, 1)
        ON CONFLICT (kind, state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER delivery_purged AFTER DELETE ON deliveries BEGIN
    UPDATE standing SET number = number - 1 WHERE kind = 'delivery' AND state = old.state;
END;

CREATE TRIGGER arrival_kept AFTER INSERT ON arrivals BEGIN
    INSERT INTO standing (kind, state, number) VALUES ('arrival', new.state, 1)
        ON CONFLICT (kind, state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER arrival_decided AFTER UPDATE OF state ON arrivals WHEN old.state <> new.state BEGIN
    UPDATE standing SET number = number - 1 WHERE kind = 'arrival' AND state = old.state;
    INSERT INTO standing (kind, state, number) VALUES ('arrival', new.state, 1)
        ON CONFLICT (kind, state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER arrival_purged AFTER DELETE ON arrivals BEGIN
    UPDATE standing SET number = number - 1 WHERE kind = 'arrival' AND state = old.state;
END;
