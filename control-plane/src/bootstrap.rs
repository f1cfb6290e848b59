//! The one-time token by which the first administrator is made.
//!
//! It opens nothing once there is an administrator, because the log refuses a second bootstrap.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use subtle::ConstantTimeEq as _;
use turnpike_runtime::{random, secret::Secret};

/// The file in the data directory that a generated token is written to.
pub const TOKEN_FILE: &str = "bootstrap.token";

/// Base62 characters of a generated token: 256 bits.
const TOKEN_LENGTH: usize = 43;

/// The token that this control plane accepts, if any.
#[derive(Debug, Clone)]
pub struct BootstrapToken(Option<Secret>);

impl BootstrapToken {
    /// The token that the settings give. Without one, and as long as there is no administrator, the token of the data
    /// directory: the one that is there from an earlier start, else a fresh one, written readable to its owner alone.
    ///
    /// # Errors
    /// The data directory cannot be written to.
    pub(crate) fn prepare(given: Option<Secret>, bootstrapped: bool, data_dir: &Path) -> io::Result<Self> {
        if given.is_some() || bootstrapped {
            return Ok(Self(given));
        }
        let (token, path) = kept_or_fresh(data_dir)?;
        tracing::info!(path = %path.display(), "there is no administrator yet; the bootstrap token is in this file");
        Ok(Self(Some(token)))
    }

    /// Whether this is the token. Takes the same time for any wrong one of the same length.
    pub fn accepts(&self, presented: &str) -> bool {
        self.0
            .as_ref()
            .is_some_and(|token| token.expose().as_bytes().ct_eq(presented.as_bytes()).into())
    }
}

fn kept_or_fresh(data_dir: &Path) -> io::Result<(Secret, PathBuf)> {
    let path = data_dir.join(TOKEN_FILE);
    if let Ok(kept) = std::fs::read_to_string(&path)
        && !kept.trim().is_empty()
    {
        return Ok((Secret::new(kept.trim()), path));
    }
    std::fs::create_dir_all(data_dir)?;
    let token = random::secret_base62(TOKEN_LENGTH);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    writeln!(file, "{}", token.expose())?;
    Ok((token, path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_generated_token_is_kept_for_its_owner_alone_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = BootstrapToken::prepare(None, false, folder.path()).unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = BootstrapToken::prepare(None, false, folder.path()).unwrap();
        assert!(first.accepts(text.trim()) && again.accepts(text.trim()));
        assert!(!first.accepts("") && !first.accepts("something else"));
    }

    #[test]
    fn with_an_administrator_no_token_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let none = BootstrapToken::prepare(None, true, folder.path()).unwrap();
        assert!(!folder.path().join(TOKEN_FILE).exists());
        assert!(!none.accepts(""));
    }
}
