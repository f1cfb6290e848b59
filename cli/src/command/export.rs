//! `turnpike export`.

use std::path::PathBuf;

use clap::Args;
use turnpike_proto::admin::v1::{ExportPolicyRequest, policy_service_client::PolicyServiceClient};

use crate::{
    failure::Failure,
    session::{Outcome, Session},
};

/// What a policy file looks like, for `--help`.
pub(super) const FORMAT: &str = include_str!("policy_format.txt");

/// The flags.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Write it to this file. Absent: to standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = PolicyServiceClient::new(session.service()).max_decoding_message_size(usize::MAX);
        let exported = client.export(ExportPolicyRequest {}).await?.into_inner();
        match self.to {
            Some(path) => std::fs::write(&path, exported.policy)
                .map_err(|error| Failure::local(format!("cannot write {}: {error}", path.display())))?,
            None => session.printer.text(&exported.policy)?,
        }
        Ok(Outcome::Done)
    }
}
