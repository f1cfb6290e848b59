-- What edges signed of their chains of audit records, and the bytes of those records that can't be made again from their rows.
-- Like the audit itself these are only ever added to.
CREATE TABLE audit_checkpoints (
    edge      TEXT   NOT NULL,
    epoch     INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    before    BLOB   NOT NULL,
    after     BLOB   NOT NULL,
    time_us   INTEGER NOT NULL,
    key       TEXT   NOT NULL,
    signature BLOB   NOT NULL,
    PRIMARY KEY (edge, epoch, last, first)
);
CREATE TABLE audit_originals (
    edge     TEXT   NOT NULL,
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    original BLOB   NOT NULL,
    PRIMARY KEY (edge, epoch, sequence)
);
