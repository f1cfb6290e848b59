//! Audit records: bulk insert, watermark, list.

use std::{collections::HashMap, sync::LazyLock};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, PgTransaction, Row as _};
use turnpike_access::{
    audit::AuditRecord,
    id::{Id, Name, Timestamp},
};

use super::{Postgres, within};
use crate::store::{
    Activity, AuditFilter, AuditStore, LastUse, Page, StoreError, StoredRecord,
    audit::{
        columns::{COLUMNS, Value},
        credential_use::{self, ADDRESS, Counted, MODEL, UPSERT, newest_of},
        decode, newest, select, visible_to,
        watermark::{Mark, first},
    },
};

const DIALECT: select::Dialect = select::Dialect {
    table: "turnpike.audit",
    among: (" AND token_groups @> jsonb_build_array(", "::text)"),
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
            FROM UNNEST({arrays}) AS batch (sequence, {names}) ON CONFLICT (edge, epoch, sequence) DO NOTHING",
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
            store(&mut transaction, edge, epoch, start, fresh).await?;
            remember_uses(&mut transaction, edge, fresh).await?;
            let mut after = before.stored(start, start + count(fresh.len()) - 1);
            if after.gapped() && after.contiguous > before.contiguous {
                after.contiguous = run_end(&mut transaction, edge, epoch, after.contiguous).await?;
            }
            mark(&mut transaction, edge, epoch, after).await?;
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

async fn store(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    start: i64,
    records: &[AuditRecord],
) -> Result<(), StoreError> {
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
