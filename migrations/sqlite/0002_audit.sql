-- One row for each request. A record of no known tenant has the tenant ''.
CREATE TABLE audit (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    edge            TEXT    NOT NULL,
    epoch           INTEGER  NOT NULL,
    sequence        INTEGER  NOT NULL,
    time_us         INTEGER  NOT NULL,
    tenant          TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    decision_id     TEXT,
    trace_id        TEXT,
    principal       TEXT,
    credential      TEXT,
    auth_method     TEXT,
    route           TEXT    NOT NULL,
    action          TEXT,
    model_requested TEXT,
    model_served    TEXT,
    fallback_from   TEXT,
    provider        TEXT,
    environment     TEXT,
    outcome         TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    grants          TEXT   NOT NULL,
    status          INTEGER  NOT NULL,
    upstream_status INTEGER,
    latency_us      INTEGER  NOT NULL,
    first_token_us  INTEGER,
    tokens_input    INTEGER,
    tokens_output   INTEGER,
    tokens_cached   INTEGER,
    tokens_reasoning INTEGER,
    streamed        BOOLEAN NOT NULL,
    ending          TEXT    NOT NULL,
    client          TEXT,
    user_agent      TEXT,
    metadata        TEXT   NOT NULL,
    region          TEXT    NOT NULL,
    position        INTEGER  NOT NULL,
    UNIQUE (edge, epoch, sequence)
);
CREATE INDEX audit_by_time ON audit (tenant, time_us DESC, id DESC);
CREATE INDEX audit_by_principal ON audit (tenant, principal, time_us DESC, id DESC);
CREATE INDEX audit_by_credential ON audit (tenant, credential, time_us DESC, id DESC);
CREATE INDEX audit_by_request ON audit (tenant, request_id);
CREATE INDEX audit_by_decision ON audit (tenant, decision_id);

-- Up to which sequence an epoch is stored without a gap, and the highest sequence stored at all.
CREATE TABLE audit_watermarks (
    edge       TEXT   NOT NULL,
    epoch      INTEGER NOT NULL,
    contiguous INTEGER NOT NULL DEFAULT 0,
    highest    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (edge, epoch)
);
