//! The flags that every command shares.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use turnpike_runtime::secret::Secret;

use crate::{
    connect::Target,
    failure::Failure,
    moment,
    output::{Format, Printer},
    session::Session,
};

/// What an answer may take beyond the wait for the edges.
const MARGIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The control plane's gRPC address
    #[arg(
        long,
        global = true,
        env = "TURNPIKE_CONTROL_PLANE",
        value_name = "URL",
        default_value = "http://127.0.0.1:7070"
    )]
    control_plane: String,
    /// Your key, `tp_pat_…`; better in the variable than on the command line. Without one only `bootstrap` works
    #[arg(
        long,
        global = true,
        env = "TURNPIKE_TOKEN",
        value_name = "KEY",
        hide_env_values = true
    )]
    token: Option<Secret>,
    /// For operators: act in this tenant. Absent: the key's own
    #[arg(long, global = true, env = "TURNPIKE_TENANT", value_name = "TENANT")]
    tenant: Option<String>,
    /// PEM file of certificates to trust besides the system's. Absent: the system's only
    #[arg(long, global = true, env = "TURNPIKE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How results are written
    #[arg(
        long,
        short,
        global = true,
        env = "TURNPIKE_OUTPUT",
        value_enum,
        default_value = "table"
    )]
    output: Format,
    /// How long to wait: for an answer, and with --wait for the edges; at most 60s
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    timeout: Duration,
}

impl Global {
    pub(super) async fn session(self) -> Result<Session, Failure> {
        let Self {
            control_plane,
            token,
            tenant,
            ca_file,
            output,
            timeout,
        } = self;
        let target = Target {
            url: control_plane,
            token,
            tenant,
            ca_file,
            timeout: timeout + MARGIN,
        };
        Ok(Session::new(
            target.connect().await?,
            Printer::new(output),
            timeout,
        ))
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let duration = moment::duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&duration) {
        Ok(duration)
    } else {
        Err("write a duration from 1s to 60s".to_owned())
    }
}
