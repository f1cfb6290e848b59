//! Key sets on disk, so that a process that starts while an issuer is away can verify its tokens.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{fetch::ANSWER_LIMIT, remember::digest};
use crate::task::Tasks;

/// A folder with a file for each source, or none.
#[derive(Debug, Clone)]
pub(super) struct Disk(Option<Arc<PathBuf>>);

impl Disk {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder.map(Arc::new))
    }

    /// The key set that was last fetched from a source.
    pub(super) async fn read(&self, tasks: &Tasks, source: String) -> Option<Vec<u8>> {
        let path = self.path(&source)?;
        let text = tasks
            .blocking("issuer keys from disk", move || fs::read(path))
            .await?
            .ok()?;
        let (first, keys) = text.split_at_checked(text.iter().position(|byte| *byte == b'\n')?)?;
        let whole = first == source.as_bytes() && keys.len() <= ANSWER_LIMIT + 1;
        whole.then(|| keys.to_vec())
    }

    /// Keeps a key set. A failure is logged: it is no reason to refuse the keys.
    pub(super) async fn write(&self, tasks: &Tasks, source: String, keys: Vec<u8>) {
        let Some(path) = self.path(&source) else { return };
        let written = tasks
            .blocking("issuer keys to disk", move || write(&path, &source, &keys))
            .await;
        if let Some(Err(error)) = written {
            tracing::warn!(%error, "the keys of an issuer can't be kept on disk");
        }
    }

    fn path(&self, source: &str) -> Option<PathBuf> {
        let folder = self.0.as_ref()?;
        let name: String = digest(source).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(folder.join(format!("{name}.jwks")))
    }
}

/// By another file and a rename, so that there is never half of one. The first line says whose keys they are.
fn write(path: &Path, source: &str, keys: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(source.as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(keys)?;
    file.sync_all()?;
    fs::rename(fresh, path)
}
