-- Which anomalies were told as alerts: each once, until it has been over for some time. `told` is 0 while its holder is about to.
CREATE TABLE anomalies (
    tenant   TEXT   NOT NULL,
    anomaly  TEXT   NOT NULL,
    holder   TEXT   NOT NULL,
    until_us INTEGER NOT NULL,
    lease_us INTEGER NOT NULL,
    told     INTEGER NOT NULL,
    PRIMARY KEY (tenant, anomaly)
);
