//! The folder in which `turnpike dev` keeps everything: readable by its owner alone, used by one process at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// The folder, held until it is dropped.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and takes it for this process.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let unusable = |error: io::Error| {
            Failure::local(format!(
                "cannot use the folder {}: {error}; set --data-dir",
                path.display()
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let lock =
            private(&path.join("lock"), OpenOptions::new().create(true).write(true)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::local(format!(
                "another `turnpike dev` uses {}; stop it, or set --data-dir",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// A place inside it.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file's text; `None` where there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, Failure> {
        match fs::read_to_string(self.at(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::local(format!(
                "cannot read {}: {error}",
                self.at(name).display()
            ))),
        }
    }

    /// Writes a file that its owner alone can read, whole or not at all.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let (target, draft) = (self.at(name), self.at(&format!("{name}.new")));
        let write = || {
            let mut file = private(&draft, OpenOptions::new().create(true).write(true).truncate(true))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &target)
        };
        write().map_err(|error| Failure::local(format!("cannot write {}: {error}", target.display())))
    }

    /// Takes a file away, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), Failure> {
        match fs::remove_file(self.at(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::local(format!(
                "cannot remove {}: {error}",
                self.at(name).display()
            ))),
            _ => Ok(()),
        }
    }
}

fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("deep/dev")).unwrap();
        assert_eq!(folder.read("keys").unwrap(), None);
        folder.write("keys", "one").unwrap();
        folder.write("keys", "two").unwrap();
        assert_eq!(folder.read("keys").unwrap().as_deref(), Some("two"));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.at("keys")), mode(folder.at("."))), (0o600, 0o700));
        folder.remove("keys").unwrap();
        folder.remove("keys").unwrap();
        assert_eq!(folder.read("keys").unwrap(), None);
    }

    #[test]
    fn a_folder_serves_one_process_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let first = Folder::open(place.path()).unwrap();
        let error = Folder::open(place.path()).err().unwrap().to_string();
        assert!(
            error.contains("another `turnpike dev`") && error.contains("--data-dir"),
            "{error}"
        );
        drop(first);
        assert!(Folder::open(place.path()).is_ok());
    }
}
