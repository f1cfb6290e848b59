-- Keys that sign Turnpike's own tokens; the private half is sealed. Which of them are believed stands in the event log.
CREATE TABLE turnpike.token_keys (
    id         text   PRIMARY KEY,
    sealed     bytea  NOT NULL,
    public_key bytea  NOT NULL,
    created_us bigint NOT NULL
);
