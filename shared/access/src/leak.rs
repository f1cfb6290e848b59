//! Keys that turned up where they should not be: finding them in any text, and whose they are.
//!
//! What becomes of them is decided elsewhere.

use std::sync::Arc;

use crate::{
    credential::{Credential, KEY_LENGTHS, KeyKind, PresentedKey},
    digest::{KeyDigest, Peppers},
    id::Timestamp,
    snapshot::Snapshot,
};

/// A key in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Where it begins, in bytes.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// The key.
    pub key: PresentedKey<'a>,
}

/// The keys in a text, whatever stands around them and whatever else is in it, in their order. A key has its form and
/// its checksum; whether anybody knows it is not asked here.
///
/// Looks at every byte a bounded number of times, and allocates nothing.
pub fn keys(text: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += text.get(at..)?.iter().position(|byte| *byte == b't')?;
            if let Some(found) = key_at(text, at) {
                at = found.end;
                return Some(found);
            }
            at += 1;
        }
    })
}

fn key_at(text: &[u8], start: usize) -> Option<Found<'_>> {
    let rest = text.get(start..).filter(|rest| rest.starts_with(b"tp_"))?;
    KEY_LENGTHS.into_iter().find_map(|length| {
        let key = std::str::from_utf8(rest.get(..length)?).ok()?;
        Some(Found {
            start,
            end: start + length,
            key: PresentedKey::parse(key).ok()?,
        })
    })
}

/// Which version of a credential a genuine secret is of, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// The one that it has now.
    Present,
    /// The one before the last rotation, while it still works.
    Previous,
    /// The one before the last rotation, which works no more: whoever has it has nothing.
    Past,
}

/// The credential that a key is genuinely of, and the version. What state it is in does not matter. An unknown id takes
/// as long as a wrong secret, so that the answer's time tells nothing.
pub fn trace<'s>(
    snapshot: &'s Snapshot,
    key: &PresentedKey<'_>,
    peppers: &Peppers,
    now: Timestamp,
) -> Option<(&'s Credential, Version)> {
    const NOTHING: KeyDigest = KeyDigest {
        pepper: 0,
        mac: [0; 32],
    };
    let held = snapshot.credential(key.id()).map(Arc::as_ref);
    let present = peppers.verify(held.map_or(&NOTHING, |held| &held.digest), key);
    let held = held.filter(|held| key.kind() == KeyKind::of(&held.owner))?;
    if present {
        return Some((held, Version::Present));
    }
    let previous = held.previous.as_deref()?;
    let version = match now < previous.until {
        true => Version::Previous,
        false => Version::Past,
    };
    peppers.verify(&previous.digest, key).then_some((held, version))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::write_key;

    const SECRET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";

    fn found(text: &[u8]) -> Vec<String> {
        keys(text)
            .map(|found| String::from_utf8_lossy(&text[found.start..found.end]).into_owned())
            .collect()
    }

    fn key(kind: bool, secret: &str) -> String {
        let kind = match kind {
            true => KeyKind::PersonalAccessToken,
            false => KeyKind::VirtualAccount,
        };
        write_key(kind, "abcDEF123456".parse().unwrap(), secret)
    }

    #[test]
    fn a_key_is_found_within_words_and_right_beside_another() {
        let (one, other) = (key(true, SECRET), key(false, SECRET));
        let text = format!("tp_tp_pat_x{one}{other}9_tp_va_{}", &one[..60]);
        assert_eq!(found(text.as_bytes()), [one, other]);
    }

    proptest! {
        #[test]
        fn every_key_is_found_between_any_bytes(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>(), "[0-9A-Za-z]{43}"), 0..6),
            end in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let (mut text, mut expected) = (Vec::new(), Vec::new());
            for (before, kind, secret) in parts {
                text.extend(before);
                expected.push(key(kind, &secret));
                text.extend(expected.last().unwrap().bytes());
            }
            text.extend(end);
            prop_assert_eq!(found(&text), expected);
        }

        #[test]
        fn what_is_nearly_a_key_is_none(place in 0usize..70, other in any::<u8>(), around in "[a-z_]{0,9}") {
            let mut text = key(true, SECRET).into_bytes();
            if text[place] == other { return Ok(()); }
            text[place] = other;
            let text = [around.as_bytes(), &text, around.as_bytes()].concat();
            prop_assert_eq!(found(&text), Vec::<String>::new());
        }

        #[test]
        fn a_key_cut_short_is_none(length in 0usize..70) {
            prop_assert_eq!(found(&key(true, SECRET).as_bytes()[..length]), Vec::<String>::new());
        }
    }
}
