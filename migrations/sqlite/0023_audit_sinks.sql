-- How sending a tenant's audit on goes, for each sink, by the position of the event that made it. `changed` is the position of the
-- event that made it what it is now; what retention removed and what never came is counted.
CREATE TABLE audit_sinks (
    sink     INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    changed  INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_us   INTEGER NOT NULL DEFAULT 0,
    error    TEXT,
    taken_us INTEGER,
    removed  INTEGER NOT NULL DEFAULT 0,
    missing  INTEGER NOT NULL DEFAULT 0
);

-- Up to which sequence of an epoch rows were taken there.
CREATE TABLE audit_sink_cursors (
    sink  INTEGER NOT NULL,
    edge  TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (sink, edge, epoch)
);
