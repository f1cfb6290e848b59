-- What was taken out of the audit because its tenant keeps it no longer, as a control plane signed for it: either a whole stretch
-- of an epoch, by the chain before and after it, or some records of one, by their sequences (a JSON array) and their hashes.
CREATE TABLE turnpike.audit_retired (
    edge      text   NOT NULL,
    epoch     bigint NOT NULL,
    first     bigint NOT NULL,
    last      bigint NOT NULL,
    before    bytea,
    after     bytea,
    sequences text   NOT NULL,
    hashes    bytea  NOT NULL,
    until_us  bigint NOT NULL,
    time_us   bigint NOT NULL,
    key       text   NOT NULL,
    signature bytea  NOT NULL,
    PRIMARY KEY (edge, epoch, first, last)
);

-- What edges signed before this moment is gone, of this tenant.
CREATE TABLE turnpike.audit_retention (
    tenant     text   NOT NULL PRIMARY KEY,
    through_us bigint NOT NULL
);

CREATE INDEX audit_checkpoints_by_time ON turnpike.audit_checkpoints (time_us);

-- The application's role can't delete from the audit. This does it for a stretch that a statement is kept of, and that edges
-- signed longer than a day ago; whether the statement was a control plane's is found by whoever verifies.
CREATE FUNCTION turnpike.retire_audit(of_edge text, of_epoch bigint, from_first bigint, to_last bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said turnpike.audit_retired;
    named bigint[];
BEGIN
    SELECT * INTO STRICT said FROM turnpike.audit_retired
        WHERE edge = of_edge AND epoch = of_epoch AND first = from_first AND last = to_last;
    IF said.until_us > (extract(epoch FROM now()) - 86400) * 1000000 OR EXISTS (
        SELECT FROM turnpike.audit WHERE edge = of_edge AND epoch = of_epoch AND sequence BETWEEN from_first AND to_last
            AND time_us >= said.until_us + 86400000000) THEN
        RAISE EXCEPTION 'what is younger than a day is not retired' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF said.before IS NULL THEN
        SELECT array_agg(value::bigint) INTO named FROM jsonb_array_elements_text(said.sequences::jsonb);
        DELETE FROM turnpike.audit WHERE edge = of_edge AND epoch = of_epoch AND sequence = ANY(named);
        DELETE FROM turnpike.audit_originals WHERE edge = of_edge AND epoch = of_epoch AND sequence = ANY(named);
    ELSE
        DELETE FROM turnpike.audit WHERE edge = of_edge AND epoch = of_epoch AND sequence BETWEEN from_first AND to_last;
        DELETE FROM turnpike.audit_originals
            WHERE edge = of_edge AND epoch = of_epoch AND sequence BETWEEN from_first AND to_last;
        DELETE FROM turnpike.audit_checkpoints
            WHERE edge = of_edge AND epoch = of_epoch AND last BETWEEN from_first AND to_last;
        DELETE FROM turnpike.audit_retired WHERE edge = of_edge AND epoch = of_epoch AND before IS NULL
            AND first >= from_first AND last <= to_last;
    END IF;
END $$;
REVOKE ALL ON FUNCTION turnpike.retire_audit(text, bigint, bigint, bigint) FROM PUBLIC;
