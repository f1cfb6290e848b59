-- Of each credential the newest use: what its audit records say, kept beside them so that nobody has to search them.
CREATE TABLE credential_use (
    tenant       TEXT    NOT NULL,
    credential   TEXT    NOT NULL,
    last_used_us INTEGER NOT NULL,
    client       TEXT,
    user_agent   TEXT,
    edge         TEXT    NOT NULL,
    PRIMARY KEY (tenant, credential)
) WITHOUT ROWID;
-- Beside max(), the other columns are those of the row that has it.
INSERT INTO credential_use
    SELECT tenant, credential, max(time_us), client, user_agent, edge
    FROM audit WHERE tenant <> '' AND credential IS NOT NULL
    GROUP BY tenant, credential;
