-- The audit in ClickHouse: a row for each request, of as many tenants and installations as send theirs here. To be run once,
-- when the collector has made otel_logs.
--
-- A row may come twice; what has the same tenant, time, edge, epoch and sequence is one, at once where it is asked with FINAL.
CREATE TABLE IF NOT EXISTS turnpike.audit
(
    tenant           LowCardinality(String),
    time             DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    edge             LowCardinality(String),
    epoch            UInt64,
    sequence         UInt64,
    request_id       String CODEC(ZSTD),
    decision_id      String CODEC(ZSTD),
    trace_id         String CODEC(ZSTD),
    principal        LowCardinality(String),
    team             LowCardinality(String),
    credential       LowCardinality(String),
    auth_method      LowCardinality(String),
    issuer           LowCardinality(String),
    route            LowCardinality(String),
    action           LowCardinality(String),
    model_requested  LowCardinality(String),
    model_served     LowCardinality(String),
    fallback_from    LowCardinality(String),
    provider         LowCardinality(String),
    environment      LowCardinality(String),
    outcome          LowCardinality(String),
    reason           LowCardinality(String),
    ending           LowCardinality(String),
    status           UInt16,
    latency_us       UInt64,
    first_token_us   Nullable(UInt64),
    input_tokens     Nullable(UInt64),
    output_tokens    Nullable(UInt64),
    cached_tokens    Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    cost_nanos       Nullable(UInt64),
    saved_nanos      Nullable(Int64),
    client           String CODEC(ZSTD),
    user_agent       LowCardinality(String),
    region           LowCardinality(String),
    position         UInt64,
    -- All of it, by the names that OpenTelemetry and Turnpike have for it: what has no column, metadata too.
    attributes       Map(LowCardinality(String), String) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, edge, epoch, sequence)
TTL toDateTime(time) + INTERVAL 400 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS turnpike.audit_from_otel TO turnpike.audit AS
SELECT
    LogAttributes['turnpike.tenant'] AS tenant,
    Timestamp AS time,
    LogAttributes['turnpike.edge'] AS edge,
    toUInt64OrZero(LogAttributes['turnpike.epoch']) AS epoch,
    toUInt64OrZero(LogAttributes['turnpike.sequence']) AS sequence,
    LogAttributes['turnpike.request_id'] AS request_id,
    LogAttributes['turnpike.decision_id'] AS decision_id,
    TraceId AS trace_id,
    LogAttributes['turnpike.principal'] AS principal,
    LogAttributes['turnpike.team'] AS team,
    LogAttributes['turnpike.credential'] AS credential,
    LogAttributes['turnpike.auth_method'] AS auth_method,
    LogAttributes['turnpike.issuer'] AS issuer,
    LogAttributes['turnpike.route'] AS route,
    LogAttributes['turnpike.action'] AS action,
    LogAttributes['gen_ai.request.model'] AS model_requested,
    LogAttributes['gen_ai.response.model'] AS model_served,
    LogAttributes['turnpike.fallback_from'] AS fallback_from,
    LogAttributes['turnpike.provider'] AS provider,
    LogAttributes['turnpike.environment'] AS environment,
    LogAttributes['turnpike.outcome'] AS outcome,
    LogAttributes['turnpike.reason'] AS reason,
    LogAttributes['turnpike.ending'] AS ending,
    toUInt16OrZero(LogAttributes['http.response.status_code']) AS status,
    toUInt64OrZero(LogAttributes['turnpike.latency_us']) AS latency_us,
    toUInt64OrNull(LogAttributes['turnpike.first_token_us']) AS first_token_us,
    toUInt64OrNull(LogAttributes['gen_ai.usage.input_tokens']) AS input_tokens,
    toUInt64OrNull(LogAttributes['gen_ai.usage.output_tokens']) AS output_tokens,
    toUInt64OrNull(LogAttributes['turnpike.cached_tokens']) AS cached_tokens,
    toUInt64OrNull(LogAttributes['turnpike.reasoning_tokens']) AS reasoning_tokens,
    toUInt64OrNull(LogAttributes['turnpike.cost_nanos']) AS cost_nanos,
    toInt64OrNull(LogAttributes['turnpike.saved_nanos']) AS saved_nanos,
    LogAttributes['client.address'] AS client,
    LogAttributes['user_agent.original'] AS user_agent,
    LogAttributes['turnpike.region'] AS region,
    toUInt64OrZero(LogAttributes['turnpike.position']) AS position,
    LogAttributes AS attributes
FROM turnpike.otel_logs
WHERE ScopeName = 'turnpike.audit';
