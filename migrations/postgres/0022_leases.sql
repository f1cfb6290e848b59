-- What one control plane does for all at a time, such as publishing on the bus: which one, until when, and how far it says that
-- it has come.
CREATE TABLE turnpike.leases (
    name     text PRIMARY KEY,
    holder   text NOT NULL,
    until_us bigint NOT NULL,
    position bigint NOT NULL
);
