//! The settings of the control plane: flags, each with an environment variable, parsed before anything is opened.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use turnpike_runtime::{
    bus::nats::NatsSettings, keyring::Keyring, secret::Secret, telemetry, token::KeysMaxAge,
};

mod edges;

pub use edges::{CertificateLife, EdgeSettings};

use crate::{
    notify::{Mail, MailError},
    server::StartError,
};

/// The control plane of Turnpike: records every change of who may call which AI model, and tells the edges.
#[derive(Debug, Parser)]
#[command(
    name = "turnpike-control-plane",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct CommandLine {
    /// What to do; absent means `serve`.
    #[command(subcommand)]
    pub command: Option<Action>,
    /// For `serve` without its name.
    #[command(flatten)]
    pub settings: Arguments,
}

/// What the process is to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Serve until SIGTERM or Ctrl-C.
    Serve(Box<Arguments>),
    /// Bring the database's tables up to this version, and stop. Needs the rights of the tables' owner.
    Migrate(MigrateArguments),
}

/// What `migrate` needs.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// The database, as its owner: postgres://OWNER:PASSWORD@HOST/NAME or sqlite://PATH. Required.
    #[arg(long, env = "TURNPIKE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,
    /// The role that control planes connect as: it gets the right to append events, and not to edit or delete any.
    /// Absent: no rights are given.
    #[arg(long, env = "TURNPIKE_APP_ROLE")]
    pub app_role: Option<String>,
    /// What it tells of itself.
    #[command(flatten)]
    pub telemetry: telemetry::Settings,
}

/// What `serve` may be told. Required settings are checked in [`Arguments::check`], so that what is missing is told
/// with what to do about it.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The database: postgres://USER:PASSWORD@HOST/NAME, or sqlite://PATH for small installations. Required.
    #[arg(long, env = "TURNPIKE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// What carries news to the edges.
    #[command(flatten)]
    pub nats: NatsSettings,
    /// The keyring, the same for all control planes and edges; make one with `turnpike keyring generate`. Required.
    #[arg(long, env = "TURNPIKE_KEYRING", hide_env_values = true)]
    pub keyring: Option<Secret>,
    /// Where the control plane keeps its few files, such as the bootstrap token. Absent: `.turnpike`.
    #[arg(long, env = "TURNPIKE_DATA_DIR", default_value = ".turnpike")]
    pub data_dir: PathBuf,
    /// Where gRPC is served: administration, edges, audit. Absent: 127.0.0.1:7070. Port 0 takes a free one.
    #[arg(long, env = "TURNPIKE_LISTEN", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// Who is an edge.
    #[command(flatten)]
    pub edges: EdgeSettings,
    /// Where /healthz, /readyz and /metrics are served. Absent: 127.0.0.1:7071.
    #[arg(long, env = "TURNPIKE_OPERATIONS_LISTEN", default_value = "127.0.0.1:7071")]
    pub operations_listen: SocketAddr,
    /// The URL under which clients and third parties reach this listener: `iss` of Turnpike's own tokens. The same for all
    /// control planes of one database. Absent: http:// and the address of the listener above.
    #[arg(long, env = "TURNPIKE_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Private networks in which tenants' issuers may be asked for keys and about tokens, such as 10.1.0.0/16. With
    /// 127.0.0.0/8 also this machine, over `http://` too. Absent: addresses on the internet alone.
    #[arg(long, env = "TURNPIKE_ISSUER_NETWORKS", value_delimiter = ',')]
    pub issuer_networks: Vec<IpNet>,
    /// How old the keys of an issuer that cannot be reached may become, such as 12h or 7d. Tokens that need older ones are
    /// answered with "unavailable" until the issuer is back.
    #[arg(long, env = "TURNPIKE_ISSUER_KEYS_MAX_AGE", default_value_t)]
    pub issuer_keys_max_age: KeysMaxAge,
    /// Private networks in which tenants' webhooks may be posted to, such as 10.1.0.0/16. With 127.0.0.0/8 also this machine,
    /// over `http://` too. Absent: addresses on the internet alone.
    #[arg(long, env = "TURNPIKE_WEBHOOK_NETWORKS", value_delimiter = ',')]
    pub webhook_networks: Vec<IpNet>,
    /// The mail server for alerts: smtps://USER:PASSWORD@HOST, smtp://HOST?tls=required, or smtp://HOST in the clear. Absent:
    /// no mail is sent.
    #[arg(
        long,
        env = "TURNPIKE_SMTP_URL",
        hide_env_values = true,
        requires = "smtp_from"
    )]
    pub smtp_url: Option<Secret>,
    /// Who alerts by mail are from, such as turnpike@acme.example. Absent: no mail is sent.
    #[arg(long, env = "TURNPIKE_SMTP_FROM")]
    pub smtp_from: Option<String>,
    /// The one-time token for the first administrator. Absent: where there is none yet, a token is made and written
    /// to bootstrap.token in the data directory.
    #[arg(long, env = "TURNPIKE_BOOTSTRAP_TOKEN", hide_env_values = true)]
    pub bootstrap_token: Option<Secret>,
    /// PEM file of the certificate chain of the gRPC listener. Absent: plaintext, on a loopback address only.
    #[arg(long, env = "TURNPIKE_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key. Absent: plaintext, on a loopback address only.
    #[arg(long, env = "TURNPIKE_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve plaintext on any address, for networks that encrypt by themselves. Absent: refused.
    #[arg(long, env = "TURNPIKE_ALLOW_PLAINTEXT", value_parser = clap::builder::FalseyValueParser::new())]
    pub allow_plaintext: bool,
    /// Bring the database's tables up to date at start. Absent: run `turnpike-control-plane migrate` first.
    #[arg(long, env = "TURNPIKE_MIGRATE", value_parser = clap::builder::FalseyValueParser::new())]
    pub migrate: bool,
    /// What the process tells of itself.
    #[command(flatten)]
    pub telemetry: telemetry::Settings,
}

/// The settings, checked. Printing them with `{:?}` hides the secrets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgres://…` or `sqlite://PATH`.
    pub database_url: Secret,
    /// What carries news to the edges.
    pub nats: NatsSettings,
    /// What seals secrets and lets edges in.
    pub keyring: Arc<Keyring>,
    /// For the control plane's few files.
    pub data_dir: PathBuf,
    /// gRPC; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who is an edge.
    pub edges: EdgeSettings,
    /// `/healthz`, `/readyz`, `/metrics`.
    pub operations_listen: SocketAddr,
    /// `iss` of Turnpike's own tokens, without a slash at its end; absent: the operations listener's own address.
    pub public_url: Option<Arc<str>>,
    /// Networks inside that issuers may be in.
    pub issuer_networks: Vec<IpNet>,
    /// How old the keys of issuers may be.
    pub issuer_keys_max_age: KeysMaxAge,
    /// Networks inside that webhooks may be in.
    pub webhook_networks: Vec<IpNet>,
    /// What sends mail.
    pub mail: Option<Mail>,
    /// For the first administrator; without it one is made where it is needed.
    pub bootstrap_token: Option<Secret>,
    /// PEM files of certificate chain and private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Plaintext beyond loopback is meant.
    pub allow_plaintext: bool,
    /// Bring the schema up to date at start.
    pub migrate: bool,
}

impl Arguments {
    /// Checks what is needed to serve.
    ///
    /// # Errors
    /// Names the setting to change.
    pub fn check(self) -> Result<Settings, StartError> {
        let Self {
            database_url,
            nats,
            keyring,
            data_dir,
            listen,
            edges,
            operations_listen,
            public_url,
            issuer_networks,
            issuer_keys_max_age,
            webhook_networks,
            smtp_url,
            smtp_from,
            bootstrap_token,
            tls_cert,
            tls_key,
            allow_plaintext,
            migrate,
            // Set up before these settings are looked at.
            telemetry: _,
        } = self;
        let database_url = database_url.ok_or_else(|| {
            StartError::setting(
                "TURNPIKE_DATABASE_URL",
                "set it to postgres://USER:PASSWORD@HOST/NAME or sqlite://PATH",
            )
        })?;
        let keyring = keyring.ok_or_else(|| {
            StartError::setting(
                "TURNPIKE_KEYRING",
                "no keyring is given; make one with `turnpike keyring generate`",
            )
        })?;
        let keyring =
            Keyring::parse(&keyring).map_err(|error| StartError::setting("TURNPIKE_KEYRING", error))?;
        Ok(Settings {
            database_url,
            nats,
            keyring: Arc::new(keyring),
            data_dir,
            listen,
            edges,
            operations_listen,
            public_url: public_url.as_deref().map(check_url).transpose()?,
            issuer_networks,
            issuer_keys_max_age,
            webhook_networks,
            mail: mail(smtp_url, smtp_from)?,
            bootstrap_token,
            tls: tls_cert.zip(tls_key),
            allow_plaintext,
            migrate,
        })
    }
}

fn mail(url: Option<Secret>, from: Option<String>) -> Result<Option<Mail>, StartError> {
    let Some((url, from)) = url.zip(from) else {
        return Ok(None);
    };
    let mail = Mail::new(&url, &from).map_err(|error| match error {
        MailError::From => StartError::setting("TURNPIKE_SMTP_FROM", error),
        _ => StartError::setting("TURNPIKE_SMTP_URL", error),
    });
    mail.map(Some)
}

/// An issuer's identifier has neither query nor fragment (RFC 8414, section 2), and here no slash at its end.
fn check_url(url: &str) -> Result<Arc<str>, StartError> {
    let url = url.trim_end_matches('/');
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let valid = host.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"?#@\"\\".contains(&byte))
    });
    match valid {
        true => Ok(Arc::from(url)),
        false => Err(StartError::setting(
            "TURNPIKE_PUBLIC_URL",
            "write https://HOST, or http://HOST where nothing secret passes by, with a port and a path if need be",
        )),
    }
}

impl Settings {
    /// The database without its user, password and parameters, for people: `postgres at db.example:5432/turnpike`.
    pub fn database(&self) -> String {
        let url = self.database_url.expose();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let place = place.split_once('?').map_or(place, |(place, _)| place);
        format!("{scheme} at {place}")
    }
}
