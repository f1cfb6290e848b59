//! Access that is asked for, and decided about: the methods of `AccessService` that change something.

use tonic::{Request, Response};
use turnpike_access::{command::Command, id::Id, request::HeldRequest};
use turnpike_proto::admin::{
    ApproveAccess, ListRequests, NewRequest, RefuseAccess, WithdrawAccess, Write, v1,
};
use turnpike_runtime::random;

use super::{
    Administration, Answer,
    call::{Call, read},
    part::part,
};
use crate::rpc::status::Failure;

impl Administration {
    pub(super) async fn ask_for_access(
        &self,
        request: Request<v1::RequestAccessRequest>,
    ) -> Answer<v1::RequestedAccessResponse> {
        let (call, message) = self.admit(request).await?;
        let new: NewRequest = read(message)?;
        let (id, write) = (random::id(), new.write);
        let asked = new.of(call.caller()?.principal.clone(), id, call.now);
        call.decide(id, Command::RequestAccess(asked), write).await
    }

    pub(super) async fn list_asked(
        &self,
        request: Request<v1::ListRequestsRequest>,
    ) -> Answer<v1::ListRequestsResponse> {
        let (call, message) = self.admit(request).await?;
        let ListRequests { all, page } = read(message)?;
        let mut requests = call.requests()?;
        requests.retain(|held| all || held.is_open(call.now));
        let (some, next) = part(requests, &page, |held| held.request.id.to_string())?;
        let shown = some
            .into_iter()
            .map(|held| v1::RequestedAccess::at(held, call.now));
        Ok(Response::new(v1::ListRequestsResponse {
            requests: shown.collect(),
            next,
        }))
    }

    pub(super) async fn approve_access(
        &self,
        request: Request<v1::ApproveRequest>,
    ) -> Answer<v1::RequestedAccessResponse> {
        let (call, message) = self.admit(request).await?;
        let ApproveAccess { id, at_most, write } = read(message)?;
        let grant = call.requested(id)?.request.grant(random::id(), call.now, at_most);
        call.decide(id, Command::ApproveAccess { id, grant }, write).await
    }

    pub(super) async fn refuse_access(
        &self,
        request: Request<v1::RefuseRequest>,
    ) -> Answer<v1::RequestedAccessResponse> {
        let (call, message) = self.admit(request).await?;
        let RefuseAccess { id, reason, write } = read(message)?;
        let role = call.requested(id)?.request.role.clone();
        call.decide(id, Command::RefuseAccess { id, role, reason }, write)
            .await
    }

    pub(super) async fn withdraw_access(
        &self,
        request: Request<v1::WithdrawRequest>,
    ) -> Answer<v1::RequestedAccessResponse> {
        let (call, message) = self.admit(request).await?;
        let WithdrawAccess { id, write } = read(message)?;
        let role = call.requested(id)?.request.role.clone();
        call.decide(id, Command::WithdrawAccess { id, role }, write).await
    }
}

impl Call {
    async fn decide(&self, id: Id, command: Command, write: Write) -> Answer<v1::RequestedAccessResponse> {
        let written = self.write(vec![command], write).await?;
        let held = written.tenant()?.access_request(id);
        let held = held.ok_or_else(|| Failure::not_found("request", id))?;
        Ok(Response::new(v1::RequestedAccessResponse {
            request: Some(v1::RequestedAccess::at(held, self.now)),
            receipt: written.receipt,
        }))
    }

    /// A request that the caller may see, or that is not there.
    fn requested(&self, id: Id) -> Result<&HeldRequest, Failure> {
        let mut seen = self.requests()?.into_iter();
        seen.find(|held| held.request.id == id)
            .ok_or_else(|| Failure::not_found("request", id))
    }

    /// The caller's own requests and those that it may decide about. Whoever may neither ask nor decide is told so.
    fn requests(&self) -> Result<Vec<&HeldRequest>, Failure> {
        let tenant = self.target()?;
        let own = self.own_principal()?;
        let may = |action, role: &str| self.may_otherwise(action, "role", role);
        let mut requests = tenant.access_requests();
        requests.retain(|held| {
            own.as_ref() == Some(&held.request.principal)
                || may("access.approve", held.request.role.as_str()).is_ok()
        });
        let asks_or_decides = |role: &str| {
            ["access.request", "access.approve"]
                .iter()
                .any(|action| may(action, role).is_ok())
        };
        if requests.is_empty()
            && !tenant
                .roles()
                .iter()
                .any(|role| asks_or_decides(role.name.as_str()))
        {
            self.may("")?;
        }
        Ok(requests)
    }
}
