//! `turnpike keyring`.

use std::io::Write as _;

use clap::Subcommand;
use turnpike_runtime::keyring::Keyring;

use crate::{failure::Failure, session::Outcome};

/// What can be done with keyrings.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a keyring and print it: control plane and edges need the same one, as TURNPIKE_KEYRING or in a file
    Generate,
}

impl Command {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let Self::Generate = self;
        let keyring = Keyring::generate();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", keyring.expose())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::local(format!("cannot write to standard output: {error}")))?;
        Ok(Outcome::Done)
    }
}
