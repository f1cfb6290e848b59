-- Keys that were made by an automatic rotation, sealed, until somebody takes them.
CREATE TABLE turnpike.held_keys (
    id         text   PRIMARY KEY,
    tenant     text   NOT NULL,
    credential text   NOT NULL,
    sealed     text   NOT NULL,
    created_us bigint NOT NULL
);
CREATE INDEX held_keys_credential ON turnpike.held_keys (credential);
