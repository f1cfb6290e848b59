-- Keys that were made by an automatic rotation, sealed, until somebody takes them.
CREATE TABLE held_keys (
    id         TEXT    PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    credential TEXT    NOT NULL,
    sealed     TEXT    NOT NULL,
    created_us INTEGER NOT NULL
);
CREATE INDEX held_keys_credential ON held_keys (credential);
