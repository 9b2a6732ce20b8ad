-- How many stand where is counted as they move: asking for it must not walk every delivery that there ever was.
-- Each move adds a line, since many who add to one and the same number would wait for one another; lines are summed up
-- from time to time.

CREATE TABLE standing (
    kind   TEXT NOT NULL CHECK (kind IN ('delivery', 'arrival')),
    state  TEXT NOT NULL,
    number BIGINT NOT NULL
);
ALTER TABLE standing SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

INSERT INTO standing (kind, state, number) SELECT 'delivery', state, COUNT(*) FROM deliveries GROUP BY state;
INSERT INTO standing (kind, state, number) SELECT 'arrival', state, COUNT(*) FROM arrivals GROUP BY state;

CREATE FUNCTION stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO standing (kind, state, number) VALUES (TG_ARGV[0], NEW.state, 1);
    RETURN NULL;
END $$;
CREATE FUNCTION stood() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO standing (kind, state, number) VALUES (TG_ARGV[0], OLD.state, -1);
    RETURN NULL;
END $$;

CREATE TRIGGER delivery_promised AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION stands('delivery');
CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON deliveries FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION stands('delivery');
CREATE TRIGGER delivery_left AFTER UPDATE OF state ON deliveries FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION stood('delivery');
CREATE TRIGGER delivery_purged AFTER DELETE ON deliveries FOR EACH ROW EXECUTE FUNCTION stood('delivery');

CREATE TRIGGER arrival_kept AFTER INSERT ON arrivals FOR EACH ROW EXECUTE FUNCTION stands('arrival');
CREATE TRIGGER arrival_decided AFTER UPDATE OF state ON arrivals FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION stands('arrival');
CREATE TRIGGER arrival_left AFTER UPDATE OF state ON arrivals FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION stood('arrival');
CREATE TRIGGER arrival_purged AFTER DELETE ON arrivals FOR EACH ROW EXECUTE FUNCTION stood('arrival');
