-- One row for each request. A record of no known tenant has the tenant ''.
CREATE TABLE turnpike.audit (
    id              bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edge            text    NOT NULL,
    epoch           bigint  NOT NULL,
    sequence        bigint  NOT NULL,
    time_us         bigint  NOT NULL,
    tenant          text    NOT NULL,
    request_id      text    NOT NULL,
    decision_id     text,
    trace_id        text,
    principal       text,
    credential      text,
    auth_method     text,
    route           text    NOT NULL,
    action          text,
    model_requested text,
    model_served    text,
    fallback_from   text,
    provider        text,
    environment     text,
    outcome         text    NOT NULL,
    reason          text    NOT NULL,
    grants          jsonb   NOT NULL,
    status          bigint  NOT NULL,
    upstream_status bigint,
    latency_us      bigint  NOT NULL,
    first_token_us  bigint,
    tokens_input    bigint,
    tokens_output   bigint,
    tokens_cached   bigint,
    tokens_reasoning bigint,
    streamed        boolean NOT NULL,
    ending          text    NOT NULL,
    client          text,
    user_agent      text,
    metadata        jsonb   NOT NULL,
    region          text    NOT NULL,
    position        bigint  NOT NULL,
    UNIQUE (edge, epoch, sequence)
);
CREATE INDEX audit_by_time ON turnpike.audit (tenant, time_us DESC, id DESC);
CREATE INDEX audit_by_principal ON turnpike.audit (tenant, principal, time_us DESC, id DESC);
CREATE INDEX audit_by_credential ON turnpike.audit (tenant, credential, time_us DESC, id DESC);
CREATE INDEX audit_by_request ON turnpike.audit (tenant, request_id);
CREATE INDEX audit_by_decision ON turnpike.audit (tenant, decision_id);

-- Up to which sequence an epoch is stored without a gap, and the highest sequence stored at all.
CREATE TABLE turnpike.audit_watermarks (
    edge       text   NOT NULL,
    epoch      bigint NOT NULL,
    contiguous bigint NOT NULL DEFAULT 0,
    highest    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (edge, epoch)
);
