//! What is to be sent about alerts.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use turnpike_access::{
    id::{Name, Timestamp},
    log::Position,
};

use super::{Postgres, within};
use crate::store::{
    StoreError,
    outbox::{Delivery, Outbox, State, StoredDelivery, row, sql},
    rows::number,
};

fn statement(text: &str) -> AssertSqlSafe<String> {
    // Statements are made of our own words alone.
    AssertSqlSafe(sql::of(text, "turnpike.", "FOR UPDATE SKIP LOCKED"))
}

#[async_trait]
impl Outbox for Postgres {
    async fn made_out(&self, first: Position) -> Result<Position, StoreError> {
        let begin = sqlx::query(statement(sql::BEGIN)).bind(number(first));
        within(begin.execute(&self.pool)).await?;
        let position = sqlx::query_scalar::<_, i64>(statement(sql::POSITION));
        let position = within(position.fetch_one(&self.pool)).await?;
        Ok(Position::new(u64::try_from(position).unwrap_or_default()))
    }

    async fn make_out(
        &self,
        from: Position,
        to: Position,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let advance = sqlx::query(statement(sql::ADVANCE))
            .bind(number(from))
            .bind(number(to));
        if advance.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(false);
        }
        for delivery in deliveries {
            let note = sqlx::query(statement(sql::NOTE))
                .bind(delivery.tenant.as_str())
                .bind(number(delivery.position))
                .bind(delivery.destination.as_str())
                .bind(now.as_micros());
            note.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn take(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let query = sqlx::query(statement(sql::TAKE))
            .bind(now.as_micros())
            .bind(until.as_micros())
            .bind(i64::from(limit));
        let rows = within(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|one| Ok(row(one)?.delivery)).collect()
    }

    async fn settle(
        &self,
        delivery: &Delivery,
        state: State,
        time: Timestamp,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(statement(sql::SETTLE))
            .bind(delivery.tenant.as_str())
            .bind(number(delivery.position))
            .bind(delivery.destination.as_str())
            .bind(state.number())
            .bind(time.as_micros())
            .bind(error);
        within(query.execute(&self.pool)).await?;
        Ok(())
    }

    async fn deliveries(
        &self,
        tenant: &Name,
        state: Option<State>,
        before: Position,
        limit: u32,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        let query = sqlx::query(statement(sql::LIST))
            .bind(tenant.as_str())
            .bind(state.map_or(-1, State::number))
            .bind(number(before))
            .bind(i64::from(limit));
        let rows = within(query.fetch_all(&self.pool)).await?;
        rows.iter().map(row).collect()
    }

    async fn revive(
        &self,
        tenant: &Name,
        destination: Option<&Name>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let query = sqlx::query(statement(sql::REVIVE))
            .bind(tenant.as_str())
            .bind(destination.map_or("", Name::as_str))
            .bind(now.as_micros());
        Ok(within(query.execute(&self.pool)).await?.rows_affected())
    }

    async fn forget(&self, before: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query(statement(sql::FORGET)).bind(before.as_micros());
        within(query.execute(&self.pool)).await?;
        Ok(())
    }
}
