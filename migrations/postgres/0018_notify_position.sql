-- Tells with every commit how far the log goes, so that whoever is there already need not ask.

CREATE OR REPLACE FUNCTION turnpike.events_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ending turnpike.head;
    broken bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM added) THEN
        RETURN NULL;
    END IF;
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
    FROM (SELECT position, hash FROM added ORDER BY position DESC LIMIT 1) AS ending_row
    RETURNING turnpike.head.position INTO ending.position;
    PERFORM pg_notify('turnpike_events', ending.position::text);
    RETURN NULL;
END $$;
