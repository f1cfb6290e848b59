//! Key sets on disk, so that a process that starts while an issuer is away can verify its tokens.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use turnpike_access::id::Timestamp;

use super::{fetch::ANSWER_LIMIT, remember::digest};
use crate::task::Tasks;

/// Between a source and the time at which its keys were fetched, in microseconds since the epoch.
const TAB: char = '\t';

/// A folder with a file for each source, or none.
#[derive(Debug, Clone)]
pub(super) struct Disk(Option<Arc<PathBuf>>);

impl Disk {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder.map(Arc::new))
    }

    /// The key set that was last fetched from a source, and when.
    pub(super) async fn read(&self, tasks: &Tasks, source: String) -> Option<(Vec<u8>, Timestamp)> {
        let path = self.path(&source)?;
        let text = tasks
            .blocking("issuer keys from disk", move || fs::read(path))
            .await?
            .ok()?;
        let (first, keys) = text.split_at_checked(text.iter().position(|byte| *byte == b'\n')?)?;
        let (whose, fetched) = std::str::from_utf8(first).ok()?.rsplit_once(TAB)?;
        let fetched = fetched.parse().ok().map(Timestamp::from_micros)?;
        let whole = whose == source && keys.len() <= ANSWER_LIMIT + 1;
        whole.then(|| (keys.to_vec(), fetched))
    }

    /// Keeps a key set. A failure is logged: it is no reason to refuse the keys.
    pub(super) async fn write(&self, tasks: &Tasks, source: String, fetched: Timestamp, keys: Vec<u8>) {
        let Some(path) = self.path(&source) else { return };
        let first = format!("{source}{TAB}{}\n", fetched.as_micros());
        let written = tasks
            .blocking("issuer keys to disk", move || write(&path, &first, &keys))
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

/// By another file and a rename, so that there is never half of one. The first line says whose keys they are and since when.
fn write(path: &Path, first: &str, keys: &[u8]) -> io::Result<()> {
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
    file.write_all(first.as_bytes())?;
    file.write_all(keys)?;
    file.sync_all()?;
    fs::rename(fresh, path)
}
