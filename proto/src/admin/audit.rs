//! Questions to the audit, and its records as they are shown.

use turnpike_access::{
    audit::{AuditId, AuditRecord, Outcome},
    id::{Id, Timestamp},
};

use super::{Page, v1};
use crate::{
    ConversionError,
    audit::v1::Record,
    field::{moment, optional},
};

mod bytes;
mod line;
mod sink;

pub use bytes::record_bytes;
pub use line::{AuditLine, dollars, time};
pub use sink::NewSink;

/// Which records are asked for: those that match every field given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// `user:alice`.
    pub principal: Option<String>,
    /// The credential's public id.
    pub credential: Option<Id>,
    /// The model asked for or served.
    pub model: Option<String>,
    /// The provider's name.
    pub provider: Option<String>,
    /// The action judged.
    pub action: Option<String>,
    /// Allowed or refused.
    pub outcome: Option<Outcome>,
    /// The reason's word.
    pub reason: Option<String>,
    /// The status sent to the client.
    pub status: Option<u16>,
    /// The `x-request-id`.
    pub request_id: Option<String>,
    /// The `x-turnpike-decision`.
    pub decision_id: Option<String>,
    /// The name of the issuer whose token it was.
    pub issuer: Option<String>,
    /// A group that the token carried, as `issuer/value`.
    pub group: Option<String>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Which part.
    pub page: Page,
}

impl TryFrom<v1::ListAuditRequest> for AuditQuery {
    type Error = ConversionError;

    fn try_from(request: v1::ListAuditRequest) -> Result<Self, ConversionError> {
        let v1::ListAuditRequest {
            principal,
            credential,
            model,
            provider,
            action,
            outcome,
            reason,
            status,
            request_id,
            decision_id,
            since_us,
            until_us,
            page,
            issuer,
            group,
        } = request;
        let status = status.map(u16::try_from).transpose();
        Ok(Self {
            principal: given(principal),
            credential: optional("credential", &credential)?,
            model: given(model),
            provider: given(provider),
            action: given(action),
            outcome: read_outcome(&outcome)?,
            reason: given(reason),
            status: status
                .map_err(|_| ConversionError::new("status", "is an HTTP status of three digits"))?,
            request_id: given(request_id),
            decision_id: given(decision_id),
            since: moment(since_us),
            until: moment(until_us),
            issuer: given(issuer),
            group: given(group),
            page: page.try_into()?,
        })
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn read_outcome(word: &str) -> Result<Option<Outcome>, ConversionError> {
    match word {
        "" => Ok(None),
        "allowed" => Ok(Some(Outcome::Allowed)),
        "refused" => Ok(Some(Outcome::Refused)),
        _ => Err(ConversionError::new("outcome", "is allowed or refused")),
    }
}

impl From<(&AuditId, &AuditRecord)> for v1::AuditEntry {
    #[expect(
        clippy::too_many_lines,
        reason = "one line for each field of the record, twice"
    )]
    fn from((id, record): (&AuditId, &AuditRecord)) -> Self {
        let AuditId {
            edge,
            epoch,
            sequence,
        } = id;
        let Record {
            time_us,
            request_id,
            decision_id,
            trace_id,
            tenant,
            principal,
            credential,
            auth_method,
            route,
            action,
            model_requested,
            model_served,
            fallback_from,
            provider,
            environment,
            outcome: _,
            reason,
            grants,
            status,
            upstream_status,
            latency_us,
            first_token_us,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            streamed,
            ending: _,
            client,
            user_agent,
            metadata,
            region,
            position,
            issuer,
            claim,
            groups,
            groups_cut,
            token_id,
            subject,
            resource,
            team,
            cost_nanos,
            saved_nanos,
        } = Record::from(record);
        Self {
            edge: edge.to_string(),
            epoch: *epoch,
            sequence: *sequence,
            time_us,
            request_id,
            decision_id,
            trace_id,
            tenant,
            principal,
            credential,
            auth_method,
            route,
            action,
            model_requested,
            model_served,
            fallback_from,
            provider,
            environment,
            outcome: outcome_word(record.outcome).to_owned(),
            reason,
            grants,
            status,
            upstream_status,
            latency_us,
            first_token_us,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            streamed,
            ending: record.ending.as_str().to_owned(),
            client,
            user_agent,
            metadata,
            region,
            team,
            cost_nanos,
            saved_nanos,
            position,
            issuer,
            claim,
            groups,
            groups_cut,
            token_id,
            subject,
            resource,
        }
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Refused => "refused",
    }
}
