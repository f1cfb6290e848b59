//! The edges, as tenants and operators see them.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    command::Command,
    digest::KeyDigest,
    edge::{Duty, EdgeChange, EdgeRecord, EdgeRecords, Invitation},
    id::{InvalidName, Name, Timestamp},
    ledger::Refusal,
    log::Position,
};
use turnpike_proto::{
    ConversionError,
    admin::{Page, Write, v1},
};
use turnpike_runtime::{clock, enrolment::EnrolmentToken};

use tokio::time::Instant;

use super::{
    Administration, Answer,
    call::{Call, read},
    part::part,
};
use crate::{
    edges::EdgeStatus,
    execute::ExecuteError,
    receipt::{EdgeEntry, Receipt},
    rpc::status::Failure,
};

/// How long an enrolment token lives, in seconds, where nothing is said.
const TOKEN_LIFE: u32 = 3600;

#[tonic::async_trait]
impl v1::edge_service_server::EdgeService for Administration {
    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListEdgesResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        call.may("")?;
        let all = self.edges.list().await.map_err(Failure::from)?;
        // Asked after the edges, so that none seems to be ahead of it.
        let snapshot = self.executor.snapshot();
        let head = snapshot.position();
        let all = all.into_iter().map(|edge| shown(edge, head)).collect();
        let all = with_decided(all, snapshot.edges());
        let (edges, next) = part(all, &page, |edge| edge.name.clone())?;
        Ok(Response::new(v1::ListEdgesResponse {
            edges,
            head: head.get(),
            next,
        }))
    }

    async fn enrol(&self, request: Request<v1::EnrolEdgeRequest>) -> Answer<v1::EnrolEdgeResponse> {
        let (call, message) = self.admit(request).await?;
        let v1::EnrolEdgeRequest {
            name,
            region,
            seconds,
            options,
        } = message;
        let write: Write = read(options)?;
        call.may(&name)?;
        let edge = edge_name("name", &name)?;
        let region = match region.is_empty() {
            true => None,
            false => Some(edge_name("region", &region)?),
        };
        let authority = self.edge_authority.ok_or_else(no_authority)?;
        let token = EnrolmentToken::generate(edge.clone(), authority);
        let life = if seconds == 0 { TOKEN_LIFE } else { seconds };
        let invitation = Invitation {
            id: token.id,
            digest: self.digest_of(&token)?,
            region,
            expires: call.now.plus_seconds(i64::from(life)),
        };
        let expires = invitation.expires;
        let change = EdgeChange::Invite(invitation);
        let command = Command::ChangeEdge { edge, change };
        let written = call.write_in(Name::platform(), vec![command], write).await?;
        Ok(Response::new(v1::EnrolEdgeResponse {
            token: token.text().expose().to_owned(),
            expires_time_us: expires.as_micros(),
            receipt: written.receipt,
        }))
    }

    async fn revoke(&self, request: Request<v1::RevokeEdgeRequest>) -> Answer<v1::Receipt> {
        let (
            call,
            v1::RevokeEdgeRequest {
                name,
                reason,
                options,
            },
        ) = self.admit(request).await?;
        let reason = Arc::from(reason);
        change(&call, &name, options, EdgeChange::Revoke { reason }).await
    }

    async fn drain(&self, request: Request<v1::DrainEdgeRequest>) -> Answer<v1::Receipt> {
        let (call, v1::DrainEdgeRequest { name, options }) = self.admit(request).await?;
        call.may(&name)?;
        let known = self.edges.list().await.map_err(Failure::from)?;
        let decided = call.snapshot.edges().get(&name).is_some();
        if !decided && !known.iter().any(|edge| edge.report.name == name) {
            return Err(Failure::not_found("edge", name).into());
        }
        change(&call, &name, options, EdgeChange::Drain).await
    }

    async fn resume(&self, request: Request<v1::DrainEdgeRequest>) -> Answer<v1::Receipt> {
        let (call, v1::DrainEdgeRequest { name, options }) = self.admit(request).await?;
        change(&call, &name, options, EdgeChange::Resume).await
    }

    async fn delete(&self, request: Request<v1::NameRequest>) -> Answer<v1::DeleteEdgeResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        call.may(&name)?;
        let decided = call.snapshot.edges().get(&name).is_some();
        if decided {
            // First, so that one that is enrolled is not known again by its next report.
            change(&call, &name, None, EdgeChange::Forget).await?;
        }
        match self.edges.delete(&name).await.map_err(Failure::from)? || decided {
            true => Ok(Response::new(v1::DeleteEdgeResponse {})),
            false => Err(Failure::not_found("edge", name).into()),
        }
    }

    async fn wait_applied(&self, request: Request<v1::WaitAppliedRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let deadline = message.deadline().map_err(Failure::from)?;
        let v1::WaitAppliedRequest {
            position,
            deadline_ms: _,
        } = message;
        let position = match position {
            0 => self.executor.snapshot().position(),
            number => Position::new(number),
        };
        let change = self.receipts.change_at(position).await.map_err(Failure::from)?;
        let Some(change) = change else {
            return Err(Failure::not_found("position", position).into());
        };
        let receipt = self.receipts.wait(change, Instant::now() + deadline, true).await;
        Ok(Response::new(receipt.map_err(Failure::from)?.into()))
    }

    async fn receipt(&self, request: Request<v1::ReceiptRequest>) -> Answer<v1::Receipt> {
        let (call, v1::ReceiptRequest { position }) = self.admit(request).await?;
        call.may("")?;
        let found = self.receipts.again(Position::new(position)).await;
        // Another tenant's changes do not exist.
        let own = |receipt: &Receipt| receipt.tenant == call.identity.target || call.identity.is_operator();
        match found.map_err(Failure::from)?.filter(own) {
            Some(receipt) => Ok(Response::new(receipt.into())),
            None => Err(Failure::not_found("receipt", position).into()),
        }
    }
}

impl From<Receipt> for v1::Receipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            position: receipt.position,
            applied: receipt.applied(),
            committed_us: receipt.committed.as_micros(),
            edges: receipt.edges.into_iter().map(v1::EdgeReceipt::from).collect(),
        }
    }
}

impl From<EdgeEntry> for v1::EdgeReceipt {
    fn from(entry: EdgeEntry) -> Self {
        let EdgeEntry {
            edge,
            region,
            state,
            position,
            applied,
            since,
            seen,
            fenced_by,
            spared,
            statement,
            key,
        } = entry;
        Self {
            edge,
            region,
            position,
            applied_time_us: since.as_micros(),
            applied,
            last_seen_us: seen.as_micros(),
            state,
            fenced_by_us: fenced_by.map_or(0, Timestamp::as_micros),
            spared,
            statement: statement.unwrap_or_default(),
            key: key.unwrap_or_default(),
        }
    }
}

fn shown(edge: EdgeStatus, head: Position) -> v1::Edge {
    let EdgeStatus { report, state } = edge;
    let ago = |certain: Timestamp| clock::now().as_micros().saturating_sub(certain.as_micros());
    v1::Edge {
        name: report.name,
        region: report.region,
        version: report.version,
        position: report.position.get(),
        lag: head.get().saturating_sub(report.position.get()),
        applied_time_us: report.applied.as_micros(),
        last_seen_us: report.last_seen.as_micros(),
        state: state.as_str().to_owned(),
        halted: report.halted.unwrap_or_default(),
        certain_ago_us: report.certain.map(|certain| ago(certain).max(0).unsigned_abs()),
        ..v1::Edge::default()
    }
}

/// What was decided about each, and those that were not heard of yet.
fn with_decided(mut edges: Vec<v1::Edge>, decided: &EdgeRecords) -> Vec<v1::Edge> {
    for record in decided.iter() {
        let name = record.name.as_str();
        if !edges.iter().any(|edge| edge.name == name) {
            edges.push(unheard(record));
        }
    }
    edges.sort_by(|one, other| one.name.cmp(&other.name));
    for edge in &mut edges {
        let record = decided.get(&edge.name);
        edge.enrolled = record.is_some_and(|record| record.enrolment.is_some());
        edge.duty = match record.map_or(Duty::Serve, |record| record.duty) {
            Duty::Serve => "serve",
            Duty::Drain => "drain",
            Duty::Revoked => "nothing",
        }
        .to_owned();
    }
    edges
}

fn unheard(record: &EdgeRecord) -> v1::Edge {
    let open = record.invitation.as_ref();
    let taken = record.enrolment.as_ref().map(|enrolment| &enrolment.invitation);
    let region = open.or(taken).and_then(|invitation| invitation.region.as_ref());
    let state = match record.duty {
        Duty::Revoked => "revoked",
        Duty::Serve | Duty::Drain if taken.is_some() => "silent",
        Duty::Serve | Duty::Drain => "invited",
    };
    v1::Edge {
        name: record.name.to_string(),
        region: region.map_or(String::new(), Name::to_string),
        state: state.to_owned(),
        ..v1::Edge::default()
    }
}

fn edge_name(field: &'static str, text: &str) -> Result<Name, Failure> {
    let name = text.parse();
    name.map_err(|error: InvalidName| ConversionError::new(field, error).into())
}

fn no_authority() -> Failure {
    Failure::Execute(ExecuteError::Refused(Refusal::NotNow(
        "the edges of this installation come in by the keyring; set TURNPIKE_EDGE_LISTEN for them to enrol"
            .to_owned(),
    )))
}

/// Changes what is decided about an edge.
async fn change(
    call: &Call,
    name: &str,
    options: Option<v1::WriteOptions>,
    change: EdgeChange,
) -> Answer<v1::Receipt> {
    let write: Write = read(options)?;
    call.may(name)?;
    let edge = edge_name("name", name)?;
    let command = Command::ChangeEdge { edge, change };
    let written = call.write_in(Name::platform(), vec![command], write).await?;
    Ok(Response::new(written.into_receipt()))
}

impl Administration {
    fn digest_of(&self, token: &EnrolmentToken) -> Result<KeyDigest, Failure> {
        let digest = self.peppers.digest(token.id, token.secret.expose());
        digest.ok_or(Failure::NotOffered)
    }
}
