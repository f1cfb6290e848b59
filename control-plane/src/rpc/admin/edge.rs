//! The edges, as tenants and operators see them.

use tonic::{Request, Response};
use turnpike_access::log::Position;
use turnpike_proto::admin::{Page, Write, v1};

use super::{Administration, Answer, call::read, part::part};
use crate::{edges::EdgeStatus, rpc::status::Failure};

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
        let write = Write {
            applied_within: Some(deadline),
        };
        Ok(Response::new(self.receipt(position, write).await))
    }
}

fn shown(edge: EdgeStatus, head: Position) -> v1::Edge {
    let EdgeStatus { report, state } = edge;
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
    }
}
