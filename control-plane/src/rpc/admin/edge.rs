//! The edges, as tenants and operators see them.

use tonic::{Request, Response};
use turnpike_access::{id::Timestamp, log::Position};
use turnpike_proto::admin::{Page, v1};
use turnpike_runtime::clock;

use tokio::time::Instant;

use super::{Administration, Answer, call::read, part::part};
use crate::{
    edges::EdgeStatus,
    receipt::{EdgeEntry, Receipt},
    rpc::status::Failure,
};

#[tonic::async_trait]
impl v1::edge_service_server::EdgeService for Administration {
    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListEdgesResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        call.may("")?;
        let all = self.edges.list().await.map_err(Failure::from)?;
        // Asked after the edges, so that none seems to be ahead of it.
        let head = self.executor.snapshot().position();
        let (some, next) = part(all, &page, |edge| edge.report.name.clone())?;
        Ok(Response::new(v1::ListEdgesResponse {
            edges: some.into_iter().map(|edge| shown(edge, head)).collect(),
            head: head.get(),
            next,
        }))
    }

    async fn delete(&self, request: Request<v1::NameRequest>) -> Answer<v1::DeleteEdgeResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        call.may(&name)?;
        match self.edges.delete(&name).await.map_err(Failure::from)? {
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
    }
}
