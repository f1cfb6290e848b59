//! `turnpike fake-provider`: the provider that is not one, alone, for tests of whole deployments.

use std::{io::Write as _, net::SocketAddr};

use clap::Args;
use tokio::net::TcpListener;
use turnpike_runtime::shutdown::Shutdown;

use super::value::SecretSource;
use crate::{
    failure::Failure,
    fake_provider::{self, Settings},
    session::Outcome,
};

/// Serves until Ctrl-C or SIGTERM.
#[derive(Debug, Args)]
pub(super) struct FakeProvider {
    /// Where to serve; port 0 takes a free one. The address is printed as a line of JSON
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The only key it takes. Absent: any key
    #[command(flatten)]
    key: SecretSource,
}

impl FakeProvider {
    pub(super) async fn run(self) -> Result<Outcome, Failure> {
        let required_key = self.key.read()?.map(|secret| secret.expose().to_owned());
        let taken =
            |error| Failure::local(format!("cannot listen on {}: {error}; set --listen", self.listen));
        let listener = TcpListener::bind(self.listen).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let shutdown = Shutdown::on_signals()
            .map_err(|error| Failure::local(format!("signals cannot be handled: {error}")))?;
        announce(address)?;
        let settings = Settings {
            required_key,
            ..Settings::default()
        };
        fake_provider::serve(listener, settings, async move { shutdown.cancelled().await })
            .await
            .map_err(|error| Failure::local(format!("the fake provider stopped: {error}")))?;
        Ok(Outcome::Done)
    }
}

/// For whoever started it, and may have left the port to chance.
fn announce(address: SocketAddr) -> Result<(), Failure> {
    let line = serde_json::json!({ "address": address.to_string(), "url": format!("http://{address}") });
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|error| Failure::local(format!("cannot write to standard output: {error}")))
}
