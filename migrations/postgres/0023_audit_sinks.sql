-- How sending a tenant's audit on goes, for each sink, by the position of the event that made it. `changed` is the position of the
-- event that made it what it is now; what retention removed and what never came is counted.
CREATE TABLE turnpike.audit_sinks (
    sink     bigint PRIMARY KEY,
    tenant   text NOT NULL,
    changed  bigint NOT NULL,
    since_us bigint NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    due_us   bigint NOT NULL DEFAULT 0,
    error    text,
    taken_us bigint,
    removed  bigint NOT NULL DEFAULT 0,
    missing  bigint NOT NULL DEFAULT 0
);

-- Up to which sequence of an epoch rows were taken there.
CREATE TABLE turnpike.audit_sink_cursors (
    sink  bigint NOT NULL,
    edge  text NOT NULL,
    epoch bigint NOT NULL,
    taken bigint NOT NULL,
    PRIMARY KEY (sink, edge, epoch)
);
