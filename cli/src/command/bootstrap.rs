//! `turnpike bootstrap`: the first administrator of a new installation.

use std::{fs, path::PathBuf};

use clap::Args;
use turnpike_proto::admin::v1::{
    BootstrapRequest, BootstrapResponse, bootstrap_service_client::BootstrapServiceClient,
};

use super::credential::CredentialView;
use turnpike_runtime::secret::Secret;

use crate::{
    failure::Failure,
    session::{Outcome, Session, Wait, present},
};

/// Needs the one-time token of the control plane, and no key.
#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// The one-time token; better in the variable than on the command line
    #[arg(
        long,
        env = "TURNPIKE_BOOTSTRAP_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    #[arg(required_unless_present = "bootstrap_token_file")]
    bootstrap_token: Option<Secret>,
    /// The file that holds the one-time token
    #[arg(long, value_name = "FILE")]
    bootstrap_token_file: Option<PathBuf>,
    /// The administrator's name
    #[arg(long, value_name = "USER", default_value = "admin")]
    administrator: String,
}

impl Bootstrap {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let token = match (self.bootstrap_token_file, self.bootstrap_token) {
            (Some(file), _) => fs::read_to_string(&file)
                .map_err(|error| Failure::local(format!("cannot read {}: {error}", file.display())))?,
            (None, token) => token.map(|token| token.expose().to_owned()).unwrap_or_default(),
        };
        let request = BootstrapRequest {
            token: token.trim().to_owned(),
            administrator: self.administrator,
        };
        let mut client = BootstrapServiceClient::new(session.service());
        let BootstrapResponse {
            key,
            credential,
            receipt,
        } = client.bootstrap(request).await?.into_inner();
        let view = CredentialView::from(present(credential)?);
        session.wrote_key("credential", &view, &key, receipt, Wait { wait: false })
    }
}
