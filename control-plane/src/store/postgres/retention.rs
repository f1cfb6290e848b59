//! What is taken out of the audit, and what stands for it.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use turnpike_access::{
    audit::{chain::Checkpoint, retired::Retired},
    id::{Name, Timestamp},
};

use super::{Postgres, within};
use crate::store::{
    StoreError,
    audit::{
        proof,
        retired::{self, AuditRetention, Parts},
        sink,
    },
};

#[async_trait]
impl AuditRetention for Postgres {
    async fn retired(&self, edge: &str, epoch: u64) -> Result<Vec<Retired>, StoreError> {
        let mut query = retired::of_epoch("turnpike.audit_retired", edge, epoch);
        let rows = query.build().fetch_all(&self.pool).await?;
        rows.iter().map(retired::read).collect()
    }

    async fn said_between(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&Checkpoint>,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let mut query = retired::between("turnpike.audit_checkpoints", (since, until), after, limit);
        let rows = query.build().fetch_all(&self.pool).await?;
        rows.iter().map(proof::checkpoint).collect()
    }

    async fn retire(&self, said: &Retired) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let Parts {
            links,
            sequences,
            hashes,
        } = Parts::of(&said.stand_in);
        let statement = "INSERT INTO turnpike.audit_retired
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
        let named = match links {
            Some(_) => "",
            None => {
                "AND gone.sequence IN (SELECT named.value::bigint FROM turnpike.audit_retired AS said,
                    jsonb_array_elements_text(said.sequences::jsonb) AS named (value)
                    WHERE said.edge = $1 AND said.epoch = $2 AND said.first = $3 AND said.last = $4)"
            }
        };
        // The statement is made of our own words alone.
        let removed = sink::sql::of(sink::sql::REMOVED, "turnpike.").replace("[]", named);
        let query = sqlx::query(AssertSqlSafe(removed))
            .bind(&said.edge)
            .bind(said.epoch.cast_signed())
            .bind(said.first.cast_signed())
            .bind(said.last.cast_signed());
        query.execute(&mut *transaction).await?;
        let query = sqlx::query("SELECT turnpike.retire_audit($1, $2, $3, $4)")
            .bind(&said.edge)
            .bind(said.epoch.cast_signed())
            .bind(said.first.cast_signed())
            .bind(said.last.cast_signed());
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn retired_through(&self, tenant: &Name) -> Result<Option<Timestamp>, StoreError> {
        let statement = "SELECT through_us FROM turnpike.audit_retention WHERE tenant = $1";
        let query = sqlx::query_scalar::<_, i64>(statement).bind(tenant.as_str());
        let found = query.fetch_optional(&self.pool).await?;
        Ok(found.map(Timestamp::from_micros))
    }

    async fn keep_retired_through(&self, tenant: &Name, through: Timestamp) -> Result<(), StoreError> {
        let statement = "INSERT INTO turnpike.audit_retention (tenant, through_us) VALUES ($1, $2)
            ON CONFLICT (tenant) DO UPDATE SET through_us = excluded.through_us";
        let query = sqlx::query(statement)
            .bind(tenant.as_str())
            .bind(through.as_micros());
        query.execute(&self.pool).await?;
        Ok(())
    }

    async fn add_weeks(&self) -> Result<u64, StoreError> {
        let added = sqlx::query_scalar::<_, i64>("SELECT turnpike.add_audit_weeks()");
        Ok(within(added.fetch_one(&self.pool)).await?.cast_unsigned())
    }

    async fn drop_weeks(&self) -> Result<u64, StoreError> {
        let dropped = sqlx::query_scalar::<_, i64>("SELECT turnpike.drop_audit_weeks()");
        Ok(within(dropped.fetch_one(&self.pool)).await?.cast_unsigned())
    }
}
