//! Keeping a batch of audit records: its rows, what is counted of them, and how far their epoch is stored.

use std::{collections::HashSet, sync::LazyLock};

use sqlx::{AssertSqlSafe, PgPool, PgTransaction, Row as _};
use turnpike_access::audit::AuditRecord;

use super::{audit::WORDS, sights};
use crate::store::{
    StoreError,
    audit::{
        columns::{COLUMNS, Value},
        credential_use::{UPSERT, newest_of},
        watermark::Mark,
    },
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
            FROM UNNEST({arrays}) AS batch (sequence, {names}) ON CONFLICT (edge, epoch, sequence, time_us) DO NOTHING
            RETURNING sequence",
        names = names.join(", "),
        values = values.join(", "),
        arrays = arrays.join(", "),
    )
});

/// See [`crate::store::AuditStore::insert`].
pub(super) async fn insert(
    pool: &PgPool,
    edge: &str,
    epoch: i64,
    first: i64,
    records: &[AuditRecord],
) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().await?;
    let before = lock(&mut transaction, edge, epoch).await?;
    let known = before.known(first).min(records.len());
    let (fresh, start) = (records.get(known..).unwrap_or_default(), first + count(known));
    if fresh.is_empty() {
        return Ok(before.contiguous.cast_unsigned());
    }
    let end = start + count(fresh.len()) - 1;
    let beyond = match before.highest < start {
        true => HashSet::new(),
        false => kept(&mut transaction, edge, epoch, (start, end)).await?,
    };
    let numbered = (start..)
        .zip(fresh)
        .filter(|(sequence, _)| !beyond.contains(sequence));
    let (sequences, new): (Vec<_>, Vec<_>) = numbered.unzip();
    let stored = store(&mut transaction, edge, epoch, sequences, &new).await?;
    remember_uses(&mut transaction, edge, fresh).await?;
    sights::remember(&mut transaction, fresh).await?;
    let mut after = before.stored(start, end);
    if after.gapped() && after.contiguous > before.contiguous {
        after.contiguous = run_end(&mut transaction, edge, epoch, after.contiguous).await?;
    }
    mark(&mut transaction, edge, epoch, after).await?;
    // Last, because others wait for these rows until the commit.
    count_usage(&mut transaction, edge, epoch, stored, &new).await?;
    transaction.commit().await?;
    Ok(after.contiguous.cast_unsigned())
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

/// Which of these sequences are kept already, beyond a gap: the time in the key alone does not keep one from being kept twice.
async fn kept(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    (first, last): (i64, i64),
) -> Result<HashSet<i64>, StoreError> {
    let query =
        "SELECT sequence FROM turnpike.audit WHERE edge = $1 AND epoch = $2 AND sequence BETWEEN $3 AND $4";
    let query = sqlx::query_scalar(query).bind(edge).bind(epoch);
    let found = query.bind(first).bind(last).fetch_all(&mut **transaction);
    Ok(found.await?.into_iter().collect())
}

/// The sequences of the rows that were not there before.
async fn store(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    sequences: Vec<i64>,
    records: &[&AuditRecord],
) -> Result<Vec<i64>, StoreError> {
    // The statement is made of our own column names alone.
    let mut query = sqlx::query_scalar(AssertSqlSafe(INSERT.as_str()))
        .bind(edge)
        .bind(epoch)
        .bind(sequences);
    for (_, value) in COLUMNS {
        let records = records.iter().copied();
        query = match value {
            Value::Text(get) | Value::Json(get) => query.bind(records.map(get).collect::<Vec<_>>()),
            Value::Number(get) => query.bind(records.map(get).collect::<Vec<_>>()),
            Value::Flag(get) => query.bind(records.map(get).collect::<Vec<_>>()),
        };
    }
    Ok(query.fetch_all(&mut **transaction).await?)
}

/// Counts the rows that were inserted, and only those.
async fn count_usage(
    transaction: &mut PgTransaction<'_>,
    edge: &str,
    epoch: i64,
    sequences: Vec<i64>,
    records: &[&AuditRecord],
) -> Result<(), StoreError> {
    static COUNT: LazyLock<String> = LazyLock::new(|| {
        WORDS.count("edge = $1 AND epoch = $2 AND sequence = ANY($3) AND time_us BETWEEN $4 AND $5")
    });
    let times = records.iter().map(|record| record.time.as_micros());
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(COUNT.as_str()))
        .bind(edge)
        .bind(epoch)
        .bind(sequences)
        .bind(times.clone().min())
        .bind(times.max());
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
