//! Reading audit records from the wire.

use std::{net::IpAddr, sync::Arc};

use prost::Message as _;
use turnpike_access::{
    audit::{
        AuditRecord, Billing, Ending, Outcome, TokenFacts, Usage,
        chain::{Checkpoint, Leaf, Link},
    },
    id::{Id, Timestamp},
};

use super::v1;
use crate::{
    ConversionError,
    field::{all, known, optional},
};

/// A batch, taken apart: consecutive records of one run of one spool lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The edge's name.
    pub edge: Arc<str>,
    /// The run.
    pub epoch: u64,
    /// The sequence of the first record.
    pub first: u64,
    /// The records, without a gap.
    pub records: Vec<AuditRecord>,
    /// The same as the edge wrote them.
    pub bytes: Vec<Vec<u8>>,
    /// What the edge says of its chain after them. Nothing is verified yet.
    pub checkpoint: Option<Checkpoint>,
}

impl TryFrom<v1::Batch> for Batch {
    type Error = ConversionError;

    fn try_from(batch: v1::Batch) -> Result<Self, ConversionError> {
        let v1::Batch {
            edge,
            epoch,
            first,
            records: bytes,
            seal,
        } = batch;
        if edge.is_empty() {
            return Err(ConversionError::new("edge", "is missing"));
        }
        let records = bytes
            .iter()
            .map(|bytes| record(bytes))
            .collect::<Result<_, _>>()?;
        let checkpoint = match seal.filter(|_| !bytes.is_empty()) {
            Some(seal) => Some(checkpoint(&edge, (epoch, first), &bytes, seal)?),
            None => None,
        };
        Ok(Self {
            edge: edge.into(),
            epoch,
            first,
            records,
            bytes,
            checkpoint,
        })
    }
}

/// Reads a record as an edge wrote it.
///
/// # Errors
/// The bytes are no record, or not of this version.
pub fn record(bytes: &[u8]) -> Result<AuditRecord, ConversionError> {
    let record =
        v1::Record::decode(bytes).map_err(|error| ConversionError::new("records", error.to_string()))?;
    AuditRecord::try_from(record).map_err(|error| error.within("records"))
}

fn checkpoint(
    edge: &str,
    (epoch, first): (u64, u64),
    records: &[Vec<u8>],
    seal: v1::Seal,
) -> Result<Checkpoint, ConversionError> {
    let v1::Seal {
        before,
        time_us,
        key,
        signature,
    } = seal;
    let wrong = |_| ConversionError::new("seal.before", "is not 32 bytes");
    let before = Link(before.try_into().map_err(wrong)?);
    let numbered = (first..).zip(records);
    let after = numbered.fold(before, |link, (sequence, record)| {
        link.after(sequence, Leaf::of(record))
    });
    Ok(Checkpoint {
        edge: edge.to_owned(),
        epoch,
        first,
        last: first.saturating_add(records.len() as u64 - 1),
        before,
        after,
        time: Timestamp::from_micros(time_us),
        key,
        signature,
    })
}

impl TryFrom<v1::Record> for AuditRecord {
    type Error = ConversionError;

    #[expect(
        clippy::too_many_lines,
        reason = "one line for each field of the record, twice"
    )]
    fn try_from(record: v1::Record) -> Result<Self, ConversionError> {
        let v1::Record {
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
            outcome,
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
            ending,
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
        } = record;
        let token = known(issuer).map(|issuer| {
            Arc::new(TokenFacts {
                issuer,
                claim: claim.into(),
                groups: groups.into_iter().map(Arc::from).collect(),
                groups_cut,
                id: known(token_id),
            })
        });
        let usage = Usage {
            input: input_tokens,
            output: output_tokens,
            cached: cached_tokens,
            reasoning: reasoning_tokens,
        };
        Ok(Self {
            time: Timestamp::from_micros(time_us),
            request_id: request_id.into(),
            decision_id: known(decision_id),
            trace_id: known(trace_id),
            tenant: known(tenant),
            principal: known(principal),
            credential: optional("credential", &credential)?,
            auth_method: known(auth_method),
            token,
            route: route.into(),
            action: known(action),
            subject: known(subject),
            resource: known(resource),
            model_requested: known(model_requested),
            model_served: known(model_served),
            fallback_from: known(fallback_from),
            provider: known(provider),
            environment: known(environment),
            outcome: read_outcome(outcome)?,
            reason: reason.into(),
            grants: all::<Id>("grants", grants)?,
            status: http_status("status", status)?,
            upstream_status: upstream_status
                .map(|one| http_status("upstream_status", one))
                .transpose()?,
            latency_us,
            first_token_us,
            usage,
            billing: Billing {
                team: known(team),
                cost_nanos,
                saved_nanos,
            },
            streamed,
            ending: read_ending(ending)?,
            client: client_address(&client)?,
            user_agent: known(user_agent),
            metadata: metadata
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            region: region.into(),
            position,
        })
    }
}

fn read_outcome(number: i32) -> Result<Outcome, ConversionError> {
    match v1::Outcome::try_from(number) {
        Ok(v1::Outcome::Allowed) => Ok(Outcome::Allowed),
        Ok(v1::Outcome::Refused) => Ok(Outcome::Refused),
        Ok(v1::Outcome::Unspecified) | Err(_) => Err(ConversionError::new(
            "outcome",
            "is OUTCOME_ALLOWED or OUTCOME_REFUSED",
        )),
    }
}

fn read_ending(number: i32) -> Result<Ending, ConversionError> {
    match v1::Ending::try_from(number) {
        Ok(v1::Ending::Complete) => Ok(Ending::Complete),
        Ok(v1::Ending::ClientGone) => Ok(Ending::ClientGone),
        Ok(v1::Ending::UpstreamBroke) => Ok(Ending::UpstreamBroke),
        Ok(v1::Ending::Drained) => Ok(Ending::Drained),
        Ok(v1::Ending::Revoked) => Ok(Ending::Revoked),
        Ok(v1::Ending::EdgeLost) => Ok(Ending::EdgeLost),
        Ok(v1::Ending::Unspecified) | Err(_) => {
            Err(ConversionError::new("ending", "is none that is known here"))
        }
    }
}

fn http_status(field: &str, number: u32) -> Result<u16, ConversionError> {
    u16::try_from(number).map_err(|_| ConversionError::new(field, "is an HTTP status of three digits"))
}

fn client_address(text: &str) -> Result<Option<IpAddr>, ConversionError> {
    match text {
        "" => Ok(None),
        text => crate::field::parse("client", text).map(Some),
    }
}
