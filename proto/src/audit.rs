//! `turnpike.audit.v1`: how audit records reach the control plane.
//!
//! Every request of an edge is written this way before its response ends, so that writing ([`write()`]) copies each text
//! once and does nothing else.

use std::sync::Arc;

use turnpike_access::audit::{AuditRecord, Billing, Ending, Outcome, TokenFacts, Usage};

use crate::field::{pairs, text, texts};

mod read;
mod store;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Batch, record};
pub use store::is_storable;
pub use write::write;

/// The package's messages and services.
#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "generated; documented in the .proto file"
)]
pub mod v1 {
    tonic::include_proto!("turnpike.audit.v1");
}

impl From<Outcome> for v1::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allowed => Self::Allowed,
            Outcome::Refused => Self::Refused,
        }
    }
}

impl From<Ending> for v1::Ending {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Complete => Self::Complete,
            Ending::ClientGone => Self::ClientGone,
            Ending::UpstreamBroke => Self::UpstreamBroke,
            Ending::Drained => Self::Drained,
            Ending::Revoked => Self::Revoked,
            Ending::EdgeLost => Self::EdgeLost,
        }
    }
}

/// A record's bytes, as an edge of this version writes them.
pub fn encoded(record: &AuditRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    write(record, &mut bytes);
    bytes
}

impl From<&AuditRecord> for v1::Record {
    #[expect(
        clippy::too_many_lines,
        reason = "one line for each field of the record, twice"
    )]
    fn from(record: &AuditRecord) -> Self {
        let AuditRecord {
            time,
            request_id,
            decision_id,
            trace_id,
            tenant,
            principal,
            credential,
            auth_method,
            token,
            route,
            action,
            subject,
            resource,
            model_requested,
            model_served,
            fallback_from,
            provider,
            environment,
            outcome,
            reason,
            grants,
            status,
            upstream_status,
            latency_us,
            first_token_us,
            usage,
            billing,
            streamed,
            ending,
            client,
            user_agent,
            metadata,
            region,
            position,
        } = record;
        let Usage {
            input,
            output,
            cached,
            reasoning,
        } = usage;
        let (issuer, claim, groups, groups_cut, token_id) = token.as_deref().map(brought).unwrap_or_default();
        let Billing {
            team,
            cost_nanos,
            saved_nanos,
        } = billing;
        Self {
            time_us: time.as_micros(),
            request_id: request_id.as_ref().to_owned(),
            decision_id: text(decision_id.as_ref()),
            trace_id: text(trace_id.as_ref()),
            tenant: text(tenant.as_ref()),
            principal: text(principal.as_ref()),
            credential: credential.map(String::from).unwrap_or_default(),
            auth_method: text(auth_method.as_ref()),
            route: route.as_ref().to_owned(),
            action: text(action.as_ref()),
            model_requested: text(model_requested.as_ref()),
            model_served: text(model_served.as_ref()),
            fallback_from: text(fallback_from.as_ref()),
            provider: text(provider.as_ref()),
            environment: text(environment.as_ref()),
            outcome: v1::Outcome::from(*outcome).into(),
            reason: reason.as_ref().to_owned(),
            grants: texts(grants),
            status: u32::from(*status),
            upstream_status: upstream_status.map(u32::from),
            latency_us: *latency_us,
            first_token_us: *first_token_us,
            input_tokens: *input,
            output_tokens: *output,
            cached_tokens: *cached,
            reasoning_tokens: *reasoning,
            streamed: *streamed,
            ending: v1::Ending::from(*ending).into(),
            client: client.map(|client| client.to_string()).unwrap_or_default(),
            user_agent: text(user_agent.as_ref()),
            metadata: pairs(metadata.iter().map(|(key, value)| (key, value))),
            region: region.as_ref().to_owned(),
            position: *position,
            team: text(team.as_ref()),
            cost_nanos: *cost_nanos,
            saved_nanos: *saved_nanos,
            issuer,
            claim,
            groups,
            groups_cut,
            token_id,
            subject: text(subject.as_ref()),
            resource: text(resource.as_ref()),
        }
    }
}

/// Issuer, claim, groups, whether there were more, and the token's id.
fn brought(token: &TokenFacts) -> (String, String, Vec<String>, bool, String) {
    let TokenFacts {
        issuer,
        claim,
        groups,
        groups_cut,
        id,
    } = token;
    let owned = |text: &Arc<str>| text.as_ref().to_owned();
    let groups = groups.iter().map(owned).collect();
    (
        owned(issuer),
        owned(claim),
        groups,
        *groups_cut,
        text(id.as_ref()),
    )
}
