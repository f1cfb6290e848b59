-- What each team used and paid for this month, by model.
SELECT team, model_served, count() AS requests, sum(input_tokens) AS input, sum(output_tokens) AS output,
    round(sum(cost_nanos) / 1e9, 2) AS usd, countIf(output_tokens IS NULL AND status < 300) AS usage_missing
FROM turnpike.audit FINAL
WHERE tenant = 'acme' AND time >= toStartOfMonth(now()) AND outcome = 'allowed'
GROUP BY team, model_served
ORDER BY usd DESC;

-- Who was refused most in the last day, why, and from how many addresses.
SELECT principal, reason, count() AS refusals, uniqExact(client) AS addresses, max(time) AS last
FROM turnpike.audit FINAL
WHERE tenant = 'acme' AND time >= now() - INTERVAL 1 DAY AND outcome = 'refused'
GROUP BY principal, reason
ORDER BY refusals DESC
LIMIT 50;

-- How long answers and first tokens took, by provider and hour.
SELECT toStartOfHour(time) AS hour, provider, count() AS answers,
    round(quantile(0.5)(latency_us) / 1e3) AS median_ms, round(quantile(0.99)(latency_us) / 1e3) AS p99_ms,
    round(quantile(0.99)(first_token_us) / 1e3) AS first_token_p99_ms
FROM turnpike.audit FINAL
WHERE tenant = 'acme' AND time >= now() - INTERVAL 1 DAY AND outcome = 'allowed'
GROUP BY hour, provider
ORDER BY hour, provider;

-- Cost by what clients say in x-turnpike-metadata, here by `customer`.
SELECT attributes['turnpike.metadata.customer'] AS customer, count() AS requests, round(sum(cost_nanos) / 1e9, 2) AS usd
FROM turnpike.audit FINAL
WHERE tenant = 'acme' AND time >= toStartOfMonth(now())
GROUP BY customer
ORDER BY usd DESC;

-- All that a credential did, to the request: after a leak.
SELECT time, client, action, model_served, outcome, reason, status, request_id
FROM turnpike.audit FINAL
WHERE tenant = 'acme' AND credential = 'abcDEF123456'
ORDER BY time;

-- Whether an operators' copy is whole: sequences of an edge's epoch that are not here, where every tenant sends. Others' rows
-- are missing to a tenant by right.
SELECT edge, epoch, max(sequence) - uniqExact(sequence) AS absent
FROM turnpike.audit
GROUP BY edge, epoch
HAVING absent > 0;
