//! The audit, newest first, of the caller's own tenant.

use tonic::{Request, Response};
use turnpike_proto::{
    ConversionError,
    admin::{AuditQuery, v1},
};

use super::{Administration, Answer, call::read};

mod prove;
mod sink;

use crate::{
    rpc::status::Failure,
    store::{AuditFilter, Cursor, Page, StoredRecord},
};

#[tonic::async_trait]
impl v1::audit_service_server::AuditService for Administration {
    async fn list(&self, request: Request<v1::ListAuditRequest>) -> Answer<v1::ListAuditResponse> {
        let (call, message) = self.admit(request).await?;
        let (filter, page) = taken_apart(read(message)?)?;
        call.may("")?;
        // One more than asked for tells whether the list goes on.
        let more = Page {
            limit: page.limit.saturating_add(1),
            ..page
        };
        let found = self
            .audit
            .list(&call.identity.own, &filter, more)
            .await
            .map_err(Failure::from)?;
        Ok(Response::new(answer(found, page.limit)))
    }

    type ProveStream = prove::Proofs;

    async fn prove(&self, request: Request<v1::ProveAuditRequest>) -> Answer<Self::ProveStream> {
        let (call, v1::ProveAuditRequest {}) = self.admit(request).await?;
        call.may("")?;
        Ok(Response::new(prove::proofs(self.audit.clone())))
    }

    async fn set_sink(&self, request: Request<v1::SetAuditSinkRequest>) -> Answer<v1::AuditSinkResponse> {
        self.set_audit_sink(request).await
    }

    async fn list_sinks(&self, request: Request<v1::Page>) -> Answer<v1::ListAuditSinksResponse> {
        self.audit_sinks(request).await
    }

    async fn delete_sink(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        self.delete_audit_sink(request).await
    }
}

fn taken_apart(query: AuditQuery) -> Result<(AuditFilter, Page), Failure> {
    let AuditQuery {
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
        issuer,
        group,
        since,
        until,
        page,
    } = query;
    let filter = AuditFilter {
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
        group,
        since,
        until,
    };
    let after = match page.after.as_str() {
        "" => None,
        text => Some(text.parse::<Cursor>().map_err(|invalid| ConversionError {
            field: "page.after".to_owned(),
            problem: invalid.to_string(),
        })?),
    };
    let limit = page.size;
    Ok((filter, Page { limit, after }))
}

fn answer(mut found: Vec<StoredRecord>, limit: u32) -> v1::ListAuditResponse {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let goes_on = found.len() > limit;
    found.truncate(limit);
    let last = found
        .last()
        .filter(|_| goes_on)
        .map(|last| last.cursor().to_string());
    v1::ListAuditResponse {
        entries: found
            .iter()
            .map(|stored| (&stored.id, &stored.record).into())
            .collect(),
        next: last.unwrap_or_default(),
    }
}
