//! Audit records: bulk insert, watermark, list.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, SqliteTransaction};
use turnpike_access::{
    audit::{AuditRecord, chain::Checkpoint},
    id::{Id, Name, Timestamp},
};

use super::{Sqlite, anomaly, proof, sights};
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
    table: "audit",
    among: (
        " AND EXISTS (SELECT 1 FROM json_each(token_groups) WHERE value = ",
        ")",
    ),
};

const WORDS: Words = Words {
    usage: "usage",
    audit: "audit",
    retention: "audit_retention",
    metadata_key: "metadata",
    member: ("(SELECT value FROM json_each(metadata) WHERE key = ", ")"),
};

/// Rows of one statement: 42 binds each, far below SQLite's limit.
const ROWS: usize = 200;

#[async_trait]
impl AuditStore for Sqlite {
    async fn insert(
        &self,
        edge: &str,
        epoch: u64,
        first_sequence: u64,
        records: &[AuditRecord],
    ) -> Result<u64, StoreError> {
        let first = first(first_sequence, records.len())?;
        let epoch = epoch.cast_signed();
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let before = lock(&mut transaction, edge, epoch).await?;
        let known = before.known(first).min(records.len());
        let (fresh, start) = (records.get(known..).unwrap_or_default(), first + count(known));
        if fresh.is_empty() {
            return Ok(before.contiguous.cast_unsigned());
        }
        let (mut next, mut stored) = (start, Vec::new());
        for part in fresh.chunks(ROWS) {
            stored.extend(store(&mut transaction, edge, epoch, next, part).await?);
            remember_uses(&mut transaction, edge, part).await?;
            sights::remember(&mut transaction, part).await?;
            next += count(part.len());
        }
        let mut after = before.stored(start, next - 1);
        if after.gapped() && after.contiguous > before.contiguous {
            after.contiguous = run_end(&mut transaction, edge, epoch, after.contiguous).await?;
        }
        mark(&mut transaction, edge, epoch, after).await?;
        count_usage(&mut transaction, &stored).await?;
        transaction.commit().await?;
        Ok(after.contiguous.cast_unsigned())
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
            for row in query.build().fetch_all(&self.readers).await? {
                found.push(decode::record(&row)?);
            }
        }
        Ok(newest(found, page.limit))
    }

    async fn last_uses(&self, tenant: &Name, credentials: &[Id]) -> Result<HashMap<Id, LastUse>, StoreError> {
        let ids: Vec<&str> = credentials.iter().map(Id::as_str).collect();
        let ids = serde_json::to_string(&ids).unwrap_or_default();
        let query = sqlx::query(
            "SELECT credential, last_used_us, client, user_agent, edge FROM credential_use
                WHERE tenant = $1 AND credential IN (SELECT value FROM json_each($2))",
        );
        let found = query.bind(tenant.as_str()).bind(ids).fetch_all(&self.readers);
        found.await?.iter().map(credential_use::last_use).collect()
    }

    async fn activity(
        &self,
        tenant: &Name,
        credential: Id,
        since: Option<Timestamp>,
    ) -> Result<Activity, StoreError> {
        let counted = Counted {
            table: "audit",
            tenant,
            credential,
            since,
        };
        let totals = counted.totals().build().fetch_one(&self.readers).await?;
        let models = counted.by(MODEL).build().fetch_all(&self.readers).await?;
        let addresses = counted.by(ADDRESS).build().fetch_all(&self.readers).await?;
        credential_use::activity(&totals, &models, &addresses)
    }

    async fn usage(&self, tenant: &Name, query: &UsageQuery) -> Result<UsageReport, StoreError> {
        // One state for the rows and their total.
        let mut transaction = self.readers.begin().await?;
        let mut whole = WORDS.read(tenant, query, &[]);
        let total = whole.build().fetch_one(&mut *transaction).await?;
        let mut report = UsageReport {
            rows: Vec::new(),
            total: rollup::row(&total, 0)?.used,
        };
        if !query.by.is_empty() {
            let mut parts = WORDS.read(tenant, query, &query.by);
            for row in parts.build().fetch_all(&mut *transaction).await? {
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
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM usage WHERE {}",
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
async fn lock(transaction: &mut SqliteTransaction<'_>, edge: &str, epoch: i64) -> Result<Mark, StoreError> {
    let statement = "INSERT INTO audit_watermarks (edge, epoch) VALUES ($1, $2)
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
    transaction: &mut SqliteTransaction<'_>,
    edge: &str,
    epoch: i64,
    start: i64,
    records: &[AuditRecord],
) -> Result<Vec<i64>, StoreError> {
    let mut query = QueryBuilder::new("INSERT INTO audit (edge, epoch, sequence");
    for (name, _) in COLUMNS {
        query.push(", ").push(name);
    }
    query.push(") ");
    query.push_values((start..).zip(records), |mut row, (sequence, record)| {
        row.push_bind(edge).push_bind(epoch).push_bind(sequence);
        for (_, value) in COLUMNS {
            match value {
                Value::Text(get) | Value::Json(get) => row.push_bind(get(record)),
                Value::Number(get) => row.push_bind(get(record)),
                Value::Flag(get) => row.push_bind(get(record)),
            };
        }
    });
    query.push(" ON CONFLICT (edge, epoch, sequence) DO NOTHING RETURNING id");
    let rows = query
        .build()
        .persistent(false)
        .fetch_all(&mut **transaction)
        .await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("id"))
        .collect::<Result<_, _>>()?)
}

/// Counts the rows that were inserted, and only those.
async fn count_usage(transaction: &mut SqliteTransaction<'_>, rows: &[i64]) -> Result<(), StoreError> {
    let rows = serde_json::to_string(rows).unwrap_or_default();
    let count = WORDS.count("id IN (SELECT value FROM json_each($1))");
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(count)).bind(rows);
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// One statement for all credentials of the part.
async fn remember_uses(
    transaction: &mut SqliteTransaction<'_>,
    edge: &str,
    records: &[AuditRecord],
) -> Result<(), StoreError> {
    let uses = newest_of(records);
    if uses.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::new(
        "INSERT INTO credential_use (tenant, credential, last_used_us, client, user_agent, edge) ",
    );
    query.push_values(&uses, |mut row, one| {
        row.push_bind(one.tenant.as_ref())
            .push_bind(one.credential)
            .push_bind(one.time)
            .push_bind(one.client.as_deref())
            .push_bind(one.user_agent.as_deref())
            .push_bind(edge);
    });
    query.push(UPSERT);
    query
        .build()
        .persistent(false)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Where the unbroken run that goes on after `from` ends.
async fn run_end(
    transaction: &mut SqliteTransaction<'_>,
    edge: &str,
    epoch: i64,
    from: i64,
) -> Result<i64, StoreError> {
    let query = "SELECT coalesce(max(sequence), $3) FROM (
            SELECT sequence, row_number() OVER (ORDER BY sequence) AS nth
            FROM audit WHERE edge = $1 AND epoch = $2 AND sequence > $3
        ) AS beyond WHERE sequence = $3 + nth";
    Ok(sqlx::query_scalar(query)
        .bind(edge)
        .bind(epoch)
        .bind(from)
        .fetch_one(&mut **transaction)
        .await?)
}

async fn mark(
    transaction: &mut SqliteTransaction<'_>,
    edge: &str,
    epoch: i64,
    mark: Mark,
) -> Result<(), StoreError> {
    let statement =
        "UPDATE audit_watermarks SET contiguous = $3, highest = $4 WHERE edge = $1 AND epoch = $2";
    let update = sqlx::query(statement)
        .bind(edge)
        .bind(epoch)
        .bind(mark.contiguous)
        .bind(mark.highest);
    update.execute(&mut **transaction).await?;
    Ok(())
}
