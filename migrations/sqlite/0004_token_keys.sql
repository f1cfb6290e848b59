-- Keys that sign Turnpike's own tokens; the private half is sealed. Which of them are believed stands in the event log.
CREATE TABLE token_keys (
    id         TEXT    PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    public_key BLOB    NOT NULL,
    created_us INTEGER NOT NULL
);
