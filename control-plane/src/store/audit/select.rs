//! The query for one page of one tenant's records, the same for every engine but for the table's name.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{AuditFilter, Page, columns};

/// What engines name or write differently.
pub(in crate::store) struct Dialect {
    /// The name of the table.
    pub(in crate::store) table: &'static str,
    /// What stands before and after a text that must be among the token's groups.
    pub(in crate::store) among: (&'static str, &'static str),
}

/// Newest first, after the cursor, matching the filter; the tenant always bound.
pub(in crate::store) fn page<DB>(
    dialect: &Dialect,
    tenant: &str,
    filter: &AuditFilter,
    page: Page,
) -> QueryBuilder<DB>
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new("");
    self::columns(&mut query);
    query
        .push(format_args!(" FROM {} WHERE tenant = ", dialect.table))
        .push_bind(tenant.to_owned());
    matching(&mut query, filter);
    if let Some(group) = &filter.group {
        let (before, after) = dialect.among;
        query.push(before).push_bind(group.clone()).push(after);
    }
    if let Some(after) = page.after {
        query
            .push(" AND (time_us, id) < (")
            .push_bind(after.time.as_micros());
        query.push(", ").push_bind(after.row).push(")");
    }
    query
        .push(" ORDER BY time_us DESC, id DESC LIMIT ")
        .push_bind(i64::from(page.limit));
    query
}

/// `SELECT`, and every column of a record.
pub(in crate::store) fn columns<DB: Database>(query: &mut QueryBuilder<DB>) {
    query.push("SELECT id, edge, epoch, sequence");
    for (name, value) in columns::COLUMNS {
        match value {
            columns::Value::Json(_) => query.push(format_args!(", CAST({name} AS text) AS {name}")),
            _ => query.push(format_args!(", {name}")),
        };
    }
}

fn matching<DB>(query: &mut QueryBuilder<DB>, filter: &AuditFilter)
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let AuditFilter {
        principal,
        credential,
        model,
        outcome,
        reason,
        status,
        action,
        provider,
        request_id,
        decision_id,
        issuer,
        group: _,
        since,
        until,
    } = filter;
    let texts = [
        ("principal", principal.clone()),
        ("credential", credential.map(|id| id.to_string())),
        (
            "outcome",
            outcome.map(|outcome| columns::outcome(outcome).to_owned()),
        ),
        ("reason", reason.clone()),
        ("action", action.clone()),
        ("provider", provider.clone()),
        ("request_id", request_id.clone()),
        ("decision_id", decision_id.clone()),
        ("token_issuer", issuer.clone()),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            query.push(format_args!(" AND {column} = ")).push_bind(text);
        }
    }
    if let Some(model) = model {
        query.push(" AND (model_served = ").push_bind(model.clone());
        query
            .push(" OR model_requested = ")
            .push_bind(model.clone())
            .push(")");
    }
    let numbers = [
        ("status =", status.map(i64::from)),
        ("time_us >=", since.map(|time| time.as_micros())),
        ("time_us <", until.map(|time| time.as_micros())),
    ];
    for (comparison, number) in numbers {
        if let Some(number) = number {
            query.push(format_args!(" AND {comparison} ")).push_bind(number);
        }
    }
}
