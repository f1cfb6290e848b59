//! Arguments that several nouns share: pairs, secrets from elsewhere, lists, and optional text.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use turnpike_runtime::secret::Secret;

use crate::{failure::Failure, session::Wait};

#[derive(Debug, Args)]
pub(super) struct Limit {
    /// Show at most so many. Absent: all
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Its name, or its id where it has one
    pub name: String,
    #[command(flatten)]
    pub wait: Wait,
}

/// Where a secret comes from. Never from the command line, which other users of the machine can read.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct SecretSource {
    /// Take the secret from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    secret_from_env: Option<String>,
    /// Take the secret from this file
    #[arg(long, value_name = "FILE")]
    secret_from_file: Option<PathBuf>,
    /// Take the secret from standard input
    #[arg(long)]
    secret_from_stdin: bool,
}

impl SecretSource {
    /// Reads it; `None` where no source was named. A line's end after it is not part of it.
    pub(super) fn read(&self) -> Result<Option<Secret>, Failure> {
        let Self {
            secret_from_env,
            secret_from_file,
            secret_from_stdin,
        } = self;
        let secret = secret_from(
            secret_from_env.as_deref(),
            secret_from_file.as_deref(),
            *secret_from_stdin,
        )?;
        if secret.as_ref().is_some_and(|secret| is_own_key(secret.expose())) {
            warn_of_own_key();
        }
        Ok(secret)
    }
}

/// Where the client secret for an issuer comes from; likewise never from the command line.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ClientSecretSource {
    /// Take Turnpike's own client secret there from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    client_secret_from_env: Option<String>,
    /// Take the client secret from this file
    #[arg(long, value_name = "FILE")]
    client_secret_from_file: Option<PathBuf>,
    /// Take the client secret from standard input
    #[arg(long)]
    client_secret_from_stdin: bool,
}

impl ClientSecretSource {
    /// Reads it; `None` where no source was named.
    pub(super) fn read(&self) -> Result<Option<Secret>, Failure> {
        let Self {
            client_secret_from_env,
            client_secret_from_file,
            client_secret_from_stdin,
        } = self;
        secret_from(
            client_secret_from_env.as_deref(),
            client_secret_from_file.as_deref(),
            *client_secret_from_stdin,
        )
    }
}

fn secret_from(
    variable: Option<&str>,
    file: Option<&Path>,
    standard_input: bool,
) -> Result<Option<Secret>, Failure> {
    let text = if let Some(variable) = variable {
        env::var(variable)
            .map_err(|_| Failure::local(format!("{variable} is not set; the secret was to come from it")))?
    } else if let Some(file) = file {
        fs::read_to_string(file).map_err(|error| {
            Failure::local(format!("cannot read the secret from {}: {error}", file.display()))
        })?
    } else if standard_input {
        io::read_to_string(io::stdin())
            .map_err(|error| Failure::local(format!("cannot read the secret from standard input: {error}")))?
    } else {
        return Ok(None);
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::local("the secret is empty"));
    }
    Ok(Some(Secret::new(text)))
}

fn is_own_key(text: &str) -> bool {
    text.starts_with("tp_pat_") || text.starts_with("tp_va_")
}

/// After `source dev.env`, `OPENAI_API_KEY` holds one. It may be meant, where the provider is another Turnpike.
#[expect(
    clippy::print_stderr,
    reason = "a warning is for whoever watches, not part of the result"
)]
fn warn_of_own_key() {
    eprintln!("turnpike: the secret is a key of Turnpike's own; the provider will see it with every request");
}

/// Reads `key=value`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Reads `kind:name`.
pub(super) fn resource(text: &str) -> Result<turnpike_proto::admin::v1::ResourcePattern, String> {
    match text.split_once(':') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => {
            Ok(turnpike_proto::admin::v1::ResourcePattern {
                kind: kind.to_owned(),
                name: name.to_owned(),
            })
        }
        _ => Err("write KIND:NAME, such as team:payments; the name may hold *".to_owned()),
    }
}

/// The wire has the empty text for what is absent.
pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(content: &str) -> Result<Option<Secret>, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, content).unwrap();
        let source = SecretSource {
            secret_from_env: None,
            secret_from_file: Some(file.path().to_owned()),
            secret_from_stdin: false,
        };
        source.read()
    }

    #[test]
    fn a_secret_is_read_without_the_end_of_its_line() {
        assert_eq!(from_file("sk-1 2\r\n").unwrap().unwrap().expose(), "sk-1 2");
        assert!(from_file("\n").is_err());
    }

    #[test]
    fn another_turnpike_may_be_a_provider() {
        assert!(from_file("tp_va_abc").unwrap().is_some());
    }
}
