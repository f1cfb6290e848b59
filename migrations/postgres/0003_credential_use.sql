-- Of each credential the newest use: what its audit records say, kept beside them so that nobody has to search them.
CREATE TABLE turnpike.credential_use (
    tenant       text   NOT NULL,
    credential   text   NOT NULL,
    last_used_us bigint NOT NULL,
    client       text,
    user_agent   text,
    edge         text   NOT NULL,
    PRIMARY KEY (tenant, credential)
);
INSERT INTO turnpike.credential_use
    SELECT DISTINCT ON (tenant, credential) tenant, credential, time_us, client, user_agent, edge
    FROM turnpike.audit WHERE tenant <> '' AND credential IS NOT NULL
    ORDER BY tenant, credential, time_us DESC;
