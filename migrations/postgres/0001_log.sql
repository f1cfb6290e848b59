-- The event log: gapless, in commit order, hash-chained, append-only. The database itself holds it to that, so that no
-- program, old or new, can leave a hole or edit the past.

CREATE TABLE turnpike.events (
    position    bigint PRIMARY KEY CHECK (position > 0),
    time_us     bigint NOT NULL,
    tenant      text   NOT NULL,
    actor       text   NOT NULL,
    correlation text   NOT NULL,
    kind        text   NOT NULL,
    version     bigint NOT NULL CHECK (version > 0),
    payload     text   NOT NULL,
    previous    bytea  NOT NULL CHECK (octet_length(previous) = 32),
    hash        bytea  NOT NULL CHECK (octet_length(hash) = 32)
);

-- One row: where the log ends. A writer locks it before it appends, so positions are given in commit order.
CREATE TABLE turnpike.head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    hash     bytea  NOT NULL
);
INSERT INTO turnpike.head (position, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION turnpike.events_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ending turnpike.head;
    broken bigint;
BEGIN
    SELECT * INTO STRICT ending FROM turnpike.head FOR UPDATE;
    SELECT min(link.position) INTO broken
    FROM (
        SELECT position, previous,
               ending.position + row_number() OVER in_order AS due,
               coalesce(lag(hash) OVER in_order, ending.hash) AS before
        FROM added WINDOW in_order AS (ORDER BY position)
    ) AS link
    WHERE link.position <> link.due OR link.previous <> link.before;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'the event at position % does not follow the head at %', broken, ending.position
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE turnpike.head SET position = ending_row.position, hash = ending_row.hash
    FROM (SELECT position, hash FROM added ORDER BY position DESC LIMIT 1) AS ending_row;
    PERFORM pg_notify('turnpike_events', '');
    RETURN NULL;
END $$;
CREATE TRIGGER events_move_head AFTER INSERT ON turnpike.events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION turnpike.events_move_head();

CREATE FUNCTION turnpike.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the event log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON turnpike.events
    FOR EACH STATEMENT EXECUTE FUNCTION turnpike.refuse_change();
CREATE TRIGGER head_stays BEFORE INSERT OR DELETE OR TRUNCATE ON turnpike.head
    FOR EACH STATEMENT EXECUTE FUNCTION turnpike.refuse_change();

-- The head names the last event and nothing else, whoever updates it.
CREATE FUNCTION turnpike.head_is_last_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM turnpike.events WHERE position = NEW.position AND hash = NEW.hash)
       OR EXISTS (SELECT FROM turnpike.events WHERE position > NEW.position) THEN
        RAISE EXCEPTION 'the head must be the last event' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER head_is_last_event BEFORE UPDATE ON turnpike.head
    FOR EACH ROW EXECUTE FUNCTION turnpike.head_is_last_event();

-- Folded states, cut into chunks: a start reads one of these and the events after it.
CREATE TABLE turnpike.snapshots (
    position bigint PRIMARY KEY,
    hash     bytea  NOT NULL,
    sha256   bytea  NOT NULL
);
CREATE TABLE turnpike.snapshot_chunks (
    position bigint NOT NULL REFERENCES turnpike.snapshots ON DELETE CASCADE,
    number   bigint NOT NULL,
    data     bytea  NOT NULL,
    PRIMARY KEY (position, number)
);

-- Keys that sign what goes over the bus; the private half is sealed.
CREATE TABLE turnpike.signing_keys (
    id         text   PRIMARY KEY,
    sealed     bytea  NOT NULL,
    public_key bytea  NOT NULL,
    created_us bigint NOT NULL
);

-- What each edge last reported.
CREATE TABLE turnpike.edges (
    name         text    PRIMARY KEY,
    region       text    NOT NULL,
    version      text    NOT NULL,
    epoch        bigint  NOT NULL,
    position     bigint  NOT NULL,
    applied_us   bigint  NOT NULL,
    halted       text,
    last_seen_us bigint  NOT NULL,
    departed     boolean NOT NULL
);
