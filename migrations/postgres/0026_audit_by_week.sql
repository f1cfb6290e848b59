-- The audit by weeks, each a partition: who asks about a time looks only there, and a week of which nothing is kept any longer is
-- dropped whole. Weeks begin on Mondays, UTC; a week is long enough that years are not too many tables for those who can't name
-- a time. What no week was made for, as edges' clocks may be wrong, is in `audit_elsewhere`.
ALTER TABLE turnpike.audit RENAME TO audit_unparted;
CREATE TABLE turnpike.audit (LIKE turnpike.audit_unparted INCLUDING DEFAULTS) PARTITION BY RANGE (time_us);
CREATE TABLE turnpike.audit_elsewhere PARTITION OF turnpike.audit DEFAULT;

-- When the week of a moment began.
CREATE FUNCTION turnpike.audit_week_of(time_us bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    'SELECT time_us - mod(mod(time_us - 345600000000, 604800000000) + 604800000000, 604800000000)';

-- The weeks that there are, by their beginning, those that are empty or not.
CREATE FUNCTION turnpike.audit_weeks() RETURNS TABLE (name name, start_us bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT relname, (extract(epoch FROM to_date(right(relname, 8), 'YYYYMMDD')) * 1000000)::bigint
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'turnpike.audit'::regclass AND relname ~ '^audit_week_\d{8}$'
$$;

-- Makes the week that begins at this moment, with the rows of it that there are already. For the owner alone.
CREATE FUNCTION turnpike.add_audit_week(start_us bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    week constant text := to_char(to_timestamp(start_us / 1000000) AT TIME ZONE 'UTC', '"audit_week_"YYYYMMDD');
    end_us constant bigint := start_us + 604800000000;
BEGIN
    -- Nobody waits for this but who keeps or reads rows that no week was made for.
    LOCK TABLE ONLY turnpike.audit IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE turnpike.audit_elsewhere IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE turnpike.%I (LIKE turnpike.audit)', week);
    EXECUTE format('WITH moved AS (DELETE FROM turnpike.audit_elsewhere WHERE time_us >= %s AND time_us < %s RETURNING *)
        INSERT INTO turnpike.%I SELECT * FROM moved', start_us, end_us, week);
    EXECUTE format('ALTER TABLE turnpike.audit ATTACH PARTITION turnpike.%I FOR VALUES FROM (%s) TO (%s)',
        week, start_us, end_us);
END $$;
REVOKE ALL ON FUNCTION turnpike.add_audit_week(bigint) FROM PUBLIC;

-- The application's role can make no tables. This makes those that it needs, by the database's clock: the weeks after the newest
-- one up to four ahead, and of those that passed meanwhile at most eight.
CREATE FUNCTION turnpike.add_audit_weeks() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    length constant bigint := 604800000000;
    present constant bigint := turnpike.audit_week_of((extract(epoch FROM now()) * 1000000)::bigint);
    start bigint;
    added bigint := 0;
BEGIN
    -- Control planes take turns. Any constant does.
    PERFORM pg_advisory_xact_lock(8391735780204472939);
    SELECT greatest(coalesce(max(weeks.start_us) + length, present), present - 8 * length) INTO start FROM turnpike.audit_weeks() AS weeks;
    WHILE start <= present + 4 * length LOOP
        PERFORM turnpike.add_audit_week(start);
        start := start + length;
        added := added + 1;
    END LOOP;
    RETURN added;
END $$;
REVOKE ALL ON FUNCTION turnpike.add_audit_weeks() FROM PUBLIC;

-- Nor can it drop any. This drops weeks that were over two days ago and have no rows.
CREATE FUNCTION turnpike.drop_audit_weeks() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    -- An index passes over what was deleted lately, and a table does not.
    SET enable_seqscan = off AS $$
DECLARE
    past constant bigint := (extract(epoch FROM now()) - 9 * 86400) * 1000000;
    weeks name[];
    week name;
    kept boolean;
    dropped bigint := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'an older view of the rows would miss those that came meanwhile'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(8391735780204472939);
    SELECT coalesce(array_agg(name), '{}') INTO weeks FROM turnpike.audit_weeks() WHERE start_us < past;
    FOREACH week IN ARRAY weeks LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM turnpike.%I ORDER BY edge, epoch, sequence LIMIT 1)', week) INTO kept;
        CONTINUE WHEN kept;
        -- Everybody waits for this, and nothing can come any more.
        LOCK TABLE ONLY turnpike.audit IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('SELECT EXISTS (SELECT FROM turnpike.%I ORDER BY edge, epoch, sequence LIMIT 1)', week) INTO kept;
        CONTINUE WHEN kept;
        EXECUTE format('DROP TABLE turnpike.%I', week);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION turnpike.drop_audit_weeks() FROM PUBLIC;

-- What there is goes into the weeks that it is of.
SELECT turnpike.add_audit_week(start_us) FROM (
    SELECT DISTINCT turnpike.audit_week_of(time_us) AS start_us FROM turnpike.audit_unparted
    WHERE time_us BETWEEN (extract(epoch FROM now() - interval '10 years') * 1000000)::bigint
        AND (extract(epoch FROM now()) * 1000000)::bigint
) AS weeks;
SELECT turnpike.add_audit_weeks();
INSERT INTO turnpike.audit SELECT * FROM turnpike.audit_unparted;
CREATE SEQUENCE turnpike.audit_id;
SELECT setval('turnpike.audit_id', coalesce(max(id), 0) + 1, false) FROM turnpike.audit;
DROP TABLE turnpike.audit_unparted;
ALTER SEQUENCE turnpike.audit_id OWNED BY turnpike.audit.id;
ALTER TABLE turnpike.audit ALTER COLUMN id SET DEFAULT nextval('turnpike.audit_id');

-- A record's time is its edge's, so that what is sent again meets what is there.
ALTER TABLE turnpike.audit ADD PRIMARY KEY (edge, epoch, sequence, time_us);
CREATE INDEX audit_by_time ON turnpike.audit (tenant, time_us DESC, id DESC);
CREATE INDEX audit_by_principal ON turnpike.audit (tenant, principal, time_us DESC, id DESC);
CREATE INDEX audit_by_credential ON turnpike.audit (tenant, credential, time_us DESC, id DESC);
CREATE INDEX audit_by_request ON turnpike.audit (tenant, request_id);
CREATE INDEX audit_by_decision ON turnpike.audit (tenant, decision_id);

-- As before, and it looks for what goes no later than it can be.
CREATE OR REPLACE FUNCTION turnpike.retire_audit(of_edge text, of_epoch bigint, from_first bigint, to_last bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said turnpike.audit_retired;
    named bigint[];
    young bigint;
BEGIN
    SELECT * INTO STRICT said FROM turnpike.audit_retired
        WHERE edge = of_edge AND epoch = of_epoch AND first = from_first AND last = to_last;
    young := said.until_us + 86400000000;
    IF said.until_us > (extract(epoch FROM now()) - 86400) * 1000000 OR EXISTS (
        SELECT FROM turnpike.audit WHERE edge = of_edge AND epoch = of_epoch AND sequence BETWEEN from_first AND to_last
            AND time_us >= young) THEN
        RAISE EXCEPTION 'what is younger than a day is not retired' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF said.before IS NULL THEN
        SELECT array_agg(value::bigint) INTO named FROM jsonb_array_elements_text(said.sequences::jsonb);
        DELETE FROM turnpike.audit
            WHERE edge = of_edge AND epoch = of_epoch AND sequence = ANY(named) AND time_us < young;
        DELETE FROM turnpike.audit_originals WHERE edge = of_edge AND epoch = of_epoch AND sequence = ANY(named);
    ELSE
        DELETE FROM turnpike.audit
            WHERE edge = of_edge AND epoch = of_epoch AND sequence BETWEEN from_first AND to_last AND time_us < young;
        DELETE FROM turnpike.audit_originals
            WHERE edge = of_edge AND epoch = of_epoch AND sequence BETWEEN from_first AND to_last;
        DELETE FROM turnpike.audit_checkpoints
            WHERE edge = of_edge AND epoch = of_epoch AND last BETWEEN from_first AND to_last;
        DELETE FROM turnpike.audit_retired WHERE edge = of_edge AND epoch = of_epoch AND before IS NULL
            AND first >= from_first AND last <= to_last;
    END IF;
END $$;
