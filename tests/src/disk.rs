//! A disk that is small, so that a test can fill it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// A small disk in memory, mounted at a folder until this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many KiB; `None` where this user may not mount anything.
    pub fn mount(folder: &Path, kib: u32) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder");
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={kib}k,mode=0700"),
                "turnpike-test",
            ])
            .arg(folder)
            .output();
        let done = mounted.is_ok_and(|mounted| mounted.status.success());
        done.then(|| Self {
            folder: folder.to_owned(),
        })
    }

    /// Leaves no byte of room.
    pub fn fill(&self) {
        let filler = File::options().create(true).append(true).open(self.filler());
        // On a full disk not even the file's name may have room, which is as good.
        let Ok(mut filler) = filler else { return };
        for piece in [vec![0; 64 << 10], vec![0; 4 << 10], vec![0; 1]] {
            while filler.write_all(&piece).is_ok() {}
        }
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        drop(fs::remove_file(self.filler()));
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also where a process still has files there.
        drop(Command::new("umount").arg("--lazy").arg(&self.folder).output());
    }
}
