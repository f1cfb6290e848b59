//! The full keys that the seeds have, in `dev.keys`: a key is shown once, at its creation, so this is their only
//! copy beside `dev.env`.

use std::collections::BTreeMap;

use turnpike_runtime::random;

use super::folder::Folder;
use crate::failure::Failure;

const FILE: &str = "dev.keys";

/// Keys by what they are for: `platform/user:admin`, `dev/virtual-account:demo-app` … Has no `Debug`.
pub(super) struct Keys<'f> {
    folder: &'f Folder,
    keys: BTreeMap<String, String>,
}

impl<'f> Keys<'f> {
    /// Those of an earlier run, if there was one.
    pub(super) fn load(folder: &'f Folder) -> Result<Self, Failure> {
        let keys = match folder.read(FILE)? {
            None => BTreeMap::new(),
            Some(text) => serde_json::from_str(&text).map_err(|_| {
                let file = folder.at(FILE);
                Failure::local(format!(
                    "{} is damaged; remove the folder to start anew",
                    file.display()
                ))
            })?,
        };
        Ok(Self { folder, keys })
    }

    /// One of them.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.keys.get(name).map(String::as_str)
    }

    /// Keeps a key, on disk before anything else happens.
    pub(super) fn keep(&mut self, name: &str, key: &str) -> Result<(), Failure> {
        self.keys.insert(name.to_owned(), key.to_owned());
        let text = serde_json::to_string_pretty(&self.keys)
            .map_err(|error| Failure::local(format!("the keys cannot be written: {error}")))?;
        self.folder.write(FILE, &text)
    }

    /// One of them that nobody gives out: 256 random bits, made at the first call.
    pub(super) fn get_or_make(&mut self, name: &str) -> Result<String, Failure> {
        if let Some(key) = self.get(name) {
            return Ok(key.to_owned());
        }
        let key = random::secret_base62(43).expose().to_owned();
        self.keep(name, &key)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_by_the_next_run() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let mut keys = Keys::load(&folder).unwrap();
        keys.keep("dev/user:admin", "tp_pat_x").unwrap();
        let made = keys.get_or_make("fake").unwrap();
        let mut again = Keys::load(&folder).unwrap();
        assert_eq!(again.get("dev/user:admin"), Some("tp_pat_x"));
        assert_eq!(again.get_or_make("fake").unwrap(), made);
        assert_eq!(made.len(), 43);
    }
}
