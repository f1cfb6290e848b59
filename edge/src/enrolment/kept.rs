//! What is kept of an enrolment, for this user alone: `enrolment.json`, and beside it, until the control plane has answered,
//! `enrolment.next.json`, so that an answer that was lost can be asked for again with the same key.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use turnpike_access::id::{Id, Name};
use turnpike_runtime::{
    enrolment::{AuthorityKey, EdgeKey, EnrolmentToken},
    secret::SecretBytes,
};

const IN_FORCE: &str = "enrolment.json";
const NEXT: &str = "enrolment.next.json";

/// An enrolment, in force or asked for.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) edge: Name,
    pub(super) authority: AuthorityKey,
    /// The public id of the token that it came by.
    pub(super) token: Id,
    pub(super) key: EdgeKey,
    /// The control plane has said that the edge is sent away.
    pub(super) revoked: bool,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    edge: Name,
    authority: String,
    token: Id,
    /// PKCS #8.
    key: Vec<u8>,
    #[serde(default)]
    revoked: bool,
}

/// The data folder.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it where there is none, for this user alone.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// What this edge enrolled as, and whether it is still to be asked for. Another token than the one that it came by is for
    /// enrolling anew, with another key.
    pub(super) fn find(&self, token: Option<&EnrolmentToken>) -> io::Result<Option<(Kept, bool)>> {
        let kept = self.read(IN_FORCE)?;
        let Some(token) = token else {
            return Ok(kept.map(|kept| (kept, false)));
        };
        if let Some(kept) = kept.filter(|kept| kept.token == token.id) {
            return Ok(Some((kept, false)));
        }
        if let Some(next) = self.read(NEXT)?.filter(|next| next.token == token.id) {
            return Ok(Some((next, true)));
        }
        let fresh = Kept {
            edge: token.edge.clone(),
            authority: token.authority,
            token: token.id,
            key: EdgeKey::generate().map_err(io::Error::other)?,
            revoked: false,
        };
        self.write(NEXT, &fresh)?;
        Ok(Some((fresh, true)))
    }

    /// Puts an enrolment in force.
    pub(super) fn keep(&self, kept: &Kept) -> io::Result<()> {
        self.write(IN_FORCE, kept)?;
        match fs::remove_file(self.0.join(NEXT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn read(&self, name: &str) -> io::Result<Option<Kept>> {
        let path = self.0.join(name);
        let text = match fs::read(&path) {
            Ok(text) => SecretBytes::new(text),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // What a parser says may repeat what it read.
        let damaged = || {
            let problem = format!(
                "{} is damaged; delete it and enrol this edge anew",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, problem)
        };
        let written: Written = serde_json::from_slice(text.expose()).map_err(|_| damaged())?;
        Ok(Some(Kept {
            edge: written.edge,
            authority: written.authority.parse().map_err(|_| damaged())?,
            token: written.token,
            key: EdgeKey::from_pkcs8(SecretBytes::new(written.key)).map_err(|_| damaged())?,
            revoked: written.revoked,
        }))
    }

    /// Renamed into place, so that a crash leaves the whole of it or what was there before.
    fn write(&self, name: &str, kept: &Kept) -> io::Result<()> {
        let written = Written {
            edge: kept.edge.clone(),
            authority: kept.authority.to_string(),
            token: kept.token,
            key: kept.key.pkcs8().expose().to_vec(),
            revoked: kept.revoked,
        };
        let text = SecretBytes::new(serde_json::to_vec(&written)?);
        let new = self.0.join(format!("{name}.new"));
        // What a crash left may be somebody else's to read.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.expose())?;
        file.sync_all()?;
        fs::rename(&new, self.0.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use turnpike_runtime::enrolment::Authority;

    use super::*;

    fn token() -> EnrolmentToken {
        let authority = Authority::generate().unwrap().public_key();
        EnrolmentToken::generate("edge-eu".parse().unwrap(), authority)
    }

    #[test]
    fn a_key_is_kept_before_it_is_shown_and_another_token_brings_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::of(&folder.path().join("data")).unwrap();
        assert!(folder.find(None).unwrap().is_none());
        let (first, second) = (token(), token());
        let (asked, open) = folder.find(Some(&first)).unwrap().unwrap();
        assert!(open);
        let (again, open) = folder.find(Some(&first)).unwrap().unwrap();
        assert_eq!(
            again.key.public_key(),
            asked.key.public_key(),
            "the answer was lost"
        );
        assert!(
            open && folder.find(None).unwrap().is_none(),
            "nothing is in force yet"
        );
        folder.keep(&again).unwrap();
        for given in [Some(&first), None] {
            let (kept, open) = folder.find(given).unwrap().unwrap();
            assert!(!open);
            assert_eq!(kept.key.public_key(), asked.key.public_key());
        }
        let file = fs::metadata(folder.0.join(IN_FORCE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);

        let (anew, open) = folder.find(Some(&second)).unwrap().unwrap();
        assert!(open);
        assert_ne!(anew.key.public_key(), asked.key.public_key());
        let (kept, _) = folder.find(None).unwrap().unwrap();
        assert_eq!(
            kept.key.public_key(),
            asked.key.public_key(),
            "until the new one is answered"
        );
    }

    #[test]
    fn a_damaged_enrolment_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(IN_FORCE), "{\"key\": \"hunter2\"").unwrap();
        let error = Folder(folder.path().to_owned())
            .find(None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(IN_FORCE) && !error.contains("hunter2"), "{error}");
    }
}
