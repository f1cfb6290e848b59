//! What is taken out of the audit, and what stands for it.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use turnpike_access::{
    audit::{chain::Checkpoint, retired::Retired},
    id::{Name, Timestamp},
};

use super::Sqlite;
use crate::store::{
    StoreError,
    audit::{
        proof,
        retired::{self, AuditRetention, Parts},
        sink,
    },
};

#[async_trait]
impl AuditRetention for Sqlite {
    async fn retired(&self, edge: &str, epoch: u64) -> Result<Vec<Retired>, StoreError> {
        let mut query = retired::of_epoch("audit_retired", edge, epoch);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(retired::read).collect()
    }

    async fn said_between(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&Checkpoint>,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let mut query = retired::between("audit_checkpoints", (since, until), after, limit);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(proof::checkpoint).collect()
    }

    async fn retire(&self, said: &Retired) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let Parts {
            links,
            sequences,
            hashes,
        } = Parts::of(&said.stand_in);
        let statement = "INSERT INTO audit_retired
                (edge, epoch, first, last, before, after, sequences, hashes, until_us, time_us, key, signature)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
        let query = sqlx::query(statement)
            .bind(&said.edge)
            .bind(said.epoch.cast_signed())
            .bind(said.first.cast_signed())
            .bind(said.last.cast_signed())
            .bind(links.map(|(before, _)| before.0.to_vec()))
            .bind(links.map(|(_, after)| after.0.to_vec()))
            .bind(sequences)
            .bind(hashes)
            .bind(said.until.as_micros())
            .bind(said.time.as_micros())
            .bind(&said.key)
            .bind(&said.signature);
        query.execute(&mut *transaction).await?;
        let within = "WHERE edge = $1 AND epoch = $2 AND sequence BETWEEN $3 AND $4";
        let named = "AND sequence IN (SELECT value FROM audit_retired, json_each(sequences)
            WHERE edge = $1 AND epoch = $2 AND first = $3 AND last = $4)";
        let beside = "WHERE edge = $1 AND epoch = $2 AND first >= $3 AND last <= $4";
        let removed = sink::sql::of(sink::sql::REMOVED, "");
        let statements = match links {
            Some(_) => vec![
                removed.replace("[]", ""),
                format!("DELETE FROM audit {within}"),
                format!("DELETE FROM audit_originals {within}"),
                "DELETE FROM audit_checkpoints WHERE edge = $1 AND epoch = $2 AND last BETWEEN $3 AND $4"
                    .to_owned(),
                format!("DELETE FROM audit_retired {beside} AND before IS NULL"),
            ],
            None => vec![
                removed.replace("[]", &named.replace("sequence IN", "gone.sequence IN")),
                format!("DELETE FROM audit {within} {named}"),
                format!("DELETE FROM audit_originals {within} {named}"),
            ],
        };
        for statement in statements {
            // The statement is made of our own words alone.
            let query = sqlx::query(AssertSqlSafe(statement))
                .bind(&said.edge)
                .bind(said.epoch.cast_signed())
                .bind(said.first.cast_signed())
                .bind(said.last.cast_signed());
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn retired_through(&self, tenant: &Name) -> Result<Option<Timestamp>, StoreError> {
        let statement = "SELECT through_us FROM audit_retention WHERE tenant = $1";
        let query = sqlx::query_scalar::<_, i64>(statement).bind(tenant.as_str());
        let found = query.fetch_optional(&self.readers).await?;
        Ok(found.map(Timestamp::from_micros))
    }

    async fn keep_retired_through(&self, tenant: &Name, through: Timestamp) -> Result<(), StoreError> {
        let statement = "INSERT INTO audit_retention (tenant, through_us) VALUES ($1, $2)
            ON CONFLICT (tenant) DO UPDATE SET through_us = excluded.through_us";
        let query = sqlx::query(statement)
            .bind(tenant.as_str())
            .bind(through.as_micros());
        query.execute(&self.writer).await?;
        Ok(())
    }

    /// All weeks are in one table.
    async fn add_weeks(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn drop_weeks(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}
