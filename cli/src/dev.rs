//! `turnpike dev`: control plane, edge and fake provider in one process, with a tenant to try things in.
//!
//! It differs from production in two things alone: the store is SQLite, and the bus is in this process. The edge
//! follows the control plane over gRPC, and the seeds go through the admin API, as everywhere.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use clap::Args;
use turnpike_runtime::{bus::local::LocalBus, secret::Secret, shutdown::Shutdown, telemetry};

use crate::{failure::Failure, session::Outcome};

mod environment;
mod folder;
mod halves;
mod keys;
mod part;
mod paste;
mod progress;
mod seed;

use environment::Environment;
use folder::Folder;
use halves::Halves;
use keys::Keys;
use progress::say;
use seed::RealProvider;

/// Runs until Ctrl-C. Run again, it finds its state and its keys.
#[derive(Debug, Args)]
pub struct Dev {
    /// Where everything is kept: database, keyring, keys, dev.env
    #[arg(
        long,
        env = "TURNPIKE_DATA_DIR",
        value_name = "FOLDER",
        default_value = ".turnpike"
    )]
    data_dir: PathBuf,
    /// Where the edge serves clients; port 0 takes a free one
    #[arg(
        long,
        env = "TURNPIKE_EDGE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    edge_listen: SocketAddr,
    /// Where the edge serves /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "TURNPIKE_EDGE_OPERATIONS_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8081"
    )]
    edge_operations_listen: SocketAddr,
    /// Where the control plane serves administration, gRPC
    #[arg(
        long,
        env = "TURNPIKE_ADMIN_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7070"
    )]
    admin_listen: SocketAddr,
    /// Where the control plane serves /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "TURNPIKE_ADMIN_OPERATIONS_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7071"
    )]
    admin_operations_listen: SocketAddr,
    /// Add a real provider `openai` with this key. Absent, or a key of Turnpike's own (`tp_…`, as dev.env
    /// exports): none is added
    #[arg(long, env = "OPENAI_API_KEY", value_name = "KEY", hide_env_values = true)]
    openai_api_key: Option<Secret>,
    /// Where that provider is
    #[arg(
        long,
        env = "TURNPIKE_OPENAI_BASE_URL",
        value_name = "URL",
        default_value = "https://api.openai.com/v1"
    )]
    openai_base_url: String,
    /// What is logged to standard error: a level, or levels by module
    #[arg(long, env = "TURNPIKE_LOG", value_name = "LEVEL", default_value = "warn")]
    log: String,
    /// Where an OpenTelemetry collector takes OTLP over gRPC. Absent: traces are not made
    #[arg(long, env = "TURNPIKE_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
}

/// Everything, running, and where.
struct Started {
    edge: SocketAddr,
    admin: SocketAddr,
    halves: Halves,
}

impl Dev {
    /// Starts everything, serves, and stops it in the reverse order.
    ///
    /// # Errors
    /// When a port is taken, the folder can't be used, or a part does not start.
    pub async fn run(self) -> Result<Outcome, Failure> {
        let telemetry = telemetry::Settings {
            log: self.log.clone(),
            log_format: telemetry::LogFormat::Text,
            otlp_endpoint: self.otlp_endpoint.clone(),
            otlp_ca_file: None,
        };
        let told = telemetry::init("turnpike-dev", &telemetry);
        let told = told.map_err(|error| Failure::local(format!("--log or --otlp-endpoint: {error}")))?;
        let outcome = self.serve().await;
        told.shutdown().await;
        outcome
    }

    async fn serve(self) -> Result<Outcome, Failure> {
        let shutdown = Shutdown::on_signals()
            .map_err(|error| Failure::local(format!("signals cannot be handled: {error}")))?;
        let folder = Folder::open(&self.data_dir)?;
        environment::forget(&folder)?;
        self.check_ports()?;
        let mut keys = Keys::load(&folder)?;
        let started = tokio::select! {
            started = self.start(&folder, &mut keys) => started?,
            // The next start goes on where this one was interrupted.
            () = shutdown.cancelled() => return Ok(Outcome::Done),
        };
        let environment = Environment {
            edge: started.edge,
            control_plane: started.admin,
            application_key: keys.get(seed::APPLICATION).unwrap_or_default(),
            administrator_key: keys.get(seed::ADMINISTRATOR).unwrap_or_default(),
        };
        paste::print(&environment.write(&folder)?)?;
        let failure = tokio::select! {
            () = shutdown.cancelled() => None,
            why = started.halves.failed() => Some(why),
        };
        say("stopping: requests under way are finished");
        environment::forget(&folder)?;
        started.halves.stop().await;
        failure.map_or(Ok(Outcome::Done), |why| Err(Failure::local(why)))
    }

    /// The control plane first, then what it is to hold, and the edge last: it starts with everything.
    async fn start(&self, folder: &Folder, keys: &mut Keys<'_>) -> Result<Started, Failure> {
        let keyring = halves::keyring(folder)?;
        let (fake_address, fake) = halves::fake(&keys.get_or_make(seed::FAKE_PROVIDER)?).await?;
        say("starting the control plane");
        let token = keys.get_or_make(seed::BOOTSTRAP)?;
        let bus = LocalBus::new();
        let (admin, control_plane) = halves::control_plane(self, folder, &keyring, &token, &bus).await?;
        let real_provider = self.real_provider();
        let ground = seed::Ground {
            control_plane: admin,
            bootstrap_token: &token,
            fake_provider: fake_address,
            real_provider: real_provider.as_ref(),
        };
        seed::sow(&ground, folder, keys).await?;
        say("starting the edge");
        let (edge, running) = halves::edge(self, folder, &keyring, admin, &bus).await?;
        let halves = Halves {
            fake,
            control_plane,
            edge: running,
        };
        Ok(Started { edge, admin, halves })
    }

    /// Finds a taken port before anything is made, and names the flag that moves it.
    fn check_ports(&self) -> Result<(), Failure> {
        let wanted = [
            ("--edge-listen", self.edge_listen),
            ("--edge-operations-listen", self.edge_operations_listen),
            ("--admin-listen", self.admin_listen),
            ("--admin-operations-listen", self.admin_operations_listen),
        ];
        // Held until all are bound, so that two flags with the same address are noticed too.
        let bound = wanted.map(|(flag, address)| {
            TcpListener::bind(address).map_err(|error| {
                Failure::local(format!(
                    "cannot listen on {address}: {error}; set {flag} to another address"
                ))
            })
        });
        bound.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }

    /// A shell that sourced `dev.env` has our own key as its OPENAI_API_KEY, which is no provider's.
    fn real_provider(&self) -> Option<RealProvider> {
        let key = self.openai_api_key.as_ref().filter(|key| {
            let key = key.expose();
            !key.is_empty() && !key.starts_with("tp_")
        })?;
        Some(RealProvider {
            base_url: self.openai_base_url.clone(),
            key: key.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        dev: Dev,
    }

    fn dev(flags: &[&str]) -> Dev {
        Line::try_parse_from(["dev"].iter().chain(flags)).unwrap().dev
    }

    #[test]
    fn a_key_of_our_own_makes_no_real_provider() {
        assert!(dev(&["--openai-api-key", "tp_va_x"]).real_provider().is_none());
        assert!(dev(&["--openai-api-key", ""]).real_provider().is_none());
        let real = dev(&["--openai-api-key", "sk-1"]).real_provider().unwrap();
        assert_eq!(
            (real.key.expose(), real.base_url.as_str()),
            ("sk-1", "https://api.openai.com/v1")
        );
    }

    #[test]
    fn a_taken_port_is_told_with_the_flag_that_moves_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let free = "127.0.0.1:0";
        let flags = [
            "--edge-listen",
            free,
            "--edge-operations-listen",
            free,
            "--admin-listen",
            &address,
        ];
        let error = dev(&flags).check_ports().unwrap_err().to_string();
        assert!(
            error.contains(&address) && error.contains("set --admin-listen"),
            "{error}"
        );
    }
}
