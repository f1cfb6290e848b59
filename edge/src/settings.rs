//! What can be set: every flag is also an environment variable, and its help says what absence means.
//!
//! Values are checked here, before any socket is bound; files are read by whoever needs them.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use clap::Parser;
use ipnet::IpNet;
use turnpike_access::id::Name;
use turnpike_runtime::{
    bus::nats::NatsSettings, enrolment::InvalidEnrolmentToken, secret::Secret, telemetry, token::KeysMaxAge,
};

use self::limits::Limits;
use crate::{audit::WhenFull, connect::ControlPlanes};

pub mod limits;
pub mod name;
mod size;

pub use size::ByteSize;

/// An edge: authenticates, authorizes and proxies each request from memory.
#[derive(Debug, Clone, Parser)]
#[command(name = "turnpike-edge", version, about)]
pub struct Settings {
    /// Where the control plane's gRPC is: http:// or https://, or several of one installation, separated by commas: where one
    /// does not answer, the next is asked
    #[arg(long, env = "TURNPIKE_CONTROL_PLANE", default_value = "http://127.0.0.1:7070")]
    pub control_plane: String,

    /// The one-time token by which this edge enrols, from `turnpike edge enrol`. The control plane then knows it by a key that
    /// is kept in the data folder, and the token may be taken away. Absent, and never enrolled: the keyring lets it in
    #[arg(long, env = "TURNPIKE_ENROL_TOKEN", hide_env_values = true)]
    pub enrol_token: Option<Secret>,

    /// A file with that token; it need not be there any more once this edge has enrolled
    #[arg(long, env = "TURNPIKE_ENROL_TOKEN_FILE", conflicts_with = "enrol_token")]
    pub enrol_token_file: Option<PathBuf>,

    /// What brings news from the control planes.
    #[command(flatten)]
    pub nats: NatsSettings,

    /// The keyring that opens the providers' secrets, as the control plane has it. Required
    #[arg(long, env = "TURNPIKE_KEYRING", hide_env_values = true)]
    pub keyring: Secret,

    /// Which region this edge serves; it is shown and recorded
    #[arg(long, env = "TURNPIKE_REGION", default_value = "local")]
    pub region: Name,

    /// What this edge is called; no two may have the same name. Absent: made up once and kept in the data folder
    #[arg(long, env = "TURNPIKE_NAME")]
    pub name: Option<Name>,

    /// The folder of this edge's name, of its access state, of audit records under way and of issuers' keys. Keep it over restarts; one process at a time
    #[arg(long, env = "TURNPIKE_DATA_DIR", default_value = "turnpike-edge-data")]
    pub data_dir: PathBuf,

    /// Keep no access state in the data folder: after a restart the edge then waits for a control plane
    #[arg(long, env = "TURNPIKE_NO_SNAPSHOT")]
    pub no_snapshot: bool,

    /// For how many hours nobody may have confirmed the access state in the data folder, for a restart to serve by it
    #[arg(long, env = "TURNPIKE_SNAPSHOT_MAX_AGE", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=8760))]
    pub snapshot_max_age: u16,

    /// Where clients connect
    #[arg(long, env = "TURNPIKE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are
    #[arg(long, env = "TURNPIKE_OPERATIONS_LISTEN", default_value = "127.0.0.1:8081")]
    pub operations_listen: SocketAddr,

    /// Where Envoy asks over gRPC, by envoy.service.auth.v3, such as 127.0.0.1:8082; it speaks TLS where clients do. Absent:
    /// nowhere
    #[arg(long, env = "TURNPIKE_EXT_AUTHZ_LISTEN")]
    pub ext_authz_listen: Option<SocketAddr>,

    /// What clients call this edge, such as https://edge.acme.example: told in /.well-known/authzen-configuration. Absent:
    /// the address that a client called
    #[arg(long, env = "TURNPIKE_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<Arc<str>>,

    /// The certificate chain for clients, a PEM file. Absent: clients speak plain HTTP
    #[arg(long, env = "TURNPIKE_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate, a PEM file
    #[arg(long, env = "TURNPIKE_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Further authorities to trust towards the control plane and providers, a PEM file. Absent: the system's alone
    #[arg(long, env = "TURNPIKE_CA_FILE")]
    pub ca_file: Option<PathBuf>,

    /// Speak to a control plane that is not on this machine without TLS. Absent: that is refused
    #[arg(long, env = "TURNPIKE_ALLOW_PLAINTEXT")]
    pub allow_plaintext: bool,

    /// How many bytes of audit records may wait for the control plane, such as 512MiB
    #[arg(long, env = "TURNPIKE_SPOOL_MAX_BYTES", default_value = "1GiB")]
    pub spool_max_bytes: ByteSize,

    /// What happens when so many wait: requests are refused with 503, or records are dropped and counted
    #[arg(long, env = "TURNPIKE_SPOOL_FULL", value_enum, default_value_t)]
    pub spool_full: WhenFull,

    /// The networks of proxies in front of this edge, such as 10.0.0.0/8,fd00::/8: what they say in x-forwarded-for of the
    /// client's address is believed, for the audit and for networks in grants and scopes. Absent: the header is ignored
    #[arg(long, env = "TURNPIKE_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Private networks in which tenants' issuers may be asked for keys and about tokens, such as 10.1.0.0/16. With
    /// 127.0.0.0/8 also this machine, over `http://` too. Absent: addresses on the internet alone
    #[arg(long, env = "TURNPIKE_ISSUER_NETWORKS", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub issuer_networks: Vec<IpNet>,

    /// How old the keys of an issuer that cannot be reached may become, such as 12h or 7d. Tokens that need older ones are
    /// answered with 503 until the issuer is back
    #[arg(
        long,
        env = "TURNPIKE_ISSUER_KEYS_MAX_AGE",
        value_name = "AGE",
        default_value_t
    )]
    pub issuer_keys_max_age: KeysMaxAge,

    /// Threads that serve requests. Absent: one for each processor
    #[arg(long, env = "TURNPIKE_WORKER_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub worker_threads: Option<u16>,

    /// The bounds of a request.
    #[command(flatten)]
    pub limits: Limits,

    /// What the edge tells of itself.
    #[command(flatten)]
    pub telemetry: telemetry::Settings,
}

/// A setting that can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// Not a URL that gRPC can be spoken to.
    #[error("--control-plane {0:?} is not an http:// or https:// URL")]
    ControlPlane(String),
    /// Would send secrets over the network in the clear.
    #[error(
        "--control-plane {0:?} is on another machine and not https://; \
         use https://, or set --allow-plaintext where the network itself is private"
    )]
    Plaintext(String),
    /// No token.
    #[error("--enrol-token: {0}")]
    EnrolToken(InvalidEnrolmentToken),
    /// It is to enrol, and has nothing to do so by.
    #[error(
        "--enrol-token-file: there is no {0}, and this edge has not enrolled yet; make a token with `turnpike edge enrol NAME`"
    )]
    NoToken(PathBuf),
    /// Enrolled edges speak TLS.
    #[error(
        "--control-plane {0:?} is not https://; an edge that enrols calls the control plane's --edge-listen by https://"
    )]
    PlainEnrolment(String),
    /// The token is for another edge.
    #[error(
        "--name is {0}, and this edge was enrolled as {1}; leave --name away, or enrol it under that name"
    )]
    OtherName(Name, Name),
}

impl Settings {
    /// The control planes' addresses, checked.
    ///
    /// # Errors
    /// One is no URL, or without TLS to another machine, which was not expressly allowed.
    pub fn control_planes(&self) -> Result<ControlPlanes, InvalidSettings> {
        let (first, others) = match self.control_plane.split_once(',') {
            Some((first, others)) => (first, others.split(',').collect()),
            None => (self.control_plane.as_str(), Vec::new()),
        };
        let others = others.into_iter().map(|text| self.control_plane(text));
        Ok(ControlPlanes {
            first: self.control_plane(first)?,
            others: others.collect::<Result<_, _>>()?,
        })
    }

    fn control_plane(&self, text: &str) -> Result<http::Uri, InvalidSettings> {
        let invalid = || InvalidSettings::ControlPlane(text.to_owned());
        let uri: http::Uri = text.trim().parse().map_err(|_| invalid())?;
        let host = uri.host().ok_or_else(invalid)?;
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if self.allow_plaintext || is_loopback(host) => Ok(uri),
            Some("http") => Err(InvalidSettings::Plaintext(text.to_owned())),
            _ => Err(invalid()),
        }
    }

    /// Threads that serve requests.
    pub fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.worker_threads.map_or_else(processors, usize::from)
    }

    /// Every setting in force, a name and a value each, secrets hidden.
    pub fn effective(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map_or("none".into(), |path| path.display().to_string())
        };
        let mut all = vec![
            ("control-plane", self.control_plane.clone()),
            (
                "enrol-token",
                self.enrol_token.as_ref().map_or("none", |_| "hidden").into(),
            ),
            ("enrol-token-file", path(&self.enrol_token_file)),
            ("keyring", "hidden".into()),
            ("region", self.region.to_string()),
            (
                "name",
                self.name
                    .as_ref()
                    .map_or("kept in the data folder".into(), Name::to_string),
            ),
            ("data-dir", self.data_dir.display().to_string()),
            ("no-snapshot", self.no_snapshot.to_string()),
            ("snapshot-max-age", format!("{}h", self.snapshot_max_age)),
            ("listen", self.listen.to_string()),
            ("operations-listen", self.operations_listen.to_string()),
            (
                "ext-authz-listen",
                self.ext_authz_listen
                    .map_or("none".into(), |address| address.to_string()),
            ),
            (
                "public-url",
                self.public_url.as_deref().unwrap_or("none").to_owned(),
            ),
            ("tls-cert", path(&self.tls_cert)),
            ("tls-key", path(&self.tls_key)),
            ("ca-file", path(&self.ca_file)),
            ("allow-plaintext", self.allow_plaintext.to_string()),
            ("spool-max-bytes", self.spool_max_bytes.to_string()),
            ("spool-full", format!("{:?}", self.spool_full).to_lowercase()),
            ("trusted-proxies", networks(&self.trusted_proxies)),
            ("issuer-networks", networks(&self.issuer_networks)),
            ("issuer-keys-max-age", self.issuer_keys_max_age.to_string()),
            ("worker-threads", self.threads().to_string()),
        ];
        all.extend(self.nats.effective());
        all.extend(self.limits.effective());
        all.extend(self.telemetry.effective());
        all
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text
        .parse()
        .or_else(|_| text.parse().map(|address: IpAddr| address.into()));
    network.map_err(|_| format!("{text:?} is not a network such as 10.0.0.0/8 or 2001:db8::/32"))
}

/// An `https://` or, for one's own machine, `http://` URL without query and fragment; a slash at its end is dropped.
fn public_url(text: &str) -> Result<Arc<str>, String> {
    let text = text.trim_end_matches('/');
    let uri: Option<http::Uri> = text.parse().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("https" | "http")) && uri.query().is_none())
        .filter(|uri| uri.authority().is_some() && !text.contains('#'))
        .map(|_| Arc::from(text))
        .ok_or_else(|| format!("{text:?} is not a URL such as https://edge.acme.example"))
}

fn networks(all: &[IpNet]) -> String {
    match all {
        [] => "none".into(),
        all => all.iter().map(IpNet::to_string).collect::<Vec<_>>().join(","),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
