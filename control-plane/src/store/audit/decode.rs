//! From a row of the audit table back to the record, the same for every engine.

use std::{collections::BTreeMap, sync::Arc};

use sqlx::{ColumnIndex, Decode, Row, Type};
use turnpike_access::{
    audit::{AuditId, AuditRecord, Billing, Ending, Outcome, TokenFacts, Usage},
    id::Timestamp,
};

use crate::store::{StoreError, audit::StoredRecord};

/// Decodes one row of [`super::select::page`].
pub(in crate::store) fn record<R>(row: &R) -> Result<StoredRecord, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |name: &str| row.try_get::<String, _>(name);
    let shared = |name: &str| text(name).map(Arc::<str>::from);
    let optional = |name: &str| {
        row.try_get::<Option<String>, _>(name)
            .map(|text| text.map(Arc::<str>::from))
    };
    let number = |name: &str| row.try_get::<i64, _>(name);
    let whole = |name: &str| row.try_get::<Option<i64>, _>(name);
    let count = |name: &str| whole(name).map(|number| number.map(i64::cast_unsigned));
    let record = AuditRecord {
        time: Timestamp::from_micros(number("time_us")?),
        request_id: shared("request_id")?,
        decision_id: optional("decision_id")?,
        trace_id: optional("trace_id")?,
        tenant: optional("tenant")?.filter(|tenant| !tenant.is_empty()),
        principal: optional("principal")?,
        credential: optional("credential")?.map(|id| id.parse()).transpose()?,
        auth_method: optional("auth_method")?,
        token: token(optional, &text("token_groups")?, row.try_get("token_groups_cut")?)?,
        route: shared("route")?,
        action: optional("action")?,
        subject: optional("subject")?,
        resource: optional("resource")?,
        model_requested: optional("model_requested")?,
        model_served: optional("model_served")?,
        fallback_from: optional("fallback_from")?,
        provider: optional("provider")?,
        environment: optional("environment")?,
        outcome: outcome(&text("outcome")?)?,
        reason: shared("reason")?,
        grants: json(&text("grants")?)?,
        status: status(number("status")?)?,
        upstream_status: whole("upstream_status")?.map(status).transpose()?,
        latency_us: number("latency_us")?.cast_unsigned(),
        first_token_us: count("first_token_us")?,
        usage: usage(count)?,
        billing: billing(optional("team")?, whole)?,
        streamed: row.try_get("streamed")?,
        ending: Ending::of(&text("ending")?).ok_or_else(|| damaged("ending"))?,
        client: optional("client")?
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| damaged("client"))?,
        user_agent: optional("user_agent")?,
        metadata: json::<BTreeMap<_, _>>(&text("metadata")?)?.into_iter().collect(),
        region: shared("region")?,
        position: number("position")?.cast_unsigned(),
    };
    Ok(StoredRecord {
        id: AuditId {
            edge: shared("edge")?,
            epoch: number("epoch")?.cast_unsigned(),
            sequence: number("sequence")?.cast_unsigned(),
        },
        record,
        row: number("id")?,
    })
}

/// What a verified token brought, where there was one.
fn token(
    optional: impl Fn(&str) -> Result<Option<Arc<str>>, sqlx::Error>,
    groups: &str,
    groups_cut: bool,
) -> Result<Option<Arc<TokenFacts>>, StoreError> {
    let Some(issuer) = optional("token_issuer")? else {
        return Ok(None);
    };
    Ok(Some(Arc::new(TokenFacts {
        issuer,
        claim: optional("token_claim")?.unwrap_or_default(),
        groups: json(groups)?,
        groups_cut,
        id: optional("token_id")?,
    })))
}

fn billing(
    team: Option<Arc<str>>,
    whole: impl Fn(&str) -> Result<Option<i64>, sqlx::Error>,
) -> Result<Billing, sqlx::Error> {
    Ok(Billing {
        team,
        cost_nanos: whole("cost_nanos")?.map(i64::cast_unsigned),
        saved_nanos: whole("saved_nanos")?,
    })
}

fn usage(count: impl Fn(&str) -> Result<Option<u64>, sqlx::Error>) -> Result<Usage, sqlx::Error> {
    Ok(Usage {
        input: count("tokens_input")?,
        output: count("tokens_output")?,
        cached: count("tokens_cached")?,
        reasoning: count("tokens_reasoning")?,
    })
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("an audit record: {error}")))
}

fn status(number: i64) -> Result<u16, StoreError> {
    u16::try_from(number).map_err(|_| damaged("status"))
}

fn outcome(word: &str) -> Result<Outcome, StoreError> {
    match word {
        "allowed" => Ok(Outcome::Allowed),
        "refused" => Ok(Outcome::Refused),
        _ => Err(damaged("outcome")),
    }
}

fn damaged(column: &str) -> StoreError {
    StoreError::Damaged(format!("an audit record's {column}"))
}
