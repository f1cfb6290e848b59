-- The key that signs edges' certificates, sealed. There is one.
CREATE TABLE edge_authority (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    id         TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    public_key BLOB NOT NULL,
    created_us INTEGER NOT NULL
);
