//! Marks by which a process knows again what it put aside itself: HMAC-SHA-256 under keys derived from the keyring.

use aws_lc_rs::{constant_time, hmac};

use super::Keyring;

/// The length of a mark, in bytes.
pub const MARK: usize = 32;

/// The keys for one use.
#[derive(Clone)]
pub struct Authenticator {
    active: u32,
    keys: Vec<(u32, hmac::Key)>,
}

/// A mark that is being made, or checked, piece by piece.
pub struct Marking(hmac::Context);

impl Keyring {
    /// The keys for one use. Marks of one use are none for another.
    pub fn authenticator(&self, purpose: &str) -> Authenticator {
        let label = format!("turnpike.authenticator.v1 {purpose}");
        let key = |root: &super::Key| {
            let derived = root.derive(label.as_bytes());
            (root.id, hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice()))
        };
        Authenticator {
            active: self.active(),
            keys: self.keys().map(key).collect(),
        }
    }
}

impl Authenticator {
    /// The number of the key that new marks are made with.
    pub fn active(&self) -> u32 {
        self.active
    }

    /// Begins a mark with the key of this number; `None` where the keyring does not have it.
    pub fn begin(&self, key: u32) -> Option<Marking> {
        let found = self.keys.iter().find(|(id, _)| *id == key)?;
        Some(Marking(hmac::Context::with_key(&found.1)))
    }
}

impl Marking {
    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The mark.
    pub fn finish(self) -> [u8; MARK] {
        let tag = self.0.sign();
        let mut mark = [0; MARK];
        for (to, from) in mark.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        mark
    }

    /// Whether this is the mark. Takes the same time for any wrong one.
    pub fn verifies(self, mark: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.finish(), mark).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(authenticator: &Authenticator, key: u32, pieces: &[&str]) -> Option<[u8; MARK]> {
        let mut marking = authenticator.begin(key)?;
        pieces.iter().for_each(|piece| marking.update(piece.as_bytes()));
        Some(marking.finish())
    }

    #[test]
    fn a_mark_is_of_its_bytes_its_use_and_its_keyring() {
        let ring = Keyring::parse(&Keyring::generate()).unwrap();
        let ours = ring.authenticator("state");
        let made = mark(&ours, 1, &["some", "bytes"]).unwrap();
        assert_eq!(mark(&ours, 1, &["somebytes"]), Some(made), "pieces do not matter");
        assert_ne!(mark(&ours, 1, &["somebyte"]), Some(made));
        assert_ne!(mark(&ring.authenticator("other"), 1, &["somebytes"]), Some(made));
        let other = Keyring::parse(&Keyring::generate()).unwrap();
        assert_ne!(mark(&other.authenticator("state"), 1, &["somebytes"]), Some(made));
        assert_eq!(mark(&ours, 2, &["somebytes"]), None, "a key that is not there");
        let mut checking = ours.begin(1).unwrap();
        checking.update(b"somebytes");
        assert!(checking.verifies(&made));
    }

    #[test]
    fn what_was_marked_before_a_rotation_is_known_after_it() {
        let old = Keyring::generate();
        let ring = Keyring::parse(&old).unwrap();
        let made = mark(&ring.authenticator("state"), 1, &["bytes"]).unwrap();
        let fresh = Keyring::generate();
        let key = fresh.expose().split_once(':').unwrap().1;
        let rotated: Keyring = format!("2:{key},{}", old.expose()).parse().unwrap();
        let rotated = rotated.authenticator("state");
        assert_eq!(rotated.active(), 2);
        assert_eq!(mark(&rotated, 1, &["bytes"]), Some(made));
        assert_ne!(mark(&rotated, 2, &["bytes"]), Some(made));
    }
}
