//! Randomness from the operating system, as the only place that draws it.

use aws_lc_rs::rand;
use turnpike_access::id::Id;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// `N` random bytes, fit for keys.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if rand::fill(&mut bytes).is_err() {
        // Going on would make guessable keys. aws-lc itself aborts here; this keeps the promise if it stops to.
        std::process::abort();
    }
    bytes
}

/// A fresh id.
pub fn id() -> Id {
    Id::from_random(u128::from_le_bytes(bytes()))
}

/// `length` base62 characters, each drawn evenly.
pub fn secret_base62(length: usize) -> Secret {
    let mut text = Zeroizing::new(String::with_capacity(length));
    while text.len() < length {
        // The top 8 of 256 values are thrown away, because 62 doesn't divide 256 and the rest would lean.
        let drawn = Zeroizing::new(bytes::<64>());
        let digits = drawn.iter().filter(|byte| **byte < 248);
        let wanted = length - text.len();
        text.extend(
            digits
                .filter_map(|byte| Id::ALPHABET.get(usize::from(byte % 62)))
                .map(|digit| char::from(*digit))
                .take(wanted),
        );
    }
    Secret::new(text.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_secrets_differ_and_have_their_length() {
        let ids: BTreeSet<Id> = (0..1000).map(|_| id()).collect();
        assert_eq!(ids.len(), 1000);
        for length in [0, 1, 43, 200] {
            let secret = secret_base62(length);
            assert_eq!(secret.expose().len(), length);
            assert!(secret.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn every_base62_character_is_drawn() {
        let drawn: BTreeSet<char> = secret_base62(10_000).expose().chars().collect();
        assert_eq!(drawn.len(), 62);
    }
}
