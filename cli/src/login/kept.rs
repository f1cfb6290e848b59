//! The file that a login leaves: mode 0600, in a folder of mode 0700, replaced whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What is needed to call, and to get the next token. Has no `Debug`: its tokens are secret.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// The control plane that it is for. Nobody else is shown the token.
    pub(super) control_plane: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    pub(super) audience: Option<String>,
    pub(super) resource: Option<String>,
    /// The ID token is shown, rather than the access token.
    pub(super) id_token: bool,
    pub(super) token_endpoint: String,
    pub(super) revocation_endpoint: Option<String>,
    /// What is shown to the control plane.
    pub(super) bearer: String,
    /// Until when, in microseconds since the epoch.
    pub(super) expires_us: i64,
    pub(super) refresh_token: Option<String>,
}

/// The folder where logins are kept.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// `TURNPIKE_CONFIG_DIR`, or else `turnpike` in the user's configuration folder; `None` for a user without one.
    pub fn of_user() -> Option<Self> {
        let absolute = |name: &str| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        if let Some(own) = std::env::var_os("TURNPIKE_CONFIG_DIR").filter(|own| !own.is_empty()) {
            return Some(Self(own.into()));
        }
        let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
        Some(Self(config.join("turnpike")))
    }

    /// For a test: this one.
    #[cfg(test)]
    pub(super) fn at(path: &std::path::Path) -> Self {
        Self(path.to_owned())
    }

    /// The file.
    pub(super) fn file(&self) -> PathBuf {
        self.0.join("login.json")
    }

    /// What the last login left, if there was one.
    pub(super) fn load(&self) -> Result<Option<Kept>, Failure> {
        let path = self.file();
        let failed = |why: &dyn std::fmt::Display| {
            Failure::local(format!(
                "cannot use the login in {}: {why}; run `turnpike login` again, or set TURNPIKE_TOKEN",
                path.display()
            ))
        };
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| failed(&error))?,
        };
        let mode = file.metadata().map_err(|error| failed(&error))?.mode();
        if mode & 0o077 != 0 {
            return Err(failed(&"others may read it"));
        }
        let kept = serde_json::from_reader(file).map_err(|_| failed(&"it is damaged"))?;
        Ok(Some(kept))
    }

    /// Puts a login in the place of the one before.
    pub(super) fn store(&self, kept: &Kept) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(kept)
            .map_err(|error| Failure::local(format!("the login cannot be written: {error}")))?;
        self.replace(&text).map_err(|error| self.failed("write", &error))
    }

    fn replace(&self, text: &[u8]) -> std::io::Result<()> {
        self.make()?;
        let new = self.0.join(format!("login.json.{}", std::process::id()));
        // What a process of the same id left behind when it was killed is nobody's.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        let written = file.write_all(text).and_then(|()| file.sync_all());
        written
            .and_then(|()| fs::rename(&new, self.file()))
            .inspect_err(|_| {
                let _ = fs::remove_file(&new);
            })
    }

    /// Forgets the login.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(self.file()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed("delete", &error)),
            _ => Ok(()),
        }
    }

    /// Waits until no other command renews the token; others wait while the answer is held.
    pub(super) fn lock(&self) -> Result<File, Failure> {
        let locked = || {
            self.make()?;
            let mut options = OpenOptions::new();
            let file = options
                .create(true)
                .append(true)
                .mode(0o600)
                .open(self.0.join("login.lock"))?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|error| self.failed("lock", &error))
    }

    fn make(&self) -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Failure {
        let path = self.file();
        Failure::local(format!(
            "cannot {what} {}: {error}; TURNPIKE_CONFIG_DIR names another folder",
            path.display()
        ))
    }
}
