//! Audit records: bulk insert, watermark, list.

use std::{collections::HashMap, sync::LazyLock};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, PgTransaction, Row as _};
use turnpike_access::{
    audit::{AuditRecord, chain::Checkpoint},
    id::{Id, Name, Timestamp},
};

use super::{Postgres, anomaly, proof, sights, within};
use crate::store::{
    Activity, AuditFilter, AuditStore, LastUse, Page, StoreError, StoredRecord,
    audit::{
        anomaly::{Claim, Noted, Refused, RefusedBy},
        columns::{COLUMNS, Value},
        credential_use::{self, ADDRESS, Counted, MODEL, UPSERT, newest_of},
        decode, newest,
        proof::{ChainedRecord, KnownEpoch},
        rollup::{self, Words},
        select,
        sights::{Sight, Spread},
        usage::{UsageQuery, UsageReport},
        visible_to,
        watermark::{Mark, first},
    },
};

const DIALECT: select::Dialect = select::Dialect {
    table: "turnpike.audit",
    among: (" AND token_groups @> jsonb_build_array(", "::text)"),
};

const WORDS: Words = Words {
    usage: "turnpike.usage",
    audit: "turnpike.audit",
    retention: "turnpike.audit_retention",
    metadata_key: "md5(metadata)",
    member: ("metadata::jsonb ->> ", ""),
};

/// One array for each column: a batch is one statement of one shape, whatever its length.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let (mut values, mut arrays) = (Vec::new(), vec!["$3::bigint[]".to_owned()]);
    for (number, (name, value)) in (4..).zip(COLUMNS) {
        let (array, cast) = match value {
            Value::Text(_) => ("text", ""),
            Value::Json(_) => ("text", "::jsonb"),
            Value::Number(_) => ("bigint", ""),
            Value::Flag(_) => ("boolean", ""),
        };
        values.push(format!("{name}{cast}"));
        arrays.push(format!("${number}::{array}[]"));
    }
    format!(
        "INSERT INTO turnpike.audit (edge, epoch, sequence, {names}) SELECT $1, $2, sequence, {values}
            FROM UNNEST({arrays}) AS batch (sequence, {names}) ON CONFLICT (edge, epoch, sequence) DO NOTHING
            RETURNING id",
        names = names.join(", "),
        values = values.join(", "),
        arrays = arrays.join(", "),
    )
});

#[async_trait]
impl AuditStore for Postgres {
    async fn insert(
        &self,
        edge: &str,
        epoch: u64,
        first_sequence: u64,
        records: &[AuditRecord],
    ) -> Result<u64, StoreError> {
        let first = first(first_sequence, records.len())?;
        let epoch = epoch.cast_signed();
        within(async {
            let mut transaction = self.pool.begin().await?;
            let before = lock(&mut transaction, edge, epoch).await?;
            let known = before.known(first).min(records.len());
            let (fresh, start) = (records.get(known..).unwrap_or_default(), first + count(known));
            if fresh.is_empty() {
                return Ok(before.contiguous.cast_unsigned());
            }
            let stored = store(&mut transaction, edge, epoch, start, fresh).await?;
            remember_uses(&mut transaction, edge, fresh).await?;
            sights::remember(&mut transaction, fresh).await?;
            let mut after = before.stored(start, start + count(fresh.len()) - 1);
            if after.gapped() && after.contiguous > before.contiguous {
                after.contiguous = run_end(&mut transaction, edge, epoch, after.contiguous).await?;
            }
            mark(&mut transaction, edge, epoch, after).await?;
            // Last, because others wait for these rows until the commit.
            count_usage(&mut transaction, stored).await?;
            transaction.commit().await?;
            Ok::<_, StoreError>(after.contiguous.cast_unsigned())
        })
        .await
    }

    async fn list(
        &self,
        tenant: &Name,
        filter: &AuditFilter,
        page: Page,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let mut found = Vec::new();
        for tenant in visible_to(tenant) {
            let mut query = select::page(&DIALECT, tenant, filter, page);
            for row in within(query.build().fetch_all(&self.pool)).await? {
                found.push(decode::record(&row)?);
            }
        }
        Ok(newest(found, page.limit))
    }

    async fn last_uses(&self, tenant: &Name, credentials: &[Id]) -> Result<HashMap<Id, LastUse>, StoreError> {
        let ids: Vec<&str> = credentials.iter().map(Id::as_str).collect();
        let query = sqlx::query(
            "SELECT credential, last_used_us, client, user_agent, edge FROM turnpike.credential_use
                WHERE tenant = $1 AND credential = ANY($2)",
        );
        let found = query.bind(tenant.as_str()).bind(ids).fetch_all(&self.pool);
        let rows = within(found).await?;
        rows.iter().map(credential_use::last_use).collect()
    }

    async fn activity(
        &self,
        tenant: &Name,
        credential: Id,
        since: Option<Timestamp>,
    ) -> Result<Activity, StoreError> {
        let counted = Counted {
            table: "turnpike.audit",
            tenant,
            credential,
            since,
        };
        let totals = within(counted.totals().build().fetch_one(&self.pool)).await?;
        let models = within(counted.by(MODEL).build().fetch_all(&self.pool)).await?;
        let addresses = within(counted.by(ADDRESS).build().fetch_all(&self.pool)).await?;
        credential_use::activity(&totals, &models, &addresses)
    }

    async fn usage(&self, tenant: &Name, query: &UsageQuery) -> Result<UsageReport, StoreError> {
        // One state for the rows and their total.
        let mut transaction = within(self.pool.begin()).await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *transaction)
            .await?;
        let mut whole = WORDS.read(tenant, query, &[]);
        let total = within(whole.build().fetch_one(&mut *transaction)).await?;
        let mut report = UsageReport {
            rows: Vec::new(),
            total: rollup::row(&total, 0)?.used,
        };
        if !query.by.is_empty() {
            let mut parts = WORDS.read(tenant, query, &query.by);
            for row in within(parts.build().fetch_all(&mut *transaction)).await? {
                report.rows.push(rollup::row(&row, query.by.len())?);
            }
        }
        Ok(report)
    }

    async fn keep_checkpoint(&self, said: &Checkpoint, originals: &[(u64, &[u8])]) -> Result<(), StoreError> {
        proof::keep(self, said, originals).await
    }

    async fn epochs(&self, after: Option<(&str, u64)>, limit: u32) -> Result<Vec<KnownEpoch>, StoreError> {
        proof::epochs(self, after, limit).await
    }

    async fn chained(
        &self,
        edge: &str,
        epoch: u64,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChainedRecord>, StoreError> {
        proof::chained(self, edge, (epoch, after), limit).await
    }

    async fn checkpoints(
        &self,
        edge: &str,
        epoch: u64,
        after: (u64, u64),
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        proof::checkpoints(self, edge, (epoch, after), limit).await
    }

    async fn refused(
        &self,
        tenant: &Name,
        by: RefusedBy,
        since: Timestamp,
        until: Timestamp,
        least: u32,
    ) -> Result<Vec<Refused>, StoreError> {
        anomaly::refused(self, tenant, by, (since, until), least).await
    }

    async fn unexpected(
        &self,
        tenant: &Name,
        since: Timestamp,
        until: Timestamp,
        known_before: Timestamp,
    ) -> Result<Vec<Sight>, StoreError> {
        sights::unexpected(self, tenant, since, until, known_before).await
    }

    async fn shadows(
        &self,
        tenant: &Name,
        since: Timestamp,
    ) -> Result<(Vec<Sight>, Vec<Spread>), StoreError> {
        sights::shadows(self, tenant, since).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<bool, StoreError> {
        anomaly::claim(self, claim).await
    }

    async fn told(&self, claim: Claim<'_>) -> Result<(), StoreError> {
        anomaly::told(self, claim).await
    }

    async fn anomalies(&self, tenant: &Name) -> Result<Vec<Noted>, StoreError> {
        anomaly::noted(self, tenant).await
    }

    async fn forget_anomalies(&self, before: Timestamp) -> Result<(), StoreError> {
        anomaly::forget(self, before).await
    }

    async fn rebuild_usage(&self) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        // Whoever has counted rows and not committed is waited for; whoever comes later counts its rows after us, and
        // we do not see them.
        sqlx::query("LOCK TABLE turnpike.usage IN EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await?;
        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM turnpike.usage WHERE {}",
            WORDS.unretired("start_us")
        )))
        .execute(&mut *transaction)
        .await?;
        let count = WORDS.count(&WORDS.unretired("time_us"));
        // The statement is made of our own words alone.
        sqlx::query(AssertSqlSafe(count))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Reads the epoch's mark, made if need be, and keeps others from it until the commit.
async fn lock(transaction: &mut PgTransaction<'_>, edge: &str, epoch: i64) -> Result<Mark, StoreError> {
    let statement = "INSERT INTO turnpike.audit_watermarks (edge, epoch) VALUES ($1, $2)
        ON CONFLICT (edge, epoch) DO UPDATE SET edge = excluded.edge RETURNING contiguous, highest";
    let row = sqlx::query(statement)
        .bind(edge)
        .bind(epoch)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(Mark {
        contiguous: row.try_get("contiguous")?,
        highest: row.try_get("highest")?,
    })
}

/// The ids of the rows that were not there before.
async fn store(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    start: i64,
    records: &[AuditRecord],
) -> Result<Vec<i64>, StoreError> {
    let sequences: Vec<i64> = (start..).take(records.len()).collect();
    // The statement is made of our own column names alone.
    let mut query = sqlx::query(AssertSqlSafe(INSERT.as_str()))
        .bind(edge)
        .bind(epoch)
        .bind(sequences);
    for (_, value) in COLUMNS {
        query = match value {
            Value::Text(get) | Value::Json(get) => query.bind(records.iter().map(get).collect::<Vec<_>>()),
            Value::Number(get) => query.bind(records.iter().map(get).collect::<Vec<_>>()),
            Value::Flag(get) => query.bind(records.iter().map(get).collect::<Vec<_>>()),
        };
    }
    let rows = query.fetch_all(&mut **transaction).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("id"))
        .collect::<Result<_, _>>()?)
}

/// Counts the rows that were inserted, and only those.
async fn count_usage(transaction: &mut PgTransaction<'_>, rows: Vec<i64>) -> Result<(), StoreError> {
    static COUNT: LazyLock<String> = LazyLock::new(|| WORDS.count("id = ANY($1)"));
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(COUNT.as_str())).bind(rows);
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// One statement for all credentials of the batch.
async fn remember_uses(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    records: &[AuditRecord],
) -> Result<(), StoreError> {
    let uses = newest_of(records);
    if uses.is_empty() {
        return Ok(());
    }
    let statement = format!(
        "INSERT INTO turnpike.credential_use (tenant, credential, last_used_us, client, user_agent, edge)
            SELECT tenant, credential, last_used_us, client, user_agent, $6
            FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
                AS batch (tenant, credential, last_used_us, client, user_agent){UPSERT}"
    );
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(statement))
        .bind(uses.iter().map(|one| one.tenant.as_ref()).collect::<Vec<_>>())
        .bind(uses.iter().map(|one| one.credential).collect::<Vec<_>>())
        .bind(uses.iter().map(|one| one.time).collect::<Vec<_>>())
        .bind(uses.iter().map(|one| one.client.as_deref()).collect::<Vec<_>>())
        .bind(
            uses.iter()
                .map(|one| one.user_agent.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(edge);
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// Where the unbroken run that goes on after `from` ends.
async fn run_end(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    from: i64,
) -> Result<i64, StoreError> {
    let query = "SELECT coalesce(max(sequence), $3) FROM (
            SELECT sequence, row_number() OVER (ORDER BY sequence) AS nth
            FROM turnpike.audit WHERE edge = $1 AND epoch = $2 AND sequence > $3
        ) AS beyond WHERE sequence = $3 + nth";
    Ok(sqlx::query_scalar(query)
        .bind(edge)
        .bind(epoch)
        .bind(from)
        .fetch_one(&mut **transaction)
        .await?)
}

async fn mark(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    mark: Mark,
) -> Result<(), StoreError> {
    let statement =
        "UPDATE turnpike.audit_watermarks SET contiguous = $3, highest = $4 WHERE edge = $1 AND epoch = $2";
    let update = sqlx::query(statement)
        .bind(edge)
        .bind(epoch)
        .bind(mark.contiguous)
        .bind(mark.highest);
    update.execute(&mut **transaction).await?;
    Ok(())
}
