//! The name of this edge, where none was given: made up once, then kept with the data.
//!
//! It must stay the same over restarts, because audit records are told apart by it.

use std::{fs, io, path::Path};

use turnpike_access::id::{Id, Name};

/// The name kept in the folder, or a new one, which is kept there from now on. `random` is only used for a new one.
///
/// # Errors
/// The folder can't be read or written, or holds something that is not a name.
pub fn keep(folder: &Path, random: u128) -> io::Result<Name> {
    let path = folder.join("edge.name");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|invalid| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {invalid}", path.display()),
            )
        }),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            let id = Id::from_random(random).as_str().to_ascii_lowercase();
            let name: Name = format!("edge-{id}").parse().map_err(io::Error::other)?;
            fs::create_dir_all(folder)?;
            // Renamed into place, so that a crash leaves a whole name or none.
            let new = folder.join("edge.name.new");
            fs::write(&new, format!("{name}\n"))?;
            fs::rename(&new, &path)?;
            Ok(name)
        }
        Err(error) => Err(error),
    }
}
