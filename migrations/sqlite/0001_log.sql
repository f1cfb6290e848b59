-- The event log: gapless, in commit order, hash-chained, append-only. The database itself holds it to that, so that no
-- program, old or new, can leave a hole or edit the past.

CREATE TABLE events (
    position    INTEGER PRIMARY KEY CHECK (position > 0),
    time_us     INTEGER NOT NULL,
    tenant      TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    correlation TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    version     INTEGER NOT NULL CHECK (version > 0),
    payload     TEXT    NOT NULL,
    previous    BLOB    NOT NULL CHECK (length(previous) = 32),
    hash        BLOB    NOT NULL CHECK (length(hash) = 32)
);

-- One row: where the log ends.
CREATE TABLE head (
    one      INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    position INTEGER NOT NULL,
    hash     BLOB    NOT NULL
);
INSERT INTO head (position, hash) VALUES (0, zeroblob(32));

CREATE TRIGGER events_follow_head BEFORE INSERT ON events
WHEN NOT EXISTS (SELECT 1 FROM head WHERE NEW.position = position + 1 AND NEW.previous = hash)
BEGIN SELECT RAISE(ABORT, 'the event does not follow the head'); END;
CREATE TRIGGER events_move_head AFTER INSERT ON events
BEGIN UPDATE head SET position = NEW.position, hash = NEW.hash; END;

CREATE TRIGGER events_not_updated BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'UPDATE on events is refused: the event log is append-only'); END;
CREATE TRIGGER events_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'DELETE on events is refused: the event log is append-only'); END;
CREATE TRIGGER head_not_deleted BEFORE DELETE ON head
BEGIN SELECT RAISE(ABORT, 'DELETE on head is refused: the event log is append-only'); END;
CREATE TRIGGER head_not_replaced BEFORE INSERT ON head
BEGIN SELECT RAISE(ABORT, 'INSERT on head is refused: the event log is append-only'); END;
CREATE TRIGGER head_is_last_event BEFORE UPDATE ON head
WHEN NOT EXISTS (SELECT 1 FROM events WHERE position = NEW.position AND hash = NEW.hash)
    OR EXISTS (SELECT 1 FROM events WHERE position > NEW.position)
BEGIN SELECT RAISE(ABORT, 'the head must be the last event'); END;

-- Folded states, cut into chunks: a start reads one of these and the events after it.
CREATE TABLE snapshots (
    position INTEGER PRIMARY KEY,
    hash     BLOB NOT NULL,
    sha256   BLOB NOT NULL
);
CREATE TABLE snapshot_chunks (
    position INTEGER NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    data     BLOB    NOT NULL,
    PRIMARY KEY (position, number)
);

-- Keys that sign what goes over the bus; the private half is sealed.
CREATE TABLE signing_keys (
    id         TEXT    PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    public_key BLOB    NOT NULL,
    created_us INTEGER NOT NULL
);

-- What each edge last reported.
CREATE TABLE edges (
    name         TEXT    PRIMARY KEY,
    region       TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    applied_us   INTEGER NOT NULL,
    halted       TEXT,
    last_seen_us INTEGER NOT NULL,
    departed     BOOLEAN NOT NULL
);
