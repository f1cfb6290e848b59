//! A tenant's whole access state as text that people review.

use tonic::{Request, Response};
use turnpike_access::policy::Policy;
use turnpike_proto::admin::{v1, write_policy};

use super::{Administration, Answer};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::policy_service_server::PolicyService for Administration {
    async fn export(&self, request: Request<v1::ExportPolicyRequest>) -> Answer<v1::ExportPolicyResponse> {
        let (call, v1::ExportPolicyRequest {}) = self.admit(request).await?;
        let policy = Policy::of(call.allowed_tenant("")?);
        Ok(Response::new(v1::ExportPolicyResponse {
            policy: write_policy(&policy).map_err(Failure::Policy)?,
            position: call.snapshot.position().get(),
        }))
    }
}
