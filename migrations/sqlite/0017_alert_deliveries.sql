-- Up to which event of the log it was made out what is to be sent.
CREATE TABLE outbox (
    one      INTEGER PRIMARY KEY,
    position INTEGER NOT NULL
);

-- What is to be sent about alerts, and what became of it: 0 waits, 1 was taken, 2 was given up. `time_us` is when it is due
-- while it waits, and when it was settled else.
CREATE TABLE deliveries (
    tenant      TEXT NOT NULL,
    position    INTEGER NOT NULL,
    destination TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    time_us     INTEGER NOT NULL,
    error       TEXT,
    PRIMARY KEY (tenant, position, destination)
);
CREATE INDEX deliveries_by_time ON deliveries (state, time_us);
