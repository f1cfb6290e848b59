//! Where the chain of an epoch stands at the beginning of each of its segments, kept in a file beside them, so that it goes
//! on after a restart although the segments before are deleted.
//!
//! The file has a line for each segment: its number and the link. It is written before a segment is deleted.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use turnpike_access::audit::chain::Link;

fn path(folder: &Path, epoch: u64) -> PathBuf {
    folder.join(format!("{epoch}.links"))
}

/// The epoch that a file of this kind is about.
pub(super) fn epoch_of(file: &Path) -> Option<u64> {
    file.file_name()?.to_str()?.strip_suffix(".links")?.parse().ok()
}

/// The chain before the segment of this number. `None`: it is not known any more.
pub(super) fn before(folder: &Path, epoch: u64, number: u64) -> Option<Link> {
    if number == 0 {
        return Some(Link::start(epoch));
    }
    let text = fs::read_to_string(path(folder, epoch)).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, link) = lines.find(|(at, _)| at.parse() == Ok(number))?;
    link.parse().ok()
}

/// Keeps what is known of the segments that are still there. Renamed into place, so that a crash leaves the old or the new.
pub(super) fn keep(folder: &Path, epoch: u64, known: &BTreeMap<u64, Link>) -> io::Result<()> {
    let text: String = known
        .iter()
        .map(|(number, link)| format!("{number} {link}\n"))
        .collect();
    let new = folder.join(format!("{epoch}.links-new"));
    fs::write(&new, text)?;
    fs::rename(&new, path(folder, epoch))
}

/// Forgets an epoch.
pub(super) fn forget(folder: &Path, epoch: u64) {
    // Left behind, it is swept away at the next start.
    let _ = fs::remove_file(path(folder, epoch));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_what_is_not_is_not_made_up() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(before(folder.path(), 7, 0), Some(Link::start(7)));
        assert_eq!(before(folder.path(), 7, 1), None);
        let known = BTreeMap::from([(1, Link([1; 32])), (12, Link([2; 32]))]);
        keep(folder.path(), 7, &known).unwrap();
        assert_eq!(before(folder.path(), 7, 1), Some(Link([1; 32])));
        assert_eq!(before(folder.path(), 7, 12), Some(Link([2; 32])));
        assert_eq!(
            (before(folder.path(), 7, 2), before(folder.path(), 8, 1)),
            (None, None)
        );
        let files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(
            files.iter().filter_map(|file| epoch_of(file)).collect::<Vec<_>>(),
            [7]
        );
        forget(folder.path(), 7);
        assert_eq!(before(folder.path(), 7, 1), None);
    }
}
