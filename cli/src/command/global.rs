//! The flags that every command shares.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use turnpike_runtime::secret::Secret;

use crate::{
    connect::Target,
    failure::Failure,
    login::{self, Folder, Login, Place},
    moment,
    output::{Format, Printer},
    session::{Outcome, Session},
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
    /// Your key, `tp_pat_…`; better in the variable than on the command line. Absent: the token of `turnpike login`
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
    /// Names the one change that the command makes, in 8 to 64 letters, digits, '-', '_' and '.': asked for again with the same
    /// one, it is not made again. Absent: it is
    #[arg(long, global = true, value_name = "TEXT")]
    idempotency_key: Option<String>,
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
    /// Logs in with an issuer, to call the control plane that is named here.
    pub(super) async fn log_in(self, login: Login) -> Result<Outcome, Failure> {
        let folder = folder()?;
        let place = Place {
            control_plane: &self.control_plane,
            ca_file: self.ca_file.as_deref(),
            folder: &folder,
        };
        login.run(&place, &Printer::new(self.output)).await
    }

    /// Ends the login.
    pub(super) async fn log_out(self) -> Result<Outcome, Failure> {
        login::log_out(&folder()?, self.ca_file.as_deref()).await
    }

    pub(super) async fn session(self) -> Result<Session, Failure> {
        let Self {
            control_plane,
            token,
            tenant,
            idempotency_key,
            ca_file,
            output,
            timeout,
        } = self;
        let token = match token.filter(|token| !token.expose().is_empty()) {
            Some(token) => Some(token),
            None => of_login(&control_plane, ca_file.as_deref()).await?,
        };
        let target = Target {
            url: control_plane,
            token,
            tenant,
            idempotency_key,
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

async fn of_login(control_plane: &str, ca_file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let Some(folder) = Folder::of_user() else {
        return Ok(None);
    };
    let place = Place {
        control_plane,
        ca_file,
        folder: &folder,
    };
    login::bearer(&place).await
}

fn folder() -> Result<Folder, Failure> {
    Folder::of_user().ok_or_else(|| {
        Failure::local("there is no folder to keep a login in; set TURNPIKE_CONFIG_DIR, or HOME")
    })
}

fn timeout(text: &str) -> Result<Duration, String> {
    let duration = moment::duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&duration) {
        Ok(duration)
    } else {
        Err("write a duration from 1s to 60s".to_owned())
    }
}
