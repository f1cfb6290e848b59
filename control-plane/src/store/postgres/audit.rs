//! Audit records as they are read, and what is counted of them.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use turnpike_access::{
    audit::{AuditRecord, chain::Checkpoint},
    id::{Id, Name, Timestamp},
};

use super::{Postgres, anomaly, insert, proof, sights, within};
use crate::store::{
    Activity, AuditFilter, AuditStore, LastUse, Page, StoreError, StoredRecord,
    audit::{
        anomaly::{Claim, Noted, Refused, RefusedBy},
        credential_use::{self, ADDRESS, Counted, MODEL},
        decode, newest,
        proof::{ChainedRecord, KnownEpoch},
        rollup::{self, Words},
        select,
        sights::{Sight, Spread},
        usage::{UsageQuery, UsageReport},
        visible_to,
        watermark::first,
    },
};

const DIALECT: select::Dialect = select::Dialect {
    table: "turnpike.audit",
    among: (" AND token_groups @> jsonb_build_array(", "::text)"),
};

pub(super) const WORDS: Words = Words {
    usage: "turnpike.usage",
    audit: "turnpike.audit",
    retention: "turnpike.audit_retention",
    metadata_key: "md5(metadata)",
    member: ("metadata::jsonb ->> ", ""),
};

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
        within(insert::insert(
            &self.pool,
            edge,
            epoch.cast_signed(),
            first,
            records,
        ))
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
