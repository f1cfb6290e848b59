-- Which anomalies were told as alerts: each once, until it has been over for some time. `told` is 0 while its holder is about to.
CREATE TABLE turnpike.anomalies (
    tenant   text   NOT NULL,
    anomaly  text   NOT NULL,
    holder   text   NOT NULL,
    until_us bigint NOT NULL,
    lease_us bigint NOT NULL,
    told     bigint NOT NULL,
    PRIMARY KEY (tenant, anomaly)
);
