//! What can be set about NATS, checked before anything is connected.

use std::path::PathBuf;

use async_nats::ConnectOptions;
use clap::Args;
use rustls_pki_types::CertificateDer;

use super::servers::{Login, Servers};
use crate::{secret::Secret, tls, tls::TlsError};

/// Where NATS is and how to log in there.
#[derive(Debug, Clone, Args)]
pub struct NatsSettings {
    /// The NATS servers that carry news to the edges: nats://HOST:4222 or tls://HOST:4222, several separated by commas;
    /// USER:PASSWORD@ or TOKEN@ before a host logs in. Absent: edges learn of changes over gRPC alone
    #[arg(
        id = "nats_url",
        long = "nats-url",
        env = "TURNPIKE_NATS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub url: Option<Secret>,

    /// The file with the NATS user's JWT and key (.creds). Absent: the URL logs in, or nothing does
    #[arg(
        id = "nats_credentials",
        long = "nats-credentials",
        env = "TURNPIKE_NATS_CREDENTIALS",
        value_name = "FILE"
    )]
    pub credentials: Option<PathBuf>,

    /// Further authorities to trust towards NATS, a PEM file; also makes TLS a must. Absent: the system's, and TLS where
    /// the URL or the server asks for it
    #[arg(
        id = "nats_ca_file",
        long = "nats-ca-file",
        env = "TURNPIKE_NATS_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<PathBuf>,

    /// The first word of subjects and stream, for installations that share a NATS; the same for control planes and
    /// edges. Absent: `turnpike`
    #[arg(id = "nats_prefix", long = "nats-prefix", env = "TURNPIKE_NATS_PREFIX", value_name = "WORD", default_value = DEFAULT_PREFIX)]
    pub prefix: String,

    /// On how many servers of a NATS cluster the stream of news is kept; control planes make it so. Absent: one
    #[arg(id = "nats_replicas", long = "nats-replicas", env = "TURNPIKE_NATS_REPLICAS", value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub replicas: u8,
}

const DEFAULT_PREFIX: &str = "turnpike";

impl Default for NatsSettings {
    /// No NATS.
    fn default() -> Self {
        Self {
            url: None,
            credentials: None,
            ca_file: None,
            prefix: DEFAULT_PREFIX.to_owned(),
            replicas: 1,
        }
    }
}

/// A setting about NATS that can't be followed. Texts name no secrets.
#[derive(Debug, thiserror::Error)]
pub enum InvalidNatsSettings {
    /// Not NATS servers.
    #[error("TURNPIKE_NATS_URL: {0}")]
    Url(String),
    /// The credentials can't be used.
    #[error("TURNPIKE_NATS_CREDENTIALS: cannot use {path}: {why}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The authorities can't be used.
    #[error("TURNPIKE_NATS_CA_FILE: {0}")]
    Authorities(#[from] TlsError),
    /// The cryptography can't be set up.
    #[error("cannot set up TLS: {0}")]
    Cryptography(#[from] rustls::Error),
    /// Not one plain word.
    #[error("TURNPIKE_NATS_PREFIX: {0:?} is not made of lower-case letters, digits, - and _")]
    Prefix(String),
}

impl NatsSettings {
    /// Every setting in force, a name and a value each, without users and passwords.
    pub fn effective(&self) -> [(&'static str, String); 5] {
        let path = |path: &Option<PathBuf>| {
            let path = path.as_ref();
            path.map_or_else(|| "none".to_owned(), |path| path.display().to_string())
        };
        [
            ("nats-url", self.shown_url()),
            ("nats-credentials", path(&self.credentials)),
            ("nats-ca-file", path(&self.ca_file)),
            ("nats-prefix", self.prefix.clone()),
            ("nats-replicas", self.replicas.to_string()),
        ]
    }

    /// The servers for people, without users and passwords; `none` where there is no NATS.
    fn shown_url(&self) -> String {
        let Some(url) = &self.url else {
            return "none".to_owned();
        };
        match Servers::parse(url) {
            Ok(servers) => servers.places(),
            Err(_) => "not a NATS URL".to_owned(),
        }
    }

    /// How to connect to the servers: login, TLS.
    pub(super) fn connect_options(&self, servers: &Servers) -> Result<ConnectOptions, InvalidNatsSettings> {
        let further: Vec<CertificateDer<'static>> = match &self.ca_file {
            Some(path) => tls::certificates(path, "the authorities of NATS")?,
            None => Vec::new(),
        };
        let mut options = ConnectOptions::new()
            .require_tls(self.ca_file.is_some())
            .tls_client_config(tls::client_config(further)?);
        options = match &servers.login {
            Login::None => options,
            Login::Token(token) => options.token(token.expose().to_owned()),
            Login::User(user, password) => {
                options.user_and_password(user.clone(), password.expose().to_owned())
            }
        };
        let Some(path) = &self.credentials else {
            return Ok(options);
        };
        let unusable = |error: std::io::Error| InvalidNatsSettings::Credentials {
            path: path.clone(),
            why: error.to_string(),
        };
        let text = std::fs::read_to_string(path).map(Secret::new).map_err(unusable)?;
        options.credentials(text.expose()).map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> NatsSettings {
        NatsSettings {
            url: Some(Secret::new(url)),
            ..NatsSettings::default()
        }
    }

    #[test]
    fn users_and_passwords_are_shown_nowhere() {
        let settings = settings("nats://ann:hunter2@a:4222,tls://hunter2@b");
        assert_eq!(settings.shown_url(), "nats://a:4222,tls://b");
        let servers = Servers::parse(settings.url.as_ref().unwrap()).unwrap();
        let shown = format!("{settings:?} {servers:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_credentials_file_is_read() {
        // From the documentation of NATS.
        let seed = "SUAIO3FHUX5PNV2LQIIP7TZ3N4L7TX3W53MQGEIVYFIGA635OZCKEYHFLM";
        let text = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJqd3QifQ\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let settings = NatsSettings {
            credentials: Some(file.path().to_owned()),
            ..settings("nats://a")
        };
        let servers = Servers::parse(settings.url.as_ref().unwrap()).unwrap();
        assert!(settings.connect_options(&servers).is_ok());
    }

    #[test]
    fn an_unusable_file_is_named_with_its_setting() {
        let missing = Some(PathBuf::from("/nowhere/file"));
        let servers = Servers::parse(&Secret::new("nats://a")).unwrap();
        let without_credentials = NatsSettings {
            credentials: missing.clone(),
            ..settings("nats://a")
        };
        let error = without_credentials
            .connect_options(&servers)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with("TURNPIKE_NATS_CREDENTIALS: cannot use /nowhere/file"),
            "{error}"
        );
        let without_authorities = NatsSettings {
            ca_file: missing,
            ..settings("nats://a")
        };
        let error = without_authorities
            .connect_options(&servers)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with("TURNPIKE_NATS_CA_FILE: ") && error.contains("/nowhere/file"),
            "{error}"
        );
    }
}
