-- Which control plane publishes on the bus, until when, and how far it says that it has come. There is one row at most.
CREATE TABLE turnpike.relay (
    one       smallint PRIMARY KEY CHECK (one = 1),
    holder    text NOT NULL,
    until_us  bigint NOT NULL,
    published bigint NOT NULL
);
