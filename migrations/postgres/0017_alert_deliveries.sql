-- Up to which event of the log it was made out what is to be sent.
CREATE TABLE turnpike.outbox (
    one      bigint PRIMARY KEY,
    position bigint NOT NULL
);

-- What is to be sent about alerts, and what became of it: 0 waits, 1 was taken, 2 was given up. `time_us` is when it is due
-- while it waits, and when it was settled else.
CREATE TABLE turnpike.deliveries (
    tenant      text NOT NULL,
    position    bigint NOT NULL,
    destination text NOT NULL,
    attempts    bigint NOT NULL,
    state       bigint NOT NULL,
    time_us     bigint NOT NULL,
    error       text,
    PRIMARY KEY (tenant, position, destination)
);
CREATE INDEX deliveries_by_time ON turnpike.deliveries (state, time_us);
