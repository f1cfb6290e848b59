//! How an issuer's tokens are verified, as flags.

use std::{fs, path::PathBuf};

use clap::Args;
use turnpike_proto::admin::v1::{Discovery, Introspection, issuer::Verification};

use crate::{command::value::ClientSecretSource, failure::Failure};

/// The flags; those of one way exclude those of the others.
#[derive(Debug, Args)]
pub(super) struct VerificationFlags {
    /// Find the keys by the issuer's metadata document: URL/.well-known/openid-configuration
    #[arg(long, conflicts_with_all = ["jwks_url", "jwks_file", "introspection_url", "client_id", "ClientSecretSource"])]
    discovery: bool,
    /// Find the keys at this URL
    #[arg(long, value_name = "URL", conflicts_with_all = ["jwks_file", "introspection_url", "client_id", "ClientSecretSource"])]
    jwks_url: Option<String>,
    /// Take the keys in this file, a JSON Web Key Set: for issuers that edges cannot reach
    #[arg(long, value_name = "FILE", conflicts_with_all = ["introspection_url", "client_id", "ClientSecretSource"])]
    jwks_file: Option<PathBuf>,
    /// The tokens are opaque: ask the issuer about each here (RFC 7662)
    #[arg(long, value_name = "URL")]
    introspection_url: Option<String>,
    /// Turnpike's own client id there
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    secret: ClientSecretSource,
}

impl VerificationFlags {
    /// What was asked for; `None` where nothing was.
    pub(super) fn read(self) -> Result<Option<Verification>, Failure> {
        let Self {
            discovery,
            jwks_url,
            jwks_file,
            introspection_url,
            client_id,
            secret,
        } = self;
        let secret = secret.read()?;
        if introspection_url.is_some() || client_id.is_some() || secret.is_some() {
            return Ok(Some(Verification::Introspection(Introspection {
                url: introspection_url.unwrap_or_default(),
                client_id: client_id.unwrap_or_default(),
                client_secret: secret
                    .map(|secret| secret.expose().to_owned())
                    .unwrap_or_default(),
            })));
        }
        if let Some(file) = jwks_file {
            let jwks = fs::read_to_string(&file).map_err(|error| {
                Failure::local(format!("cannot read the keys from {}: {error}", file.display()))
            })?;
            return Ok(Some(Verification::Jwks(jwks)));
        }
        Ok(jwks_url
            .map(Verification::JwksUrl)
            .or(discovery.then_some(Verification::Discovery(Discovery {}))))
    }
}
