//! The statements by which the audit is counted into `usage`, and usage is read, the same for every engine but for
//! what [`Words`] holds.
//!
//! There is one counting statement: it counts the rows that a transaction has just inserted, and all rows when usage is
//! counted anew.

use sqlx::{ColumnIndex, Database, Decode, Encode, QueryBuilder, Row, Type};
use turnpike_access::{audit::LOST, id::Name};

use super::{
    usage::{Dimension, Grain, Order, UsageQuery, UsageRow, Used, spans},
    visible_to,
};
use crate::store::StoreError;

/// What engines name or write differently.
pub(in crate::store) struct Words {
    /// The table of usage.
    pub(in crate::store) usage: &'static str,
    /// The table of the audit.
    pub(in crate::store) audit: &'static str,
    /// The table of what is kept no longer.
    pub(in crate::store) retention: &'static str,
    /// How metadata stands in the key.
    pub(in crate::store) metadata_key: &'static str,
    /// Before and after a bound key: its value in the metadata.
    pub(in crate::store) member: (&'static str, &'static str),
}

/// Counts above it are no counts: such a number would be too much for a sum, and none is lost by it that was used.
const MOST: &str = "1000000000000";
/// Likewise of money: a million dollars.
const MOST_NANOS: &str = "1000000000000000";

/// What a row of the audit adds to each column of [`Used`].
const ADDED: [(&str, &str); 12] = [
    ("requests", "1"),
    ("refused", "CASE WHEN outcome = 'refused' THEN 1 ELSE 0 END"),
    ("tokens_input", "tokens_input"),
    ("tokens_output", "tokens_output"),
    ("tokens_cached", "tokens_cached"),
    ("tokens_reasoning", "tokens_reasoning"),
    ("cost_nanos", "cost_nanos"),
    ("saved_nanos", "saved_nanos"),
    (
        "substituted",
        "CASE WHEN fallback_from IS NOT NULL THEN 1 ELSE 0 END",
    ),
    (
        "unpriced",
        "CASE WHEN outcome = 'allowed' AND (tokens_input IS NOT NULL OR tokens_output IS NOT NULL)
            AND cost_nanos IS NULL THEN 1 ELSE 0 END",
    ),
    (
        "usage_missing",
        "CASE WHEN outcome = 'allowed' AND action LIKE 'inference.%' AND upstream_status BETWEEN 200 AND 299
            AND tokens_input IS NULL AND tokens_output IS NULL THEN 1 ELSE 0 END",
    ),
    (
        "cut_off",
        "CASE WHEN outcome = 'allowed' AND ending <> 'complete' THEN 1 ELSE 0 END",
    ),
];

const KEY: &str = "tenant, grain, start_us, team, principal, credential, model, provider, environment";

impl Words {
    /// Whether what began at the moment in this column can be counted anew: of its tenant nothing of that time is retired.
    pub(in crate::store) fn unretired(&self, moment: &str) -> String {
        format!(
            "CASE tenant WHEN '' THEN '{platform}' ELSE tenant END NOT IN
                (SELECT gone.tenant FROM {retention} AS gone WHERE {moment} < gone.through_us)",
            platform = Name::platform(),
            retention = self.retention,
        )
    }

    /// Counts those rows of the audit that the condition names; rows about lost rows are no requests. In one order whoever counts, so that two batches never
    /// wait for each other.
    pub(in crate::store) fn count(&self, condition: &str) -> String {
        let Self {
            usage,
            audit,
            metadata_key,
            ..
        } = self;
        let names = ADDED.map(|(name, _)| name).join(", ");
        let sums = ADDED.map(|(name, added)| {
            let most = if name.ends_with("nanos") { MOST_NANOS } else { MOST };
            format!(
                "CAST(sum(CASE WHEN {added} > {most} THEN {most} WHEN {added} < -{most} THEN -{most} \
                 ELSE coalesce({added}, 0) END) AS bigint)"
            )
        });
        let adds = ADDED.map(|(name, _)| format!("{name} = held.{name} + excluded.{name}"));
        let grains = Grain::ALL.map(|grain| format!("SELECT CAST({} AS bigint) AS grain", grain.micros()));
        format!(
            "INSERT INTO {usage} AS held ({KEY}, metadata, {names})
            SELECT tenant, grain, time_us - time_us % grain, coalesce(team, ''), coalesce(principal, ''),
                coalesce(credential, ''), coalesce(model_served, model_requested, ''), coalesce(provider, ''),
                coalesce(environment, ''), CAST(metadata AS text), {sums}
            FROM {audit}, ({grains}) AS grains WHERE ({condition}) AND coalesce(action, '') <> '{lost}'
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
            ON CONFLICT ({KEY}, {metadata_key}) DO UPDATE SET {adds}",
            sums = sums.join(", "),
            grains = grains.join(" UNION ALL "),
            lost = LOST.action,
            adds = adds.join(", "),
        )
    }

    /// Rows `d0, d1 …` with what was used; without dimensions one row, of everything.
    pub(in crate::store) fn read<DB>(
        &self,
        tenant: &Name,
        query: &UsageQuery,
        by: &[Dimension],
    ) -> QueryBuilder<DB>
    where
        DB: Database,
        for<'q> String: Encode<'q, DB> + Type<DB>,
        for<'q> i64: Encode<'q, DB> + Type<DB>,
    {
        let mut sql = QueryBuilder::new("SELECT ");
        for (number, dimension) in by.iter().enumerate() {
            match dimension {
                Dimension::Of(part) => {
                    sql.push(part.column());
                }
                Dimension::Metadata(key) => {
                    let (before, after) = self.member;
                    sql.push("coalesce(").push(before).push_bind(key.clone());
                    sql.push(after).push(", '')");
                }
                Dimension::Time(grain) => {
                    let length = grain.micros();
                    sql.push(format_args!("CAST(start_us - start_us % {length} AS text)"));
                }
            }
            sql.push(format_args!(" AS d{number}, "));
        }
        let sums = ADDED.map(|(name, _)| format!("CAST(coalesce(sum({name}), 0) AS bigint) AS {name}"));
        sql.push(format_args!(
            "{} FROM {} WHERE (1 = 0",
            sums.join(", "),
            self.usage
        ));
        for (grain, start, end) in spans(query) {
            sql.push(" OR (grain = ").push_bind(grain.micros());
            sql.push(" AND start_us >= ").push_bind(start);
            sql.push(" AND start_us < ").push_bind(end).push(")");
        }
        sql.push(")");
        if let Some(principal) = &query.principal {
            sql.push(" AND principal = ").push_bind(principal.clone());
        }
        if !query.everybody {
            sql.push(" AND tenant IN (");
            let mut tenants = sql.separated(", ");
            for tenant in visible_to(tenant) {
                tenants.push_bind(tenant.to_owned());
            }
            sql.push(")");
        }
        if !by.is_empty() {
            let numbers: Vec<String> = (1..=by.len()).map(|number| number.to_string()).collect();
            let numbers = numbers.join(", ");
            sql.push(format_args!(
                " GROUP BY {numbers} ORDER BY {}{numbers} LIMIT ",
                order(query.order)
            ));
            sql.push_bind(i64::from(query.limit));
        }
        sql
    }
}

fn order(order: Option<Order>) -> &'static str {
    match order {
        None => "",
        Some(Order::Cost) => "sum(cost_nanos) DESC, ",
        Some(Order::Tokens) => "sum(tokens_input + tokens_output) DESC, ",
        Some(Order::Requests) => "sum(requests) DESC, ",
    }
}

/// Reads a row of [`Words::read`].
pub(in crate::store) fn row<R>(row: &R, dimensions: usize) -> Result<UsageRow, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let values = (0..dimensions).map(|number| row.try_get::<String, _>(number));
    let values = values.collect::<Result<_, _>>()?;
    let mut used = Used::default();
    for (name, field) in used.fields_mut() {
        *field = row.try_get(name)?;
    }
    Ok(UsageRow { values, used })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_counted() {
        let columns = Used::default().fields_mut().map(|(name, _)| name);
        assert_eq!(ADDED.map(|(name, _)| name), columns);
    }
}
