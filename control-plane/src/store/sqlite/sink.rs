//! How far the audit was sent on.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use turnpike_access::{
    audit::sink::HeldSink,
    id::{Name, Timestamp},
};

use super::Sqlite;
use crate::store::{
    StoreError, StoredRecord,
    audit::{
        decode,
        sink::{self, AuditSinks, Pending, Progress, Taken, Waiting, sql},
    },
};

fn statement(text: &str) -> AssertSqlSafe<String> {
    // Statements are made of our own words alone.
    AssertSqlSafe(sql::of(text, ""))
}

#[async_trait]
impl AuditSinks for Sqlite {
    async fn begin_sink(&self, tenant: &Name, sink: &HeldSink) -> Result<Progress, StoreError> {
        let begin = sqlx::query(statement(sql::BEGIN))
            .bind(sink.made.cast_signed())
            .bind(tenant.as_str())
            .bind(sink.set.cast_signed())
            .bind(sink::since(sink.sink.since));
        begin.execute(&self.writer).await?;
        Ok(self.sink_progress(sink.made).await?.unwrap_or_default())
    }

    async fn sink_progress(&self, sink: u64) -> Result<Option<Progress>, StoreError> {
        let query = sqlx::query(statement(sql::PROGRESS)).bind(sink.cast_signed());
        let row = query.fetch_optional(&self.readers).await?;
        row.as_ref().map(sink::progress).transpose()
    }

    async fn pending(&self, sink: u64, limit: u32) -> Result<Vec<Pending>, StoreError> {
        let query = sqlx::query(statement(sql::PENDING))
            .bind(sink.cast_signed())
            .bind(i64::from(limit));
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(sink::pending).collect()
    }

    async fn rows_between(
        &self,
        tenant: &Name,
        epoch: (&str, u64),
        between: (u64, u64),
        limit: u32,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let mut query = sink::rows("audit", tenant, epoch, between, limit);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(decode::record).collect()
    }

    async fn run_after(&self, edge: &str, epoch: u64, after: u64) -> Result<Option<(u64, u64)>, StoreError> {
        let query = sqlx::query(statement(sql::RUN))
            .bind(edge)
            .bind(epoch.cast_signed())
            .bind(after.cast_signed());
        sink::run(&query.fetch_one(&self.readers).await?)
    }

    async fn note_taken(&self, sink: u64, taken: Taken<'_>) -> Result<(), StoreError> {
        let Taken {
            edge,
            epoch,
            through,
            missing,
            rejected,
            sent,
        } = taken;
        let mut transaction = self.writer.begin().await?;
        let take = sqlx::query(statement(sql::TAKE))
            .bind(sink.cast_signed())
            .bind(edge)
            .bind(epoch.cast_signed())
            .bind(through.cast_signed());
        take.execute(&mut *transaction).await?;
        if sent.is_some() || missing > 0 {
            let took = sqlx::query(statement(sql::TOOK))
                .bind(sink.cast_signed())
                .bind(sent.map(Timestamp::as_micros))
                .bind(missing.cast_signed())
                .bind(rejected.cast_signed());
            took.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn note_refused(
        &self,
        sink: u64,
        attempts: u32,
        due: Timestamp,
        error: &str,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(statement(sql::REFUSED))
            .bind(sink.cast_signed())
            .bind(i64::from(attempts))
            .bind(due.as_micros())
            .bind(error);
        query.execute(&self.writer).await?;
        Ok(())
    }

    async fn waiting(
        &self,
        tenant: &Name,
        sink: u64,
        since: Option<Timestamp>,
        most: u32,
    ) -> Result<Waiting, StoreError> {
        let (tenant, also) = sink::tenants(tenant);
        let query = sqlx::query(statement(sql::WAITING))
            .bind(sink.cast_signed())
            .bind(tenant)
            .bind(also)
            .bind(sink::since(since))
            .bind(i64::from(most));
        sink::waiting(&query.fetch_one(&self.readers).await?)
    }

    async fn forget_sinks(&self, until: u64, but: &[u64]) -> Result<(), StoreError> {
        let known = sqlx::query_scalar::<_, i64>(statement(sql::KNOWN)).bind(until.cast_signed());
        for sink in known.fetch_all(&self.readers).await? {
            if but.contains(&sink.cast_unsigned()) {
                continue;
            }
            let mut transaction = self.writer.begin().await?;
            for forget in [sql::FORGET_CURSORS, sql::FORGET] {
                let query = sqlx::query(statement(forget)).bind(sink);
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }
}
