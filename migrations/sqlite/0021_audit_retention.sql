-- What was taken out of the audit because its tenant keeps it no longer, as a control plane signed for it: either a whole stretch
-- of an epoch, by the chain before and after it, or some records of one, by their sequences (a JSON array) and their hashes.
CREATE TABLE audit_retired (
    edge      TEXT    NOT NULL,
    epoch     INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    before    BLOB,
    after     BLOB,
    sequences TEXT    NOT NULL,
    hashes    BLOB    NOT NULL,
    until_us  INTEGER NOT NULL,
    time_us   INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    signature BLOB    NOT NULL,
    PRIMARY KEY (edge, epoch, first, last)
);

-- What edges signed before this moment is gone, of this tenant.
CREATE TABLE audit_retention (
    tenant     TEXT    NOT NULL PRIMARY KEY,
    through_us INTEGER NOT NULL
);

CREATE INDEX audit_checkpoints_by_time ON audit_checkpoints (time_us);
