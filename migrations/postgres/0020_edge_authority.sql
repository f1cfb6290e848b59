-- The key that signs edges' certificates, sealed. There is one.
CREATE TABLE turnpike.edge_authority (
    one        smallint PRIMARY KEY CHECK (one = 1),
    id         text NOT NULL,
    sealed     bytea NOT NULL,
    public_key bytea NOT NULL,
    created_us bigint NOT NULL
);
