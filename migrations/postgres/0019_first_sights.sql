-- When a principal, with a credential, was first seen with a model, in a network, by a client, at an hour of the day.
CREATE TABLE turnpike.sights (
    tenant     text NOT NULL,
    principal  text NOT NULL,
    aspect     text NOT NULL,
    value      text NOT NULL,
    credential text NOT NULL,
    first_us   bigint NOT NULL,
    PRIMARY KEY (tenant, principal, aspect, value, credential)
);
CREATE INDEX sights_by_time ON turnpike.sights (tenant, first_us);
