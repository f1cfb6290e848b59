//! The first administrator, once, by the one-time token.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    command::Command,
    id::{Name, Principal},
};
use turnpike_proto::{
    ConversionError,
    admin::{Write, v1},
};
use turnpike_runtime::{clock, random};

use super::{Administration, Answer};
use crate::{execute::Authority, rpc::status::Failure};

/// The administrator's name where none is given.
const ADMINISTRATOR: &str = "admin";

#[tonic::async_trait]
impl v1::bootstrap_service_server::BootstrapService for Administration {
    async fn bootstrap(&self, request: Request<v1::BootstrapRequest>) -> Answer<v1::BootstrapResponse> {
        let v1::BootstrapRequest { token, administrator } = request.into_inner();
        if !self.bootstrap.accepts(&token) {
            return Err(Failure::BootstrapToken.into());
        }
        let administrator = administrator_name(&administrator)?;
        let (tenant, now) = (Name::platform(), clock::now());
        let owner = Principal::User(administrator.clone());
        let (key, credential) = self.new_credential(&tenant, owner, Arc::from("system"), now)?;
        let shown = v1::Credential::at(&credential, now);
        let command = Command::Bootstrap {
            administrator,
            credential,
        };
        let correlation = Arc::from(random::id().as_str());
        let executed = self
            .executor
            .execute(Authority::BootstrapToken, tenant, correlation, vec![command])
            .await;
        let executed = executed.map_err(Failure::from)?;
        Ok(Response::new(v1::BootstrapResponse {
            key: key.expose().to_owned(),
            credential: Some(shown),
            receipt: Some(
                self.receipt(&Name::platform(), executed.position, Write::default())
                    .await,
            ),
        }))
    }
}

fn administrator_name(given: &str) -> Result<Name, Failure> {
    let name = if given.is_empty() { ADMINISTRATOR } else { given };
    name.parse().map_err(|invalid: turnpike_access::id::InvalidName| {
        Failure::Message(ConversionError {
            field: "administrator".to_owned(),
            problem: invalid.to_string(),
        })
    })
}
