//! What was used, of the caller's own tenant.

use tonic::{Request, Response};
use turnpike_access::id::Timestamp;
use turnpike_proto::{
    ConversionError,
    admin::{UsageDimension, UsageQuestion, v1},
};

mod shadow;

use super::{Administration, Answer, call::read};
use crate::{
    rpc::status::Failure,
    store::usage::{Dimension, Grain, Order, Part, UsageQuery, UsageReport, UsageRow, Used},
};

#[tonic::async_trait]
impl v1::usage_service_server::UsageService for Administration {
    async fn report(&self, request: Request<v1::UsageReportRequest>) -> Answer<v1::UsageReportResponse> {
        let (call, message) = self.admit(request).await?;
        let query = query(read(message)?, call.identity.is_operator())?;
        call.may("")?;
        let found = self.audit.usage(&call.identity.own, &query).await;
        Ok(Response::new(answer(found.map_err(Failure::from)?, query.limit)))
    }

    async fn shadow(&self, request: Request<v1::ShadowUsageRequest>) -> Answer<v1::ShadowUsageResponse> {
        let (call, v1::ShadowUsageRequest { since_us }) = self.admit(request).await?;
        call.may("")?;
        let since = Timestamp::from_micros(since_us);
        let uses = shadow::uses(&*self.audit, call.target()?, since, call.now).await;
        Ok(Response::new(v1::ShadowUsageResponse {
            uses: uses.map_err(Failure::from)?,
        }))
    }

    async fn rebuild(&self, request: Request<v1::RebuildUsageRequest>) -> Answer<v1::RebuildUsageResponse> {
        let (call, v1::RebuildUsageRequest {}) = self.admit(request).await?;
        call.may("")?;
        self.audit.rebuild_usage().await.map_err(Failure::from)?;
        Ok(Response::new(v1::RebuildUsageResponse {}))
    }
}

fn query(question: UsageQuestion, of_operator: bool) -> Result<UsageQuery, Failure> {
    let UsageQuestion {
        by,
        since,
        until,
        order,
        limit,
    } = question;
    let by: Vec<Dimension> = by.into_iter().map(dimension).collect();
    let everybody = of_operator && by.contains(&Dimension::Of(Part::Tenant));
    if everybody && !by.iter().all(is_the_operators) {
        let problem = "tells all tenants apart by tenant, provider, minute, hour and day alone";
        return Err(Failure::from(ConversionError::new("by", problem)));
    }
    Ok(UsageQuery {
        everybody,
        principal: None,
        by,
        since,
        until,
        order: order.map(|order| match order {
            "tokens" => Order::Tokens,
            "requests" => Order::Requests,
            _ => Order::Cost,
        }),
        limit,
    })
}

/// Whether operators may tell all tenants' usage apart by it: what a tenant's people do is not theirs to read.
fn is_the_operators(dimension: &Dimension) -> bool {
    matches!(
        dimension,
        Dimension::Of(Part::Tenant | Part::Provider) | Dimension::Time(_)
    )
}

fn dimension(dimension: UsageDimension) -> Dimension {
    let named = match dimension {
        UsageDimension::Metadata(key) => return Dimension::Metadata(key),
        UsageDimension::Named(named) => named,
    };
    match named {
        "minute" => Dimension::Time(Grain::Minute),
        "hour" => Dimension::Time(Grain::Hour),
        "day" => Dimension::Time(Grain::Day),
        "tenant" => Dimension::Of(Part::Tenant),
        "team" => Dimension::Of(Part::Team),
        "principal" => Dimension::Of(Part::Principal),
        "credential" => Dimension::Of(Part::Credential),
        "provider" => Dimension::Of(Part::Provider),
        "environment" => Dimension::Of(Part::Environment),
        _ => Dimension::Of(Part::Model),
    }
}

fn answer(report: UsageReport, limit: u32) -> v1::UsageReportResponse {
    let UsageReport { rows, total } = report;
    v1::UsageReportResponse {
        complete: u32::try_from(rows.len()).is_ok_and(|length| length < limit),
        rows: rows.into_iter().map(row).collect(),
        total: Some(used(total)),
    }
}

fn row(row: UsageRow) -> v1::UsageRow {
    v1::UsageRow {
        values: row.values,
        used: Some(used(row.used)),
    }
}

fn used(used: Used) -> v1::Used {
    let Used {
        requests,
        refused,
        tokens_input,
        tokens_output,
        tokens_cached,
        tokens_reasoning,
        cost_nanos,
        saved_nanos,
        substituted,
        unpriced,
        usage_missing,
        cut_off,
    } = used;
    v1::Used {
        requests,
        refused,
        tokens_input,
        tokens_output,
        tokens_cached,
        tokens_reasoning,
        cost_nanos,
        saved_nanos,
        substituted,
        unpriced,
        usage_missing,
        cut_off,
    }
}
