//! How an edge comes by certificates: once by its token, and from then on by the key that it came in with.
//!
//! A certificate is asked for without one, so that an edge that was away for longer than its last one lived comes back by
//! itself. Whoever overhears the question may ask it again, and gets a certificate that is of no use without the key.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status};
use turnpike_access::{
    command::Command,
    digest::Peppers,
    edge::{Duty, EdgeChange, EdgeRecord, EdgeRecords},
    id::Name,
};
use turnpike_proto::sync::v1::{CertifyRequest, CertifyResponse, enrolment_server::Enrolment};
use turnpike_runtime::{
    clock,
    enrolment::{Authority, EnrolmentToken, proves},
    random,
    secret::Secret,
};

use super::status::Failure;
use crate::execute::{Authority as Asker, Executor};

/// The largest question that is read, in bytes.
pub(crate) const QUESTION_LIMIT: usize = 16 * 1024;

/// The service for edges that have no certificate, or none that is good any more.
pub(crate) struct EnrolmentService {
    pub(crate) executor: Executor,
    pub(crate) peppers: Arc<Peppers>,
    pub(crate) authority: Arc<Authority>,
    /// How long a certificate is good for.
    pub(crate) life: Duration,
}

/// Whatever is wrong with a token, whoever shows it learns no more.
fn refused() -> Status {
    Status::unauthenticated(
        "the enrolment token is not accepted: it is not for this edge, was used, has expired or was withdrawn; ask an \
         operator for another (turnpike edge enrol)",
    )
}

/// What an edge is told that was sent away, so that it serves nobody either.
pub(crate) fn revoked() -> Status {
    Status::permission_denied("this edge was revoked; an operator can enrol it anew (turnpike edge enrol)")
}

/// It may be that this control plane has not heard of the edge yet: it will ask again.
pub(crate) fn unknown() -> Status {
    Status::unauthenticated("no edge of this installation is known by this key")
}

/// The edge that is known by a key, if it is to be told anything.
pub(crate) fn known<'e>(edges: &'e EdgeRecords, key: &str) -> Result<&'e EdgeRecord, Status> {
    match edges.known_by(key) {
        Some(edge) if edge.duty == Duty::Revoked => Err(revoked()),
        Some(edge) => Ok(edge),
        None => Err(unknown()),
    }
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let token = presented(&request)?;
        let CertifyRequest {
            edge,
            public_key,
            proof,
        } = request.into_inner();
        let name: Name = edge.parse().map_err(|_| unknown())?;
        if !proves(&edge, &public_key, &proof) {
            return Err(Status::unauthenticated(
                "the edge has not proven that it has its key",
            ));
        }
        let snapshot = match token {
            Some(token) => self.enrol(&name, &token, &public_key).await?,
            None => self.executor.snapshot(),
        };
        if known(snapshot.edges(), &public_key)?.name != name {
            return Err(unknown());
        }
        let certificate = self
            .authority
            .certify(&name, &public_key, clock::now(), self.life);
        let certificate = certificate.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(CertifyResponse {
            certificate,
            seconds: u32::try_from(self.life.as_secs()).unwrap_or(u32::MAX),
        }))
    }
}

impl EnrolmentService {
    /// Makes the edge known by its key. Of many who show a token at once, one is.
    async fn enrol(
        &self,
        edge: &Name,
        token: &EnrolmentToken,
        public_key: &str,
    ) -> Result<Arc<turnpike_access::snapshot::Snapshot>, Status> {
        let snapshot = self.executor.snapshot();
        let record = snapshot.edges().get(edge.as_str()).ok_or_else(refused)?;
        let open = record.invitation.as_ref();
        let taken = record.enrolment.as_ref().map(|enrolment| &enrolment.invitation);
        let mut invitations = open.into_iter().chain(taken);
        let invitation = invitations.find(|one| one.id == token.id).ok_or_else(refused)?;
        if !self
            .peppers
            .holds(&invitation.digest, token.id, token.secret.expose())
        {
            return Err(refused());
        }
        let change = EdgeChange::Enrol {
            invitation: token.id,
            key: Arc::from(public_key),
        };
        let edge = edge.clone();
        let command = Command::ChangeEdge { edge, change };
        let correlation = Arc::from(random::id().as_str());
        let asked = self.executor.execute(
            Asker::System("enrolment"),
            Name::platform(),
            correlation,
            vec![command],
        );
        match asked.await {
            Ok(executed) => Ok(executed.snapshot),
            Err(error) => match Status::from(Failure::from(error)) {
                status if status.code() == tonic::Code::FailedPrecondition => Err(refused()),
                status => Err(status),
            },
        }
    }
}

/// The token that the question comes with, if it does.
fn presented(request: &Request<CertifyRequest>) -> Result<Option<EnrolmentToken>, Status> {
    let Some(value) = request.metadata().get("authorization") else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Bearer "));
    let text = Secret::new(text.ok_or_else(refused)?);
    EnrolmentToken::parse(&text).map(Some).map_err(|_| refused())
}
