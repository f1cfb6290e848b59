-- Whose team a request counts for, what it cost and what a substitute saved, in billionths of a US dollar; as the edge that
-- decided knew them.
ALTER TABLE turnpike.audit
    ADD COLUMN team        text,
    ADD COLUMN cost_nanos  bigint,
    ADD COLUMN saved_nanos bigint;

-- The audit counted by minute, hour and day: `grain` is their length in microseconds, `start_us` their beginning. Rows of the
-- audit are counted in the transaction that inserts them, and all of it can be counted anew.
CREATE TABLE turnpike.usage (
    tenant           text   NOT NULL,
    grain            bigint NOT NULL,
    start_us         bigint NOT NULL,
    team             text   NOT NULL,
    principal        text   NOT NULL,
    credential       text   NOT NULL,
    model            text   NOT NULL,
    provider         text   NOT NULL,
    environment      text   NOT NULL,
    metadata         text   NOT NULL,
    requests         bigint NOT NULL,
    refused          bigint NOT NULL,
    tokens_input     bigint NOT NULL,
    tokens_output    bigint NOT NULL,
    tokens_cached    bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_nanos       bigint NOT NULL,
    saved_nanos      bigint NOT NULL,
    substituted      bigint NOT NULL,
    unpriced         bigint NOT NULL,
    usage_missing    bigint NOT NULL,
    cut_off          bigint NOT NULL
);
-- Metadata may be longer than an index takes.
CREATE UNIQUE INDEX usage_key ON turnpike.usage
    (tenant, grain, start_us, team, principal, credential, model, provider, environment, md5(metadata));

INSERT INTO turnpike.usage
SELECT tenant, grain, time_us - time_us % grain, '', coalesce(principal, ''), coalesce(credential, ''),
    coalesce(model_served, model_requested, ''), coalesce(provider, ''), coalesce(environment, ''), metadata::text,
    count(*),
    count(*) FILTER (WHERE outcome = 'refused'),
    sum(least(coalesce(tokens_input, 0), 1000000000000))::bigint,
    sum(least(coalesce(tokens_output, 0), 1000000000000))::bigint,
    sum(least(coalesce(tokens_cached, 0), 1000000000000))::bigint,
    sum(least(coalesce(tokens_reasoning, 0), 1000000000000))::bigint,
    0, 0,
    count(*) FILTER (WHERE fallback_from IS NOT NULL),
    count(*) FILTER (WHERE outcome = 'allowed' AND (tokens_input IS NOT NULL OR tokens_output IS NOT NULL)),
    count(*) FILTER (WHERE outcome = 'allowed' AND action LIKE 'inference.%' AND upstream_status BETWEEN 200 AND 299
        AND tokens_input IS NULL AND tokens_output IS NULL),
    count(*) FILTER (WHERE outcome = 'allowed' AND ending <> 'complete')
FROM turnpike.audit, (VALUES (60000000::bigint), (3600000000), (86400000000)) AS grains (grain)
GROUP BY 1, 2, 3, 5, 6, 7, 8, 9, 10;
