-- What edges signed of their chains of audit records, and the bytes of those records that can't be made again from their rows.
-- Like the audit itself these are only ever added to.
CREATE TABLE turnpike.audit_checkpoints (
    edge      text   NOT NULL,
    epoch     bigint NOT NULL,
    first     bigint NOT NULL,
    last      bigint NOT NULL,
    before    bytea  NOT NULL,
    after     bytea  NOT NULL,
    time_us   bigint NOT NULL,
    key       text   NOT NULL,
    signature bytea  NOT NULL,
    PRIMARY KEY (edge, epoch, last, first)
);
CREATE TABLE turnpike.audit_originals (
    edge     text   NOT NULL,
    epoch    bigint NOT NULL,
    sequence bigint NOT NULL,
    original bytea  NOT NULL,
    PRIMARY KEY (edge, epoch, sequence)
);
