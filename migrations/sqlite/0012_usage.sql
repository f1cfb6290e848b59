-- Whose team a request counts for, what it cost and what a substitute saved, in billionths of a US dollar; as the edge that
-- decided knew them.
ALTER TABLE audit ADD COLUMN team        TEXT;
ALTER TABLE audit ADD COLUMN cost_nanos  INTEGER;
ALTER TABLE audit ADD COLUMN saved_nanos INTEGER;

-- The audit counted by minute, hour and day: `grain` is their length in microseconds, `start_us` their beginning. Rows of the
-- audit are counted in the transaction that inserts them, and all of it can be counted anew.
CREATE TABLE usage (
    tenant           TEXT    NOT NULL,
    grain            INTEGER NOT NULL,
    start_us         INTEGER NOT NULL,
    team             TEXT    NOT NULL,
    principal        TEXT    NOT NULL,
    credential       TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    provider         TEXT    NOT NULL,
    environment      TEXT    NOT NULL,
    metadata         TEXT    NOT NULL,
    requests         INTEGER NOT NULL,
    refused          INTEGER NOT NULL,
    tokens_input     INTEGER NOT NULL,
    tokens_output    INTEGER NOT NULL,
    tokens_cached    INTEGER NOT NULL,
    tokens_reasoning INTEGER NOT NULL,
    cost_nanos       INTEGER NOT NULL,
    saved_nanos      INTEGER NOT NULL,
    substituted      INTEGER NOT NULL,
    unpriced         INTEGER NOT NULL,
    usage_missing    INTEGER NOT NULL,
    cut_off          INTEGER NOT NULL,
    PRIMARY KEY (tenant, grain, start_us, team, principal, credential, model, provider, environment, metadata)
) WITHOUT ROWID;

INSERT INTO usage
SELECT tenant, grain, time_us - time_us % grain, '', coalesce(principal, ''), coalesce(credential, ''),
    coalesce(model_served, model_requested, ''), coalesce(provider, ''), coalesce(environment, ''), metadata,
    count(*),
    count(*) FILTER (WHERE outcome = 'refused'),
    sum(min(coalesce(tokens_input, 0), 1000000000000)),
    sum(min(coalesce(tokens_output, 0), 1000000000000)),
    sum(min(coalesce(tokens_cached, 0), 1000000000000)),
    sum(min(coalesce(tokens_reasoning, 0), 1000000000000)),
    0, 0,
    count(*) FILTER (WHERE fallback_from IS NOT NULL),
    count(*) FILTER (WHERE outcome = 'allowed' AND (tokens_input IS NOT NULL OR tokens_output IS NOT NULL)),
    count(*) FILTER (WHERE outcome = 'allowed' AND action LIKE 'inference.%' AND upstream_status BETWEEN 200 AND 299
        AND tokens_input IS NULL AND tokens_output IS NULL),
    count(*) FILTER (WHERE outcome = 'allowed' AND ending <> 'complete')
FROM audit, (SELECT 60000000 AS grain UNION ALL SELECT 3600000000 UNION ALL SELECT 86400000000) AS grains
GROUP BY 1, 2, 3, 5, 6, 7, 8, 9, 10;
