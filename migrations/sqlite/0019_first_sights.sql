-- When a principal, with a credential, was first seen with a model, in a network, by a client, at an hour of the day.
CREATE TABLE sights (
    tenant     TEXT NOT NULL,
    principal  TEXT NOT NULL,
    aspect     TEXT NOT NULL,
    value      TEXT NOT NULL,
    credential TEXT NOT NULL,
    first_us   INTEGER NOT NULL,
    PRIMARY KEY (tenant, principal, aspect, value, credential)
);
CREATE INDEX sights_by_time ON sights (tenant, first_us);
